package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/backtest"
	"github.com/parleyhq/parley/pkg/flow/dialogue"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
	"github.com/parleyhq/parley/services/internal/platform"
)

// ordered is the flow that conversations are recorded with.
const ordered = `name: order
language: en
keywords: {restart: [RESTART], agent: {words: [AGENT], handover: sales}}
steps:
  - {name: name, say: Name?, expect: {type: text, save: name}}
  - {name: email, say: Email?, expect: {type: email, save: email, invalid: No., attempts: 3, then: handover}}
  - {name: size, say: Size?, expect: {type: choice, options: [small, large], save: size}}
completed: {say: Thanks, again: Bye}
`

// orders are conversations with it.
var orders = []string{
	"hi|Ann|ann@example.org|[small]|thanks", "hi|Bob|bob|bob@example.org|[large]", "hi|Cleo", "hi|Dan|no|no|no|hello?", "hi|Eve|RESTART|Eve|eve@example.org",
	"hi|Flo|AGENT|I want a refund", "hi", "hi|Gus|gus@example.org|huge|small",
}

// recordIn records conversations in a database of its own, and lets the commands use it.
func recordIn(t testing.TB, shards int, all [][]*parleyv1.Event) {
	t.Helper()
	dsn := pgtest.New(t, store.Migrate)
	db, err := store.Open(t.Context(), dsn, 2, "backtest test")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.EnsureLeases(t.Context(), store.ServiceSession, shards); err != nil {
		t.Fatal(err)
	}
	leases, err := db.Acquire(t.Context(), store.ServiceSession, "test", time.Hour, shards, nil)
	if err != nil || len(leases) != shards {
		t.Fatalf("%d leases: %v", len(leases), err)
	}
	slices.SortFunc(leases, func(a, b store.Lease) int { return a.Shard - b.Shard })
	for i, lease := range leases {
		var part []*parleyv1.Event
		for person := i; person < len(all); person += shards {
			part = append(part, all[person]...)
		}
		write(t, db, lease, part)
	}
	t.Setenv("PARLEY_DATABASE_URL", dsn)
}

// write appends events as the session service does.
func write(t testing.TB, db *store.Store, lease store.Lease, events []*parleyv1.Event) {
	t.Helper()
	var session uint64
	for i, e := range events {
		e.Shard, e.Offset = uint32(lease.Shard), uint64(i+1)
		if e.GetSessionStarted() != nil {
			session = store.SessionID(lease.Shard, e.Offset)
		}
		e.SessionId, e.Channel, e.ContactId = session, "ch1", uuid.Nil[:]
	}
	head := uint64(0)
	for part := range slices.Chunk(events, 2000) {
		from := lease.Checkpoint
		lease.Checkpoint++
		turn := store.TurnPart{Fence: store.Fence{Shard: lease.Shard, Epoch: lease.Epoch, From: from, To: lease.Checkpoint, At: time.Now()}, Head: head, Events: part}
		if _, err := db.AppendTurns(t.Context(), []store.TurnPart{turn}); err != nil {
			t.Fatal(err)
		}
		head += uint64(len(part))
	}
}

