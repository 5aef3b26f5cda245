package patience

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// home is a country whose phones tell the hour. None changes its clocks in the month.
type home struct {
	prefix string
	zone   *time.Location
}

var homes = []home{
	{"4915110", fixed(60)}, {"9198765", fixed(5*60 + 30)}, {"8190123", fixed(9 * 60)}, {"2547123", fixed(3 * 60)}, {"9779812", fixed(5*60 + 45)}, {"5730012", fixed(-5 * 60)},
}

func fixed(minutes int) *time.Location { return time.FixedZone("", minutes*60) }

// Person is somebody who begins a conversation within the month.
type Person struct {
	Number int
	// Phone is of a country whose clock is Zone.
	Phone string
	Zone  *time.Location
	// Begins is when they write first.
	Begins time.Time
	chance *rand.Rand
	median time.Duration
}

// Meet is one of a month's people, the same for each seed and number.
func Meet(seed uint64, number int, from time.Time, month time.Duration) *Person {
	p := &Person{Number: number, chance: rand.New(rand.NewPCG(seed, uint64(number)))}
	from = from.Add(time.Duration(p.chance.Int64N(int64(month))))
	of := homes[number%len(homes)]
	p.Phone, p.Zone, p.Begins = fmt.Sprintf("%s%06d", of.prefix, number), of.zone, from
	medians := []time.Duration{2 * time.Minute, 15 * time.Minute, 2 * time.Hour, 10 * time.Hour}
	p.median = medians[p.chance.IntN(len(medians))]
	return p
}

// Silence is how long the person is silent after something was said to them; ok is false
// if they do not come back by themselves.
func (p *Person) Silence(reminded bool) (silence time.Duration, ok bool) {
	if reminded && p.chance.IntN(10) < 4 {
		return time.Duration(p.chance.Int64N(int64(time.Hour))) + time.Second, true
	}
	if reminded || p.chance.IntN(8) == 0 {
		return 0, false
	}
	silence = time.Duration(float64(p.median) * math.Exp(1.7*p.chance.NormFloat64()))
	return min(max(silence, 2*time.Second), 20*24*time.Hour), true
}

// Says is what the person writes at a step; no step is after the end.
func (p *Person) Says(step string) string {
	switch p.chance.IntN(30) {
	case 0:
		return "restart"
	case 1:
		return "stop"
	case 2:
		return "agent"
	case 3, 4:
		return "what?"
	}
	switch step {
	case "kind":
		return "Cut"
	case "sure":
		return []string{"yes", "no"}[p.chance.IntN(2)]
	}
	return "friday"
}

// Stays reports whether who got their last answer writes once more.
func (p *Person) Stays() bool { return p.chance.IntN(3) == 0 }
