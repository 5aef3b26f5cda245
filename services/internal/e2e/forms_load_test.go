//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// TestUpFormsLoad lets open forms ask at a fixed rate, whatever the answers take. With
// -long it is the rate of the promise, 500 a second. Its times are for reading: the
// phones share the machine with what they measure.
func TestUpFormsLoad(t *testing.T) {
	const people = 200
	rate, seconds := 50, 5
	if *long {
		rate, seconds = 500, 20
	}
	u, phones := openForms(t, people)
	took := make([]time.Duration, rate*seconds)
	began := time.Now()
	var all sync.WaitGroup
	for n := range took {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		all.Go(func() {
			// Each is another answer to the same question: none is a repetition.
			status, answer := phones[n%people].ask("data_exchange", "SERVICE", fmt.Sprintf(`{"service":"cut","people":%d}`, 3-n/people))
			if took[n] = time.Since(due); status != http.StatusOK || !strings.Contains(answer, `"10:00"`) {
				t.Errorf("exchange %d is answered %d %s", n, status, answer)
			}
		})
	}
	all.Wait()
	if n := count(t.Context(), t, open(t, u.database(t)), `SELECT count(*) FROM events WHERE type = 'FormDataKept'`); n != len(took) {
		t.Errorf("%d exchanges took effect, want %d", n, len(took))
	}
	slices.Sort(took)
	at := func(percent int) float64 { return took[(len(took)-1)*percent/100].Seconds() * 1000 }
	t.Logf("SUMMARY forms: %d exchanges at %d/s: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms", len(took), rate, at(50), at(95), at(99), at(100))
}

// clinicUp begins a system whose flow is the clinic's, with the public key of its forms.
func clinicUp(t *testing.T) (*up, *graph, []byte) {
	t.Helper()
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "tables"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "clinic.yaml", clinic)
	write(t, dir, "tables/times.csv", "service,time\ncut,10:00\ncut,11:00\n")
	private, public, err := forms.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	u, g := newUp(t), newGraph(t)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir, "PARLEY_DEFAULT_FLOW=clinic",
		"PARLEY_FLOWS_PRIVATE_KEY_FILE="+write(t, dir, "flows.pem", string(private)))...)
	return u, g, public
}

// openForms begins a system in which so many people have an open form.
func openForms(t *testing.T, people int) (*up, []formPhone) {
	u, g, public := clinicUp(t)
	phones := make([]formPhone, people)
	for n := range phones {
		person := fake.Person{Phone: fmt.Sprintf("155503%05d", n), Name: "Form"}
		says(t, u, person, "hi")
		phones[n] = opened(t, u, g.next(t, person, "Please book."), public)
	}
	return u, phones
}
