package dispatcher

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// stopsEvery is how often replicas tell each other what they do not send to.
const stopsEvery = time.Second

// Stops lists what the desk itself has found out not to send to, in order.
func (d *Desk) Stops(now time.Time) []store.SendStop {
	var list []store.SendStop
	for of, g := range d.gates {
		if g.row > 0 && !g.adopted {
			list = append(list, store.SendStop{
				Scope: of.kind, Name: of.name, Class: g.class.String(), Code: g.code, Since: g.since, Until: g.until,
			})
		}
	}
	for key, p := range d.parked {
		if now.Before(p.until) && !p.adopted {
			list = append(list, store.SendStop{
				Scope: scopeAccount, Name: key.account, Subject: key.subject, Class: p.class.String(), Code: p.code, Since: p.since, Until: p.until,
			})
		}
	}
	slices.SortFunc(list, func(a, b store.SendStop) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Subject, b.Subject))
	})
	return list
}

// Adopt takes over what another replica has found out. Its circuits stay its own:
// whether it has an answer says little of whether we would have one.
func (d *Desk) Adopt(now time.Time, stops []store.SendStop) {
	for _, stop := range stops {
		class, known := meta.ParseClass(stop.Class)
		if !known || !now.Before(stop.Until) || class == meta.Ambiguous || class == meta.Retry {
			continue
		}
		if stop.Subject != "" {
			key := parked{stop.Name, stop.Subject}
			if d.parked[key].until.Before(stop.Until) {
				d.parked[key] = parking{since: stop.Since, until: stop.Until, class: class, code: stop.Code, adopted: true}
			}
			continue
		}
		d.gate(stop.Scope, stop.Name).adopt(stop, class)
	}
}

// adopt shuts a gate as another replica has. What this one found out itself stays.
func (g *gate) adopt(stop store.SendStop, class meta.Class) {
	if g.row == 0 || g.adopted && g.until.Before(stop.Until) {
		*g = gate{row: 1, since: stop.Since, until: stop.Until, class: class, code: stop.Code, adopted: true}
	}
}

// stopStore keeps the stops of all replicas.
type stopStore interface {
	PutSendStops(ctx context.Context, owner string, stops []store.SendStop) error
	SendStops(ctx context.Context, owner string) ([]store.SendStop, error)
}

// shareStops tells the other replicas what this one does not send to, and learns
// from them, until ctx ends. After an error it tries again: the desk needs neither.
func (s *Service) shareStops(ctx context.Context, db stopStore, owner string) error {
	ticker := time.NewTicker(stopsEvery)
	defer ticker.Stop()
	var told []store.SendStop
	failing := false
	for {
		now, err := s.exchangeStops(ctx, db, owner, told)
		switch {
		case err == nil:
			told = now
		case !failing && ctx.Err() == nil:
			s.log.Warn().Err(err).Msg("replicas cannot tell each other what is stopped")
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// exchangeStops writes the stops if they are not what was told before, reads those
// of the others, and returns what is told now.
func (s *Service) exchangeStops(ctx context.Context, db stopStore, owner string, told []store.SendStop) ([]store.SendStop, error) {
	s.mu.Lock()
	own := s.desk.Stops(s.now())
	s.mu.Unlock()
	s.alarms.changed(told, own)
	if !slices.Equal(own, told) {
		if err := db.PutSendStops(ctx, owner, own); err != nil {
			return told, err
		}
	}
	others, err := db.SendStops(ctx, owner)
	if err != nil {
		return own, err
	}
	noticed, err := s.followNotices(ctx, s.now())
	if err != nil {
		return own, err
	}
	others = append(others, noticed...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk.Adopt(s.now(), others)
	return own, nil
}
