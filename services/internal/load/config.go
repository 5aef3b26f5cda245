package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config says what WhatsApp, and which contacts, a Generator plays. Start from
// DefaultConfig: a zero means zero here. Shares are between 0 and 1.
type Config struct {
	// TargetURL is Parley's webhook, as http://127.0.0.1:8080/webhooks/meta.
	TargetURL string
	// Secret signs the webhooks: Parley's PARLEY_META_APP_SECRET.
	Secret string
	// GraphListen is the address on which the fake Graph API listens.
	GraphListen string
	// Channels are the phone_number_ids of the business numbers.
	Channels []string

	// Contacts is how many people there are.
	Contacts int
	// Rate is how many new messages they send a second, duplicates not counted.
	// The times are scheduled: a slow Parley does not slow the people down.
	Rate float64
	// Duration is how long they go on.
	Duration time.Duration
	// Seed makes the same people say the same things again.
	Seed uint64
	// Run tells the contacts and message ids of runs against one Parley apart.
	// Only its last five digits go into the phone numbers. 0 takes the clock.
	Run uint64

	// BSUIDOnly is the share of contacts known by BSUID alone, Both the share
	// known by BSUID and phone; the rest has a phone only.
	BSUIDOnly, Both float64
	// Duplicates is the share of updates that are posted again, at once or later
	// by up to DuplicateDelay.
	Duplicates     float64
	DuplicateDelay time.Duration
	// Batched is the share of POSTs that carry several updates.
	Batched float64
	// DoubleMessages is the share of turns in which a contact says two things
	// without waiting for a reply.
	DoubleMessages float64
	// EarlyReceipts is the share of sends whose first receipt arrives before the
	// answer of the Graph API.
	EarlyReceipts float64
	// Impatient is the share of turns in which a contact waits for the reply for
	// at most WaitCap; in all others it waits for ever.
	Impatient float64
	WaitCap   time.Duration

	// Connections bounds the POSTs under way.
	Connections int
	// PostTimeout is how long WhatsApp waits for an answer to a POST.
	PostTimeout time.Duration
	// QuietTimeout bounds the wait for the last reply after Duration.
	QuietTimeout time.Duration
	// Settle is how long the run listens on after the last reply, for replies
	// that nobody expects. For kill runs it must exceed the time after which
	// Parley resends what it is not sure of.
	Settle time.Duration

	// Nemesis runs beside the load, if set. It marks what it does; a kind that
	// begins with "kill" is a kill of the process that sends. It must heal what
	// it broke and return when its context ends, which is after Duration.
	Nemesis func(ctx context.Context, mark func(kind string))
	// NemesisWindow is how long after a mark a message counts as sent inside the
	// fault; it only sorts latencies.
	NemesisWindow time.Duration
	// TolerateInFlightDoubles excuses a send that was repeated under the same
	// callback id if the first one was accepted within 1.5 s before a kill.
	// Excused doubles are counted apart.
	TolerateInFlightDoubles bool
}

// DefaultConfig is the load of a busy business. TargetURL and Secret are missing.
func DefaultConfig() Config {
	return Config{
		GraphListen:    "127.0.0.1:0",
		Channels:       []string{"100000000000001", "100000000000002", "100000000000003"},
		Contacts:       5000,
		Rate:           500,
		Duration:       30 * time.Second,
		Seed:           1,
		BSUIDOnly:      0.2,
		Both:           0.2,
		Duplicates:     0.1,
		DuplicateDelay: 10 * time.Second,
		Batched:        0.1,
		DoubleMessages: 0.05,
		EarlyReceipts:  0.05,
		Impatient:      0.1,
		WaitCap:        2 * time.Second,
		Connections:    256,
		PostTimeout:    10 * time.Second,
		QuietTimeout:   time.Minute,
		Settle:         3 * time.Second,
		NemesisWindow:  10 * time.Second,
	}
}

// validate names everything that is wrong with the config.
func (c Config) validate() error {
	var faults []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	must(c.TargetURL != "", "target URL is missing")
	must(c.Secret != "", "secret is missing")
	must(len(c.Channels) > 0, "there are no channels")
	must(c.Contacts >= max(1, len(c.Channels)) && c.Contacts < contactsMax, "contacts must be at least one a channel and below %d", contactsMax)
	must(c.Rate > 0, "rate must be positive")
	must(c.Duration > 0, "duration must be positive")
	must(c.Connections > 0, "connections must be positive")
	must(c.PostTimeout > 0, "post timeout must be positive")
	must(c.BSUIDOnly+c.Both <= 1, "BSUID-only and both exceed 1 together")
	shares := map[string]float64{
		"BSUID-only": c.BSUIDOnly, "both": c.Both, "duplicates": c.Duplicates, "batched": c.Batched,
		"double messages": c.DoubleMessages, "early receipts": c.EarlyReceipts, "impatient": c.Impatient,
	}
	for name, share := range shares {
		must(share >= 0 && share <= 1, "%s must be between 0 and 1", name)
	}
	return errors.Join(faults...)
}
