package booking

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// desk has three slots in an hour, two and three, with a capacity of two.
func desk() *Desk {
	d := NewDesk()
	for i := range 3 {
		s := hours.At("cut", "Ana", noon.Add(time.Duration(i+1)*time.Hour), time.Hour, time.UTC, 2)
		d.Slots[s.ID] = &Slot{Slot: s}
	}
	return d
}

func id(i int) string { return hours.SlotID("cut", "Ana", noon.Add(time.Duration(i+1)*time.Hour)) }

func do(d *Desk, who, verb string, where map[string]string, at time.Time) flow.Outcome {
	return d.Do(Order{Verb: verb, Where: where, Contact: who, At: at, ID: fmt.Sprintf("b%d", len(d.Bookings))})
}

func TestLastPlace(t *testing.T) {
	d := desk()
	at := map[string]string{"slot": id(0)}
	for i, want := range []string{flow.ResultDone, flow.ResultDone, flow.ResultTaken} {
		if got := do(d, fmt.Sprint("person ", i), flow.VerbBook, at, noon); got.Result != want {
			t.Errorf("person %d: %s, want %s", i, got.Result, want)
		}
	}
	first := do(d, "person 0", flow.VerbBook, at, noon)
	if first.Result != flow.ResultDone || first.Booking != "b0" || d.Slots[id(0)].Booked != 2 {
		t.Errorf("booking again gives %+v, and %d places are taken", first, d.Slots[id(0)].Booked)
	}
	if got := do(d, "late", flow.VerbBook, map[string]string{"slot": id(1)}, noon.Add(2*time.Hour)); got.Result != flow.ResultTaken {
		t.Errorf("what has begun gives %s", got.Result)
	}
	if got := do(d, "group", flow.VerbBook, map[string]string{"slot": id(1), "places": "3"}, noon); got.Result != flow.ResultTaken {
		t.Errorf("three of two places give %s", got.Result)
	}
}

func TestHold(t *testing.T) {
	d := desk()
	held := do(d, "ann", flow.VerbHold, map[string]string{"slot": id(0), "for": "60000", "places": "2"}, noon)
	if held.Result != flow.ResultDone || held.UntilMs != noon.Add(time.Minute).UnixMilli() {
		t.Fatalf("%+v", held)
	}
	if got := do(d, "bob", flow.VerbBook, map[string]string{"slot": id(0)}, noon); got.Result != flow.ResultTaken {
		t.Errorf("what is held gives %s", got.Result)
	}
	release := map[string]string{"booking": held.Booking}
	if got := do(d, "ann", flow.VerbRelease, release, noon.Add(time.Second)); got.Result != flow.ResultMissing {
		t.Errorf("too early: %s", got.Result)
	}
	if got := do(d, "ann", flow.VerbRelease, release, noon.Add(time.Minute)); got.Result != flow.ResultDone || d.Slots[id(0)].Booked != 0 {
		t.Errorf("in time: %s, %d places are taken", got.Result, d.Slots[id(0)].Booked)
	}
	do(d, "ann", flow.VerbHold, map[string]string{"slot": id(0), "for": "60000"}, noon)
	booked := do(d, "ann", flow.VerbBook, map[string]string{"slot": id(0)}, noon)
	release["booking"] = booked.Booking
	if got := do(d, "ann", flow.VerbRelease, release, noon.Add(time.Hour/2)); got.Result != flow.ResultMissing || d.Slots[id(0)].Booked != 1 {
		t.Errorf("what was booked in time was released: %s", got.Result)
	}
}

func TestReschedule(t *testing.T) {
	d := desk()
	first := do(d, "ann", flow.VerbBook, map[string]string{"slot": id(0)}, noon)
	do(d, "bob", flow.VerbBook, map[string]string{"slot": id(1), "places": "2"}, noon)
	if got := do(d, "ann", flow.VerbReschedule, map[string]string{"slot": id(1)}, noon); got.Result != flow.ResultTaken || d.Slots[id(0)].Booked != 1 {
		t.Errorf("to a full slot: %s", got.Result)
	}
	got := do(d, "ann", flow.VerbReschedule, map[string]string{"slot": id(2)}, noon)
	if got.Result != flow.ResultDone || got.Booking != first.Booking || got.From.Slot != id(0) || d.Slots[id(0)].Booked != 0 || d.Slots[id(2)].Booked != 1 {
		t.Errorf("%+v", got)
	}
	do(d, "cy", flow.VerbHold, map[string]string{"slot": id(0), "for": "1000"}, noon)
	stays := do(d, "cy", flow.VerbReschedule, map[string]string{"slot": id(0)}, noon)
	if stays.Result != flow.ResultDone || d.Bookings[stays.Booking].State != Booked || d.Slots[id(0)].Booked != 1 {
		t.Errorf("what is held and moves to where it is: %+v", d.Bookings[stays.Booking])
	}
	if got := do(d, "bob", flow.VerbCancel, map[string]string{"booking": first.Booking}, noon); got.Result != flow.ResultMissing {
		t.Errorf("somebody else's: %s", got.Result)
	}
	if got := do(d, "ann", flow.VerbCancel, map[string]string{"service": "cut"}, noon); got.Result != flow.ResultDone || d.Slots[id(2)].Booked != 0 {
		t.Errorf("%+v", got)
	}
	if got := do(d, "ann", flow.VerbCancel, nil, noon); got.Result != flow.ResultMissing {
		t.Errorf("nothing is left: %s", got.Result)
	}
}

