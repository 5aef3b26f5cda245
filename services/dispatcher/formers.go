package dispatcher

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
)

// formersPoll is how often it is looked up whether contacts have to wait no longer for the
// messages of others that turned out to be them. Nearly always nobody has to.
const formersPoll = 100 * time.Millisecond

// SetBehind says what a contact's messages have to wait for. What is on its way is.
func (d *Desk) SetBehind(now time.Time, contact uuid.UUID, f store.Former) {
	if delete(d.behind, contact); f.Coming || len(f.Channels) > 0 {
		d.behind[contact] = f
	}
	for channel := range d.channels {
		l := d.lines[lineKey{channel, contact}]
		if l == nil || len(l.jobs) == 0 {
			continue
		}
		head := l.jobs[0].Key
		switch {
		case d.waits(l):
			l.unqueue()
		case l.in == nil && d.busy[head] == nil && d.held[head] == nil:
			d.advance(now, l)
		}
	}
}

// waits reports whether a line has to wait for those of former contacts.
func (d *Desk) waits(l *line) bool {
	if len(d.behind) == 0 {
		return false
	}
	f := d.behind[l.key.contact]
	return f.Coming || slices.Contains(f.Channels, l.key.channel)
}

// merged makes contacts wait that others turned out to be, from here on in the events. A
// batch that is applied again makes them wait again.
func (s *Service) merged(parts []lane.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range parts {
		for _, m := range part.Messages {
			if m.Event.GetContactMerged() == nil {
				continue
			}
			if id, err := uuid.FromBytes(m.Event.ContactId); err == nil {
				s.desk.SetBehind(s.now(), id, store.Former{Coming: true})
			}
		}
	}
}

// followFormers asks what contacts still wait for. The shards of those whom they wait for
// may be other replicas'.
func (s *Service) followFormers(ctx context.Context) error {
	s.mu.Lock()
	now := s.now()
	var contacts []uuid.UUID
	if now.Sub(s.polledFormers) >= formersPoll {
		contacts = slices.Collect(maps.Keys(s.desk.behind))
		s.polledFormers = now
	}
	s.mu.Unlock()
	if len(contacts) == 0 {
		return nil
	}
	// An unknown send is waited for until it was sent again, or was kept.
	formers, err := s.store.Formers(ctx, contacts, 2*s.desk.limits.Grace)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range contacts {
		s.desk.SetBehind(s.now(), id, formers[id])
	}
	return nil
}
