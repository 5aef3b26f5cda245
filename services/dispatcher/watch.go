package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// signalsMax is how many signals and orders wait while the watcher asks WASenderApi.
const signalsMax = 256

// watch is one session under watch. One goroutine does all of it, one thing after
// another.
type watch struct {
	*watcher
	session store.WatchedSession
	health  health.Health
	saved   health.Health
	savedAt time.Time
	// nextAsk is when the session is asked for its state, asked when it last was.
	nextAsk, asked time.Time
	// unsaved says that the last write failed.
	unsaved bool
	// caught gets what came of asking what was missed, and nextCatch is when it may be
	// asked again.
	caught    chan caught
	nextCatch time.Time
	catching  bool
}

// caught is what came of asking what was missed until a time.
type caught struct {
	until    time.Time
	receipts int
	err      error
}

func newWatch(w *watcher, session store.WatchedSession) *watch {
	h := health.Health{State: health.Unknown}
	if err := json.Unmarshal(session.Memory, &h); err != nil {
		h = health.Health{State: health.Unknown} // it is learnt anew
	}
	return &watch{watcher: w, session: session, health: h, saved: h, caught: make(chan caught, 1)}
}

// run watches until ctx ends or the session is another's.
func (w *watch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		if w.catching {
			<-w.caught
		}
	}()
	signals, orders := make(chan *nats.Msg, signalsMax), make(chan *nats.Msg, signalsMax)
	for subject, into := range map[string]chan *nats.Msg{bus.SubjectSignal(w.session.Channel): signals, bus.SubjectOrder(w.session.Channel): orders} {
		sub, err := w.nats.ChanSubscribe(subject, into)
		if err != nil {
			return fmt.Errorf("listen to session %s: %w", w.session.Channel, err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	defer w.meter.forget(w.session.Channel)
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	w.step(health.Input{Kind: health.Resumed})
	for {
		if err := w.act(ctx); err != nil {
			return err
		}
		select {
		case m := <-signals:
			w.hear(ctx, m)
		case m := <-orders:
			if err := w.obey(ctx, m); err != nil {
				return err
			}
		case c := <-w.caught:
			w.learnMissed(ctx, c)
		case <-ticker.C:
		case <-ctx.Done():
			leaving, done := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
			defer done()
			return w.keep(leaving, "")
		}
	}
}

// step learns something.
func (w *watch) step(in health.Input) health.Action {
	in.At, in.Random = w.now(), rand.Float64()
	var action health.Action
	w.health, action = health.Step(w.health, in, w.policy)
	return action
}

// act asks if it is time to, does what is due, and writes down what changed.
func (w *watch) act(ctx context.Context) error {
	if !w.now().Before(w.nextAsk) {
		w.ask(ctx)
	}
	w.askMissed(ctx)
	before := w.health
	action := w.step(health.Input{Kind: health.Tick})
	if action == health.Nothing {
		return w.keep(ctx, "")
	}
	_, err := w.try(ctx, before, action)
	return err
}

// askMissed begins to ask what was missed while the session was down, beside all else.
// Without the account's token there is nobody to ask.
func (w *watch) askMissed(ctx context.Context) {
	if !w.policy.CanAct || w.catching || !w.health.Owes() || w.health.State != wasender.Connected || w.now().Before(w.nextCatch) {
		return
	}
	w.catching = true
	from, until := w.health.MissedFrom, w.health.MissedTo
	go func() {
		receipts, err := w.catchUp(ctx, w.session.Channel, from)
		w.caught <- caught{until, receipts, err}
	}()
}

// learnMissed notes that what was missed has been asked for, or that it must be again.
func (w *watch) learnMissed(ctx context.Context, c caught) {
	w.catching = false
	if c.err != nil && w.now().Sub(c.until) < catchAge {
		if w.nextCatch.IsZero() && ctx.Err() == nil { // once, however long
			w.log.Warn().Err(c.err).Str("channel", w.session.Channel).Msg("what was missed is asked for again every minute")
		}
		w.nextCatch = w.now().Add(catchAgain)
		return
	}
	w.nextCatch = time.Time{}
	w.step(health.Input{Kind: health.Asked, Until: c.until})
	if c.err != nil {
		w.log.Error().Err(c.err).Str("channel", w.session.Channel).Msg("what was missed a day ago is not asked for any more")
		return
	}
	w.log.Warn().Str("channel", w.session.Channel).Time("from", w.health.MissedFrom).Time("to", w.health.MissedTo).Int("receipts", c.receipts).
		Msg("session was not heard: receipts are caught up; what people wrote then comes only if WhatsApp still delivers it")
}

// try does what Step decided, after it is written that it will be: without that it
// is not done. A process that is paused between the two may do it beside its
// successor; that is one restart too many, not a message.
func (w *watch) try(ctx context.Context, before health.Health, action health.Action) (outcome string, err error) {
	if err := w.keep(ctx, string(action)); err != nil || w.unsaved {
		w.health = before
		return orderUnanswered, err
	}
	w.meter.tried(ctx, w.session.Channel, action)
	w.log.Warn().Str("channel", w.session.Channel).Str("action", string(action)).Int("try", w.health.Tries).Msg("session is being changed")
	in, outcome := w.call(ctx, action)
	w.step(in)
	w.nextAsk = w.now().Add(askLeast)
	return outcome, w.keep(ctx, "")
}

// call makes one change through WASenderApi.
func (w *watch) call(ctx context.Context, action health.Action) (in health.Input, outcome string) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	id, err := w.ids.of(ctx, w.session.Channel)
	status := wasender.Status("")
	switch {
	case err != nil:
	case action == health.Connect:
		var p wasender.Pairing
		if p, err = w.client.Connect(ctx, id, "qr"); err == nil {
			status = p.Status
			w.show(ctx, p)
		}
	case action == health.Restart:
		err = w.client.Restart(ctx, id)
	case action == health.Disconnect:
		err = w.client.Disconnect(ctx, id)
	}
	return resultOf(err, status)
}

// resultOf is what the error of a call says about a try.
func resultOf(err error, status wasender.Status) (in health.Input, outcome string) {
	var refused *meta.SendError
	switch {
	case err == nil:
		return health.Input{Kind: health.Tried, Status: status}, orderDone
	case errors.Is(err, errNoSession):
		return health.Input{Kind: health.TryRefused}, orderRefused
	case !errors.As(err, &refused), refused.Class == wasender.Ambiguous, refused.Class == wasender.Retry, refused.Status == http.StatusTooManyRequests:
		in = health.Input{Kind: health.TryFailed}
		if refused != nil {
			in.Wait = refused.RetryAfter
		}
		return in, orderUnanswered
	case isRefusal(refused.Status):
		return health.Input{Kind: health.TryRefused}, orderRefused
	}
	return health.Input{Kind: health.Tried}, orderRefused // the session cannot do it now
}

func isRefusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusNotFound
}

