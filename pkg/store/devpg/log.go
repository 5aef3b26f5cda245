package devpg

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// logBytesMax is how large the log may be at a start; a larger one is set aside (one, the older one goes).
const logBytesMax = 16 << 20

// startMark begins the line that parts one run from the next.
const startMark = "--- start "

func (h *home) logPath() string { return filepath.Join(h.dir, "postgres.log") }

// openLog opens the log for appending.
func (h *home) openLog() (*os.File, error) {
	if info, err := os.Stat(h.logPath()); err == nil && info.Size() > logBytesMax {
		if err := os.Rename(h.logPath(), h.logPath()+".1"); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(h.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(log, "%s%s\n", startMark, time.Now().UTC().Format(time.RFC3339))
	return log, err
}

// logTail is what PostgreSQL said last in this run, for an error message.
func (h *home) logTail() string {
	text, err := os.ReadFile(h.logPath())
	if err != nil {
		return err.Error()
	}
	run := text[max(0, bytes.LastIndex(text, []byte(startMark))):]
	return h.logPath() + " says: " + lastLines(run)
}

// lastLines is the end of a text: at most eight lines of at most 2 KiB.
func lastLines(text []byte) string {
	text = bytes.TrimSpace(text[max(0, len(text)-2048):])
	lines := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-8):], []byte("\n")))
}
