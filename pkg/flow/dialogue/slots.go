package dialogue

import (
	"fmt"
	"strconv"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

// me is whom the desk knows the person as, others is everybody else.
const (
	me     = "me"
	others = "others"
)

// dialogueSlot is how long a slot of a table lasts: nothing depends on it.
const dialogueSlot = 30 * time.Minute

// booked does what a turn wants done with slots, or finds those that are free.
func (c *Chat) booked(l flow.Lookup) ([][]byte, error) {
	if err := c.makeSlots(); err != nil {
		return nil, err
	}
	if l.Verb != flow.VerbFree {
		return [][]byte{c.desk.Do(booking.Order{
			Verb: l.Verb, Where: l.Where, Contact: me, At: c.now, ID: fmt.Sprintf("booking-%d", len(c.desk.Bookings)+1),
		}).Row()}, nil
	}
	service := l.Where["service"]
	if c.world.Hours[service] == nil && c.given.Slots[service] == nil {
		return nil, fmt.Errorf("there are no slots of service %q: write them below slots %s, or its opening hours into slots/%s.yaml", service, service, service)
	}
	var rows [][]byte
	for _, slot := range c.desk.Free(l.Where, c.now, int(l.Limit)) {
		rows = append(rows, slot.Row())
	}
	return rows, nil
}

// makeSlots adds to the desk what is not there yet: the slots that are given, and
// those that have come into the horizon of opening hours.
func (c *Chat) makeSlots() error {
	if c.desk == nil {
		c.desk = booking.NewDesk()
		for service, table := range c.given.Slots {
			for i, row := range table {
				if err := c.giveSlot(service, row); err != nil {
					return fmt.Errorf("slots %s, row %d: %w", service, i+1, err)
				}
			}
		}
	}
	for service, rules := range c.world.Hours {
		if c.given.Slots[service] != nil {
			continue
		}
		for _, s := range rules.Slots(c.now) {
			if c.desk.Slots[s.ID] == nil {
				c.desk.Slots[s.ID] = &booking.Slot{Slot: s}
			}
		}
	}
	return nil
}

// giveSlot adds a slot of a table: its time is in the zone of the conversation.
func (c *Chat) giveSlot(service string, row map[string]string) error {
	start, err := time.ParseInLocation("2006-01-02 15:04", row["day"]+" "+row["time"], c.now.Location())
	if err != nil {
		return fmt.Errorf("%q %q is no day and time: write the columns day and time, such as 2026-12-04 and 15:30", row["day"], row["time"])
	}
	calendar := row["calendar"]
	if calendar == "" {
		calendar = service
	}
	capacity, booked := 1, 0
	for column, into := range map[string]*int{"capacity": &capacity, "booked": &booked} {
		if row[column] == "" {
			continue
		}
		if *into, err = strconv.Atoi(row[column]); err != nil {
			return fmt.Errorf("%s is %q: write a number", column, row[column])
		}
	}
	s := hours.At(service, calendar, start, dialogueSlot, c.now.Location(), capacity)
	c.desk.Slots[s.ID] = &booking.Slot{Slot: s, Booked: booked}
	return nil
}

// othersBook lets somebody else take all that is free of some slots.
func (c *Chat) othersBook(which fields) error {
	if err := c.makeSlots(); err != nil {
		return err
	}
	where := map[string]string{}
	for _, f := range which {
		where[f.key] = f.value
	}
	free := c.desk.Free(where, c.now, len(c.desk.Slots))
	taken := 0
	for _, slot := range free {
		if where["time"] != "" && where["time"] != slot.Time {
			continue
		}
		taken++
		c.desk.Do(booking.Order{
			Verb: flow.VerbBook, Contact: others, At: c.now, ID: "others-" + slot.ID,
			Where: map[string]string{"slot": slot.ID, "places": strconv.Itoa(slot.Capacity - slot.Booked)},
		})
	}
	if taken == 0 {
		return fmt.Errorf("no such slot is free: name it by service, calendar, day and time")
	}
	return nil
}
