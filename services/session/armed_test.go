package session

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

var armed = flag.Int("armed", 5000, "how many timers are armed beside those that are due")

// TestTimersAmongMany fires the timers of some sessions beside very many that are not due:
// each once, and what is not due costs nothing. With -armed 1000000 -v it says how fast.
func TestTimersAmongMany(t *testing.T) {
	const due = 3000
	d := newDesk(t)
	d.publish(patient)
	d.exec(`WITH n AS (SELECT i, ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid AS id FROM generate_series(1, $1) i),
		c AS (INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) SELECT id, 'p', i, i % 4, now() FROM n)
		INSERT INTO timers SELECT 'c', id, i % 4, 'ref', $2::timestamptz + make_interval(secs => i % 86400) FROM n`, *armed, d.time.Add(24*time.Hour))
	d.exec(`ANALYZE`)
	var items []fake.Item
	for n := range due {
		items = append(items, fake.Text(fake.Person{Phone: fmt.Sprint(1666000000 + n), Name: "P"}, fmt.Sprint("wamid.", n), d.time, "visit"))
	}
	for len(items) > 0 {
		d.post(items[:500]...)
		items = items[500:]
		d.run(500)
	}
	timers := d.clockwork(nil)
	const looks = 20
	began := time.Now()
	for range looks {
		d.fire(timers, 0)
	}
	idle := time.Since(began) / looks

	d.pass(3 * time.Hour)
	began = time.Now()
	for range due / timersMax {
		d.fire(timers, timersMax)
	}
	took := time.Since(began)
	d.fire(timers, 0)
	if n := d.count(`SELECT count(*) FROM events WHERE type = 'ReminderQueued'`); n != due {
		t.Errorf("%d reminders, want %d", n, due)
	}
	t.Logf("%d armed: a look at nothing due takes %s; %d due ones are fired, decided and committed in %s, %.0f/s", *armed, idle, due, took, due/took.Seconds())
}
