package dispatcher

import (
	"context"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// Times of the dispatcher's own clockwork.
const (
	// cycleGather lets results and claims of several contacts share a commit.
	cycleGather = 10 * time.Millisecond
	// heldPoll is how often held sends, and files that are waited for, are looked up while
	// there are any.
	heldPoll = 250 * time.Millisecond
	// recordRetry is the wait after a commit that failed.
	recordRetry = 500 * time.Millisecond
	// recordMax bounds the outcomes that one commit records.
	recordMax = 500
)

// Cycle records the outcomes that have come in, claims what may be sent now,
// and launches it: in this order, each on disk before the next. After an error
// nothing is forgotten; the next Cycle repeats it.
func (s *Service) Cycle(ctx context.Context) error {
	if err := s.settleHeld(ctx); err != nil {
		return err
	}
	if err := s.followFormers(ctx); err != nil {
		return err
	}
	recorded, results, jobs := s.plan()
	if len(results) == 0 && len(jobs) == 0 {
		return nil
	}
	err := s.fill(ctx, jobs)
	if err == nil {
		err = s.review(ctx, jobs) // it reads what they say
	}
	if err != nil {
		s.takeBack(jobs)
		return err
	}
	granted, err := s.store.AdvanceDeliveries(ctx, results, intents(jobs))
	if err != nil {
		s.takeBack(jobs)
		return err
	}
	s.advance(recorded, jobs, granted)
	return nil
}

// settleHeld asks whether receipts have settled what is held, and whether files were
// sent that others wait for.
func (s *Service) settleHeld(ctx context.Context) error {
	s.mu.Lock()
	now := s.now()
	var held, files []store.DeliveryKey
	if now.Sub(s.polled) >= heldPoll {
		held, files = s.desk.Held(), s.desk.Awaited(now)
		s.polled = now
	}
	s.mu.Unlock()
	settled, err := lookUp(ctx, held, s.store.SettledDeliveries)
	if err != nil {
		return err
	}
	sent, err := lookUp(ctx, files, s.store.ReceivedDeliveries)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range settled {
		s.desk.Settle(s.now(), key)
	}
	for _, key := range sent {
		s.desk.Arrived(s.now(), key)
	}
	return nil
}

// lookUp asks the store about deliveries, if there are any.
func lookUp(ctx context.Context, keys []store.DeliveryKey, ask func(context.Context, []store.DeliveryKey) ([]store.DeliveryKey, error)) ([]store.DeliveryKey, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return ask(ctx, keys)
}

// plan looks at what is to be recorded and takes up what may be sent. A
// delivery is in neither list twice: after a shard was taken anew, the outcome
// of an earlier attempt may come in while the next is about to start.
func (s *Service) plan() (recorded []outcome, results []store.SendResult, jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	recording := map[store.DeliveryKey]bool{}
	for _, o := range s.outcomes[:min(len(s.outcomes), recordMax)] {
		if recording[o.job.Key] {
			break
		}
		recording[o.job.Key] = true
		results = append(results, o.result(o.at))
	}
	for _, job := range s.desk.Next(now) {
		if recording[job.Key] {
			s.desk.Return(now.Add(recordRetry), job.Key)
			continue
		}
		jobs = append(jobs, job)
	}
	return s.outcomes[:len(results)], results, jobs
}

// fill reads what is to be sent where the desk does not keep it.
func (s *Service) fill(ctx context.Context, jobs []Job) error {
	var bare []store.DeliveryKey
	for _, job := range jobs {
		if job.Content == nil {
			bare = append(bare, job.Key)
		}
	}
	if len(bare) == 0 {
		return nil
	}
	contents, err := s.store.DeliveryContents(ctx, bare)
	if err != nil {
		return err
	}
	for i, job := range jobs {
		if job.Content == nil {
			jobs[i].Content = contents[job.Key]
		}
	}
	return nil
}

func intents(jobs []Job) []store.Intent {
	list := make([]store.Intent, len(jobs))
	for i, job := range jobs {
		list[i] = store.Intent{Key: job.Key, Epoch: job.Epoch, Attempts: job.Attempts}
	}
	return list
}

// takeBack undoes plan after a commit that may not have happened. A claim that
// did happen is granted again when it is repeated.
func (s *Service) takeBack(jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, job := range jobs {
		if s.owns(job) {
			s.desk.Return(s.now().Add(recordRetry), job.Key)
		}
	}
}

// advance follows the commit: outcomes move their lines on, granted claims go.
// A claim that was refused is settled already, or another replica's.
func (s *Service) advance(recorded []outcome, jobs []Job, granted []store.DeliveryKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.outcomes = s.outcomes[len(recorded):]
	s.inFlight -= len(recorded)
	for _, o := range recorded {
		// A job of a former ownership has been loaded anew since: only the
		// record matters, and SettledDeliveries sees it.
		if s.owns(o.job) {
			o.apply(s.desk, now)
			o.report(s.log)
			s.alarms.note(now, o)
		}
	}
	claimed := map[store.DeliveryKey]bool{}
	for _, key := range granted {
		claimed[key] = true
	}
	for _, job := range jobs {
		switch {
		case claimed[job.Key]:
			s.send(job)
		case s.owns(job):
			s.desk.Settle(now, job.Key)
		}
	}
	if len(s.outcomes) > 0 || len(recorded) > 0 {
		s.signal()
	}
}

// owns reports whether the job was taken up under the present ownership of its
// shard. What the desk holds under its key otherwise is another matter.
func (s *Service) owns(job Job) bool { return s.epochs[job.Key.Shard] == job.Epoch }

// next returns when Cycle has something to do by time alone.
func (s *Service) next() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	at, ok := s.desk.Wake(now)
	waits := len(s.desk.held) > 0 || len(s.desk.files) > 0
	if poll := s.polled.Add(heldPoll); waits && (!ok || poll.Before(at)) {
		at, ok = poll, true
	}
	if poll := s.polledFormers.Add(formersPoll); len(s.desk.behind) > 0 && (!ok || poll.Before(at)) {
		at, ok = poll, true
	}
	return max(at.Sub(now), 0), ok
}

// pending reports whether sends are on their way or waiting to be recorded.
func (s *Service) pending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight > 0
}

// Run keeps cycling until intake has ended and every send on its way is
// recorded, or work ends.
func (s *Service) Run(intake, work context.Context) error {
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	failing := false
	for intake.Err() == nil || s.pending() {
		pause := cycleGather
		err := s.Cycle(work)
		if err != nil {
			if !failing && work.Err() == nil {
				s.log.Error().Err(err).Msg("deliveries cannot be recorded; sending waits")
			}
			pause = recordRetry
			s.signal() // nothing else need happen for the next try
		}
		failing = err != nil
		if !s.wait(intake, work, sweep.C, pause) {
			return nil
		}
	}
	return nil
}

// wait sleeps until something happened or is due, and then a little longer, so
// that what happens together is recorded together.
func (s *Service) wait(intake, work context.Context, sweep <-chan time.Time, pause time.Duration) bool {
	var due <-chan time.Time
	if after, ok := s.next(); ok {
		due = time.After(after)
	}
	ended := intake.Done()
	if intake.Err() != nil {
		ended = nil
	}
	select {
	case <-s.wake:
	case <-due:
	case <-ended:
	case <-sweep:
		s.mu.Lock()
		s.desk.Sweep(s.now())
		s.mu.Unlock()
	case <-work.Done():
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-work.Done():
		return false
	}
}
