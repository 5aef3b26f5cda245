package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var (
	long  = flag.Bool("long", false, "run at the full rates and durations")
	raced = flag.Bool("race-programs", false, "build the programs with the race detector")
)

// scratch holds the programs and all data of this run. PostgreSQL, which runs as
// somebody else if the tests run as root, can enter it.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if scratch, err = os.MkdirTemp("", "parley-e2e-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// folder makes an empty folder for a test.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch, "")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// programs builds the programs, once per run, and returns their folder.
var programs = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "bin") + string(filepath.Separator)
	args := []string{"build", "-o", dir}
	if *raced {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "./parley", "./ingress/cmd/parley-ingress", "./session/cmd/parley-session",
		"./dispatcher/cmd/parley-dispatcher", "./projector/cmd/parley-projector", "./console/cmd/parley-console")...)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
})
