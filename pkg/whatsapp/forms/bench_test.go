package forms_test

import (
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// BenchmarkExchange is all that one exchange costs but HTTP and the flow: checks,
// token, and an encrypted answer. Refused signatures must cost next to nothing,
// requests that no key opens no more than the keys.
func BenchmarkExchange(b *testing.B) {
	plain := `{"version":"3.0","action":"data_exchange","screen":"DETAILS","flow_token":"` + newToken(b) +
		`","data":{"name":"Ann Example","pain":"7","since":"2026-11-22","note":"since I fell from my bicycle, on the left side"}}`
	body, signature := encrypt(plain).body(b), ""
	signature = fake.Sign(secret, body)
	old := encrypt(plain)
	otherwise["other key"](&old)
	oldBody := old.body(b)
	both := []forms.Key{present().keys[0], previous().keys[0]}
	for _, c := range []struct {
		name      string
		keys      []forms.Key
		body      []byte
		signature string
		ok        bool
	}{
		{"one key", present().keys, body, signature, true},
		{"second of two keys", both, oldBody, fake.Sign(secret, oldBody), true},
		{"no key fits", present().keys, oldBody, fake.Sign(secret, oldBody), false},
		{"signature refused", present().keys, body, fake.Sign("other", body), false},
	} {
		endpoint := newEndpoint(b, c.keys...)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					x, err := endpoint.Receive(channel, c.body, c.signature)
					if (err == nil) != c.ok {
						b.Error(err)
						return
					}
					if x == nil {
						continue
					}
					answer, err := forms.Show("NEXT", x.Data)
					if err != nil {
						b.Error(err)
						return
					}
					if _, err := x.Seal(answer); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
		})
	}
}

func BenchmarkToken(b *testing.B) {
	tokens := newTokens(b, hidden)
	text := newToken(b)
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tokens.New(sent); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tokens.Parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
