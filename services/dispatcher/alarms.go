package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// alarmEvery is how long the log is silent about an alarm that it has told of.
const alarmEvery = 10 * time.Minute

// alarms counts what came of sends, and calls for somebody where a number, an
// account or a template needs to be looked after. No label names a person.
type alarms struct {
	log    zerolog.Logger
	sends  metric.Int64Counter
	alarms metric.Int64Counter
	told   map[alarm]time.Time
}

type alarm struct {
	channel string
	class   meta.Class
	code    int
}

func newAlarms(log zerolog.Logger) *alarms {
	m := otel.Meter("parley/dispatcher")
	sends, _ := m.Int64Counter("parley.dispatcher.sends", metric.WithDescription("attempts to send, by what came of them"))
	raised, _ := m.Int64Counter("parley.dispatcher.alarms", metric.WithDescription("sends that say that somebody must act, by error code"))
	return &alarms{log: log, sends: sends, alarms: raised, told: map[alarm]time.Time{}}
}

// note counts an outcome, and tells of it if it asks for somebody.
func (a *alarms) note(now time.Time, o outcome) {
	if o.err == nil {
		a.sends.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("class", "accepted"))))
		return
	}
	refused := o.policy()
	a.sends.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("class", refused.Class.String()))))
	if !refused.Alarms() || refused.Status == 0 {
		return
	}
	a.alarms.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.Int("code", refused.Code))))
	of := alarm{o.job.Channel, refused.Class, refused.Code}
	if told, is := a.told[of]; is && now.Sub(told) < alarmEvery {
		return
	}
	a.told[of] = now
	a.log.Error().Str("channel", of.channel).Str("class", of.class.String()).Int("code", of.code).Str("says", refused.Message).
		Msg("the provider refuses sends until somebody acts; /api/v1/status shows what waits")
}
