package platform

import (
	"fmt"
	"strings"
)

// PerChannel reads a variable that has a value, or several, for each channel:
// "shop=first,shop=second,help=third". The error names the variable and the place,
// never what stands there: it may be a secret.
func PerChannel(variable string, pairs []string) (map[string][]string, error) {
	values := make(map[string][]string, len(pairs))
	for i, pair := range pairs {
		channel, value, ok := strings.Cut(pair, "=")
		if !ok || channel == "" || value == "" || strings.TrimSpace(pair) != pair {
			return nil, fmt.Errorf("%s: entry %d is not channel=value: write shop=value, several separated by commas, without spaces", variable, i+1)
		}
		values[channel] = append(values[channel], value)
	}
	return values, nil
}
