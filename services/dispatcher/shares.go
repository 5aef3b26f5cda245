package dispatcher

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// A number's rate belongs to all replicas together. Each has some units of it for a
// while (a message a second each) and asks for them again and again; the more waits
// at its desk, the more it gets. What makes it safe:
//
//   - Units are given under a lock, and never more than the rate has.
//   - A replica stops using its units at the end of its claim by its own clock, which
//     it reads before it asks; and at once if an answer does not come in time.
//   - Units that were given up, or whose claim has ended, rest for the time in which
//     their messages count (a second), before another replica may have them.
//
// What makes it quick: while some of its units rest a replica gives up no more, which
// would begin the rest of all anew; and who has some takes no more while others have none.
const (
	// sharesEvery is how often a replica asks, shareTime how long its claim lasts.
	sharesEvery = 500 * time.Millisecond
	shareTime   = 3 * time.Second
	// shareAnswer bounds the wait for the answer: in that time a replica may still use
	// what it has given up.
	shareAnswer = 500 * time.Millisecond
	// crowdMost is how much more a replica gets that has a second's messages waiting
	// than one that has none.
	crowdMost = 8
	// turnTime is how long who has the odd unit has it.
	turnTime = 10 * time.Second
)

// want is what a replica would send on a number.
type want struct {
	channel string
	rate    float64
	weight  float64
}

// unitsOf is how many units a rate has. A rate below one a second has one, which is
// all of it.
func unitsOf(rate float64) int { return max(1, int(rate)) }

// rateOf is what so many units of a rate are.
func rateOf(units int, rate float64) float64 {
	if units >= unitsOf(rate) {
		return rate
	}
	return float64(units)
}

// restOf is how long units rest before another may have them.
func restOf(rate float64) time.Duration {
	return time.Duration(max(1, 1/rate)*float64(time.Second)) + way + shareAnswer
}

// claims are the shares that a replica has when it asks for what it wants.
func claims(now time.Time, owner string, wants []want, all []store.SendShare) []store.SendShare {
	own := make([]store.SendShare, 0, len(wants))
	for _, w := range wants {
		own = append(own, w.claim(now, owner, all))
	}
	return own
}

func (w want) claim(now time.Time, owner string, all []store.SendShare) store.SendShare {
	mine := store.SendShare{Channel: w.channel, Owner: owner}
	left := unitsOf(w.rate)
	rivals := []store.SendShare{{Owner: owner, Weight: w.weight}}
	for _, s := range all {
		switch {
		case s.Channel != w.channel:
		case s.Owner == owner:
			mine = s
		default:
			left -= used(now, s, restOf(w.rate))
			if now.Before(s.Until) {
				rivals = append(rivals, s)
			}
		}
	}
	before := 0
	if now.Before(mine.Until.Add(restOf(w.rate))) {
		before = mine.Units // also if the claim has ended: it may have been used until then
	}
	target := fair(unitsOf(w.rate), owner, rivals, now)
	if before > 0 && w.someHaveNone(now, owner, rivals) {
		target = min(target, before)
	}
	if !now.Before(mine.CoolingUntil) {
		mine.Cooling = 0
	} else if w.weight > 0 {
		target = max(target, before) // with more that rests, what rests already would rest longer
	}
	mine.Units = min(target, max(left, 0))
	given := before - mine.Units
	if given > 0 {
		mine.CoolingUntil = now.Add(restOf(w.rate))
	}
	mine.Cooling = max(mine.Cooling+given, 0) // what is taken again does not rest
	mine.Until, mine.Weight = now.Add(shareTime), w.weight
	return mine
}

// someHaveNone says whether others wait for a part: what is free is for them first.
func (w want) someHaveNone(now time.Time, owner string, rivals []store.SendShare) bool {
	return slices.ContainsFunc(rivals, func(r store.SendShare) bool {
		return r.Owner != owner && r.Units == 0 && fair(unitsOf(w.rate), r.Owner, rivals, now) > 0
	})
}

// used is how many units an owner may be using or have used lately.
func used(now time.Time, s store.SendShare, rest time.Duration) (units int) {
	if now.Before(s.Until.Add(rest)) {
		units = s.Units
	}
	if now.Before(s.CoolingUntil) {
		units += s.Cooling
	}
	return units
}

