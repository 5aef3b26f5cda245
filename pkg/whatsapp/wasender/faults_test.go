package wasender_test

import (
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// What can be switched on at the fake, as the client sees it.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		fault    faults.Fault
		class    wasender.Class
		accepted int
	}{
		{faults.Fault{Kind: faults.Refuse, Next: 1, Status: 429, RetryAfter: 5}, wasender.RetryNumber, 0},
		{faults.Fault{Kind: faults.Refuse, Next: 1, Status: 422}, wasender.Permanent, 0},
		{faults.Fault{Kind: faults.Cut, Next: 1}, wasender.Ambiguous, 0},
		{faults.Fault{Kind: faults.Lost, Next: 1, DelayMS: 1}, wasender.Ambiguous, 1},
		{faults.Fault{Kind: faults.Garbage, Next: 1}, wasender.Ambiguous, 1},
		{faults.Fault{Kind: faults.Drop, Next: 1}, wasender.RetryNumber, 0},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			api := gateway(nil)
			api.Faults = &faults.Switches{}
			if _, err := api.Faults.Add(c.fault); err != nil {
				t.Fatal(err)
			}
			client := serve(t, api)
			refused(t, t.Context(), client, toAnn, c.class)
			if n := api.Accepted(); n != c.accepted {
				t.Errorf("%d accepted, want %d", n, c.accepted)
			}
			if c.fault.Kind == faults.Drop {
				return // until somebody connects the session again
			}
			if _, err := client.Send(t.Context(), toAnn); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}
