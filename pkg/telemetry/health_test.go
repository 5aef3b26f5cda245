package telemetry

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func ask(t *testing.T, h *Health, path string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	h.Register(mux)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil).WithContext(t.Context()))
	return answer.Code, strings.TrimSpace(answer.Body.String())
}

func TestReadiness(t *testing.T) {
	var log bytes.Buffer
	h := NewHealth(zerolog.New(&log))
	var down error
	h.Add("nats", func(context.Context) error { return nil })
	h.Add("postgres", func(context.Context) error { return down })
	for _, step := range []struct {
		down   error
		status int
		body   string
		logged string
	}{
		{nil, 200, `{"ready":true,"checks":{"nats":"ok","postgres":"ok"}}`, ""},
		{errors.New("secret host"), 503, `{"ready":false,"checks":{"nats":"ok","postgres":"failing"}}`, "secret host"},
		{errors.New("secret host"), 503, `{"ready":false,"checks":{"nats":"ok","postgres":"failing"}}`, ""},
		{nil, 200, `{"ready":true,"checks":{"nats":"ok","postgres":"ok"}}`, "ready again"},
	} {
		down = step.down
		log.Reset()
		if status, body := ask(t, h, "/readyz"); status != step.status || body != step.body {
			t.Errorf("/readyz: %d %s, want %d %s", status, body, step.status, step.body)
		}
		if !strings.Contains(log.String(), step.logged) || (step.logged == "" && log.Len() > 0) {
			t.Errorf("logged %q, want %q", log.String(), step.logged)
		}
		if status, _ := ask(t, h, "/healthz"); status != http.StatusOK {
			t.Errorf("/healthz: %d", status)
		}
	}
}

func TestCheckThatHangsDoesNotHoldTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := NewHealth(zerolog.Nop())
		h.Add("deaf", func(context.Context) error { <-release; return nil })
		h.Add("nats", func(context.Context) error { return nil })
		began := time.Now()
		status, body := ask(t, h, "/readyz")
		close(release)
		if want := `{"ready":false,"checks":{"deaf":"failing","nats":"ok"}}`; status != 503 || body != want {
			t.Errorf("%d %s, want 503 %s", status, body, want)
		}
		if took := time.Since(began); took != checkTimeout {
			t.Errorf("answered after %v", took)
		}
	})
}
