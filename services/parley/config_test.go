package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parleyhq/parley/services/internal/platform"
)

// value is the last value of a name, as the programs see it.
func value(environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}

// made runs defaults in a folder of its own.
func made(t *testing.T, dir string, pairs ...string) []string {
	t.Helper()
	environ, err := defaults(append(pairs, "PARLEY_DATA_DIR="+dir), keptSecret)
	if err != nil {
		t.Fatal(err)
	}
	return environ
}

// Without any setting `parley up` has all that it needs, the same at every start.
func TestDefaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, second := made(t, dir), made(t, dir)
	for _, name := range []string{"PARLEY_META_APP_SECRET", "PARLEY_META_VERIFY_TOKEN", "PARLEY_GRAPH_URL", "PARLEY_META_ACCESS_TOKEN"} {
		if value(first, name) == "" || value(first, name) != value(second, name) {
			t.Errorf("%s is %q, then %q", name, value(first, name), value(second, name))
		}
	}
	if value(first, "PARLEY_META_APP_SECRET") == value(first, "PARLEY_META_VERIFY_TOKEN") {
		t.Error("two secrets are the same")
	}
	if got := value(first, "PARLEY_GRAPH_URL"); got != "http://127.0.0.1:8080/sandbox/graph/v25.0" {
		t.Errorf("sends to %s", got)
	}
	if _, err := platform.Load[Config](first); err != nil {
		t.Errorf("its own defaults are refused: %v", err)
	}
	other := made(t, t.TempDir())
	if value(other, "PARLEY_META_APP_SECRET") == value(first, "PARLEY_META_APP_SECRET") {
		t.Error("two installations have the same secret")
	}
}

// What is given is kept, directly or as a file.
func TestDefaultsKeepWhatIsGiven(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "given")
	if err := os.WriteFile(secret, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := made(t, dir, "PARLEY_META_APP_SECRET_FILE="+secret, "PARLEY_META_VERIFY_TOKEN=mine", "PARLEY_FLOWS_TOKEN_SECRET=sixteen bytes or more", "PARLEY_GRAPH_URL=https://graph.example/v25.0", "PARLEY_META_ACCESS_TOKEN=real")
	c, err := platform.Load[Config](environ)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.Ingress.AppSecrets) != "[from a file]" || c.Ingress.VerifyToken != "mine" || c.Dispatcher.Graph.URL != "https://graph.example/v25.0" || c.Dispatcher.Graph.Token != "real" {
		t.Errorf("%+v %+v", c.Ingress, c.Dispatcher)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("made secrets that nobody needs: %v %v", files, err)
	}
}

// The sandbox takes any token: one that is given, as a file too, is no conflict.
func TestDefaultsWithTokenFile(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("real"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.Load[Config](made(t, t.TempDir(), "PARLEY_META_ACCESS_TOKEN_FILE="+token)); err != nil {
		t.Error(err)
	}
}

// The sandbox has a session of WASenderApi where it stands for Meta and nobody names a
// session of their own.
func TestDefaultsOfTheSession(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		given []string
		url   string
	}{
		{nil, "http://127.0.0.1:8080/sandbox/wasender/api"},
		{[]string{"PARLEY_ADDR=:9999"}, "http://127.0.0.1:9999/sandbox/wasender/api"},
		{[]string{"PARLEY_GRAPH_URL=https://graph.example/v25.0"}, ""},
		{[]string{"PARLEY_WASENDER_SECRET=shop=real"}, ""},
		{[]string{"PARLEY_WASENDER_TOKEN_FILE=/a/file"}, ""},
		{[]string{"PARLEY_WASENDER_URL=https://gateway.example/api"}, "https://gateway.example/api"},
	} {
		environ := made(t, dir, c.given...)
		if got := value(environ, "PARLEY_WASENDER_URL"); got != c.url {
			t.Errorf("%v: sessions are at %q, want %q", c.given, got, c.url)
		}
		ours := strings.HasSuffix(c.url, sandboxGateway)
		for name, begins := range map[string]string{"PARLEY_WASENDER_TOKEN": "sandbox=", "PARLEY_WASENDER_SECRET": "sandbox=", "PARLEY_WASENDER_ACCOUNT_TOKEN": "account-"} {
			if made := strings.HasPrefix(value(environ, name), begins); made != ours {
				t.Errorf("%v: %s is %q", c.given, name, value(environ, name))
			}
		}
	}
}

