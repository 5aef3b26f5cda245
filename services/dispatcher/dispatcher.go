package dispatcher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/insight"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
)

// Store is what the service needs of PostgreSQL.
type Store interface {
	OpenDeliveries(ctx context.Context, shard int, epoch int64) ([]store.Delivery, error)
	RecentSends(ctx context.Context, shard int, within time.Duration) ([]store.RecentSend, error)
	AddDeliveries(ctx context.Context, fences []store.Fence, list []store.Delivery) (held []int, err error)
	AdvanceDeliveries(ctx context.Context, results []store.SendResult, intents []store.Intent) ([]store.DeliveryKey, error)
	DeliveryContents(ctx context.Context, keys []store.DeliveryKey) (map[store.DeliveryKey][]byte, error)
	SettledDeliveries(ctx context.Context, keys []store.DeliveryKey) ([]store.DeliveryKey, error)
	ReceivedDeliveries(ctx context.Context, keys []store.DeliveryKey) ([]store.DeliveryKey, error)
	ContactsBehind(ctx context.Context, shard int) ([]uuid.UUID, error)
	Formers(ctx context.Context, contacts []uuid.UUID, patience time.Duration) (map[uuid.UUID]store.Former, error)
	lane.Parker
}

// Service is the handler of the dispatcher's lane of events, and the sender.
type Service struct {
	store Store
	// launch starts one send; Finish is called with its outcome. The intent is
	// on disk when launch is called.
	launch func(Job)
	// notices are what the provider tells; used by the lane and by shareStops.
	notices noticed
	now     func() time.Time
	log     zerolog.Logger

	mu     sync.Mutex
	desk   *Desk
	alarms *alarms
	// epochs holds the epoch of each shard that is owned.
	epochs map[int]int64
	// outcomes wait to be recorded; inFlight counts the sends that are not
	// recorded yet, whoever owns their shard by now.
	outcomes []outcome
	inFlight int
	// polled is when held sends were last looked up.
	polled time.Time
	// polledFormers is when it was last looked up who has to wait for former contacts.
	polledFormers time.Time
	wake          chan struct{}
	// standings and windowless let messages that have waited be looked at again.
	standings  Standings
	windowless func(channel string) bool
	// ask is for whoever asks for the shares of the rates.
	ask chan struct{}
}

var _ lane.Handler = (*Service)(nil)

// New returns the handler. It sends nothing until its shards are taken and
// Cycle is called.
func New(s Store, limits Limits, launch func(Job), now func() time.Time, log zerolog.Logger) *Service {
	return &Service{
		store: s, launch: launch, now: now, log: log,
		desk: NewDesk(limits), alarms: newAlarms(log), epochs: map[int]int64{}, wake: make(chan struct{}, 1), ask: make(chan struct{}, 1),
	}
}

// Take loads what the shard's former owner left to be sent or settled.
func (s *Service) Take(ctx context.Context, l store.Lease) error {
	open, err := s.store.OpenDeliveries(ctx, l.Shard, l.Epoch)
	if err != nil {
		return err
	}
	behind, err := s.store.ContactsBehind(ctx, l.Shard)
	if err != nil {
		return err
	}
	sent, err := s.store.RecentSends(ctx, l.Shard, s.desk.pairMemory())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs[l.Shard] = l.Epoch
	s.desk.Remember(s.now(), sent)
	for _, id := range behind {
		s.desk.SetBehind(s.now(), id, store.Former{Coming: true})
	}
	ambiguous, interrupted := 0, 0
	for _, d := range open {
		if d.State == store.DeliveryAmbiguous {
			ambiguous++
		}
		if d.Interrupted {
			interrupted++
		}
		s.desk.Add(s.now(), Job{Delivery: d, Epoch: l.Epoch})
	}
	s.alarms.unknown(causeRestart, interrupted)
	if ambiguous > 0 {
		s.log.Warn().Int("shard", l.Shard).Int("ambiguous", ambiguous).
			Msg("sends were interrupted; their receipts settle them, or they are sent again after the grace period")
	}
	s.signal()
	return nil
}

// Drop forgets the shard. Sends on their way finish; their results are recorded.
func (s *Service) Drop(shard int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.epochs, shard)
	s.desk.Drop(s.now(), shard)
}

// AskNow has the shares of the rates asked for without waiting: there are new shards,
// or a number that was not known.
func (s *Service) AskNow() {
	select {
	case s.ask <- struct{}{}:
	default:
	}
}

// SetFacts changes what is known of the numbers.
func (s *Service) SetFacts(facts map[string]Facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk.SetFacts(s.now(), facts)
	s.signal()
}

// SetClosed says on which channels nothing can be sent for now. What is queued for
// them waits; a channel that opens again is sent to at once.
func (s *Service) SetClosed(channels map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.desk.SetClosed(channels)
	s.signal()
}

// Rest lets a channel send nothing for a while, as its provider asks with a message
// that it took.
func (s *Service) Rest(channel string, wait time.Duration) {
	if wait <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.desk.Rest(now, now.Add(wait), channel)
}

