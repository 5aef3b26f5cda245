package faults

import (
	"fmt"
	"strings"
	"testing"
)

func TestSwitches(t *testing.T) {
	var s Switches
	for _, f := range []Fault{
		{Kind: Slow, Every: 3, DelayMS: 10}, {Kind: Refuse, Next: 2, Status: 429}, {Kind: ReceiptsTwice, Next: 1},
	} {
		if _, err := s.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for range 7 {
		f, ok := s.Send(Meta)
		got = append(got, fmt.Sprint(f.Kind, ok))
	}
	if want := "refusetrue refusetrue slowtrue false false slowtrue false"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
	if f, ok := s.Receipts(Meta); !ok || f.Kind != ReceiptsTwice {
		t.Errorf("%+v %t", f, ok)
	}
	if _, ok := s.Receipts(Meta); ok {
		t.Error("it is for one message only")
	}
	if list := s.List(); len(list) != 3 || list[0].Seen != 7 || list[0].Fired != 2 || list[1].Fired != 2 || list[1].Next != 0 || list[2].ID != 3 {
		t.Errorf("%+v", list)
	}
	s.Reset()
	if _, ok := s.Send(Meta); ok || len(s.List()) != 0 {
		t.Error("it is not reset")
	}
	if _, ok := (*Switches)(nil).Send(Meta); ok {
		t.Error("none has a fault")
	}
}

// A fault of one provider neither meets nor counts what goes to the other. One with a
// code is Meta's, and only a session of WASenderApi drops.
func TestSwitchesOfProviders(t *testing.T) {
	var s Switches
	for _, f := range []Fault{
		{Kind: Drop, Next: 1}, {Kind: Refuse, Next: 1, Status: 429, Code: 130429}, {Kind: Slow, Every: 2, Provider: WASender}, {Kind: Cut, Next: 2},
	} {
		if _, err := s.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []Kind{Refuse, Cut, Cut, ""} {
		if f, _ := s.Send(Meta); f.Kind != want {
			t.Errorf("message %d to Meta: %q, want %q", i+1, f.Kind, want)
		}
	}
	for i, want := range []Kind{Drop, Slow, "", Slow} {
		if f, _ := s.Send(WASender); f.Kind != want {
			t.Errorf("message %d to WASenderApi: %q, want %q", i+1, f.Kind, want)
		}
	}
}

func TestSwitchesRefuse(t *testing.T) {
	var s Switches
	for _, f := range []Fault{
		{Kind: "explode", Next: 1},
		{Kind: Cut},
		{Kind: Cut, Next: 1, Every: 1},
		{Kind: Cut, Next: -1},
		{Kind: Cut, Every: countMax + 1},
		{Kind: Refuse, Next: 1},
		{Kind: Refuse, Next: 1, Status: 200},
		{Kind: Slow, Next: 1, DelayMS: -1},
		{Kind: Lost, Next: 1, DelayMS: 1e9},
		{Kind: Refuse, Next: 1, Status: 429, RetryAfter: -1},
		{Kind: Cut, Next: 1, Provider: "telex"},
		{Kind: Refuse, Next: 1, Status: 429, Code: 130429, Provider: WASender},
		{Kind: Drop, Next: 1, Provider: Meta},
	} {
		if _, err := s.Add(f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
	for range listMax {
		if _, err := s.Add(Fault{Kind: Cut, Every: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Add(Fault{Kind: Cut, Next: 1}); err == nil {
		t.Error("there is no limit")
	}
}
