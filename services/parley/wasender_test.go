package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// The sessions are a table, each alarm says what to do, and a session that must be
// scanned is shown with its code.
func TestWASenderStatus(t *testing.T) {
	o := openOffice(t)
	if got, err := tool(t, "wasender", "status"); err != nil || !strings.Contains(got, "no session of WASenderApi is configured") {
		t.Errorf("without sessions: %v\n%s", err, got)
	}
	if _, err := tool(t, "wasender", "status", "shop"); err == nil || !strings.Contains(err.Error(), "PARLEY_WASENDER_TOKEN") {
		t.Errorf("a channel without a session: %v", err)
	}
	taken, err := o.deps.Store.TakeSessions(t.Context(), "me", time.Minute, []string{"shop"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	taken[0].Memory = []byte(`{"missed_from":"2026-11-28T08:00:00Z","missed_to":"2026-11-28T09:00:00Z"}`)
	if err := o.deps.Store.SaveSession(t.Context(), taken[0], store.SessionHealth{State: "need_scan", Alarm: "scan"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := o.deps.Store.SetSessionCode(t.Context(), "shop", "2@code", time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got, err := tool(t, "wasender", "status", "shop")
	for _, want := range []string{"CHANNEL   STATE", "shop      need_scan   never", "scan\n\nshop: the phone must be linked", "what people wrote then may not have come", "████"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("no %q: %v\n%s", want, err, got)
		}
	}
	if got, err := tool(t, "wasender", "status", "-o", "json"); err != nil || !strings.Contains(got, `"alarm": "scan"`) || strings.Contains(got, "2@code") {
		t.Errorf("JSON: %v\n%s", err, got)
	}
	if _, err := tool(t, "wasender", "order", "shop", "restart"); err == nil || !strings.Contains(err.Error(), "no dispatcher watches") {
		t.Errorf("an order that nobody takes: %v", err)
	}
}

// tool runs parley with arguments; err is what it complained of.
func tool(t *testing.T, args ...string) (printed string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	if run(args, "", &out, &errs) != 0 {
		err = errors.New(errs.String())
	}
	return out.String(), err
}