// Apply records a delivery for every message that was queued. What can be sent
// at once has its intent committed with it.
func (s *Service) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	if err := s.note(ctx, parts); err != nil {
		return nil, err
	}
	jobs, err := s.queued(parts)
	if err != nil {
		return nil, err
	}
	s.merged(parts)
	s.start(jobs)
	s.heard(parts)
	fences := make([]store.Fence, len(parts))
	for i, part := range parts {
		fences[i] = part.Fence
	}
	deliveries := make([]store.Delivery, len(jobs))
	for i, job := range jobs {
		deliveries[i] = job.Delivery
	}
	held, err := s.store.AddDeliveries(ctx, fences, deliveries)
	if err != nil {
		s.undo(jobs)
		return nil, err
	}
	s.added(jobs, held)
	return held, nil
}

// heard counts the people's messages among the events, unless they are history. A
// batch that is applied again counts again: that slows down, and loses nothing.
func (s *Service) heard(parts []lane.Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, part := range parts {
		for _, m := range part.Messages {
			if m.Event.GetInputReceived().GetInput().GetMessage() != nil && now.Sub(time.UnixMilli(m.Event.AtMs)) < heardAge {
				s.desk.Heard(now, m.Event.Channel, 1)
			}
		}
	}
}

// queued finds the messages to send among the events.
func (s *Service) queued(parts []lane.Part) ([]Job, error) {
	var jobs []Job
	for _, part := range parts {
		for _, m := range part.Messages {
			queued := m.Event.GetMessageQueued()
			if queued == nil {
				continue
			}
			content, err := proto.Marshal(queued)
			if err != nil {
				return nil, fmt.Errorf("encode message %d/%d: %w", m.Shard, m.Pos, err)
			}
			contact, err := uuid.FromBytes(m.Event.ContactId)
			if err != nil {
				return nil, fmt.Errorf("contact of event %d/%d: %w", m.Shard, m.Pos, err)
			}
			jobs = append(jobs, Job{Epoch: part.Fence.Epoch, WindowUntil: windowOf(queued), Delivery: store.Delivery{
				Key: store.DeliveryKey{Shard: m.Shard, Offset: m.Pos}, Channel: m.Event.Channel, Contact: contact,
				SessionID: m.Event.SessionId, Content: content, State: store.DeliveryQueued, QueuedAt: time.UnixMilli(m.Event.AtMs),
				Priority: min(int(queued.GetPriority()), priorities-1), Campaign: queued.GetCampaign(),
				Step: insight.StepKey{Cohort: insight.CohortOf(m.Event), Step: queued.GetStep()},
			}})
		}
	}
	return jobs, nil
}

// start takes up at once what the desk lets through: state becomes sending. If
// a contact has two messages here, the second must wait for the first.
func (s *Service) start(jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := s.now(), len(s.desk.channels)
	waits := map[lineKey]bool{}
	for i, job := range jobs {
		key := lineKey{job.Channel, job.Contact}
		if !waits[key] && s.fresh(now, job) && s.desk.Start(now, job) {
			jobs[i].State = store.DeliverySending
		}
		waits[key] = true
	}
	if len(s.desk.channels) > known {
		s.AskNow()
	}
}

// undo forgets what start took up: the batch comes again, whole or in pieces.
func (s *Service) undo(jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, job := range jobs {
		if job.State == store.DeliverySending {
			s.desk.Settle(s.now(), job.Key)
		}
	}
}

// added follows the commit: what waits joins its line, what was taken up goes.
// A shard that was fenced is about to be dropped: nothing of it is sent.
func (s *Service) added(jobs []Job, held []int) {
	owned := map[int]bool{}
	for _, shard := range held {
		owned[shard] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, job := range jobs {
		switch {
		case !owned[job.Key.Shard]:
		case job.State == store.DeliverySending:
			s.send(job)
		default:
			s.desk.Add(now, light(job))
		}
	}
	s.signal()
}

// light leaves the content of bulk, which waits long, in the database.
func light(job Job) Job {
	if job.Priority == priorities-1 {
		job.Content = nil
	}
	return job
}

// Park keeps an event that cannot become a delivery.
func (s *Service) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	return lane.Park(ctx, s.store, store.ServiceDispatcher, part, cause, s.log)
}

// send launches a job whose intent is on disk. What uses something that is parked
// is not sent: its outcome is known. Callers hold the lock.
func (s *Service) send(job Job) {
	s.inFlight++
	refused := s.desk.refusal(s.now(), job)
	if job.Refusal != "" {
		refused = refuse(job)
	}
	if refused != nil {
		s.outcomes = append(s.outcomes, outcome{job: job, err: refused, at: s.now()})
		s.signal()
		return
	}
	s.launch(job)
}

// Finish takes the outcome of a send that launch started. It may be called from
// any goroutine.
func (s *Service) Finish(job Job, wamid string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes = append(s.outcomes, outcome{job: job, wamid: wamid, err: err, at: s.now()})
	s.signal()
}

func (s *Service) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
