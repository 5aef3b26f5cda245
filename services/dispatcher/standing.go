package dispatcher

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// freshFor is how long what the session knew when it queued a message still holds:
	// only what waits longer is looked at again.
	freshFor = 10 * time.Second
	// windowMargin is how long before its end the window counts as closed.
	windowMargin = time.Minute
	// codeWindow is Meta's code for free text outside of the window (WIRE.md 3.4).
	codeWindow = 131047
)

// Classes of messages that are given up before the call.
const (
	// refusalWindow: the window of free text is closed, and there is no template for it.
	refusalWindow = "window"
	// refusalHushed: the person opted out or was blocked since it was queued, or a human
	// took over and it is the flow's.
	refusalHushed = "hushed"
	// refusalMarketing: the person wants nothing that the business begins.
	refusalMarketing = "marketing"
)

// Standings reads what may have changed since messages were queued.
type Standings func(ctx context.Context, keys []store.SessionKey) (map[store.SessionKey]store.Standing, error)

// SetStandings makes the service look again, before the call, at messages that have
// waited. windowless says which channels take free text at any time. It is called
// before anything runs.
func (s *Service) SetStandings(read Standings, windowless func(channel string) bool) {
	s.standings, s.windowless = read, windowless
}

// windowOf is until when the session knew the window to be open.
func windowOf(m *parleyv1.MessageQueued) time.Time {
	if m.GetWindowUntilMs() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m.GetWindowUntilMs())
}

// fresh reports whether the job can go as the session queued it. What the business
// began is always looked at: the person may want no such thing.
func (s *Service) fresh(now time.Time, job Job) bool {
	if s.standings != nil && job.Priority == int(parleyv1.Priority_PRIORITY_BULK) {
		return false
	}
	return s.standings == nil || now.Sub(job.QueuedAt) < freshFor && (job.WindowUntil.IsZero() || now.Before(job.WindowUntil.Add(-windowMargin)))
}

// review looks at the jobs that have waited, all in one read, and decides what is sent
// of them: the message, its template, or nothing.
func (s *Service) review(ctx context.Context, jobs []Job) error {
	now := s.now()
	var keys []store.SessionKey
	for _, job := range jobs {
		if !s.fresh(now, job) {
			keys = append(keys, store.SessionKey{Channel: job.Channel, Contact: job.Contact})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	standings, err := s.standings(ctx, keys)
	if err != nil {
		return err
	}
	for i, job := range jobs {
		if !s.fresh(now, job) {
			jobs[i] = s.judge(now, job, standings[store.SessionKey{Channel: job.Channel, Contact: job.Contact}])
		}
	}
	return nil
}

func (s *Service) judge(now time.Time, job Job, standing store.Standing) Job {
	m := &parleyv1.MessageQueued{}
	if proto.Unmarshal(job.Content, m) != nil {
		return job // the sender says what is wrong with it
	}
	until := time.UnixMilli(m.GetWindowUntilMs())
	if standing.WindowUntil.After(until) {
		until = standing.WindowUntil
	}
	closed := until.UnixMilli() > 0 && !now.Before(until.Add(-windowMargin)) && m.GetTemplate() == nil && m.GetTyping() == nil
	switch {
	case standing.Blocked, hushed(job, m, standing):
		job.Refusal = refusalHushed
	case m.GetMarketing() && standing.NoMarketing:
		job.Refusal = refusalMarketing
	case !closed || s.windowless(job.Channel):
	case m.GetFallback() == nil:
		job.Refusal = refusalWindow
	default:
		m.Content, m.Fallback = &parleyv1.MessageQueued_Template{Template: m.GetFallback()}, nil
		if content, err := proto.Marshal(m); err == nil {
			job.Content = content
		}
	}
	return job
}

// hushed reports whether the bot was told to be silent after the message was queued:
// what was said in the very turn goes. What a human wrote goes too, whoever has the
// conversation by now, unless the person wants to hear nothing.
func hushed(job Job, m *parleyv1.MessageQueued, standing store.Standing) bool {
	return job.QueuedAt.Before(standing.Hushed) && (m.GetAuthor() == "" || standing.OptedOut)
}

// refuse is the outcome of a job that is not to be sent.
func refuse(job Job) *meta.SendError {
	e := &meta.SendError{Class: meta.Permanent, Message: job.Refusal}
	if job.Refusal == refusalWindow {
		e.Code = codeWindow
	}
	return e
}