// TestMerge: of a slot that two people have who turn out to be one, what is booked stays.
func TestMerge(t *testing.T) {
	for name, verbs := range map[string][2]string{
		"booked b1": {flow.VerbBook, flow.VerbBook}, "booked b0": {flow.VerbBook, flow.VerbHold}, "held b1": {flow.VerbHold, flow.VerbHold}, "booked b1 ": {flow.VerbHold, flow.VerbBook},
	} {
		d := desk()
		for i, who := range []string{"ann", "bob"} {
			do(d, who, verbs[i], map[string]string{"slot": id(0), "for": "60000"}, noon)
		}
		do(d, "ann", flow.VerbBook, map[string]string{"slot": id(1)}, noon)
		ended := d.Merge("ann", "bob")
		own, other := d.own("bob", id(0)), d.own("bob", id(1))
		if got := string(own.State) + " " + own.ID; got != strings.TrimSpace(name) || other == nil || d.own("ann", id(1)) != nil {
			t.Errorf("bob has %s, want %s; and %+v", got, name, other)
		}
		if len(ended) != 1 || d.Slots[id(0)].Booked != 1 || ended[0].GetBookingCancelled().GetBooking()+ended[0].GetSlotReleased().GetBooking() == own.ID {
			t.Errorf("%s: ended %v, %d places are taken", name, ended, d.Slots[id(0)].Booked)
		}
	}
}

// TestDesk: whatever people do in whatever order, no slot has more places than it has,
// its places are those of its bookings, and nobody has one slot twice.
func TestDesk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := desk()
		for i := range rapid.IntRange(1, 60).Draw(t, "orders") {
			o := Order{
				Verb:    rapid.SampledFrom([]string{flow.VerbBook, flow.VerbHold, flow.VerbReschedule, flow.VerbCancel, flow.VerbRelease}).Draw(t, "verb"),
				Contact: rapid.SampledFrom([]string{"ann", "bob", "cy", "di"}).Draw(t, "who"), At: noon.Add(time.Duration(i) * time.Minute), ID: fmt.Sprint("b", i),
				Where: map[string]string{"slot": id(rapid.IntRange(0, 3).Draw(t, "slot")), "for": "120000", "places": fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "places"))},
			}
			if len(d.Bookings) > 0 && rapid.Bool().Draw(t, "named") {
				o.Where["booking"] = fmt.Sprint("b", rapid.IntRange(0, i).Draw(t, "booking"))
			}
			before := fmt.Sprint(show(d))
			d.Begin()
			if into := rapid.SampledFrom([]string{"", "", "", "", "cy", "di"}).Draw(t, "into"); into != "" && into != o.Contact {
				d.Merge(o.Contact, into)
			} else {
				d.Do(o)
			}
			check(t, d)
			if rapid.Bool().Draw(t, "undo") {
				if d.Undo(); fmt.Sprint(show(d)) != before {
					t.Fatalf("undone it is %v, and was %v", show(d), before)
				}
			}
		}
	})
}

// show is all that a desk holds.
func show(d *Desk) (all []any) {
	for _, s := range d.Free(nil, noon, 10) {
		all = append(all, *s)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Bookings)) {
		all = append(all, *d.Bookings[id], d.Changed[id])
	}
	return all
}

func check(t *rapid.T, d *Desk) {
	sums, owners := map[string]int{}, map[string]int{}
	for _, b := range d.Bookings {
		if b.State.Active() {
			sums[b.Slot] += b.Places
			owners[b.Slot+b.Contact]++
		}
	}
	for slot, s := range d.Slots {
		if s.Booked != sums[slot] || s.Booked > s.Capacity || d.Moved[slot] != s.Booked {
			t.Fatalf("%s has %d places taken (%d moved), its bookings %d", slot, s.Booked, d.Moved[slot], sums[slot])
		}
	}
	for key, n := range owners {
		if n > 1 {
			t.Fatalf("%s is booked %d times", key, n)
		}
	}
}
