package dispatcher

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const minute = time.Minute

// errorTable is WIRE.md 3.4: what is answered, and what the desk does then. State is
// the message's; own is when it is sent again, the others when another person on the
// number, another number of the account, and a number of another account may be sent
// to. Park is how long others with the same template (or form) fail without a call.
var errorTable = []struct {
	status                     int
	codes                      []int
	state                      string
	own, number, account, rest time.Duration
	park                       time.Duration
	alarm                      bool
}{
	{status: 400, codes: []int{130429}, state: "queued", own: second, number: second},
	{status: 429, codes: []int{130429, 424242, -1}, state: "queued", own: second, number: second},
	{status: 500, codes: []int{131057}, state: "queued", own: minute, number: minute},
	{status: 400, codes: []int{131056}, state: "queued", own: second},
	{status: 429, codes: []int{131056}, state: "queued", own: second},
	{status: 400, codes: []int{80007}, state: "queued", own: 2 * minute, number: 2 * minute, account: 2 * minute},
	{status: 400, codes: []int{4}, state: "queued", own: 2 * minute, number: 2 * minute, account: 2 * minute, rest: 2 * minute},
	{status: 400, codes: []int{131048}, state: "queued", own: 2 * time.Hour, number: 2 * time.Hour, alarm: true},
	{status: 503, codes: []int{133004, 131016, 2}, state: "queued", own: second},
	{status: 500, codes: []int{131000, 131016}, state: "queued", own: second},
	{status: 400, codes: []int{1, 135000, 131053}, state: "queued", own: second},
	{status: 400, codes: []int{133010, 33, 131037}, state: "queued", own: 10 * minute, number: 10 * minute, alarm: true},
	{status: 500, codes: []int{131045}, state: "queued", own: 10 * minute, number: 10 * minute, alarm: true},
	{status: 401, codes: []int{0, 190, -1}, state: "queued", own: 10 * minute, number: 10 * minute, account: 10 * minute, alarm: true},
	{status: 500, codes: []int{3}, state: "queued", own: 10 * minute, number: 10 * minute, account: 10 * minute, alarm: true},
	{status: 403, codes: []int{10, 131005, 200, 230, 299, 368, 131031}, state: "queued", own: 10 * minute, number: 10 * minute, account: 10 * minute, alarm: true},
	{status: 400, codes: []int{130497, 131042, 131044}, state: "queued", own: 10 * minute, number: 10 * minute, account: 10 * minute, alarm: true},
	{status: 400, codes: []int{132015}, state: "failed", park: time.Hour, alarm: true},
	{status: 400, codes: []int{132016}, state: "failed", park: 6 * time.Hour, alarm: true},
	{status: 400, codes: []int{131064}, state: "failed", park: time.Hour, alarm: true},
	{status: 400, codes: []int{132068}, state: "failed", park: time.Hour, alarm: true},
	{status: 400, codes: []int{132069}, state: "failed", park: 6 * minute, alarm: true},
	{status: 400, codes: []int{132000, 132005, 132007, 132008, 132012}, state: "failed", alarm: true},
	{status: 404, codes: []int{132001}, state: "failed", alarm: true},
	{status: 400, codes: []int{131021, 131008, 131009, 131051, 100, 131063}, state: "failed", alarm: true},
	{status: 400, codes: []int{131047, 131026, 131049, 131050, 130472, 131062, 131030, 130403, 133016, 137000, 131052}, state: "failed"},
	{status: 400, codes: []int{131059, 131200, 131299, 424242, -1}, state: "failed"},
	{status: 200, codes: []int{131026, -1}, state: "ambiguous", own: grace},
	{status: 206, codes: []int{131200}, state: "ambiguous", own: grace},
	{status: 500, codes: []int{424242, -1}, state: "ambiguous", own: grace},
	{status: 502, codes: []int{-1}, state: "ambiguous", own: grace},
	{status: 503, codes: []int{-1}, state: "ambiguous", own: grace},
}

// message is a job with content.
func message(t *testing.T, j Job, m *parleyv1.MessageQueued) Job {
	t.Helper()
	m.Phone = "16505551234"
	content, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	j.Content = content
	return j
}

func template(name string) *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Name: name, Language: "en"}}}
}

func form(id string) *parleyv1.MessageQueued {
	return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Form{Form: &parleyv1.Form{Body: "b", Title: "t", FormId: id, Token: "T"}}}
}