// ask asks for the session's state, as rarely as it is told to.
func (w *watch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	status, err := w.client.Status(ctx, w.session.Channel)
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // we are leaving: it says nothing about the session
	}
	wait := time.Duration(0)
	var refused *meta.SendError
	switch {
	case err == nil:
		w.step(health.Input{Kind: health.Said, Status: status})
	case errors.As(err, &refused) && isRefusal(refused.Status):
		w.step(health.Input{Kind: health.Refused})
	case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
		wait = refused.RetryAfter // it lives: that is no miss
	default:
		w.step(health.Input{Kind: health.Unanswered})
	}
	every := askEvery
	if w.health.State != wasender.Connected {
		every = askDown
	}
	w.asked = w.now()
	w.nextAsk = w.asked.Add(max(wait, time.Duration(float64(every)*(0.9+rand.Float64()/5))))
}

// hear takes what another service heard of the session.
func (w *watch) hear(ctx context.Context, m *nats.Msg) {
	s := &parleyv1.SessionSignal{}
	if proto.Unmarshal(m.Data, s) != nil {
		return // not ours
	}
	if s.GetSent() > 0 {
		w.step(health.Input{Kind: health.Sent, Count: int(s.GetSent())})
	}
	if s.GetHeard() {
		w.step(health.Input{Kind: health.Heard})
	}
	if s.GetStatus() != "" {
		w.step(health.Input{Kind: health.Said, Status: wasender.Status(s.GetStatus())})
	}
	if s.GetQr() != "" {
		w.show(ctx, wasender.Pairing{QR: wasender.Secret(s.GetQr())})
	}
	// Webhooks overtake each other and sends guess: WASenderApi itself is asked before
	// anything is done about it.
	if soon := w.asked.Add(askLeast); (s.GetUnsent() || s.GetStatus() != "") && soon.Before(w.nextAsk) {
		w.nextAsk = soon
	}
}

// show keeps a code for the console until it expires.
func (w *watch) show(ctx context.Context, p wasender.Pairing) {
	if p.QR == "" {
		return
	}
	expires := p.Expires
	if expires.IsZero() {
		expires = w.now().Add(codeAge)
	}
	if err := w.store.SetSessionCode(ctx, w.session.Channel, p.QR.Reveal(), expires); err != nil && ctx.Err() == nil {
		w.log.Warn().Err(err).Msg("the code that links a phone is not shown; the next one is")
	}
}

