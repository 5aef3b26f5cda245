package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// callees makes contacts of a campaign.
func callees(n int) []CampaignContact {
	list := make([]CampaignContact, n)
	for i := range list {
		list[i] = CampaignContact{Line: i + 2, Phone: fmt.Sprintf("1555%07d", i), Slots: []byte(`{"code": "K7"}`), Template: []byte("t")}
	}
	return list
}

// campaign makes one that runs.
func campaign(t *testing.T, s *Store, name string, perSecond float64, contacts int) {
	t.Helper()
	c := Campaign{Name: name, Flow: "offer", Channel: testChannel, Portfolio: "p", PerSecond: perSecond, State: CampaignReady, Template: "t"}
	if err := s.CreateCampaign(t.Context(), c, callees(contacts)); err != nil {
		t.Fatal(err)
	}
	if moved, err := s.MoveCampaign(t.Context(), name, "start"); err != nil || !moved {
		t.Fatal(moved, err)
	}
}

func takeStarts(t *testing.T, s *Store) (starts []CampaignStart, running bool) {
	t.Helper()
	starts, running, err := s.TakeStarts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return starts, running
}

// decide writes results outside of any turn.
func decide(t *testing.T, s *Store, changes CampaignChanges) {
	t.Helper()
	if _, err := s.AppendTurnsAnd(t.Context(), nil, ResourceChanges{Campaigns: changes}); err != nil {
		t.Fatal(err)
	}
}

// TestCampaignRate: four replicas take starts of a campaign as fast as they can, and two
// of them die and come back. In no second does the campaign start more than its rate, and
// nobody is taken twice.
func TestCampaignRate(t *testing.T) {
	t.Parallel()
	const rate, long = 50, 2500 * time.Millisecond
	s := newStore(t)
	campaign(t, s, "spring", rate, 500)
	var mu sync.Mutex
	lines := map[int]int{}
	var replicas sync.WaitGroup
	for range 4 {
		replicas.Go(func() {
			for began := time.Now(); time.Since(began) < long; {
				starts, _, err := s.TakeStarts(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range starts {
					lines[c.Contact.Line]++
				}
				mu.Unlock()
			}
		})
	}
	replicas.Wait()
	for line, times := range lines {
		if times > 1 {
			t.Errorf("line %d was taken %d times", line, times)
		}
	}
	fullest := value[int](t, s, `SELECT max(n) FROM (SELECT count(*) OVER (ORDER BY ordered_at RANGE BETWEEN CURRENT ROW AND '1 second' FOLLOWING) AS n
		FROM campaign_contacts WHERE ordered_at IS NOT NULL) seconds`)
	if fullest > rate*115/100+1 || len(lines) > int(rate*long.Seconds())+rate*15/100+1 || len(lines) < rate {
		t.Errorf("%d in the fullest second, %d in %v", fullest, len(lines), long)
	}
}

// What an outage kept from being started is not made up for at once, and a slow campaign
// starts its first contact at once.
func TestCampaignAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	campaign(t, s, "fast", 100, 500)
	campaign(t, s, "third", 3, 500)
	campaign(t, s, "slow", 1.0/3600, 500)
	count := func(starts []CampaignStart, name string) (n int) {
		for _, c := range starts {
			if c.Campaign == name {
				n++
			}
		}
		return n
	}
	for round := range 2 {
		exec(t, s, `UPDATE campaigns SET paced_until = now() - interval '2 hours'`)
		starts, _ := takeStarts(t, s)
		if fast, third, slow := count(starts, "fast"), count(starts, "third"), count(starts, "slow"); fast != 15 || third != 1 || slow != 1 {
			t.Errorf("round %d: %d, %d and %d at once", round, fast, third, slow)
		}
	}
	if starts, _ := takeStarts(t, s); count(starts, "slow") > 0 {
		t.Error("slow has its next in an hour")
	}
}

// A start that is undecided for too long is taken again; no more than so many are
// undecided at a time; the campaign is done when all are decided.
func TestCampaignStartsAreDecided(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	campaign(t, s, "spring", 1e6, orderedMost+2)
	first, running := takeStarts(t, s)
	if len(first) != orderedMost || !running {
		t.Fatalf("%d, running %t", len(first), running)
	}
	if again, _ := takeStarts(t, s); len(again) > 0 {
		t.Errorf("%d more while all are undecided", len(again))
	}
	exec(t, s, `UPDATE campaign_contacts SET ordered_at = now() - interval '31 seconds' WHERE line = 3`)
	again, _ := takeStarts(t, s)
	if len(again) != 1 || again[0].Contact.Line != 3 || again[0].Flow != "offer" || string(again[0].Contact.Template) != "t" {
		t.Errorf("lost: %+v", again)
	}
	var changes CampaignChanges
	for _, c := range first {
		changes.Results = append(changes.Results, StartResult{Campaign: c.Campaign, Line: c.Contact.Line, State: ContactRefused, Reason: "busy", Contact: uuid.New()})
	}
	decide(t, s, changes)
	rest, _ := takeStarts(t, s)
	if len(rest) != 2 {
		t.Fatalf("%d are left", len(rest))
	}
	who := uuid.New()
	decide(t, s, CampaignChanges{Results: []StartResult{
		{Campaign: "spring", Line: rest[0].Contact.Line, State: ContactStarted, Contact: who, Session: 7, Message: DeliveryKey{1, 5}},
		{Campaign: "spring", Line: rest[1].Contact.Line, State: ContactFailed, Reason: "parked", Contact: uuid.New()},
		{Campaign: "gone", Line: 1, State: ContactStarted},
	}})
	decide(t, s, CampaignChanges{
		Results: []StartResult{{Campaign: "spring", Line: rest[0].Contact.Line, State: ContactRefused, Reason: "twice"}},
		Replies: []CampaignReply{{Campaign: "spring", Line: rest[0].Contact.Line, At: time.Now(), OptedOut: true}},
	})
	if _, running := takeStarts(t, s); running {
		t.Error("it still runs")
	}
	c, ok, err := s.Campaign(t.Context(), "spring")
	if err != nil || !ok || c.State != CampaignDone || c.FinishedAt == nil || c.Size != orderedMost+2 {
		t.Errorf("%+v, %t, %v", c, ok, err)
	}
	p, err := s.CampaignProgress(t.Context(), "spring")
	if err != nil || p.Started != 1 || p.Refused["busy"] != orderedMost || p.Failed != 1 || p.Replied != 1 || p.OptedOut != 1 || p.Waiting+p.Ordered > 0 {
		t.Errorf("%+v, %v", p, err)
	}
	started, err := s.StartedMembers(t.Context(), []string{"spring", "summer"}, []uuid.UUID{who, uuid.New()})
	if err != nil || len(started) != 1 || !started[CampaignMember{"spring", who}] {
		t.Errorf("%v, %v", started, err)
	}
	results, err := s.CampaignResults(t.Context(), "spring", orderedMost, 10)
	if err != nil || len(results) != 3 || results[1].State != ContactStarted || !results[1].OptedOut || results[1].RepliedAt == nil || results[2].Reason != "parked" {
		t.Errorf("%+v, %v", results, err)
	}
}

