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
		f, ok := s.Send()
		got = append(got, fmt.Sprint(f.Kind, ok))
	}
	if want := "refusetrue refusetrue slowtrue false false slowtrue false"; strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
	if f, ok := s.Receipts(); !ok || f.Kind != ReceiptsTwice {
		t.Errorf("%+v %t", f, ok)
	}
	if _, ok := s.Receipts(); ok {
		t.Error("it is for one message only")
	}
	if list := s.List(); len(list) != 3 || list[0].Seen != 7 || list[0].Fired != 2 || list[1].Fired != 2 || list[1].Next != 0 || list[2].ID != 3 {
		t.Errorf("%+v", list)
	}
	s.Reset()
	if _, ok := s.Send(); ok || len(s.List()) != 0 {
		t.Error("it is not reset")
	}
	if _, ok := (*Switches)(nil).Send(); ok {
		t.Error("none has a fault")
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
