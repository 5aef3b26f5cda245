package flow

import (
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// A session knows the contact of the campaign that began it, whatever happens, until the
// person writes for the first time.
func TestCampaignLine(t *testing.T) {
	f := load(t, "offer").WithVersion(1)
	turn := func(s State, in *parleyv1.Input) State {
		t.Helper()
		in.Id, in.AtMs = "i", s.StartedAtMs+1000
		_, next, err := Complete(f, f, s, in, func(Lookup) ([][]byte, error) {
			return [][]byte{[]byte(`{"id":"7","name":"Tea"}`)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	s := turn(State{}, &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: "offer", Campaign: "spring", Line: 7}}})
	s = turn(s, OperatorInput("", 0, &parleyv1.OperatorAction{Verb: ActTake, By: "Bo"}))
	if c := s.Progress.Campaign; c == nil || *c != (CampaignLine{"spring", 7}) {
		t.Fatalf("%+v", s.Progress)
	}
	s = turn(s, &parleyv1.Input{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: "tea"}}})
	if s.Progress.Campaign != nil {
		t.Errorf("they have written: %+v", s.Progress.Campaign)
	}
	s = turn(State{}, &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: "offer"}}})
	if s.Progress.Campaign != nil {
		t.Errorf("a start on its own: %+v", s.Progress.Campaign)
	}
}