// Every code of WIRE.md 3.4, answered by a Graph API over HTTP, and what happens then.
func TestErrorTable(t *testing.T) {
	for _, row := range errorTable {
		for _, code := range row.codes {
			t.Run(fmt.Sprintf("HTTP %d code %d", row.status, code), func(t *testing.T) {
				answer := fake.Refusal(row.status, code, "refused")
				if code < 0 {
					answer.Body = []byte("<html>")
				}
				uses := template("offer")
				switch {
				case code == 132068 || code == 132069:
					uses = form("F")
				case row.state == store.DeliveryAmbiguous: // a template would be kept
					uses = queued("a", 1).Event.GetMessageQueued()
				}
				desk := newDesk(roomy())
				desk.SetFacts(start, map[string]Facts{"n1": {Account: "A"}, "n2": {Account: "A"}, "n3": {Account: "B"}, "w": {Account: "w", App: "w"}})
				first := message(t, job("a", 1, 1), uses)
				desk.Add(start, first)
				wantNext(t, desk, 0, "1")
				o := send(t, &fake.Graph{OnSend: func(context.Context, fake.Send) fake.Answer { return answer }}, first.Content)
				o.job = first
				if got := o.state(start); got != row.state {
					t.Fatalf("state %s, want %s: %v", got, row.state, o.err)
				}
				if got := o.policy().Alarms(); got != row.alarm {
					t.Errorf("alarm %t", got)
				}
				o.apply(desk, start)
				wantParked(t, desk, first, row.park)
				for offset, channel := range []string{"n1", "n2", "n3", "w"} {
					desk.Add(start, on(channel, job("b", 1, uint64(offset+2))))
				}
				got := departures(desk)
				if own, goes := got[1]; goes != (row.own > 0) || own != row.own {
					t.Errorf("the message itself goes at %s (%t), want %s", own, goes, row.own)
				}
				for offset, want := range []time.Duration{row.number, row.account, row.rest, 0} {
					if at, goes := got[uint64(offset+2)]; !goes || at.Round(time.Millisecond) != want {
						t.Errorf("message %d goes at %s (%t), want %s", offset+2, at, goes, want)
					}
				}
			})
		}
	}
}

// wantParked checks how long others that use the same fail without a call: on every
// number of the account, and nowhere else.
func wantParked(t *testing.T, desk *Desk, j Job, want time.Duration) {
	t.Helper()
	other := on("n2", j)
	if refused := desk.refusal(start, other); (refused != nil) != (want > 0) {
		t.Fatalf("parked: %v, want for %s", refused, want)
	}
	if desk.refusal(start, on("n3", j)) != nil {
		t.Error("it is parked in another account as well")
	}
	if want > 0 && (desk.refusal(after(want-1), other) == nil || desk.refusal(after(want), other) != nil) {
		t.Errorf("it is not parked for %s", want)
	}
}

// What a parked template does not concern goes on; 131064 concerns all templates.
func TestParkedSubjects(t *testing.T) {
	for class, want := range map[meta.Class]string{meta.ParkTemplate: "offer", meta.StopTemplates: "offer, other"} {
		desk := newDesk(roomy())
		j := message(t, job("a", 1, 1), template("offer"))
		desk.Add(start, j)
		wantNext(t, desk, 0, "1")
		outcome{job: j, err: refused(class, 1, 400), at: start}.apply(desk, start)
		var parked []string
		for _, m := range []*parleyv1.MessageQueued{template("offer"), template("other"), form("offer"), queued("a", 1).Event.GetMessageQueued()} {
			if desk.refusal(start, message(t, job("b", 1, 2), m)) != nil {
				parked = append(parked, m.GetTemplate().GetName())
			}
		}
		if got := strings.Join(parked, ", "); got != want {
			t.Errorf("%s: parked are %s, want %s", class, got, want)
		}
	}
}

// A message whose template is parked fails without a call, with the code of the
// refusal on record, and what waits behind it for the same person goes.
func TestParkedTemplateFailsWithoutCall(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queuedTemplate("a", 1, "offer"))
	o.Finish(o.wantLaunched("1")[0], "", refused(meta.ParkTemplate, 132015, 400))
	o.cycle()
	o.apply(queuedTemplate("b", 2, "offer"), queued("b", 3))
	o.wantLaunched("")
	o.cycle()
	o.cycle()
	o.wantLaunched("3")
	if r := db.row(2); r.State != store.DeliveryFailed || r.Code != 132015 || r.Class != "park template" || r.Attempts != 1 {
		t.Errorf("%+v", r)
	}
	o.pass(parkTime)
	o.apply(queuedTemplate("c", 4, "offer"))
	o.wantLaunched("4")
}

func queuedTemplate(contact string, offset uint64, name string) (m lane.Message) {
	m = queued(contact, offset)
	m.Event.GetMessageQueued().Content = template(name).Content
	return m
}

