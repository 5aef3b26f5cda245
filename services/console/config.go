package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the console reads from the environment.
type Config struct {
	platform.Common
	// Token, if set, must be sent as bearer token with every request.
	Token string `env:"PARLEY_CONSOLE_TOKEN"`
}

// Build makes the service ready to run.
func Build(_ context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	api := newAPI(d)
	return platform.Service{
		Routes: func(mux *http.ServeMux) { mux.Handle("/api/v1/", api.handler(c.Token)) },
		Close:  api.in.Close,
	}, nil
}

// guard asks for the token, if there is one.
func guard(token string, next http.Handler) http.Handler {
	if token == "" {
		return next
	}
	want := sha256.Sum256([]byte("Bearer " + token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, problem{"send the console token as Authorization: Bearer <PARLEY_CONSOLE_TOKEN>"})
			return
		}
		next.ServeHTTP(w, r)
	})
}
