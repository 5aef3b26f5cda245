package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// encryptionEdge is Meta's edge for the keys of numbers; it refuses those in no.
func encryptionEdge(t *testing.T, no ...string) (url string, published map[string]string) {
	t.Helper()
	published = map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number := strings.Split(r.URL.Path, "/")[2]
		for _, refused := range no {
			if number == refused {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":{"code":100}}`))
				return
			}
		}
		if r.Method == http.MethodPost {
			published[number] = r.PostFormValue("business_public_key")
			_, _ = w.Write([]byte(`{"success":true}`))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"business_public_key": published[number], "business_public_key_signature_status": "VALID"})
	}))
	t.Cleanup(server.Close)
	return server.URL, published
}

// A new key is the first in the file, the old one stays, and phones get the new one:
// never one that Parley has not read.
func TestKeysRotate(t *testing.T) {
	url, published := encryptionEdge(t, "3")
	at, of := keysFile{filepath.Join(t.TempDir(), "keys.pem")}, numbers{GraphURL: url, Token: "t", Channels: []string{"1", "2"}}
	if err := (keysPublish{at, of}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "keys rotate") {
		t.Errorf("there is no key yet: %v", err)
	}
	for range 2 {
		if err := (keysRotate{at}).Run(); err != nil {
			t.Fatal(err)
		}
	}
	if len(published) > 0 {
		t.Fatalf("phones have a key that Parley has not read yet: %v", published)
	}
	if err := (keysPublish{at, of}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(at.File)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := forms.ParseKeys(file)
	if err != nil || len(keys) != 2 || published["1"] != string(keys[0].PublicPEM()) || published["2"] != published["1"] {
		t.Fatalf("%d keys (%v), published %v", len(keys), err, published)
	}
	if info, err := os.Stat(at.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := (keysStatus{at, of}).Run(t.Context()); err != nil {
		t.Error(err)
	}
	published["2"] = string(keys[1].PublicPEM()) // as before the second rotation: still answered
	if err := (keysStatus{at, of}).Run(t.Context()); err != nil {
		t.Error(err)
	}
	_, other, err := forms.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	published["2"] = string(other)
	if err := (keysStatus{at, of}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "number 2") {
		t.Errorf("%v", err)
	}
	of.Channels, published["1"] = []string{"3", "1"}, ""
	if err := (keysPublish{at, of}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "number 3 still has its old key") || published["1"] == "" {
		t.Errorf("one number that is refused must not keep the others from theirs: %v", err)
	}
}

// What cannot be read is not replaced.
func TestKeysRotateKeepsWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.pem")
	if err := os.WriteFile(path, []byte("-----BEGIN PRIVATE KEY-----\nbroken"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := (keysRotate{keysFile{path}}).Run()
	kept, _ := os.ReadFile(path)
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") || string(kept) != "-----BEGIN PRIVATE KEY-----\nbroken" {
		t.Errorf("%v, %q", err, kept)
	}
}
