package load

import (
	"slices"
	"time"
)

// Latency sums up durations, in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// summarize sorts the durations.
func summarize(durations []time.Duration) Latency {
	if len(durations) == 0 {
		return Latency{}
	}
	slices.Sort(durations)
	at := func(quantile float64) float64 {
		i := int(quantile * float64(len(durations)))
		return milliseconds(durations[min(i, len(durations)-1)])
	}
	return Latency{Count: len(durations), P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Latencies are the three that matter, for some of the messages.
type Latencies struct {
	// AckFromSchedule counts from when the message was to be sent: it includes
	// what the people had to wait because Parley was slow before.
	AckFromSchedule Latency `json:"ack_from_schedule"`
	// AckFromSend counts from the first attempt to post it.
	AckFromSend Latency `json:"ack_from_send"`
	// Reply counts from the first attempt to post a message until the fake Graph
	// API was asked to send its reply.
	Reply Latency `json:"reply"`
}

// measure takes the latencies of the messages that pass the filter.
func measure(contacts []*contact, replies []reply, include func(sent time.Time) bool) Latencies {
	var fromSchedule, fromSend, toReply []time.Duration
	for _, c := range contacts {
		for _, m := range c.said[:c.acked] {
			if include(m.sent) {
				fromSchedule = append(fromSchedule, m.acked.Sub(m.scheduled))
				fromSend = append(fromSend, m.acked.Sub(m.sent))
			}
		}
	}
	for _, r := range replies {
		if include(r.to.sent) {
			toReply = append(toReply, r.at.Sub(r.to.sent))
		}
	}
	return Latencies{summarize(fromSchedule), summarize(fromSend), summarize(toReply)}
}
