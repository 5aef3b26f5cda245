// Package leads decides which agent of a pool gets which lead. A Pool is plain data: its
// agents with what they have to do, and who waits. It reads no clock and no store, so the
// services and the dialogue files decide by the same rules.
//
// Fair is who has least to do: the next lead goes to the agent with the smallest number
// of open leads for their weight, so that those who are there and could have had the same
// leads differ by one at most. Who waits is served by age.
package leads

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Agent is one who works on leads.
type Agent struct {
	ID, Name string
	// Weight is their share: who has 2 gets twice what others get.
	Weight int
	// Capacity is how many open leads they can have; 0 is any number.
	Capacity int
	Skills   []string
	// Everything says that they have every skill.
	Everything bool
	// Week are the hours in which they get leads, in Zone; empty is always.
	Week hours.Week
	Zone *time.Location
	On   bool
	// Open counts the leads that they have now, Assigned all that they ever got.
	Open     int
	Assigned int64
}

// State is what a lead is.
type State string

// A lead waits, is given to an agent, is worked on, and ends.
const (
	Queued   State = "queued"
	Assigned State = "assigned"
	Taken    State = "taken"
	Closed   State = "closed"
)

// Lead is a person whom an agent is to care for.
type Lead struct {
	ID      string
	Contact string
	State   State
	Agent   string
	Skills  []string
	// Tried are agents who did not want it, or did not react: others go first.
	Tried []string
	// QueuedAt is when it came; AssignedAt when its agent got it.
	QueuedAt, AssignedAt time.Time
	// Stored says that the store has it; a new one it has not.
	Stored bool
}

// Pool is a group of agents with their leads.
type Pool struct {
	Name string
	// Version is how often the pool has changed, in the store.
	Version int64
	// React is how long an agent has to take a lead; 0 is any time.
	React  time.Duration
	Agents []*Agent
	// Queue are the leads that wait, the oldest first.
	Queue []*Lead
	// Leads are those that are not closed, as far as they are known; the queue is among them.
	Leads map[string]*Lead
	// Changed are the ids of leads that are not what they were.
	Changed map[string]bool

	undo []func()
}

// Order is what somebody wants done.
type Order struct {
	Verb    string
	Where   map[string]string
	Contact string
	At      time.Time
	// ID is the id of a lead that this makes.
	ID string
}

// Reasons why a lead goes to somebody.
const (
	ReasonStep     = "step"
	ReasonQueue    = "queue"
	ReasonAbsent   = "absent"
	ReasonRefused  = "refused"
	ReasonSilent   = "silent"
	ReasonOperator = "operator"
	ReasonTaken    = "taken"
)

// Do does what is wanted, or says why not.
func (p *Pool) Do(o Order) flow.Outcome {
	switch {
	case o.Verb == flow.VerbAssign && o.Where["lead"] == "":
		return p.come(o)
	case o.Verb == flow.VerbAssign:
		return p.again(o)
	case o.Verb == flow.VerbTake:
		return p.take(o)
	case o.Verb == flow.VerbClose:
		return p.close(o)
	}
	return missing
}

var missing = flow.Outcome{Result: flow.ResultMissing}

// come gives a person's new lead to somebody, or lets it wait. Who has an open lead in
// the pool keeps it.
func (p *Pool) come(o Order) flow.Outcome {
	for _, l := range p.Leads {
		if l.Contact == o.Contact && l.State != Closed {
			return p.outcome(l, "", ReasonStep)
		}
	}
	l := &Lead{ID: o.ID, Contact: o.Contact, State: Queued, Skills: strings.Fields(o.Where["skills"]), QueuedAt: o.At}
	if !slices.ContainsFunc(p.Agents, func(a *Agent) bool { return a.can(l) }) {
		return flow.Outcome{Result: flow.ResultNone, Pool: p.Name}
	}
	p.change(l)
	p.Queue = append(p.Queue, l)
	p.serve(l, o.At, "")
	return p.outcome(l, "", ReasonStep)
}

