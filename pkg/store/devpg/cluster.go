package devpg

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// superuser owns the cluster and the database.
const superuser = "parley"

// makeCluster runs initdb if there is no cluster yet. It works in data.new, which takes the name data when it is complete and on
// disk: a cluster named data is always whole. The lock is inherited by initdb's children, so that a start after a kill waits for them.
func (h *home) makeCluster(ctx context.Context, alive *os.File, progress func(string)) error {
	if _, err := os.Stat(h.data()); !os.IsNotExist(err) {
		return err
	}
	progress(fmt.Sprintf("making a PostgreSQL %d cluster in %s", h.binaries.major, h.data()))
	unfinished := h.data() + ".new"
	for _, locale := range []string{"C.UTF-8", "C"} { // not every system has the first; the order of texts is the same
		if err := os.RemoveAll(unfinished); err != nil {
			return err
		}
		if err := h.account.makeDir(unfinished); err != nil {
			return err
		}
		out, err := h.initdb(ctx, unfinished, locale, alive)
		if err == nil {
			return renameSynced(unfinished, h.data())
		}
		if !bytes.Contains(out, []byte("invalid locale name")) {
			return fmt.Errorf("initdb: %w: %s", err, lastLines(out))
		}
	}
	return fmt.Errorf("initdb: this system has neither the locale C.UTF-8 nor C")
}

// initdb makes a cluster in dir. Who may connect is decided by the folder of the socket, which only the account that runs PostgreSQL
// (and root) can enter: "trust" asks nothing more. "peer" would add nothing, and would refuse a parent that is root and a server that
// is not, because their names differ.
func (h *home) initdb(ctx context.Context, dir, locale string, alive *os.File) ([]byte, error) {
	cmd := h.account.command(ctx, h.binaries.initdb(),
		"--pgdata="+dir, "--username="+superuser, "--auth=trust", "--encoding=UTF8", "--locale="+locale, "--data-checksums")
	cmd.ExtraFiles = []*os.File{alive}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	process, err := spawn(cmd)
	if err != nil {
		return nil, err
	}
	<-process.ended
	return out.Bytes(), process.err
}

// renameSynced renames a folder and puts its new name on disk.
func renameSynced(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// writeFileSynced writes a small file whole or not at all, and puts it on disk.
func writeFileSynced(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return renameSynced(file.Name(), path)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
