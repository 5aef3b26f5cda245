package platform

import (
	"slices"
	"strings"
	"testing"
)

func TestChannels(t *testing.T) {
	c, err := LoadChannels(file(t, `
channels:
  - id: "1"
    flow: shop
    portfolio: acme
  - id: "2"
    portfolio: acme
  - id: "3"
    flow: clinic
    echoes: record
`), "lead")
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string][2]string{"1": {"shop", "acme"}, "2": {"lead", "acme"}, "3": {"clinic", "3"}, "4": {"lead", "4"}, "": {"lead", ""}} {
		if flow, portfolio := c.Flow(channel), c.Portfolio(channel); flow != want[0] || portfolio != want[1] {
			t.Errorf("%q is served with %s for %s, want %v", channel, flow, portfolio, want)
		}
	}
	if !c.TakesOver("1") || c.TakesOver("3") || !c.TakesOver("4") {
		t.Error("echoes take over where they should not, or not where they should")
	}
	flows := c.Flows()
	slices.Sort(flows)
	if got := strings.Join(flows, " "); got != "clinic lead shop" {
		t.Errorf("flows %s", got)
	}
}

func TestChannelsWithoutFile(t *testing.T) {
	c, err := LoadChannels("", "lead")
	if err != nil || c.Flow("1") != "lead" || c.Portfolio("1") != "1" || len(c.Flows()) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := LoadChannels(file(t, ""), "lead"); err != nil || c.Flow("1") != "lead" {
		t.Errorf("an empty file: %v", err)
	}
}

// What is wrong is shown with its place and what is there.
func TestChannelsProblems(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		words  []string
	}{
		"unknown field": {"channels:\n  - id: \"1\"\n    flw: shop\n", []string{"flw", "[3:"}},
		"broken YAML":   {"channels:\n  - id: [1\n", []string{"[2:"}},
		"wrong type":    {"channels: 7\n", []string{"[1:"}},
		"no id":         {"channels:\n  - id: \"1\"\n  - flow: shop\n", []string{"channel 2 has no id"}},
		"odd echoes":    {"channels:\n  - id: \"1\"\n    echoes: shout\n", []string{"channel 1", "shout", "take_over or record"}},
		"twice":         {"channels:\n  - id: \"1\"\n  - id: \"1\"\n", []string{"channel 1 is listed twice"}},
	} {
		path := file(t, c.source)
		_, err := LoadChannels(path, "lead")
		for _, word := range append(c.words, path) {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q is not in: %v", name, word, err)
			}
		}
	}
	if _, err := LoadChannels("/no/such/file", "lead"); err == nil || !strings.Contains(err.Error(), "PARLEY_CHANNELS_FILE") {
		t.Errorf("no file: %v", err)
	}
}