func TestDefaultsFollowTheAddress(t *testing.T) {
	environ := made(t, t.TempDir(), "PARLEY_ADDR=:9999")
	if got := value(environ, "PARLEY_GRAPH_URL"); got != "http://127.0.0.1:9999/sandbox/graph/v25.0" {
		t.Errorf("sends to %s", got)
	}
}

func TestKeptSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "secret")
	first, err := keptSecret(path)
	if err != nil || len(first) < 20 {
		t.Fatalf("%q, %v", first, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if second, err := keptSecret(path); err != nil || second != first {
		t.Errorf("%q became %q, %v", first, second, err)
	}
	// What a start that was cut off left, or an editor.
	for _, content := range []string{"", "\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err := keptSecret(path); err != nil || again == "" {
			t.Errorf("from %q: %q, %v", content, again, err)
		}
	}
	if _, err := keptSecret(filepath.Join(path, "below a file")); err == nil {
		t.Error("no error")
	}
}

func TestLocalURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080", "0.0.0.0:80": "http://127.0.0.1:80",
		"[::]:80": "http://127.0.0.1:80", "[::1]:80": "http://[::1]:80", "localhost:80": "http://localhost:80", "10.0.0.7:80": "http://10.0.0.7:80",
		"nonsense": "http://nonsense",
	} {
		if got := localURL(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// Five services share a part of their configuration: what is wrong with it is
// said once.
func TestProblemsAreDistinct(t *testing.T) {
	_, err := platform.Load[Config](made(t, t.TempDir(), "PARLEY_SHARDS=0", "PARLEY_LEASE_TIME=1h", "PARLEY_ADDR=8080", "PARLEY_SEND_RATE=-1", "PARLEY_FLOWS_DIR=/no/such/folder"))
	problems := platform.Flatten(err)
	if len(problems) != 5 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
}

// A value that cannot be read is named once, by its variable, and not judged.
func TestUnreadableValues(t *testing.T) {
	_, err := platform.Load[Config](made(t, t.TempDir(), "PARLEY_SHARDS=many", "PARLEY_SEND_RATE=fast", "PARLEY_LEASE_TIME=5"))
	want := []string{
		`PARLEY_LEASE_TIME is "5": not a duration such as 5s`,
		`PARLEY_SEND_RATE is "fast": not a number`,
		`PARLEY_SHARDS is "many": not a whole number`,
	}
	var got []string
	for _, problem := range platform.Flatten(err) {
		got = append(got, problem.Error())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A start that fails leaves nothing behind, not even a secret.
func TestNothingIsMadeForAWrongConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := load([]string{"PARLEY_DATA_DIR=" + dir, "PARLEY_SHARDS=0"}); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data folder: %v", err)
	}
	c, err := load([]string{"PARLEY_DATA_DIR=" + dir})
	if err != nil || len(c.Ingress.AppSecrets) != 1 || len(c.Ingress.AppSecrets[0]) < 20 {
		t.Errorf("%q, %v", c.Ingress.AppSecrets, err)
	}
}

// variables are the names of all settings, as the struct tags have them.
func variables(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		field := t.Field(i)
		if name, ok := field.Tag.Lookup("env"); ok {
			names = append(names, name)
		} else if field.Type.Kind() == reflect.Struct {
			names = append(names, variables(field.Type)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Every setting is in the README.
func TestSettingsAreDocumented(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := variables(reflect.TypeFor[Config]())
	if len(names) < 15 {
		t.Fatalf("only %d settings: %v", len(names), names)
	}
	for _, name := range names {
		if !strings.Contains(string(readme), "`"+name+"`") {
			t.Errorf("%s is not documented in README.md", name)
		}
	}
}