// again serves a lead that waits, or takes it from its agent and gives it to another.
func (p *Pool) again(o Order) flow.Outcome {
	l, reason := p.Leads[o.Where["lead"]], o.Where["reason"]
	if l == nil || l.Contact != o.Contact || !p.due(l, reason, o.At) {
		return missing
	}
	from := l.Agent
	to := p.agent(o.Where["agent"])
	switch {
	case to == nil && o.Where["agent"] != "", to != nil && from == to.ID:
		return missing
	case to == nil && l.State == Queued && !p.turnOf(l, o.At, ""):
		return missing // it goes on waiting
	}
	p.change(l)
	p.release(l)
	if (reason == ReasonRefused || reason == ReasonSilent) && !slices.Contains(l.Tried, from) {
		l.Tried = append(slices.Clone(l.Tried), from)
	}
	if to != nil {
		p.give(l, to, o.At)
	} else {
		p.serve(l, o.At, from)
	}
	return p.outcome(l, from, reason)
}

// due reports whether what an order says of a lead is still so.
func (p *Pool) due(l *Lead, reason string, at time.Time) bool {
	agent := p.agent(l.Agent)
	switch reason {
	case ReasonQueue:
		return l.State == Queued
	case ReasonSilent:
		return l.State == Assigned && p.React > 0 && !l.AssignedAt.Add(p.React).After(at)
	case ReasonAbsent:
		return l.State == Assigned && (agent == nil || !agent.On)
	case ReasonRefused:
		return l.State == Assigned || l.State == Taken
	}
	return l.State != Closed
}

// take says that an agent works on a lead: theirs, or one that they take over.
func (p *Pool) take(o Order) flow.Outcome {
	l := p.Leads[o.Where["lead"]]
	if l == nil || l.Contact != o.Contact || l.State == Closed {
		return missing
	}
	agent := p.agent(cmp.Or(o.Where["agent"], l.Agent))
	if agent == nil || l.State == Taken && l.Agent == agent.ID {
		return missing
	}
	from := l.Agent
	p.change(l)
	if from != agent.ID {
		p.release(l)
		p.give(l, agent, o.At)
	}
	l.State = Taken
	return p.outcome(l, from, ReasonTaken)
}

// Merge gives a person's open lead to the one that they turned out to be. If that one has a
// lead in the pool already, the other is closed.
func (p *Pool) Merge(from, to string) (closed []*parleyv1.Event) {
	has := func(contact string) func(*Lead) bool {
		return func(l *Lead) bool { return l.Contact == contact && l.State != Closed }
	}
	all := slices.SortedFunc(maps.Values(p.Leads), Older)
	for _, l := range all {
		switch {
		case !has(from)(l):
		case slices.ContainsFunc(all, has(to)):
			o := p.close(Order{Where: map[string]string{"lead": l.ID}, Contact: from})
			closed = append(closed, o.Event("", flow.VerbClose))
		default:
			p.change(l)
			l.Contact = to
		}
	}
	return closed
}

func (p *Pool) close(o Order) flow.Outcome {
	l := p.Leads[o.Where["lead"]]
	if l == nil || l.Contact != o.Contact || l.State == Closed {
		return missing
	}
	p.change(l)
	from := l.Agent
	p.release(l)
	p.leave(l)
	l.State = Closed
	return flow.Outcome{Result: flow.ResultDone, Lead: l.ID, Pool: p.Name, Agent: from}
}

// serve gives a lead to the best agent but one, if it is its turn; else it waits.
func (p *Pool) serve(l *Lead, at time.Time, but string) {
	if l.State != Queued {
		l.State = Queued
		p.Queue = append(p.Queue, l)
		slices.SortStableFunc(p.Queue, Older)
	}
	if p.turnOf(l, at, but) {
		p.give(l, p.best(l, at, but), at)
	}
}

// give makes a lead an agent's.
func (p *Pool) give(l *Lead, to *Agent, at time.Time) {
	p.leave(l)
	p.touch(to)
	to.Open++
	to.Assigned++
	l.State, l.Agent, l.AssignedAt = Assigned, to.ID, at
}

// release takes a lead from its agent.
func (p *Pool) release(l *Lead) {
	if agent := p.agent(l.Agent); agent != nil && (l.State == Assigned || l.State == Taken) {
		p.touch(agent)
		agent.Open--
	}
	l.Agent = ""
}

// leave takes a lead out of the queue.
func (p *Pool) leave(l *Lead) {
	p.Queue = slices.DeleteFunc(slices.Clone(p.Queue), func(o *Lead) bool { return o.ID == l.ID })
}

// Older orders leads by how long they have waited.
func Older(a, b *Lead) int { return cmp.Or(a.QueuedAt.Compare(b.QueuedAt), cmp.Compare(a.ID, b.ID)) }