// What became of an order.
const (
	orderDone       = "done"
	orderBusy       = "busy"
	orderNoToken    = "no_token"
	orderRefused    = "refused"
	orderUnanswered = "unanswered"
)

// obey does what an operator wants, and answers.
func (w *watch) obey(ctx context.Context, m *nats.Msg) error {
	order := &parleyv1.SessionOrder{}
	if proto.Unmarshal(m.Data, order) != nil {
		return nil // not ours
	}
	outcome, err := w.order(ctx, order.GetAction())
	answer, encodeErr := proto.Marshal(&parleyv1.SessionOrderAnswer{Outcome: outcome, Status: string(w.health.State)})
	if err == nil && encodeErr == nil {
		_ = m.Respond(answer) // whoever asked may be gone
	}
	return err
}

func (w *watch) order(ctx context.Context, name string) (outcome string, err error) {
	switch {
	case !w.policy.CanAct:
		return orderNoToken, nil
	case name == "qr":
		return w.newCode(ctx), nil
	}
	before := w.health
	action := w.step(health.Input{Kind: health.Ordered, Order: health.Action(name)})
	if action == health.Nothing {
		return orderBusy, nil
	}
	return w.try(ctx, before, action)
}

// newCode asks for the code that links a phone now.
func (w *watch) newCode(ctx context.Context) (outcome string) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	id, err := w.ids.of(ctx, w.session.Channel)
	if err == nil {
		var p wasender.Pairing
		if p, err = w.client.QRCode(ctx, id); err == nil {
			w.show(ctx, p)
		}
	}
	_, outcome = resultOf(err, "")
	return outcome
}

// keep writes down how the session is if anything changed: at once if it matters,
// else now and then. What it wrote last is repeated if the write failed.
func (w *watch) keep(ctx context.Context, action string) error {
	changes := w.changes(action)
	if len(changes) == 0 && !matters(w.saved, w.health) && (w.saved == w.health || w.now().Sub(w.savedAt) < keepEvery) {
		return nil
	}
	var err error
	if w.session.Memory, err = json.Marshal(w.health); err != nil {
		return fmt.Errorf("encode session %s: %w", w.session.Channel, err)
	}
	err = w.store.SaveSession(ctx, w.session, w.row(), changes)
	if errors.Is(err, store.ErrFenced) {
		return err
	}
	if err != nil {
		if !w.unsaved && ctx.Err() == nil {
			w.log.Warn().Err(err).Msg("session's health is not written down; nothing is changed meanwhile")
		}
		w.unsaved = true
		return nil
	}
	w.report()
	w.saved, w.savedAt, w.unsaved = w.health, w.now(), false
	w.meter.saw(w.session.Channel, w.health)
	return nil
}

// matters reports whether more changed than signs of life.
func matters(a, b health.Health) bool {
	for _, h := range []*health.Health{&a, &b} {
		h.Seen, h.Heard, h.UnheardSince, h.Unheard = time.Time{}, time.Time{}, time.Time{}, 0
	}
	return a != b
}

// changes are the lines of the history.
func (w *watch) changes(action string) []string {
	var list []string
	if w.health.State != w.saved.State {
		list = append(list, "state")
	}
	if w.health.Alarm != w.saved.Alarm {
		list = append(list, "alarm")
	}
	if w.health.MissedTo != w.saved.MissedTo {
		list = append(list, "missed")
	}
	if w.health.CaughtUp != w.saved.CaughtUp {
		list = append(list, "caught_up")
	}
	if action != "" {
		list = append(list, action)
	}
	return list
}

// report tells the operator once what changed.
func (w *watch) report() {
	switch {
	case w.health.Alarm == w.saved.Alarm:
	case w.health.Alarm == health.Quiet:
		w.log.Info().Str("channel", w.session.Channel).Str("status", string(w.health.State)).Msg("session works again")
	default:
		w.log.Error().Str("channel", w.session.Channel).Str("status", string(w.health.State)).Str("alarm", string(w.health.Alarm)).
			Msg("session: " + w.health.Alarm.Advice())
	}
}

// row is what people see of the health.
func (w *watch) row() store.SessionHealth {
	h := w.health
	row := store.SessionHealth{
		Channel: w.session.Channel, State: string(h.State), Since: known(h.Since), SeenAt: known(h.Seen), HeardAt: known(h.Heard),
		DownSince: known(h.Down), Tries: h.Tries, Alarm: string(h.Alarm), AlarmSince: known(h.AlarmSince),
	}
	if next, ok := h.Next(w.policy); ok {
		row.NextTry = known(next)
	}
	return row
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