// What a campaign is allowed to become, and that one with its time begins by itself.
func TestCampaignStates(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	soon := time.Now().Add(time.Hour)
	c := Campaign{Name: "spring", Flow: "offer", Channel: "n1", Portfolio: "n1", PerSecond: 10, State: CampaignScheduled, StartsAt: &soon, Source: "spring.csv"}
	if err := s.CreateCampaign(t.Context(), c, callees(3)); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateCampaign(t.Context(), c, callees(3)); !errors.Is(err, ErrCampaignExists) {
		t.Errorf("made again: %v", err)
	}
	bad := callees(3)
	bad[2].Line = 2
	c.Name = "half"
	if err := s.CreateCampaign(t.Context(), c, bad); err == nil {
		t.Error("a line twice is taken")
	}
	if list, err := s.Campaigns(t.Context(), 10); err != nil || len(list) != 1 || list[0].Size != 3 {
		t.Errorf("half a campaign is there: %+v, %v", list, err)
	}
	if starts, running := takeStarts(t, s); running || len(starts) > 0 {
		t.Errorf("it is not its time: %+v", starts)
	}
	exec(t, s, `UPDATE campaigns SET starts_at = now()`)
	if _, running := takeStarts(t, s); !running {
		t.Error("its time has come")
	}
	for _, move := range []struct {
		verb  string
		moved bool
	}{
		{"start", false},
		{"resume", false},
		{"pause", true},
		{"pause", false},
		{"start", false},
		{"resume", true},
		{"pause", true},
		{"cancel", true},
		{"start", false},
		{"resume", false},
		{"pause", false},
		{"cancel", false},
		{"dance", false},
	} {
		if moved, err := s.MoveCampaign(t.Context(), "spring", move.verb); err != nil || moved != move.moved {
			t.Errorf("%s: %t, %v", move.verb, moved, err)
		}
		if starts, running := takeStarts(t, s); move.verb == "pause" && (running || len(starts) > 0) {
			t.Errorf("after %s it starts %d", move.verb, len(starts))
		}
	}
}

// A query selects contacts by their newest conversation, in the archive as well.
func TestCampaignOf(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 3)
	people := []string{"ann", "bob", "cem"}
	for i, person := range people {
		part := turnOf(leases[i], person)
		part.Contacts[0].Identity.Phone = fmt.Sprintf("1555000000%d", i)
		appendTurns(t, s, part)
	}
	exec(t, s, `UPDATE sessions SET last_interaction = now() - interval '3 days'`)
	exec(t, s, `UPDATE sessions SET status = 'completed', last_interaction = now() - interval '9 days' WHERE contact_id = $1`, ContactID("portfolio", "ann"))
	exec(t, s, `WITH gone AS (DELETE FROM sessions WHERE contact_id = $1 RETURNING *) INSERT INTO session_archive SELECT *, now() FROM gone`, ContactID("portfolio", "bob"))
	for i, c := range []struct {
		q    ContactQuery
		want []string
	}{
		{ContactQuery{Flow: "lead", HeardBefore: time.Now()}, []string{"15550000000", "15550000001", "15550000002"}},
		{ContactQuery{Flow: "lead", Status: "completed", HeardBefore: time.Now()}, []string{"15550000000"}},
		{ContactQuery{Flow: "lead", HeardAfter: time.Now().AddDate(0, 0, -5), HeardBefore: time.Now()}, []string{"15550000001", "15550000002"}},
		{ContactQuery{Flow: "lead", HeardBefore: time.Now().AddDate(0, 0, -5)}, []string{"15550000000"}},
		{ContactQuery{Flow: "other", HeardBefore: time.Now()}, nil},
	} {
		name := fmt.Sprint("query ", i)
		n, err := s.CreateCampaignOf(t.Context(), Campaign{Name: name, Flow: "offer", Channel: testChannel, Portfolio: "portfolio", PerSecond: 1, State: CampaignReady}, []byte("t"), c.q, 100)
		if err != nil || n != len(c.want) {
			t.Errorf("%d: %d, %v", i, n, err)
		}
		results, err := s.CampaignResults(t.Context(), name, 0, 10)
		var got []string
		for _, r := range results {
			got = append(got, r.Phone)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%d: %v, want %v, %v", i, got, c.want, err)
		}
	}
}
