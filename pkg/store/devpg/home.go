package devpg

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// elsewhere is where root puts a cluster whose account cannot reach the folder that was asked for.
const elsewhere = "/var/lib/parley"

// home is where a server's files are, whose they are, and which PostgreSQL reads them.
type home struct {
	dir      string
	account  account
	binaries binaries
}

func (h *home) data() string { return filepath.Join(h.dir, "data") }

// makeDir creates the folder of a server and returns its real path. Root makes it so that another account can pass.
func makeDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("devpg: no folder given")
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o755
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return "", err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// settle decides where the files of dir's server are, who runs it, and with which binaries.
func settle(dir string, progress func(string)) (*home, error) {
	h := &home{dir: dir}
	moved, err := readPlace(dir)
	if err != nil {
		return nil, err
	}
	if moved != "" {
		h.dir = moved
		progress("PostgreSQL keeps its data in " + moved)
	}
	if h.account, err = accountFor(h.data()); err != nil {
		return nil, err
	}
	major, err := majorOf(h.data())
	if err != nil {
		return nil, err
	}
	if h.binaries, err = findBinaries(major); err != nil {
		return nil, err
	}
	if moved != "" || !h.account.other || h.account.enters(h.binaries, h.dir) == nil {
		return h, nil
	}
	return h, h.moveOut(progress)
}

// enters reports whether the account can run the binaries inside dir. Only the kernel knows (modes, ACLs, mounts), so it is asked.
func (a account) enters(b binaries, dir string) error {
	cmd := a.command(context.Background(), b.postgres(), "--version")
	cmd.Dir = dir
	return cmd.Run()
}

// moveOut gives a new cluster a place that its account can reach, and notes the place for the next start.
func (h *home) moveOut(progress func(string)) error {
	if err := h.account.enters(h.binaries, "/"); err != nil {
		return fmt.Errorf("uid %d cannot run %s: %w", h.account.uid, h.binaries.postgres(), err)
	}
	if _, err := os.Stat(h.data()); err == nil {
		return fmt.Errorf("%s is out of reach for its owner, uid %d: a folder above it is closed", h.data(), h.account.uid)
	}
	place := filepath.Join(elsewhere, hash(h.dir))
	for _, dir := range []string{elsewhere, place} {
		if err := openDir(dir); err != nil {
			return err
		}
	}
	if err := h.account.enters(h.binaries, place); err != nil {
		return fmt.Errorf("uid %d can enter neither %s nor %s: %w", h.account.uid, h.dir, place, err)
	}
	if err := writeFileSynced(filepath.Join(h.dir, "place"), place+"\n"); err != nil {
		return err
	}
	progress(fmt.Sprintf("%s is closed to the account that runs PostgreSQL (uid %d): its data goes to %s", h.dir, h.account.uid, place))
	h.dir = place
	return nil
}

// openDir creates a folder that everybody can pass, whatever the umask.
func openDir(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// readPlace returns where an earlier start put the files, or "".
func readPlace(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "place"))
	if os.IsNotExist(err) {
		return "", nil
	}
	place := strings.TrimSpace(string(text))
	if err == nil && !filepath.IsAbs(place) {
		err = fmt.Errorf("%s: not a path: %q", filepath.Join(dir, "place"), place)
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(place); err != nil { // it was made before it was noted, so somebody removed it
		return "", fmt.Errorf("the data is gone: %w (remove %s to begin anew)", err, filepath.Join(dir, "place"))
	}
	return place, nil
}

// majorOf returns the major version that made the cluster in data, or 0 if there is none yet.
func majorOf(data string) (int, error) {
	if _, err := os.Stat(data); os.IsNotExist(err) {
		return 0, nil
	}
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return 0, fmt.Errorf("%s is not a PostgreSQL cluster, and is left untouched: %w", data, err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(data, "PG_VERSION"), err)
	}
	return major, nil
}

// hash is a short name for a path.
func hash(path string) string {
	sum := sha256.Sum256([]byte(path))
	return fmt.Sprintf("%x", sum[:6])
}
