package demoflows

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCarriesWhatDeployHolds(t *testing.T) {
	source := filepath.Join("..", "..", "..", "deploy", "flows")
	want, err := filepath.Glob(filepath.Join(source, "*.yaml"))
	if err != nil || len(want) == 0 {
		t.Fatalf("no flows in %s: %v", source, err)
	}
	carried, err := fs.Glob(Files, "*.yaml")
	if err != nil || len(carried) != len(want) {
		t.Fatalf("carries %d flows, deploy/flows holds %d: run make generate (%v)", len(carried), len(want), err)
	}
	for _, path := range want {
		a, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Files.ReadFile(filepath.Base(path))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: run make generate (%v)", filepath.Base(path), err)
		}
	}
}
