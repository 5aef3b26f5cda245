package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// Slots come from a CSV file or opening hours, and the lists are tables.
func TestSlotsTools(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	write := func(name, source string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	table := write("december.csv", "service,calendar,start,minutes,capacity\ncut,Ana,"+day+" 15:30,30,2\n")
	rules := write("beard.yaml", "service: beard\nlength: 1h\nhorizon: 1\nhours: {monday-sunday: 20:00-21:00}\n")
	for _, c := range []struct{ file, want string }{{table, "1 slots are new"}, {table, "0 slots are new"}, {rules, "slots are new"}} {
		if got, err := tool(t, "slots", "import", "--zone", "Europe/Madrid", c.file); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v\n%s", c.file, err, got)
		}
	}
	got, err := tool(t, "slots", "list", "--service", "cut")
	if err != nil || !strings.Contains(got, day+"   15:30   cut       Ana        0        2    cut.Ana.") || strings.Contains(got, "beard") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := tool(t, "slots", "booked", "-o", "json"); err != nil || !strings.Contains(got, `"bookings": []`) {
		t.Errorf("%v\n%s", err, got)
	}
	for _, args := range [][]string{{"slots", "import", "/no/such/file.csv"}, {"slots", "import", "--zone", "Madrid", table}, {"slots", "list", "--from", "soon"}} {
		if _, err := tool(t, args...); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if err := o.deps.Store.SavePool(t.Context(), "sales", 0); err != nil {
		t.Fatal(err)
	}
	if ok, err := o.deps.Store.SaveAgent(t.Context(), store.AgentInfo{Pool: "sales", ID: "ann", Name: "Ann", Weight: 2, Zone: "UTC", On: true}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got, err := tool(t, "leads", "agents"); err != nil || !strings.Contains(got, "sales   0      ann     Ann    on   0      any   2") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := tool(t, "leads", "list"); err != nil || !strings.HasPrefix(got, "CAME") {
		t.Errorf("%v\n%s", err, got)
	}
}
