package simulation

import (
	"fmt"
	"slices"
	"time"
)

// process is one replica of a service. Its memory is what its tasks refer to;
// when it dies, that is gone.
type process struct {
	w          *world
	role       string
	index      int
	generation int
	name       string
	// boot makes the process's services and starts its tasks.
	boot        func(p *process)
	alive       bool
	stopping    bool
	pausedUntil time.Time
	// skew is how far its clock is off.
	skew  time.Duration
	tasks []*task
	// handler answers webhooks, if the process is an ingress.
	ingress *receiver
}

func (w *world) addProcess(role string, index int, boot func(*process)) {
	p := &process{w: w, role: role, index: index, boot: boot}
	w.processes = append(w.processes, p)
	w.after(w.between(0, 2*time.Second), p.start)
}

func (p *process) now() time.Time { return p.w.now.Add(p.skew) }

func (p *process) start() {
	p.generation++
	p.alive, p.stopping, p.tasks = true, false, nil
	p.name = fmt.Sprintf("%s%d.%d", p.role, p.index, p.generation)
	p.skew = p.w.between(-2*time.Second, 2*time.Second)
	p.w.note("start %s", p.name)
	p.boot(p)
}

// kill ends the process where it stands, and starts it again later. If one of
// its own tasks calls this, it must panic with killed next.
func (p *process) kill() {
	if !p.alive {
		return
	}
	p.w.note("kill %s", p.name)
	p.alive = false
	p.pausedUntil = time.Time{}
	for _, t := range slices.Clone(p.tasks) {
		p.w.endTask(t)
	}
	p.restart()
}

// crash kills the process from inside.
func (p *process) crash() {
	p.kill()
	panic(killed{})
}

// terminate asks the process to finish what it has in hand and end.
func (p *process) terminate() {
	if !p.alive || p.stopping {
		return
	}
	p.w.note("terminate %s", p.name)
	p.stopping = true
	for _, t := range p.tasks {
		p.w.notify(t)
	}
	if len(p.tasks) == 0 {
		p.left()
	}
}

func (p *process) pause(d time.Duration) {
	if p.alive && p.pausedUntil.Before(p.w.now) {
		p.w.note("pause %s for %s", p.name, d)
		p.pausedUntil = p.w.now.Add(d)
	}
}

func (p *process) taskEnded(t *task) {
	p.tasks = slices.DeleteFunc(p.tasks, func(other *task) bool { return other == t })
	if p.alive && p.stopping && len(p.tasks) == 0 {
		p.left()
	}
}

func (p *process) left() {
	p.w.note("%s has left", p.name)
	p.alive = false
	p.restart()
}

func (p *process) restart() {
	p.w.after(p.w.between(50*time.Millisecond, 7*time.Second), p.start)
}
