package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	"github.com/parleyhq/parley/services/console"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/session"
)

// office is a real console over a real database and a real NATS, with the session
// service that does what is ordered.
type office struct {
	t    *testing.T
	deps *platform.Deps
	in   *bus.Publisher
}

const (
	officeNumber = "n1"
	officeToken  = "sesame"
)

// openOffice serves the flow visit. Commands talk to it, and run in a copy of
// testdata/publish/files.
func openOffice(t *testing.T) *office {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	dsn := pgtest.New(t, store.Migrate)
	db, err := store.Open(ctx, dsn, 6, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	nats, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Shutdown)
	nc, err := nats.Connect(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	common := platform.Common{DatabaseURL: dsn, Shards: 2, Replicas: 1, LeaseTime: 5 * time.Second}
	deps := &platform.Deps{Common: common, Store: db, Owner: "test", Log: zerolog.Nop(), Channels: platform.OneFlow("visit")}
	if err := deps.ConnectNATS(ctx, nc); err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	if err := os.CopyFS(files, os.DirFS(filepath.Join("testdata", "publish", "files"))); err != nil {
		t.Fatal(err)
	}
	served := t.TempDir()
	if err := os.Link(filepath.Join(files, "visit.yaml"), filepath.Join(served, "visit.yaml")); err != nil {
		t.Fatal(err)
	}
	talks, err := session.Build(ctx, session.Config{Common: common, FlowsDir: served}, deps)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, platform.Drain, talks.Parts...) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	desk, err := console.Build(ctx, console.Config{Token: officeToken}, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(desk.Close)
	mux := http.NewServeMux()
	desk.Routes(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("PARLEY_URL", server.URL)
	t.Setenv("PARLEY_CONSOLE_TOKEN", officeToken)
	t.Chdir(files)
	o := &office{t: t, deps: deps, in: bus.NewPublisher(nc, bus.StreamIn, bus.PublisherOptions{})}
	t.Cleanup(o.in.Close)
	return o
}

// say lets a person write, as ingress stores it.
func (o *office) say(p fake.Person, texts ...string) {
	o.t.Helper()
	for _, text := range texts {
		id := "wamid." + p.Phone + text
		for _, e := range meta.Split(fake.Payload("1", officeNumber, fake.Text(p, id, time.Now(), text)), time.Now()) {
			e.Portfolio = officeNumber
			data, err := proto.Marshal(e)
			if err != nil {
				o.t.Fatal(err)
			}
			shard := bus.ShardOf(e.Portfolio, e.LaneKey, o.deps.Shards)
			if err := o.in.Publish(o.t.Context(), bus.Message{Subject: bus.SubjectIn(shard, officeNumber, e.LaneKey), Data: data}); err != nil {
				o.t.Fatal(err)
			}
		}
	}
}

// standing waits until so many people stand at the steps of the versions.
func (o *office) standing(want map[string]int) {
	o.t.Helper()
	var got map[string]int
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		rows, err := o.deps.Store.Standing(o.t.Context(), "visit")
		if err != nil {
			o.t.Fatal(err)
		}
		got = map[string]int{}
		for _, row := range rows {
			got[string(rune('0'+row.Version))+" "+row.Step] = row.People
		}
		if len(got) == len(want) && equalCounts(got, want) {
			return
		}
	}
	o.t.Fatalf("%v stand there, want %v", got, want)
}

func equalCounts(a, b map[string]int) bool {
	for key, n := range b {
		if a[key] != n {
			return false
		}
	}
	return true
}

var minute = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d`)

// session plays testdata/publish/NAME.session against the office.
func (o *office) session(root, name string) {
	o.t.Helper()
	path := filepath.Join(root, name+".session")
	want, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	got := minute.ReplaceAllString(play(o.t, string(want)), "2026-11-22 08:00")
	got = strings.ReplaceAll(got, os.Getenv("PARLEY_URL"), "http://parley")
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			o.t.Fatal(err)
		}
	} else if got != string(want) {
		o.t.Errorf("%s went otherwise: run the test with -rewrite and read the diff\n%s", name, got)
	}
}

// TestPublishSessions plays what people see: publishing, being refused, moving
// people for good, and going back.
func TestPublishSessions(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("testdata", "publish"))
	if err != nil {
		t.Fatal(err)
	}
	o := openOffice(t)
	o.session(root, "nobody")
	o.say(fake.Person{Phone: "15550000001", Name: "Ann"}, "hi", "Ann")
	o.say(fake.Person{Phone: "15550000002", Name: "Bob"}, "hi", "Bob")
	o.say(fake.Person{Phone: "15550000003", Name: "Cid"}, "hi")
	o.standing(map[string]int{"1 city": 2, "1 name": 1})
	o.session(root, "refused")
	o.session(root, "moved")
	o.standing(map[string]int{"2 town": 2, "2 name": 1})
	o.session(root, "after")
	o.session(root, "back")
	o.standing(map[string]int{"1 city": 2, "1 name": 1})
	// Everybody can go on.
	o.say(fake.Person{Phone: "15550000001", Name: "Ann"}, "Ulm")
	o.standing(map[string]int{"1 city": 1, "1 name": 1})
}

// With -o json a program reads what people see.
func TestPublishJSON(t *testing.T) {
	o := openOffice(t)
	o.say(fake.Person{Phone: "15550000001", Name: "Ann"}, "hi", "Ann")
	o.standing(map[string]int{"1 city": 1})
	publish := func(code int, args string, into any) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(wordsOf("flow publish -o json --by ann "+args), "", &out, &errs); got != code {
			t.Fatalf("%s exits with %d, want %d: %s%s", args, got, code, &out, &errs)
		}
		if err := json.Unmarshal(out.Bytes(), into); err != nil {
			t.Fatalf("%s: %v: %s", args, err, &out)
		}
		return errs.String()
	}
	var report publishReport
	publish(0, "town.yaml --dry-run", &report)
	if !report.DryRun || report.Published || len(report.Standing) != 1 || report.Standing[0].Step != "city" {
		t.Errorf("%+v", report)
	}
	var refused struct {
		Error  string
		Report publishReport
	}
	if said := publish(platform.ExitFailed, "town.yaml --migrate", &refused); refused.Report.Stranded != 1 || refused.Report.Standing[0].Lacks != "step city" || !strings.Contains(said, refused.Error) {
		t.Errorf("%+v, %q", refused, said)
	}
	var wrong struct{ Problems []struct{ Rule string } }
	if publish(platform.ExitFailed, "broken.yaml", &wrong); len(wrong.Problems) == 0 || wrong.Problems[0].Rule == "" {
		t.Errorf("%+v", wrong)
	}
	if said := publish(platform.ExitFailed, "town.yaml --migrate --dry-run", &report); report.Stranded != 1 || !strings.Contains(said, "--map 'city=STEP' --dry-run") {
		t.Errorf("%+v, %q", report, said)
	}
	publish(0, "town.yaml --weight 20", &report)
	if report.Version != 2 || report.Weight != 20 || !report.Published {
		t.Errorf("%+v", report)
	}
	var out, errs bytes.Buffer
	var list flowVersions
	if code := run(wordsOf("flow versions visit -o json"), "", &out, &errs); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list.Versions) != 2 || list.Versions[0].Weight != 20 || list.Standing[0].People != 1 {
		t.Errorf("%v, %+v", err, list)
	}
}

// What is not Parley, or does not let us in, is said, with what to do.
func TestPublishWithoutParley(t *testing.T) {
	t.Chdir(filepath.Join("testdata", "publish", "files"))
	answers := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangsUp.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, command := range []string{"flow publish visit.yaml", "flow versions visit"} {
		for _, c := range []struct {
			args string
			code int
			word string
		}{
			{"--url " + gone.URL, 1, "no Parley answers at " + gone.URL + " (dial tcp"},
			{"--url " + gone.URL, 1, "start it with `parley up`, or name it with --url"},
			{"--url " + answers(401, `{}`), 1, "wants its token: set PARLEY_CONSOLE_TOKEN, or give --token"},
			{"--token x --url " + answers(401, `{}`), 1, "does not take this token: correct PARLEY_CONSOLE_TOKEN"},
			{"--url " + answers(200, `<html>`), 1, "is not Parley's API"},
			{"--url " + answers(502, `<html>`), 1, "Parley answered 502 Bad Gateway"},
			{"--url " + answers(503, `{"error":"the database did not answer; try again"}`), 1, "the database did not answer; try again"},
			{"--url " + hangsUp.URL, 1, "hung up before it answered: it may have done what was asked"},
			{"--url parley:8080", 2, "give one such as http://127.0.0.1:8080"},
			{"--url nowhere", 2, "give one such as http://127.0.0.1:8080"},
		} {
			var out, errs bytes.Buffer
			if code := run(wordsOf(command+" "+c.args), "", &out, &errs); code != c.code || !strings.Contains(errs.String(), c.word) || out.Len() > 0 {
				t.Errorf("%s %s exits with %d, want %d and %q: %s%s", command, c.args, code, c.code, c.word, &out, &errs)
			}
		}
	}
}

// A wrong command line is said without asking anybody.
func TestPublishMisused(t *testing.T) {
	t.Chdir(filepath.Join("testdata", "publish", "files"))
	for args, word := range map[string]string{
		"flow publish": "nothing to publish: name a flow file, or an earlier version with --flow and --digest",
		"flow publish visit.yaml --digest 123456":      "two versions",
		"flow publish --digest 123456":                 "give --flow",
		"flow publish visit.yaml --weight 0":           "--weight 0 is no share",
		"flow publish visit.yaml --weight 101":         "--weight 101 is no share",
		"flow publish visit.yaml --weight half":        "--weight",
		"flow publish visit.yaml --migrate --weight 9": "leave out --weight, or --migrate",
		"flow publish visit.yaml --map a=b":            "add --migrate",
		"flow publish visit.yaml --migrate --map ab":   "--map",
		"flow publish nothing.yaml":                    "nothing.yaml cannot be read: no such file or directory: give the path of a file",
		"flow publish visit.yaml -o xml":               "--output",
		"flow publish visit.yaml --no-such-flag":       "--no-such-flag",
		"flow versions":                                "<flow>",
	} {
		var out, errs bytes.Buffer
		if code := run(wordsOf(args), "", &out, &errs); code != platform.ExitMisconfigured || !strings.Contains(errs.String(), word) {
			t.Errorf("%s exits with %d, want 2 and %q: %s", args, code, word, &errs)
		}
	}
	for _, command := range []string{"publish", "versions"} {
		var out, errs bytes.Buffer
		if code := run([]string{"flow", command, "--help"}, "", &out, &errs); code != 0 {
			t.Errorf("%s --help exits with %d", command, code)
		}
		for _, part := range []string{"Usage: parley flow " + command, "Examples:\n", "Exit codes: 0"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s --help does not say %q", command, part)
			}
		}
	}
}

// The files beside a flow go with it.
func TestPublishFiles(t *testing.T) {
	o := openOffice(t)
	source, err := os.ReadFile("visit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	with := bytes.Replace(source, []byte("steps:"), []byte("steps:\n  - name: look\n    say: {image: {file: menu.png}}"), 1)
	if err := os.WriteFile("pictured.yaml", with, 0o644); err != nil {
		t.Fatal(err)
	}
	if out := play(t, "$ parley flow publish pictured.yaml --by ann\n"); !strings.Contains(out, `no file "menu.png" beside the flow`) {
		t.Errorf("without its file: %s", out)
	}
	if err := os.WriteFile("menu.png", []byte("\x89PNG\r\n\x1a\npixels"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := play(t, "$ parley flow publish pictured.yaml --by ann\n"); !strings.Contains(out, "version 2 of visit") {
		t.Fatalf("with its file: %s", out)
	}
	f, err := o.deps.Store.LoadFlow(t.Context(), "visit", 2)
	if err != nil || len(f.Files()) != 1 {
		t.Fatal(err)
	}
	if _, content, err := o.deps.Store.File(t.Context(), f.Files()[0].SHA256); err != nil || !strings.HasSuffix(string(content), "pixels") {
		t.Errorf("%q, %v", content, err)
	}
}
