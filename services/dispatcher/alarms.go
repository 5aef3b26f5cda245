package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// alarmEvery is how long the log is silent about an alarm that it has told of.
const alarmEvery = 10 * time.Minute

// alarms counts what came of sends, and calls for somebody where a number, an
// account or a template needs to be looked after. No label names a person.
type alarms struct {
	log   zerolog.Logger
	sends metric.Int64Counter
	// ambiguous counts the sends of which nobody knows what became of them.
	ambiguous metric.Int64Counter
	alarms    metric.Int64Counter
	stops     metric.Int64Gauge
	told      map[alarm]time.Time
}

type alarm struct {
	channel string
	class   meta.Class
	code    int
}

func newAlarms(log zerolog.Logger) *alarms {
	m := otel.Meter("parley/dispatcher")
	sends, _ := m.Int64Counter("parley.dispatcher.sends", metric.WithDescription("attempts to send, by what came of them"))
	ambiguous, _ := m.Int64Counter("parley.dispatcher.ambiguous", metric.WithDescription("attempts to send whose outcome is unknown, by cause"))
	raised, _ := m.Int64Counter("parley.dispatcher.alarms", metric.WithDescription("sends that say that somebody must act, by error code"))
	stops, _ := m.Int64Gauge("parley.dispatcher.stops", metric.WithDescription("numbers, accounts, apps, templates and forms that this replica does not send to now"))
	return &alarms{log: log, sends: sends, ambiguous: ambiguous, alarms: raised, stops: stops, told: map[alarm]time.Time{}}
}

// note counts an outcome, and tells of it if it asks for somebody.
func (a *alarms) note(now time.Time, o outcome) {
	if o.err == nil {
		a.sends.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("class", "accepted"))))
		return
	}
	refused := o.policy()
	a.sends.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("class", refused.Class.String()))))
	if refused.Class == meta.Ambiguous {
		a.unknown(cause(refused), 1)
	}
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

// unknown counts sends that became ambiguous.
func (a *alarms) unknown(cause string, n int) {
	a.ambiguous.Add(context.Background(), int64(n), metric.WithAttributeSet(attribute.NewSet(attribute.String("cause", cause))))
}

// changed tells what is not sent to any more, and what is again.
func (a *alarms) changed(before, now []store.SendStop) {
	a.stops.Record(context.Background(), int64(len(now)))
	for _, stop := range now {
		if !has(before, stop) {
			a.log.Warn().Str("scope", stop.Scope).Str("name", stop.Name).Str("subject", stop.Subject).Str("class", stop.Class).
				Int("code", stop.Code).Time("until", stop.Until).Msg("sends wait")
		}
	}
	for _, stop := range before {
		if !has(now, stop) {
			a.log.Info().Str("scope", stop.Scope).Str("name", stop.Name).Str("subject", stop.Subject).Msg("sends go on")
		}
	}
}

// has reports whether a list has a stop of the same, whenever it ends.
func has(list []store.SendStop, stop store.SendStop) bool {
	for _, s := range list {
		if s.Scope == stop.Scope && s.Name == stop.Name && s.Subject == stop.Subject {
			return true
		}
	}
	return false
}
