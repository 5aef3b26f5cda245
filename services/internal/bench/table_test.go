package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2.5: {3, 2}, 7: {9, 1, 7}, 4: {1, 100, 3, 5}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := make([]time.Duration, 200)
	for i := range values {
		values[i] = time.Duration(200 - i)
	}
	if p50, p99, top := quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1); p50 != 101 || p99 != 199 || top != 200 {
		t.Errorf("%d %d %d, want 101 199 200", p50, p99, top)
	}
	if none := quantile(nil, 0.5); none != 0 {
		t.Errorf("%d of nothing", none)
	}
}

// TestCompare takes the ratio in each round: a machine that is slow in one round is
// slow for both sides.
func TestCompare(t *testing.T) {
	s := section{title: "webhooks"}
	s.compare("ours", "raw", []pair{{50, 100}, {5, 10}, {90, 100}})
	s.note("%d clients", 4)
	var out bytes.Buffer
	if err := write(&out, []section{s}); err != nil {
		t.Fatal(err)
	}
	want := `
webhooks
         median  rounds
  ours   50/s    50 5 90
  raw    100/s   100 10 100
  ratio  0.50    0.50 0.50 0.90
  (4 clients)
`
	if got := out.String(); got != want {
		t.Errorf("%s\nwant%s", got, want)
	}
}

func TestFlags(t *testing.T) {
	b, names, err := parseFlags([]string{"-short", "-rate", "50", "-only", "turns,up"}, &bytes.Buffer{})
	if err != nil || b.size.rounds != short.rounds || b.size.rate != 50 || strings.Join(names, " ") != "turns up" {
		t.Errorf("%+v %v %v", b, names, err)
	}
	for _, args := range [][]string{{"-only", "turns,nothing"}, {"turns"}, {"-rate", "fast"}} {
		if _, _, err := parseFlags(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
