package dispatcher

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// parked names what no message may use for a while: a template or a form of an account.
type parked struct{ account, subject string }

// parking says since and until when, and what the provider said.
type parking struct {
	since, until time.Time
	class        meta.Class
	code         int
	// adopted says that another replica has found it out.
	adopted bool
}

// anyTemplate is the subject that stands for all templates of an account.
const anyTemplate = "templates"

// parkTimes are how long what a code names is not used (WIRE.md 3.4). A form that
// is throttled may go ten times an hour.
var parkTimes = map[int]time.Duration{132016: 6 * time.Hour, 132069: 6 * time.Minute}

// parkTime is how long for all other codes.
const parkTime = time.Hour

// subject is what of a message can be parked; empty if nothing.
func subject(m *parleyv1.MessageQueued) string {
	switch {
	case m.GetTemplate() != nil:
		return "template " + m.GetTemplate().GetName() + " " + m.GetTemplate().GetLanguage()
	case m.GetForm() != nil:
		return "form " + m.GetForm().GetFormId()
	}
	return ""
}

// park keeps others from using what a refused message used.
func (d *Desk) park(now time.Time, job Job, refused *meta.SendError) {
	what := subjectOf(job)
	if refused.Class == meta.StopTemplates {
		what = anyTemplate
	}
	wait, known := parkTimes[refused.Code]
	if !known {
		wait = parkTime
	}
	key := parked{d.account(job), what}
	since := now
	if before := d.parked[key]; now.Before(before.until) {
		since = before.since
	}
	d.parked[key] = parking{since: since, until: now.Add(max(wait, refused.RetryAfter)), class: refused.Class, code: refused.Code}
}

// refusal is why a job need not be sent: what it uses is parked. It fails at once,
// so that what waits behind it for the same person can go.
func (d *Desk) refusal(now time.Time, job Job) *meta.SendError {
	if len(d.parked) == 0 {
		return nil
	}
	what := subjectOf(job)
	if what == "" {
		return nil
	}
	subjects := []string{what}
	if what[0] == 't' {
		subjects = append(subjects, anyTemplate)
	}
	for _, subject := range subjects {
		key := parked{d.account(job), subject}
		p, is := d.parked[key]
		switch {
		case is && now.Before(p.until):
			return &meta.SendError{Class: p.class, Code: p.code, Message: "parked"}
		case is:
			delete(d.parked, key)
		}
	}
	return nil
}

func (d *Desk) account(job Job) string { return d.facts[job.Channel].Account }

func subjectOf(job Job) string {
	queued := &parleyv1.MessageQueued{}
	if proto.Unmarshal(job.Content, queued) != nil {
		return ""
	}
	return subject(queued)
}
