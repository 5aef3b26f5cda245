package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// TestCampaignTools: a campaign is made of a file, started, watched to its end, and its
// results written; mistakes are shown where they stand.
func TestCampaignTools(t *testing.T) {
	o := openOffice(t)
	o.say(fake.Person{Phone: "15550000002", Name: "Bob"}, "hi") // is in a conversation
	path := filepath.Join(t.TempDir(), "people.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	create := []string{"campaign", "create", "--flow", "visit", "--channel", officeNumber, "--csv", path, "--rate", "100/s", "--name", "spring"}
	template := append(create, "--template", "invitation", "--template-value", "{name}, hello", "--template-value", "{phone}")
	wants := func(args []string, words ...string) string {
		t.Helper()
		got, err := tool(t, args...)
		for _, word := range words {
			if err != nil || !strings.Contains(got, word) {
				t.Fatalf("%v: no %q: %v\n%s", args[1:], word, err, got)
			}
		}
		return got
	}
	fails := func(args []string, words ...string) {
		t.Helper()
		got, err := tool(t, args...)
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%v: no %q: %v\n%s", args[1:], word, err, got)
			}
		}
	}
	write("phone,name,city\n15550000001,Ann,Ulm\n")
	fails(template, `people.csv:1: slot "city" has no default`, "a problem with the contacts")
	write("phone,name\n15550000001,Ann\n1,Bob\n15550000001,Cem\n")
	fails(template, "people.csv:3: phone is no phone number", "people.csv:4: the same person as in line 2", "2 problems")
	write("phone,name\n15550000001,Ann\n15550000002,Bob\n15550000003,Cem\n")
	fails(create[:6], "give --csv")
	fails(append(template, "--at", "soon"), "is no time")
	wants(append(template, "--dry-run"), "3 contacts, nothing is wrong")
	wants([]string{"campaign", "status"}, "CREATED")
	wants(template, "campaign spring: 3 contacts, 100/s; parley campaign start spring starts it")
	wants([]string{"campaign", "status"}, "spring     ready   visit   n1        3          100/s   people.csv")
	wants([]string{"campaign", "start", "spring"}, "campaign spring is running")
	got := wants([]string{"campaign", "status", "spring", "--watch"}, "spring  done  flow visit, 100/s", "3 of 3", "started 2", "refused 1: busy 1")
	if strings.Contains(got, "\x1b") {
		t.Errorf("what is no terminal is written like one: %q", got)
	}
	wants([]string{"campaign", "results", "spring"}, "line,phone", "2,15550000001,,Ann,started", "3,15550000002,,Bob,refused,busy")
	fails([]string{"campaign", "cancel", "spring"}, "campaign spring is done: it cannot be changed by cancel")
	fails([]string{"campaign", "status", "autumn"}, "no such campaign")
	file := filepath.Join(t.TempDir(), "results.csv")
	if _, err := tool(t, "campaign", "results", "spring", "-w", file); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(data), "line,phone") {
		t.Errorf("%s, %v", data, err)
	}
}

func TestCampaignTime(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 28, 9, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"2026-12-04T09:00:00Z": "2026-12-04T09:00:00Z", "2026-12-04 09:00": "2026-12-04T08:00:00Z", "10:00": "2026-11-28T09:00:00Z", "09:00": "2026-11-29T08:00:00Z",
	} {
		if at, err := campaignTime(text, now); err != nil || at.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %v, %v", text, at, err)
		}
	}
	if _, err := campaignTime("soon", now); err == nil {
		t.Error("soon is a time")
	}
}
