package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// options are everything that a seed decides before the run begins.
type options struct {
	Seed     uint64
	Shards   int
	People   int
	Noters   int // people who answer in several messages
	Linked   int // people who are several contacts at first
	Replicas int
	Faults   time.Duration // how long the nemesis works
	Poison   bool          // somebody writes what cannot be stored
	Rates    rates
	Bug      bug
}

// rates are the probabilities of each fault, per opportunity.
type rates struct {
	StoreFails, StoreLost, StoreLate, StoreSlow, StoreCrash float64
	PublishFails, PublishLost, PublishPartly, PublishSlow   float64
	RelayLost, RelayTwice                                   float64
	Redelivered                                             float64
	SendCut, SendCutBefore, SendRefused, SendBusy, SendPair float64
	SendBroken, SendPermanent, SendRetry, SendSlow          float64
	SendGarbage                                             float64
	ReceiptEarly, ReceiptTwice, ReceiptLost, ReceiptBare    float64
	ReceiptFailed                                           float64
	AnswerLost                                              float64
	Duplicate, Batched, Double, Forged, Odd                 float64
	// Nemesis: how often it strikes, and with what.
	Kill, Stop, Pause, StoreOutage, StreamOutage float64
}

// newOptions draws a different mixture of faults for each seed: runs in which
// one kind of trouble is absent let the others reach states that they could not.
func newOptions(seed uint64, b bug) options {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	swarm := func(rate float64) float64 {
		if rng.IntN(4) == 0 {
			return 0
		}
		return rate * (0.3 + 1.7*rng.Float64())
	}
	o := options{
		Seed: seed, Shards: 2 + rng.IntN(3), People: 2 + rng.IntN(4), Replicas: 1 + rng.IntN(2),
		Faults: time.Duration(15+rng.IntN(45)) * time.Second, Poison: rng.IntN(4) == 0, Bug: b,
		Rates: rates{
			StoreFails: swarm(0.02), StoreLost: swarm(0.03), StoreLate: swarm(0.03), StoreSlow: swarm(0.02), StoreCrash: swarm(0.004),
			PublishFails: swarm(0.03), PublishLost: swarm(0.03), PublishPartly: swarm(0.1), PublishSlow: swarm(0.05),
			RelayLost: swarm(0.15), RelayTwice: swarm(0.1), Redelivered: swarm(0.3),
			SendCut: swarm(0.06), SendCutBefore: swarm(0.03), SendRefused: swarm(0.02), SendBusy: swarm(0.05), SendPair: swarm(0.02),
			SendBroken: swarm(0.04), SendPermanent: swarm(0.02), SendRetry: swarm(0.08), SendSlow: swarm(0.08), SendGarbage: swarm(0.02),
			ReceiptEarly: swarm(0.15), ReceiptTwice: swarm(0.1), ReceiptLost: swarm(0.08), ReceiptBare: swarm(0.12), ReceiptFailed: swarm(0.05),
			AnswerLost: swarm(0.03), Duplicate: swarm(0.12), Batched: swarm(0.2), Double: swarm(0.2), Forged: swarm(0.05), Odd: swarm(0.05),
			Kill: swarm(1), Stop: swarm(0.4), Pause: swarm(1), StoreOutage: swarm(0.4), StreamOutage: swarm(0.3),
		},
	}
	o.Noters = rng.IntN(3)
	if seed%8 == 5 { // not drawn: all other seeds tell the story that they told before
		o.Linked = 2
	}
	if seed%8 == 3 { // a storm: results of sends that were refused are not seen, and others take over
		o.Replicas, o.Rates.StoreLost, o.Rates.SendBusy, o.Rates.SendRetry, o.Rates.Pause = 2, 0.15, 0.3, 0.3, 3
	}
	return o
}

func (o options) String() string {
	return fmt.Sprintf("seed %d bug %q shards %d people %d, %d and %d replicas %d faults %s poison %t rates %+v",
		o.Seed, o.Bug, o.Shards, o.People, o.Noters, o.Linked, o.Replicas, o.Faults, o.Poison, o.Rates)
}

// Times of the simulated installation.
const (
	leaseTime  = 5 * time.Second
	grace      = 20 * time.Second
	eventsIdle = 3 * time.Second
	batchMax   = 20
	sendRate   = 80
	quietMost  = 3 * time.Hour // after the faults
	// What noters are granted before their answer is taken as whole, as notesFlow has
	// it, and how often a session process looks for what is due.
	noteQuiet, noteWait = 8 * time.Second, 40 * time.Second
	timersEvery         = 500 * time.Millisecond
	// skewMost is how far the clocks of two processes are apart.
	skewMost = 4 * time.Second
)
