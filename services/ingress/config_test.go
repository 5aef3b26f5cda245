package ingress

import (
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/services/internal/platform"
)

// Nothing runs without a secret, and an empty one is none: anybody could sign with it.
func TestProblems(t *testing.T) {
	common := platform.Common{LogLevel: "info", Shards: 16, Replicas: 1, LeaseTime: 5 * time.Second}
	for _, c := range []struct {
		secrets []string
		token   string
		want    string
	}{
		{[]string{"a"}, "t", ""},
		{[]string{"a", "b"}, "t", ""},
		{nil, "t", "PARLEY_META_APP_SECRET"},
		{[]string{"a", ""}, "t", "PARLEY_META_APP_SECRET"},
		{[]string{"a"}, "", "PARLEY_META_VERIFY_TOKEN"},
		{nil, "", "PARLEY_META_APP_SECRET PARLEY_META_VERIFY_TOKEN"},
	} {
		var names []string
		for _, p := range platform.Flatten(Config{Common: common, AppSecrets: c.secrets, VerifyToken: c.token}.Problems()) {
			name, _, _ := strings.Cut(p.Error(), " ")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.secrets, c.token, got, c.want)
		}
	}
}