// fair is an owner's part of some units, by weight. The parts of all add up to
// exactly the units; who has the odd ones changes from turn to turn. Where there are
// fewer units than replicas, those that have nothing to send get none.
func fair(units int, owner string, rivals []store.SendShare, now time.Time) int {
	turn := now.Unix() / int64(turnTime/time.Second)
	slices.SortFunc(rivals, func(a, b store.SendShare) int {
		return cmp.Or(cmp.Compare(place(a.Owner, turn), place(b.Owner, turn)), cmp.Compare(a.Owner, b.Owner))
	})
	idle := 0.0
	if units < len(rivals) {
		idle = 1
	}
	total, from, to := 0.0, 0.0, 0.0
	for _, r := range rivals {
		before := total
		total += max(r.Weight-idle, 0)
		if r.Owner == owner {
			from, to = before, total
		}
	}
	if total == 0 {
		return 0
	}
	const rounding = 1e-6
	upTo := func(weight float64) int { return int(float64(units)*weight/total + rounding) }
	return upTo(to) - upTo(from)
}

// place is where an owner stands in a turn.
func place(owner string, turn int64) uint64 {
	sum := sha256.Sum256(fmt.Append(nil, turn, owner))
	return binary.BigEndian.Uint64(sum[:])
}

// wants is what the desk would send, and on which numbers.
func (d *Desk) wants(now time.Time) []want {
	var list []want
	for _, name := range slices.Sorted(maps.Keys(d.channels)) {
		c := d.channels[name]
		rate := d.rate(name)
		c.promote(now)
		crowd := min(float64(c.waiting())/max(rate, 1), 1)
		list = append(list, want{channel: name, rate: rate, weight: 1 + (crowdMost-1)*crowd})
	}
	return list
}

// rate is that of a number, over all replicas.
func (d *Desk) rate(name string) float64 { return cmp.Or(d.facts[name].Rate, d.limits.ChannelRate) }

// SetRates gives each number the part of its rate that is this replica's until a
// time; numbers that are not named have none.
func (d *Desk) SetRates(now, until time.Time, rates map[string]float64) {
	d.granted, d.grantedUntil = rates, until
	d.setPace(now)
}

// lapsed reports whether this replica has no part of any rate any more.
func (d *Desk) lapsed(now time.Time) bool { return d.granted != nil && !now.Before(d.grantedUntil) }

// shareStore keeps the shares of all replicas.
type shareStore interface {
	ExchangeSendShares(ctx context.Context, owner string, decide func(now time.Time, all []store.SendShare) []store.SendShare) error
}

// Exchange asks for this replica's shares of the rates, once, and says whether it
// got an answer. Without one it has none.
func (s *Service) Exchange(ctx context.Context, db shareStore, owner string) error {
	ctx, cancel := context.WithTimeout(ctx, shareAnswer)
	defer cancel()
	asked := s.now()
	granted := map[string]float64{}
	err := db.ExchangeSendShares(ctx, owner, func(now time.Time, all []store.SendShare) []store.SendShare {
		wants := s.wants(all)
		own := claims(now, owner, wants, all)
		for i, share := range own {
			granted[share.Channel] = rateOf(share.Units, wants[i].rate)
		}
		return own
	})
	if err != nil || s.now().Sub(asked) > shareAnswer {
		granted = map[string]float64{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk.SetRates(s.now(), asked.Add(shareTime), granted)
	s.signal()
	return err
}

// wants is what this replica would send. It asks for every number that others send
// on as well: the first message that comes to it must find a share. Without shards
// it wants nothing of what it may still have.
func (s *Service) wants(all []store.SendShare) []want {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, share := range all {
		s.desk.channel(now, share.Channel)
	}
	list := s.desk.wants(now)
	if len(s.epochs) == 0 {
		return unwanted(list)
	}
	return list
}

// unwanted are the same numbers, of which nothing is wanted.
func unwanted(list []want) []want {
	for i := range list {
		list[i].weight = 0
	}
	return list
}

// shareRates asks for this replica's shares until ctx ends, and gives them back then:
// what is still queued, others send.
func (s *Service) shareRates(ctx context.Context, db shareStore, owner string) error {
	ticker := time.NewTicker(sharesEvery)
	defer ticker.Stop()
	failing := false
	for {
		err := s.Exchange(ctx, db, owner)
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("no share of the rates; sending waits")
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-s.ask:
		case <-ctx.Done():
			return s.giveBack(context.WithoutCancel(ctx), db, owner)
		}
	}
}

// giveBack ends this replica's claims. Should that fail, they end by themselves.
func (s *Service) giveBack(ctx context.Context, db shareStore, owner string) error {
	ctx, cancel := context.WithTimeout(ctx, shareAnswer)
	defer cancel()
	s.mu.Lock()
	s.desk.SetRates(s.now(), s.now(), map[string]float64{})
	s.mu.Unlock()
	err := db.ExchangeSendShares(ctx, owner, func(now time.Time, all []store.SendShare) []store.SendShare {
		return claims(now, owner, unwanted(s.wants(all)), all)
	})
	if err != nil {
		s.log.Warn().Err(err).Msg("shares of the rates are not given back; they end in seconds")
	}
	return nil
}
