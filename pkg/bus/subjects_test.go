package bus

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestShardOfIsStable(t *testing.T) {
	// Fixed for ever: another result would move contacts of live installations.
	for _, c := range []struct {
		portfolio, lane string
		want            int
	}{{"p1", "15551230001", 5}, {"p1", "US.13491208655302741918", 7}, {"p2", "15551230001", 0}, {"", "", 15}} {
		if got := ShardOf(c.portfolio, c.lane, 16); got != c.want {
			t.Errorf("ShardOf(%q, %q) = %d, want %d", c.portfolio, c.lane, got, c.want)
		}
	}
	if ShardOf("a", "bc", 1<<30) == ShardOf("ab", "c", 1<<30) {
		t.Error("the border between portfolio and lane key does not count")
	}
}

func TestShardOfSpreads(t *testing.T) {
	const shards, contacts = 16, 16_000
	var load [shards]int
	for i := range contacts {
		load[ShardOf("portfolio", strconv.Itoa(15551230000+i), shards)]++
	}
	for shard, n := range load {
		if n < contacts/shards*3/4 || n > contacts/shards*5/4 {
			t.Errorf("shard %d has %d of %d contacts", shard, n, contacts)
		}
	}
}

func TestSubjects(t *testing.T) {
	const phone = "15551230001"
	legal := regexp.MustCompile(`^wa\.(in|status)\.\d{2,}\.[A-Za-z0-9_-]+\.[0-9a-f]{32}$`)
	for _, channel := range []string{"106540352242922", "session_1-b", "a.b", "a b", "*", ">", "", "é", strings.Repeat("x", 65)} {
		for _, subject := range []string{SubjectIn(3, channel, phone), SubjectStatus(3, channel, phone)} {
			if !legal.MatchString(subject) {
				t.Errorf("channel %q gives the subject %q", channel, subject)
			}
			if strings.Contains(subject, phone) {
				t.Errorf("%q shows the phone number", subject)
			}
		}
	}
	if got := SubjectIn(3, "106540352242922", phone); !strings.HasPrefix(got, "wa.in.03.106540352242922.") {
		t.Errorf("a plain channel is not kept as it is: %q", got)
	}
	if SubjectIn(3, "a.b", phone) == SubjectIn(3, "a b", phone) {
		t.Error("two channels share a subject")
	}
	for filter, want := range map[string]string{
		FilterIn(7): "wa.in.07.>", FilterStatus(123): "wa.status.123.>", SubjectEvents(0): "wa.events.00",
	} {
		if filter != want {
			t.Errorf("got filter %q, want %q", filter, want)
		}
	}
}
