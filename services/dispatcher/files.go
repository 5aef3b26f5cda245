package dispatcher

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// fileWait is how long what follows a file waits for the receipt that the file was sent.
// The provider answers before it has the file, and a text would overtake it meanwhile
// (WIRE.md 3.4). A receipt that does not come must not silence the bot.
const fileWait = 10 * time.Second

// silentWait is how long that is where the last such wait was in vain: the number's
// receipts do not come, or much too late.
const silentWait = time.Second

// filesOf are the files that a message consists of or stands under.
func filesOf(m *parleyv1.MessageQueued) []*parleyv1.Media {
	headers := []*parleyv1.Header{m.GetButtons().GetHeader(), m.GetLink().GetHeader(), m.GetForm().GetHeader(), m.GetTemplate().GetHeader()}
	files := []*parleyv1.Media{m.GetMedia()}
	for _, h := range headers {
		files = append(files, h.GetMedia())
	}
	return slices.DeleteFunc(files, func(f *parleyv1.Media) bool { return f == nil })
}

// hasFile reports whether the provider has a file to fetch before a job's message goes.
func hasFile(job Job) bool {
	m := &parleyv1.MessageQueued{}
	return proto.Unmarshal(job.Content, m) == nil && len(filesOf(m)) > 0
}

// follow has what comes next for the contact wait until a file that was just accepted
// is sent.
func (d *Desk) follow(now time.Time, key store.DeliveryKey) {
	if l := d.busy[key]; l != nil {
		l.file, l.fileUntil = key, now.Add(d.fileWait(l.key.channel))
		d.files[key] = l
	}
}

func (d *Desk) fileWait(channel string) time.Duration {
	if c := d.channels[channel]; c != nil && c.silent {
		return silentWait
	}
	return fileWait
}

// Awaited lists the files for which something waits now, in order. It looks at every file
// of the last seconds: it is asked at each poll, not in each cycle.
func (d *Desk) Awaited(now time.Time) (keys []store.DeliveryKey) {
	for key, l := range d.files {
		switch {
		case l.file != key || !now.Before(l.fileUntil):
			delete(d.files, key)
		case len(l.jobs) > 0:
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, store.DeliveryKey.Compare)
	return keys
}

// Arrived lets go what waits for a file: it is sent, or it will never be.
func (d *Desk) Arrived(now time.Time, key store.DeliveryKey) {
	l := d.files[key]
	if l == nil || l.file != key || !now.Before(l.fileUntil) {
		return // nothing waits for it any more
	}
	delete(d.files, key)
	l.fileUntil = time.Time{}
	d.channels[l.key.channel].silent = false
	if l.in != nil {
		l.unqueue()
		l.readyAt = now
		d.advance(now, l)
	}
}

// free is when the contact's next message may go: the pair limit lets it through, and
// the file before it was sent.
func (d *Desk) free(l *line) time.Time { return latest(d.pairFree(l), l.fileUntil) }
