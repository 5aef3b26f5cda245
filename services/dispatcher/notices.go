package dispatcher

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// noticeStore keeps what the provider tells about accounts, for all replicas.
type noticeStore interface {
	PutAccountFacts(ctx context.Context, facts []store.AccountFact) error
	AccountFacts(ctx context.Context) ([]store.AccountFact, error)
}

// noticed is what of the provider's notices changes sending.
type noticed struct {
	store noticeStore
	// base is what the configuration says of the numbers; accounts are those that it
	// names, numbers the channels by their displayed number.
	base     map[string]Facts
	accounts map[string]bool
	numbers  map[string]string
	known    []store.AccountFact
	// usual is the rate of a number of which nothing is known.
	usual float64
}

const (
	// factCoexistence is of a number that is used with the phone's own app as well; the
	// subject is its channel. No notice says so: what is written there does.
	factCoexistence = "coexistence"
	// coexistenceRate is what such a number may send (WIRE.md 3.3).
	coexistenceRate = 20.0
)

// stopFor is how long a stop of a notice holds without being said again: it is, as
// long as the notice is the newest.
const stopFor = 10 * time.Second

// FollowNotices lets notices change how the service sends. It is called before the
// lanes run; base is what the configuration says of the numbers, and numbers are
// the channels by their displayed number.
func (s *Service) FollowNotices(db noticeStore, base map[string]Facts, numbers map[string]string) {
	s.notices = noticed{store: db, base: base, accounts: map[string]bool{}, numbers: numbers, usual: s.desk.limits.ChannelRate}
	for _, f := range base {
		s.notices.accounts[f.Account] = true
	}
}

// note keeps the notices among the events. A batch that is applied again keeps the same.
func (s *Service) note(ctx context.Context, parts []lane.Part) error {
	var facts []store.AccountFact
	for _, part := range parts {
		for _, m := range part.Messages {
			if fact, found := s.notices.coexistence(m.Event); found {
				facts = append(facts, fact)
			}
			n := m.Event.GetAccountNoticed()
			for _, f := range n.GetFacts() {
				fact := store.AccountFact{
					Account: n.GetAccount(), Number: n.GetNumber(), Kind: f.GetKind(), Subject: f.GetSubject(), Value: f.GetValue(), At: time.UnixMilli(n.GetAtMs()),
				}
				if f.GetUntilMs() > 0 {
					until := time.UnixMilli(f.GetUntilMs())
					fact.Until = &until
				}
				facts = append(facts, fact)
			}
		}
	}
	if len(facts) == 0 || s.notices.store == nil {
		return nil
	}
	return s.notices.store.PutAccountFacts(ctx, facts)
}

// coexistence finds out that a number is used with the phone's own app, by what the
// business writes there. It does not end.
func (n noticed) coexistence(e *parleyv1.Event) (fact store.AccountFact, found bool) {
	if e.GetInputReceived().GetInput().GetEcho() == nil || n.base[e.GetChannel()].OutOnly {
		return fact, false
	}
	return store.AccountFact{
		Account: n.base[e.GetChannel()].Account, Kind: factCoexistence, Subject: e.GetChannel(),
		Value: strconv.FormatFloat(coexistenceRate, 'f', -1, 64), At: time.UnixMilli(e.GetAtMs()),
	}, true
}

// followNotices reads what all replicas were told. It returns the stops of it.
func (s *Service) followNotices(ctx context.Context, now time.Time) ([]store.SendStop, error) {
	if s.notices.store == nil {
		return nil, nil
	}
	facts, err := s.notices.store.AccountFacts(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(facts, s.notices.known, sameFact) {
		s.notices.known = facts
		s.SetFacts(s.notices.facts(facts))
	}
	var stops []store.SendStop
	for _, f := range facts {
		if stop, ok := s.notices.stop(f, now); ok {
			stops = append(stops, stop)
		}
	}
	return stops, nil
}

func sameFact(a, b store.AccountFact) bool {
	return a.Account == b.Account && a.Number == b.Number && a.Kind == b.Kind && a.Subject == b.Subject && a.Value == b.Value && a.At.Equal(b.At)
}

// facts are those of the configuration with the throughput that was learned. The
// configuration's own rate is a limit that a notice raises, and coexistence lowers.
func (n noticed) facts(all []store.AccountFact) map[string]Facts {
	facts := maps.Clone(n.base)
	for _, f := range all {
		if of := facts[f.Subject]; f.Kind == factCoexistence && !of.OutOnly {
			of.Rate = min(coexistenceRate, cmp.Or(of.Rate, n.usual))
			facts[f.Subject] = of
		}
	}
	numbers := n.channels(all)
	for _, f := range all {
		channel, known := numbers[f.Number]
		rate, err := strconv.ParseFloat(f.Value, 64)
		if f.Kind != meta.NoticeThroughput || !known || err != nil {
			continue
		}
		of := facts[channel]
		of.Rate = max(of.Rate, rate)
		facts[channel] = of
	}
	return facts
}

// channels are those of displayed numbers: as they were learned, and as the
// configuration says.
func (n noticed) channels(all []store.AccountFact) map[string]string {
	channels := map[string]string{}
	for _, f := range all {
		if f.Kind == factChannel {
			channels[f.Number] = f.Value
		}
	}
	maps.Copy(channels, n.numbers)
	return channels
}

// account is what the desk calls an account: those that the configuration does not
// name share one.
func (n noticed) account(id string) string {
	if n.accounts[id] {
		return id
	}
	return ""
}

// stop is what a fact keeps from being sent now. Restrictions are Meta's: of what the
// business begins, which takes templates, or of replies too (WIRE.md 1.9).
func (n noticed) stop(f store.AccountFact, now time.Time) (stop store.SendStop, ok bool) {
	stop = store.SendStop{Scope: scopeAccount, Name: n.account(f.Account), Since: f.At, Until: now.Add(stopFor)}
	var class meta.Class
	switch {
	case f.Until != nil && !now.Before(*f.Until):
		return stop, false
	case f.Kind == meta.NoticeBan && (f.Value == "DISABLE" || f.Value == "DELETED"),
		f.Kind == meta.NoticeRestriction && strings.Contains(f.Subject, "CUSTOMER_INITIATED"):
		class = meta.StopAccount
	case f.Kind == meta.NoticeRestriction && strings.Contains(f.Subject, "BIZ_INITIATED"):
		class, stop.Subject = meta.StopTemplates, anyTemplate
	case f.Kind == meta.NoticeTemplate && slices.Contains([]string{"PAUSED", "DISABLED", "REJECTED"}, f.Value):
		class, stop.Subject = meta.ParkTemplate, f.Subject
	case f.Kind == meta.NoticeForm && slices.Contains([]string{"BLOCKED", "DEPRECATED"}, f.Value):
		class, stop.Subject = meta.ParkForm, f.Subject
	default:
		return stop, false
	}
	stop.Class = class.String()
	return stop, true
}
