package bus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// BenchmarkPublish drives one publisher with callers that each wait for their
// acknowledgement: how far concurrency is turned into shared commits.
func BenchmarkPublish(b *testing.B) {
	for _, transport := range []string{"inprocess", "tcp"} {
		for _, callers := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", transport, callers), func(b *testing.B) {
				p := newPublisher(b, benchConn(b, transport), StreamIn, PublisherOptions{})
				m := newMeter(b)
				var all sync.WaitGroup
				for caller := range callers {
					all.Go(func() {
						for n := caller; n < b.N; n += callers {
							m.publish(p, benchMessage(SubjectIn(n%16, "15550001111", fmt.Sprint(n))))
						}
					})
				}
				all.Wait()
				m.report()
			})
		}
	}
}

// BenchmarkWebhookLoad is the load that Parley is sized for: 500 updates and 1,500
// receipts a second, each published by a caller of its own when its time has come.
func BenchmarkWebhookLoad(b *testing.B) {
	for _, gather := range []time.Duration{-1, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
		b.Run(fmt.Sprintf("gather=%v", max(0, gather)), func(b *testing.B) {
			nc := benchConn(b, "inprocess")
			in := newPublisher(b, nc, StreamIn, PublisherOptions{Gather: gather})
			status := newPublisher(b, nc, StreamStatus, PublisherOptions{Gather: gather})
			m := newMeter(b)
			var all sync.WaitGroup
			started := time.Now()
			for n := range b.N {
				time.Sleep(time.Until(started.Add(time.Duration(n) * 500 * time.Microsecond)))
				all.Go(func() {
					contact := fmt.Sprint(n)
					if n%4 == 0 {
						m.publish(in, benchMessage(SubjectIn(n%16, "15550001111", contact)))
					} else {
						m.publish(status, benchMessage(SubjectStatus(n%16, "15550001111", contact)))
					}
				})
			}
			all.Wait()
			m.report()
		})
	}
}

func benchConn(b *testing.B, transport string) *nats.Conn {
	b.Helper()
	s := startServer(b, "127.0.0.1:0")
	nc, js := connect(b, s)
	declare(b, js, Options{})
	if transport == "inprocess" {
		return nc
	}
	remote, err := Connect(testContext(b), s.URL(), "bench", zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(remote.Close)
	return remote
}

func benchMessage(subject string) Message {
	return Message{Subject: subject, Data: make([]byte, 1024)}
}

// meter measures a benchmark's acknowledgement latencies and the CPU of the whole
// process, server included.
type meter struct {
	b         *testing.B
	mu        sync.Mutex
	latencies []time.Duration
	cpu       time.Duration
}

func newMeter(b *testing.B) *meter {
	b.ResetTimer()
	return &meter{b: b, cpu: processCPU(b)}
}

func (m *meter) publish(p *Publisher, message Message) {
	started := time.Now()
	if err := p.Publish(context.Background(), message); err != nil {
		m.b.Error(err)
	}
	took := time.Since(started)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latencies = append(m.latencies, took)
}

func (m *meter) report() {
	used := processCPU(m.b) - m.cpu
	slices.Sort(m.latencies)
	percentile := func(p int) float64 {
		return float64(m.latencies[len(m.latencies)*p/100].Microseconds()) / 1e3
	}
	m.b.ReportMetric(float64(m.b.N)/m.b.Elapsed().Seconds(), "msg/s")
	m.b.ReportMetric(float64(used.Microseconds())/float64(m.b.N), "cpu-µs/msg")
	m.b.ReportMetric(percentile(50), "p50-ms")
	m.b.ReportMetric(percentile(99), "p99-ms")
	m.b.ReportMetric(0, "ns/op") // says nothing about concurrent callers
}

func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
