package platform

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFlatten(t *testing.T) {
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	for want, err := range map[string]error{
		"[]":        nil,
		"[a]":       a,
		"[a b c]":   errors.Join(errors.Join(a, errors.Join(b)), nil, c),
		"[x: a]":    fmt.Errorf("x: %w", a),
		"[a a]":     errors.Join(a, a),
		"[x: a\nb]": fmt.Errorf("x: %w", errors.Join(a, b)),
	} {
		if got := fmt.Sprint(Flatten(err)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMisconfigured(t *testing.T) {
	var b strings.Builder
	Misconfigured(&b, "parley-x", errors.Join(errors.New("one"), errors.Join(errors.New("two"))))
	if want := "parley-x: the configuration is wrong:\n  - one\n  - two\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		common     Common
		noDatabase bool
		want       string
	}{
		{Common{NATSURL: "n", DatabaseURL: "d"}, false, ""},
		{Common{NATSURL: "n"}, true, ""},
		{Common{NATSURL: "n"}, false, "PARLEY_DATABASE_URL"},
		{Common{DatabaseURL: "d"}, false, "PARLEY_NATS_URL"},
		{Common{}, false, "PARLEY_NATS_URL PARLEY_DATABASE_URL"},
	} {
		problems := Flatten(Program[sample]{NoDatabase: c.noDatabase}.required(c.common))
		var names []string
		for _, p := range problems {
			name, _, _ := strings.Cut(p.Error(), " ")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.common, got, c.want)
		}
	}
}

// No two replicas share a name, not even in one process.
func TestNewOwner(t *testing.T) {
	if a, b := NewOwner(), NewOwner(); a == b || a == "" {
		t.Errorf("%q and %q", a, b)
	}
}