// ordersIn plays the orders: the events of each person.
func ordersIn(t testing.TB) [][]*parleyv1.Event {
	t.Helper()
	f, err := flow.Parse([]byte(ordered))
	if err != nil {
		t.Fatal(err)
	}
	w := dialogue.World{Flows: []*flow.Flow{f}, Serves: "order"}
	all := make([][]*parleyv1.Event, len(orders))
	for i, lines := range orders {
		chat, err := w.Open(dialogue.Given{Phone: fmt.Sprint("3460011122", i), At: time.Date(2026, 11, 2, 10, i, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(lines, "|") {
			if _, err := chat.Say(line, chat.Now().Add(time.Minute)); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		all[i] = chat.Events()
	}
	return all
}

// version writes a flow file with changes.
func version(t testing.TB, changes ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "order.yaml")
	if err := os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(ordered)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// timing is what differs each time.
var timing = regexp.MustCompile(`played in .*`)

func TestBacktestPrints(t *testing.T) {
	recordIn(t, 3, ordersIn(t))
	for name, changes := range map[string][]string{
		"same":   {"Name?", "What is your name?"},
		"strict": {"invalid: No.,", "invalid: No., check: [{if: 'email startsWith \"a\"', say: An a please}],"},
		"added":  {"  - {name: size", "  - {name: age, say: Age?, expect: {type: number, save: age}}\n  - {name: size"},
		"rename": {"name: email,", "name: mail,"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run([]string{"flow", "backtest", version(t, changes...), "--since", "36500d"}, "", &out, &errs); code != 0 || errs.Len() > 0 {
				t.Fatalf("exit %d: %s", code, errs.String())
			}
			got := timing.ReplaceAllString(out.String(), "played in …")
			path := filepath.Join("testdata", "backtest", name+".txt")
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("run the test with -rewrite and read the diff (%v)\n%s", err, got)
			}
		})
	}
}

func TestBacktestReports(t *testing.T) {
	recordIn(t, 2, ordersIn(t))
	var out, errs bytes.Buffer
	code := run([]string{"flow", "backtest", version(t, "name: email,", "name: mail,"), "--since", "36500d", "-o", "json"}, "", &out, &errs)
	var r backtest.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out.String(), errs.String())
	}
	if r.Flow != "order" || r.Conversations != 9 || r.Same != 1 || r.Changed != 8 || len(r.Divergences) != 8 || len(r.Causes) != 1 {
		t.Errorf("%+v", r)
	}
	for _, d := range r.Divergences {
		if shard, offset := store.SessionPlace(d.Session); shard > 1 || offset == 0 || d.Turn < 2 {
			t.Errorf("%+v", d)
		}
	}
	out.Reset()
	code = run([]string{"flow", "backtest", version(t, "name: order", "name: other"), "-o", "json"}, "", &out, &errs)
	if code != 0 || !strings.Contains(out.String(), `"conversations": 0`) || strings.Contains(out.String(), "null") {
		t.Errorf("of another flow: exit %d, %s%s", code, out.String(), errs.String())
	}
	out.Reset()
	code = run([]string{"flow", "backtest", version(t, "name: order", "name: other")}, "", &out, &errs)
	if want := "No conversation of flow other began in the last 30 days."; code != 0 || !strings.HasPrefix(out.String(), want) {
		t.Errorf("of another flow: exit %d, %s", code, out.String())
	}
}

// TestBacktestDemos plays the dialogues of the demo flows, over the database, through
// the flows themselves.
func TestBacktestDemos(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, demoflows.Files); err != nil {
		t.Fatal(err)
	}
	found, err := suites(os.Stderr, []string{dir})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d suites: %v", len(found), err)
	}
	var all [][]*parleyv1.Event
	for _, file := range found[0].files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dialogues, err := dialogue.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dialogues {
			all = append(all, found[0].world(file).Run(d).Events)
		}
	}
	recordIn(t, 4, all)
	for _, s := range found[0].sources {
		var out, errs bytes.Buffer
		code := run([]string{"flow", "backtest", s.path, "--since", "36500d", "-o", "json"}, "", &out, &errs)
		var r backtest.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || code != 0 {
			t.Fatalf("%s: exit %d, %v\n%s", s.path, code, err, errs.String())
		}
		if r.Conversations < 5 || r.Same != r.Conversations || r.Recorded != r.Replayed {
			t.Errorf("%s: %+v", s.path, r)
		}
	}
}