// One line for an operator, however many sends are refused the same way, and none
// for what concerns one message only.
func TestAlarmIsToldOnce(t *testing.T) {
	var log strings.Builder
	a := newAlarms(zerolog.New(&log).Level(zerolog.ErrorLevel))
	told := func() int { return strings.Count(log.String(), "\n") }
	stop := outcome{job: job("a", 1, 1), err: &meta.SendError{Class: meta.StopAccount, Code: 190, Status: 401, Message: "code 190: access token expired"}}
	for range 100 {
		a.note(start, stop)
		a.note(start, outcome{job: job("a", 1, 1), err: refused(meta.Permanent, 131026, 400)})
		a.note(start, outcome{job: job("a", 1, 1)})
	}
	if told() != 1 || !strings.Contains(log.String(), "access token expired") {
		t.Errorf("log: %s", log.String())
	}
	a.note(after(alarmEvery-1), stop)
	stop.job = on("n2", stop.job)
	a.note(after(alarmEvery-1), stop)
	a.note(after(alarmEvery), outcome{job: job("a", 1, 1), err: stop.err})
	if told() != 3 {
		t.Errorf("%d lines, want one more for the other number and one after a while: %s", told(), log.String())
	}
}

// Many answers of the same second count once; a pause that did not help grows; one
// send tries before the others follow.
func TestGate(t *testing.T) {
	d := newDesk(roomy())
	for n := range uint64(6) {
		d.Add(start, job(fmt.Sprint(n), 1, n+1))
	}
	busy := refused(meta.RetryNumber, 130429, 400)
	for _, j := range d.Next(start) {
		outcome{job: j, err: busy, at: start}.apply(d, start)
	}
	wantNext(t, d, second-1, "")
	wantNext(t, d, second, "1") // not after 2^5 s, and no other with it
	wantNoWake(t, d, second)
	outcome{job: d.busy[key(1)].jobs[0], err: busy, at: after(second)}.apply(d, after(second))
	wantNext(t, d, 3*second-1, "")
	wantNext(t, d, 3*second, "2")
	outcome{job: d.busy[key(2)].jobs[0], at: after(3 * second)}.apply(d, after(3*second))
	wantNext(t, d, 3*second, "3 4 5 6 1")
}

// A late success of a send that was on its way before does not open the gate.
func TestGateIgnoresStragglers(t *testing.T) {
	d := newDesk(roomy())
	d.Add(start, job("a", 1, 1), job("b", 1, 2), job("c", 1, 3))
	jobs := d.Next(start)
	outcome{job: jobs[0], err: refused(meta.StopNumber, 131045, 500), at: start}.apply(d, start)
	outcome{job: jobs[1], at: start}.apply(d, start)
	d.Add(start, job("d", 1, 4))
	wantNext(t, d, 10*minute-1, "")
	wantNext(t, d, 10*minute, "4")
	outcome{job: jobs[2], at: after(10 * minute)}.apply(d, after(10*minute))
	wantNext(t, d, 10*minute, "")
	d.Return(after(10*minute), key(4)) // it did not go: another may try
	wantNext(t, d, 10*minute, "1")
}

// The circuit: five sends in a row without an answer shut the number. One that is
// answered in between, if only with a refusal, starts the count anew.
func TestCircuit(t *testing.T) {
	d := newDesk(roomy())
	offset := uint64(0)
	attempt := func(at time.Duration, err error) {
		t.Helper()
		offset++
		d.Add(after(at), job(fmt.Sprint(offset), 1, offset))
		wantNext(t, d, at, fmt.Sprint(offset))
		outcome{job: d.busy[key(offset)].jobs[0], err: err, at: after(at)}.apply(d, after(at))
		d.Settle(after(at), key(offset)) // should it be held
	}
	cut, broken := refused(meta.Ambiguous, 0, 0), refused(meta.Retry, 131016, 503)
	for range circuitAfter - 1 {
		attempt(0, cut)
	}
	attempt(0, refused(meta.Permanent, 131026, 400))
	for range circuitAfter {
		attempt(0, cut)
	}
	d.Add(start, job("x", 1, 100), job("y", 1, 101))
	wantNext(t, d, second-1, "")
	wantNext(t, d, second, "100")
	outcome{job: d.busy[key(100)].jobs[0], err: broken, at: after(second)}.apply(d, after(second))
	wantNext(t, d, 3*second-1, "")
	wantNext(t, d, 3*second, "101")
	outcome{job: d.busy[key(101)].jobs[0], err: refused(meta.Permanent, 131026, 400), at: after(3 * second)}.apply(d, after(3*second))
	wantNext(t, d, 3*second, "100")
}

// What is only known on our side says nothing about the provider.
func TestGateLocalFailure(t *testing.T) {
	d := newDesk(roomy())
	for n := range uint64(2 * circuitAfter) {
		d.Add(start, job(fmt.Sprint(n), 1, n+1))
	}
	for _, j := range d.Next(start) {
		outcome{job: j, err: &meta.SendError{Class: meta.Permanent}, at: start}.apply(d, start)
	}
	d.Add(start, job("z", 1, 100))
	wantNext(t, d, 0, "100")
}
