package dialogue

import (
	"errors"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
)

// another lets the person show as another contact from here on, who is in no conversation.
// Timers of the one that they leave rest until the two are merged.
func (c *Chat) another(at time.Time) (said [][]string, err error) {
	if c.former != nil {
		return nil, errors.New("a dialogue has two contacts at most: merge the two before another shows")
	}
	if said, err = c.wait(at); err != nil {
		return said, err
	}
	former := c.State()
	c.former = &former
	c.store(flow.State{})
	return said, nil
}

// merge has the two contacts turn out to be one person: one of their conversations goes on.
// Nothing is said. What was shown last can be tapped.
func (c *Chat) merge(at time.Time) (said [][]string, err error) {
	if c.former == nil {
		return nil, errors.New("there is nobody to merge with: write another before what the other contact says")
	}
	if said, err = c.wait(at); err != nil {
		return said, err
	}
	m := flow.Merge(c.State(), flow.Other{Session: 1, Contact: []byte("former"), State: *c.former}, c.pinned, c.input())
	c.former = nil
	if m.AdoptedGoesOn {
		c.store(m.AdoptedState)
	} else {
		c.store(m.OwnState)
	}
	for _, e := range append(m.Own, m.Adopted...) {
		c.events = append(c.events, e)
		c.remember(e)
	}
	return said, nil
}