func TestBacktestMisuse(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PARLEY_DATABASE_URL", "")
	good := version(t)
	broken := version(t, "type: email", "type: mail")
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no file":          {nil, platform.ExitMisconfigured, []string{"<file>"}},
		"a missing file":   {[]string{"gone.yaml"}, platform.ExitMisconfigured, []string{"gone.yaml cannot be read"}},
		"a broken file":    {[]string{broken}, platform.ExitFailed, []string{broken + ":6:", "^", "did you mean", "parley flow lint " + broken}},
		"no such output":   {[]string{good, "-o", "xml"}, platform.ExitMisconfigured, []string{"--output"}},
		"no time":          {[]string{good, "--since", "soon"}, platform.ExitMisconfigured, []string{`"soon" is no time back`}},
		"the time to come": {[]string{good, "--since=-3h"}, platform.ExitMisconfigured, []string{`"-3h" is no time back`}},
		"no days":          {[]string{good, "--since", "0d"}, platform.ExitMisconfigured, []string{`"0d" is no time back`}},
		"no database":      {[]string{good}, platform.ExitMisconfigured, []string{"PARLEY_DATABASE_URL", "parley up", "postgres://"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(append([]string{"flow", "backtest"}, c.args...), "", &out, &errs); code != c.code || out.Len() > 0 {
				t.Errorf("exit %d, want %d; printed %q", code, c.code, out.String())
			}
			for _, part := range c.says {
				if !strings.Contains(errs.String(), part) {
					t.Errorf("does not say %q:\n%s", part, errs.String())
				}
			}
		})
	}
	t.Setenv("PARLEY_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1")
	var out, errs bytes.Buffer
	if code := run([]string{"flow", "backtest", good}, "", &out, &errs); code != platform.ExitFailed || errs.Len() == 0 {
		t.Errorf("no database there: exit %d, %s", code, errs.String())
	}
}

func TestBacktestExplainsItself(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"flow", "backtest", "--help"}, "", &out, &errs); code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, part := range []string{"Usage: parley flow backtest", "Examples:\n", "Exit codes: 0"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("--help does not say %q:\n%s", part, out.String())
		}
	}
}

// TestBarMoves from nothing to all, never back.
func TestBarMoves(t *testing.T) {
	b := newBar(&bytes.Buffer{}, []uint64{100, 0, 50})
	last := 0.0
	for _, id := range []uint64{store.SessionID(0, 40), store.SessionID(0, 70), store.SessionID(0, 100), store.SessionID(2, 1), store.SessionID(2, 50)} {
		share := b.share(id)
		if share < last || share > 1 {
			t.Errorf("%.2f after %.2f", share, last)
		}
		last = share
	}
	if last != 1 {
		t.Errorf("it ends at %.2f", last)
	}
	b.show(1, 1)
	b.clear()
}

func TestLookback(t *testing.T) {
	for text, want := range map[string]string{"30d": "30 days", "1d": "1 day", "24h": "1 day", "90m": "1h30m0s"} {
		var l lookback
		if err := l.UnmarshalText([]byte(text)); err != nil || l.String() != want {
			t.Errorf("%s is %s (%v), want %s", text, l, err, want)
		}
	}
}

// BenchmarkBacktest plays 20,000 conversations with the lead flow from a real
// PostgreSQL.
func BenchmarkBacktest(b *testing.B) {
	const people = 20_000
	source, err := demoflows.Files.ReadFile("lead.yaml")
	if err != nil {
		b.Fatal(err)
	}
	f, err := flow.Parse(source)
	if err != nil {
		b.Fatal(err)
	}
	w := dialogue.World{Flows: []*flow.Flow{f}, Serves: f.Name()}
	all := make([][]*parleyv1.Event, people)
	for i := range all {
		chat, err := w.Open(dialogue.Given{Phone: fmt.Sprint(34600000000 + i)})
		if err != nil {
			b.Fatal(err)
		}
		for _, line := range []string{"hi", "Ann", "nothing", "ann@example.org", "thanks"}[:2+i%4] {
			if _, err := chat.Say(line, chat.Now().Add(time.Minute)); err != nil {
				b.Fatal(err)
			}
		}
		all[i] = chat.Events()
	}
	path := filepath.Join(b.TempDir(), "lead.yaml")
	if err := os.WriteFile(path, source, 0o644); err != nil {
		b.Fatal(err)
	}
	recordIn(b, 16, all)
	b.ResetTimer()
	n := 0
	for ; b.Loop(); n++ {
		var out, errs bytes.Buffer
		if code := run([]string{"flow", "backtest", path, "--since", "36500d"}, "", &out, &errs); code != 0 || !strings.Contains(out.String(), "20000  go the same way") {
			b.Fatalf("exit %d\n%s%s", code, out.String(), errs.String())
		}
	}
	b.ReportMetric(float64(n*people)/b.Elapsed().Seconds(), "conversations/s")
}