// turnOf reports whether there is room for a lead besides all that have waited longer
// and that the same agents, all but one, could have.
func (p *Pool) turnOf(l *Lead, at time.Time, but string) bool {
	room := 0
	var free []*Agent
	for _, a := range p.Agents {
		if !a.free(l, at) || a.ID == but {
			continue
		}
		if a.Capacity == 0 {
			return true
		}
		room += a.Capacity - a.Open
		free = append(free, a)
	}
	for _, o := range p.Queue {
		if o.ID == l.ID || Older(o, l) > 0 {
			continue
		}
		if slices.ContainsFunc(free, func(a *Agent) bool { return a.can(o) }) {
			room--
		}
	}
	return room > 0
}

// Due are the leads that can be served now, the oldest first: as if each was given to its
// agent before the next.
func (p *Pool) Due(at time.Time) []*Lead {
	as := &Pool{Agents: make([]*Agent, len(p.Agents))}
	for i, a := range p.Agents {
		agent := *a
		as.Agents[i] = &agent
	}
	var due []*Lead
	for _, l := range p.Queue {
		if to := as.best(l, at, ""); to != nil {
			to.Open++
			due = append(due, l)
		}
	}
	return due
}

// best is the agent who has least to do of those who can have the lead now; of several
// the one who got fewest, so that a day that is quiet is shared as well. Who was tried is
// tried again only if nobody else can.
func (p *Pool) best(l *Lead, at time.Time, but string) *Agent {
	var best *Agent
	for _, a := range p.Agents {
		if a.free(l, at) && a.ID != but && (best == nil || l.prefers(a, best)) {
			best = a
		}
	}
	return best
}

func (l *Lead) prefers(a, b *Agent) bool {
	if tried := slices.Contains(l.Tried, a.ID); tried != slices.Contains(l.Tried, b.ID) {
		return !tried
	}
	return a.before(b)
}

// before compares (open + 1) / weight: what each would have to do with one more.
func (a *Agent) before(b *Agent) bool {
	return cmp.Or(
		cmp.Compare((a.Open+1)*b.weight(), (b.Open+1)*a.weight()),
		cmp.Compare(a.Assigned*int64(b.weight()), b.Assigned*int64(a.weight())),
		cmp.Compare(a.ID, b.ID),
	) < 0
}

func (a *Agent) weight() int { return max(a.Weight, 1) }

// can reports whether an agent could ever have the lead.
func (a *Agent) can(l *Lead) bool {
	for _, skill := range l.Skills {
		if !a.Everything && !slices.Contains(a.Skills, skill) {
			return false
		}
	}
	return true
}

// free reports whether they can have it now.
func (a *Agent) free(l *Lead, at time.Time) bool {
	return a.On && a.can(l) && (a.Capacity == 0 || a.Open < a.Capacity) && a.Week.Open(at, a.Zone)
}

func (p *Pool) agent(id string) *Agent {
	i := slices.IndexFunc(p.Agents, func(a *Agent) bool { return id != "" && a.ID == id })
	if i < 0 {
		return nil
	}
	return p.Agents[i]
}

func (p *Pool) outcome(l *Lead, from, reason string) flow.Outcome {
	o := flow.Outcome{Result: flow.ResultDone, Lead: l.ID, Pool: p.Name, Agent: l.Agent, FromAgent: from, Reason: reason}
	if l.State == Queued {
		o.Result = flow.ResultQueued
	}
	if a := p.agent(l.Agent); a != nil {
		o.AgentName = cmp.Or(a.Name, a.ID)
	}
	return o
}

// Begin starts what [Pool.Undo] takes back.
func (p *Pool) Begin() { p.undo = nil }

// Undo takes back what was done since Begin: the turn that did it came to nothing.
func (p *Pool) Undo() {
	for _, back := range slices.Backward(p.undo) {
		back()
	}
	p.undo = nil
}

// change notes that a lead, and with it the queue, is about to change.
func (p *Pool) change(l *Lead) {
	was, queue, known, changed := *l, p.Queue, p.Leads[l.ID] != nil, p.Changed[l.ID]
	p.Queue = slices.Clone(p.Queue)
	p.Leads[l.ID], p.Changed[l.ID] = l, true
	p.undo = append(p.undo, func() {
		*l, p.Queue = was, queue
		if !known {
			delete(p.Leads, l.ID)
		}
		if !changed {
			delete(p.Changed, l.ID)
		}
	})
}

// touch notes that an agent is about to change.
func (p *Pool) touch(a *Agent) {
	was := *a
	p.undo = append(p.undo, func() { *a = was })
}
