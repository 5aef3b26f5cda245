package platform

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Channels says how each business number is served. A number that the file does
// not list is served with the default flow and is a portfolio of its own.
type Channels struct {
	defaultFlow string
	byID        map[string]Channel
}

// Channel is one business number (phone_number_id).
type Channel struct {
	ID string `yaml:"id"`
	// Flow serves the people who write to the number.
	Flow string `yaml:"flow"`
	// Flows are all flows that can begin there by an entry of their own. Without
	// them every published flow can.
	Flows []string `yaml:"flows"`
	// Portfolio is the scope of identities: numbers of one business portfolio
	// see the same BSUIDs, and their contacts are the same.
	Portfolio string `yaml:"portfolio"`
	// Account is the WhatsApp Business account of the number, and Number the number as
	// it is displayed: notices of Meta name nothing else.
	Account string `yaml:"account"`
	Number  string `yaml:"number"`
	// Echoes says what a message does that somebody of the business writes with the
	// phone's own app: "take_over", which is usual, or "record".
	Echoes string `yaml:"echoes"`
}

// What echoes do.
const (
	echoesTakeOver = "take_over"
	echoesRecord   = "record"
)

// OneFlow serves every channel with the same flow.
func OneFlow(name string) Channels { return Channels{defaultFlow: name} }

// LoadChannels reads the channels file; an empty path means that there is none.
func LoadChannels(path, defaultFlow string) (Channels, error) {
	c := Channels{defaultFlow: defaultFlow, byID: map[string]Channel{}}
	if path == "" {
		return c, nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("PARLEY_CHANNELS_FILE: %w", err)
	}
	var file struct {
		Channels []Channel `yaml:"channels"`
	}
	if err := yaml.UnmarshalWithOptions(source, &file, yaml.Strict()); err != nil {
		return c, fmt.Errorf("channels file %s: %w", path, err)
	}
	for i, channel := range file.Channels {
		channel.Number = digits(channel.Number)
		if channel.ID == "" {
			return c, fmt.Errorf("channels file %s: channel %d has no id", path, i+1)
		}
		if !slices.Contains([]string{"", echoesTakeOver, echoesRecord}, channel.Echoes) {
			return c, fmt.Errorf("channels file %s: channel %s has echoes %q: use %s or %s", path, channel.ID, channel.Echoes, echoesTakeOver, echoesRecord)
		}
		if _, twice := c.byID[channel.ID]; twice {
			return c, fmt.Errorf("channels file %s: channel %s is listed twice", path, channel.ID)
		}
		c.byID[channel.ID] = channel
	}
	return c, nil
}

// digits is a number without what is written around it.
func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
}

// All lists the channels of the file, by their id.
func (c Channels) All() []Channel {
	all := slices.Collect(maps.Values(c.byID))
	slices.SortFunc(all, func(a, b Channel) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Flow names the flow that serves a channel.
func (c Channels) Flow(channel string) string {
	if flow := c.byID[channel].Flow; flow != "" {
		return flow
	}
	return c.defaultFlow
}

// Offers reports whether a flow can begin on a channel.
func (c Channels) Offers(channel, flow string) bool {
	flows := c.byID[channel].Flows
	return len(flows) == 0 || flow == c.Flow(channel) || slices.Contains(flows, flow)
}

// TakesOver reports whether who writes with the phone's own app takes the conversation,
// as an operator does.
func (c Channels) TakesOver(channel string) bool { return c.byID[channel].Echoes != echoesRecord }

// Portfolio names the scope of the identities seen on a channel.
func (c Channels) Portfolio(channel string) string {
	if portfolio := c.byID[channel].Portfolio; portfolio != "" {
		return portfolio
	}
	return channel
}

// Flows lists every flow that a channel is served with.
func (c Channels) Flows() []string {
	flows := []string{c.defaultFlow}
	for _, channel := range c.byID {
		if channel.Flow != "" {
			flows = append(flows, channel.Flow)
		}
		flows = append(flows, channel.Flows...)
	}
	return flows
}
