package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMustReach closes a folder above the one that was chosen. Only root runs
// PostgreSQL as somebody else; for others every folder of their own will do.
func TestMustReach(t *testing.T) {
	closed, err := os.MkdirTemp("", "parley-bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(closed)
	below := filepath.Join(closed, "below")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mustReach(below); (err != nil) != (os.Geteuid() == 0) {
		t.Errorf("in a folder that only its owner may enter: %v", err)
	}
	if err := os.Chmod(closed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mustReach(below); err != nil {
		t.Errorf("in an open folder: %v", err)
	}
	if err := mustReach(filepath.Join(closed, "missing")); !os.IsNotExist(err) {
		t.Errorf("in a folder that does not exist: %v", err)
	}
}
