package main

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store/devpg"
)

// privatePostgres is our own PostgreSQL, started again should it die: webhooks
// are taken meanwhile, and what waits in the streams is applied afterwards.
type privatePostgres struct {
	options devpg.Options
	log     zerolog.Logger

	mu     sync.Mutex
	server *devpg.Server
}

// Bounds of the wait before PostgreSQL is started again.
const (
	postgresRetryMin = 500 * time.Millisecond
	postgresRetryMax = 10 * time.Second
)

func startPostgres(ctx context.Context, dir string, progress func(string), log zerolog.Logger) (*privatePostgres, error) {
	p := &privatePostgres{
		options: devpg.Options{Dir: postgresDir(dir), Progress: progress},
		log:     log,
	}
	server, err := devpg.Start(ctx, p.options)
	p.server = server
	return p, err
}

// postgresDir is the part of a data folder that is PostgreSQL's.
func postgresDir(dir string) string { return filepath.Join(dir, "postgres") }

// dsn is the same after every start.
func (p *privatePostgres) dsn() string { return p.current().DSN() }

func (p *privatePostgres) current() *devpg.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.server
}

func (p *privatePostgres) stop() { _ = p.current().Stop() }

// watch starts PostgreSQL again whenever it ends, until intake ends.
func (p *privatePostgres) watch(intake, _ context.Context) error {
	for {
		select {
		case err := <-p.current().Wait():
			p.log.Error().Err(err).Msg("PostgreSQL ended; it is started again, webhooks are taken meanwhile")
		case <-intake.Done():
			return nil
		}
		if !p.restart(intake) {
			return nil
		}
		p.log.Info().Msg("PostgreSQL is back")
	}
}

// restart tries until it succeeds; false means that ctx ended first.
func (p *privatePostgres) restart(ctx context.Context) bool {
	p.stop()
	for wait := postgresRetryMin; ; wait = min(2*wait, postgresRetryMax) {
		server, err := devpg.Start(ctx, p.options)
		if err == nil {
			p.mu.Lock()
			p.server = server
			p.mu.Unlock()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.log.Error().Err(err).Dur("retry_in", wait).Msg("PostgreSQL does not start")
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}
