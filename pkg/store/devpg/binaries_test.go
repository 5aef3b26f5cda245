package devpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// fake puts programs that only know their version into dir.
func fake(t *testing.T, dir, version string, programs ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s (Debian %s-1)'\n", version, version)
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	for _, version := range []string{"9", "13", "14", "16"} {
		fake(t, filepath.Join(root, version, "bin"), version+".3", "postgres", "initdb")
	}
	fake(t, filepath.Join(root, "18", "bin"), "18.1", "psql") // clients only
	t.Setenv("PARLEY_PG_BIN", filepath.Join(root, "*", "bin"))
	for wanted, want := range map[int]int{0: 16, 14: 14, 16: 16, 13: 0, 15: 0, 18: 0} {
		b, err := findBinaries(wanted)
		var notFound *NotFoundError
		if want == 0 && !errors.As(err, &notFound) {
			t.Errorf("version %d: %+v %v, want NotFoundError", wanted, b, err)
		}
		if want != 0 && (err != nil || b.major != want) {
			t.Errorf("version %d: %+v %v, want %d", wanted, b, err, want)
		}
	}
}
