package forms_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const accessToken = "access-token"

func serve(t *testing.T, h http.HandlerFunc) *forms.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	transport := meta.NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	return forms.NewClient(server.URL, accessToken, &http.Client{Transport: transport})
}

// graph keeps a key per number, as Meta does.
type graph struct {
	keys map[string]string
	wrap bool
}

func (g *graph) serve(w http.ResponseWriter, r *http.Request) {
	number, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v25.0/"), "/whatsapp_business_encryption")
	if !ok || r.Header.Get("Authorization") != "Bearer "+accessToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost {
		g.keys[number] = r.PostFormValue("business_public_key")
		io.WriteString(w, `{"success":true}`)
		return
	}
	found := []any{}
	if key, ok := g.keys[number]; ok {
		found = append(found, map[string]string{"business_public_key": key, "business_public_key_signature_status": "VALID"})
	}
	if g.wrap || len(found) == 0 {
		w.Write(encode(map[string]any{"data": found}))
		return
	}
	w.Write(encode(found[0]))
}

func TestKeysArePublishedAndReadBack(t *testing.T) {
	for _, wrap := range []bool{true, false} {
		client := serve(t, (&graph{keys: map[string]string{}, wrap: wrap}).serve)
		if got, err := client.Published(t.Context(), channel); err != nil || got.ID != "" || got.Status != "" {
			t.Errorf("before: %+v, %v", got, err)
		}
		key := present().keys[0]
		if err := client.Publish(t.Context(), channel, key); err != nil {
			t.Fatal(err)
		}
		got, err := client.Published(t.Context(), channel)
		if err != nil || got.ID != key.ID() || got.Status != forms.KeyValid || !bytes.Equal(got.PEM, present().publicBytes) {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := client.Published(t.Context(), "another"); err != nil || got.ID != "" {
			t.Errorf("another number: %+v, %v", got, err)
		}
	}
}

func TestPublishedKeysThatDoNotWork(t *testing.T) {
	var body atomic.Value
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body.Load().(string)) })
	for answer, want := range map[string]forms.KeyStatus{
		`{"data":[{"business_public_key":" ","business_public_key_signature_status":"MISMATCH"}]}`: forms.KeyMismatch,
		`{"business_public_key_signature_status":"VALID"}`:                                         forms.KeyValid,
		`{"data":[{"business_public_key_signature_status":"NEW"}]}`:                                "NEW",
		`{}`: "",
	} {
		body.Store(answer)
		if got, err := client.Published(t.Context(), channel); err != nil || got.ID != "" || got.Status != want {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
}

func TestGraphErrors(t *testing.T) {
	var next atomic.Pointer[fake.Answer]
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer := next.Load()
		for key, values := range answer.Header {
			w.Header()[key] = values
		}
		if answer.Hangup {
			panic(http.ErrAbortHandler)
		}
		if answer.Status != 0 {
			w.WriteHeader(answer.Status)
		}
		w.Write(answer.Body)
	})
	for name, c := range map[string]struct {
		answer fake.Answer
		want   meta.Class
		code   int
	}{
		"token":          {fake.Refusal(401, 190, "canary"), meta.StopAccount, 190},
		"permission":     {fake.Refusal(403, 299, "canary"), meta.StopAccount, 299},
		"not registered": {fake.Refusal(400, 133010, "canary"), meta.StopNumber, 133010},
		"parameter":      {fake.Refusal(400, 100, "canary"), meta.Permanent, 100},
		"rate":           {fake.Refusal(400, 80007, "canary"), meta.RetryAccount, 80007},
		"unavailable":    {fake.Refusal(500, 131016, "canary"), meta.Retry, 131016},
		"error in a 200": {fake.Refusal(200, 190, "canary"), meta.StopAccount, 190},
		"401":            {fake.Answer{Status: 401}, meta.StopAccount, 0},
		"429":            {fake.Answer{Status: 429, Body: []byte("canary")}, meta.RetryAccount, 0},
		"502":            {fake.Answer{Status: 502, Body: []byte("<html>canary")}, meta.Retry, 0},
		"404":            {fake.Answer{Status: 404, Body: []byte("{}")}, meta.Permanent, 0},
		"redirect":       {fake.Answer{Status: 307, Header: http.Header{"Location": {"/canary"}}}, meta.Permanent, 0},
		"no JSON":        {fake.Answer{Body: []byte("canary")}, meta.Retry, 0},
		"hangup":         {fake.Answer{Hangup: true}, meta.Retry, 0},
		"endless":        {fake.Answer{Body: bytes.Repeat([]byte(" "), 1<<20)}, meta.Retry, 0},
	} {
		next.Store(&c.answer)
		err1 := client.Publish(t.Context(), channel, present().keys[0])
		_, err2 := client.Published(t.Context(), channel)
		for _, err := range []error{err1, err2} {
			var e *forms.GraphError
			if !errors.As(err, &e) || e.Class != c.want || e.Code != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			} else if text := err.Error(); strings.Contains(text, "canary") || strings.Contains(text, accessToken) || strings.Contains(text, "BEGIN") {
				t.Errorf("%s: the error says too much: %v", name, err)
			}
		}
	}
	next.Store(&fake.Answer{Body: []byte(`{"success":false}`)})
	if err := client.Publish(t.Context(), channel, present().keys[0]); err == nil {
		t.Error("a key that was not taken counts as published")
	}
}

func TestGraphErrorsWithoutAnAnswer(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for url, want := range map[string]meta.Class{"http://127.0.0.1:1": meta.Retry, "http://parley.invalid": meta.Retry, "http://\x7f": meta.Permanent} {
		_, err := forms.NewClient(url, accessToken, nil).Published(ended, channel)
		var e *forms.GraphError
		if !errors.As(err, &e) || e.Class != want || e.Err == nil || strings.Contains(err.Error(), accessToken) {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := forms.NewClient("http://127.0.0.1:1", accessToken, nil).Published(ended, channel); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestPathsOfKeys(t *testing.T) {
	paths := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.EscapedPath()
		io.WriteString(w, "{}")
	}))
	t.Cleanup(server.Close)
	for base, want := range map[string]string{
		"": "/v25.0/..%2Fme/whatsapp_business_encryption", "/v26.0/": "/v26.0/..%2Fme/whatsapp_business_encryption",
	} {
		if _, err := forms.NewClient(server.URL+base, accessToken, nil).Published(t.Context(), "../me"); err != nil {
			t.Fatal(err)
		}
		if got := <-paths; got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
}
