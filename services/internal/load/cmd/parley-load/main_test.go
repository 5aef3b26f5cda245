package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyhq/parley/services/internal/load"
)

func TestFailedRunIsAnErrorWithReport(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer target.Close()
	path := filepath.Join(t.TempDir(), "report.json")
	args := []string{
		"-target", target.URL, "-secret", "s", "-graph", "127.0.0.1:0", "-channels", "1,2", "-contacts", "10",
		"-rate", "20", "-duration", "200ms", "-quiet-timeout", "100ms", "-settle", "0s", "-json", path,
	}
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), args, &stdout, &stderr); !errors.Is(err, errFailed) {
		t.Fatalf("error %v, want %v", err, errFailed)
	}
	if !strings.Contains(stdout.String(), "FAILED") {
		t.Errorf("table:\n%s", stdout.String())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report load.Report
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if report.Passed() || report.Found[load.Unacknowledged] == 0 || report.Counts.Retries["503"] == 0 {
		t.Errorf("report %s", data)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"-rate", "x"}, {"extra"}, {"-secret", ""}, {"-secret", "s", "-contacts", "0"}} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), args, &stdout, &stderr); err == nil || errors.Is(err, errFailed) {
			t.Errorf("%v: error %v", args, err)
		}
	}
}
