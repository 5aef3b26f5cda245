package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
)

// turns measures how many turns a second one session replica decides and commits,
// beside the bare statement that appends the very same rows to a second database of
// the same server, and beside the engine alone.
func (b *bench) turns(ctx context.Context, s *stage) (section, error) {
	table := section{title: "turns"}
	dsn, err := s.postgres(ctx)
	if err != nil {
		return table, err
	}
	db, err := s.open(ctx, dsn)
	if err != nil {
		return table, err
	}
	sessions, err := newSessions(ctx, db, people)
	if err != nil {
		return table, err
	}
	bare, err := s.secondDatabase(ctx, dsn)
	if err != nil {
		return table, err
	}
	rounds, err := b.inTurns(ctx,
		func(ctx context.Context) (float64, error) { return decide(ctx, sessions, b.size.slice) },
		func(ctx context.Context) (float64, error) { return repeat(ctx, bare, sessions.takeAppended()) })
	if err != nil {
		return table, err
	}
	table.compare("turns of a session replica", "raw append of the same rows", rounds)
	engine, err := b.engine()
	table.rates("the engine alone", engine)
	table.note("batches of %d messages of %d contacts over %d shards; one replica has one connection, the engine one core",
		batchSize, people, shards)
	return table, err
}

// decide applies batch after batch, counts the time of the applying only, and
// returns the turns per second.
func decide(ctx context.Context, s *sessions, limit time.Duration) (float64, error) {
	count, took := 0, time.Duration(0)
	for took < limit {
		parts, err := s.batch()
		if err != nil {
			return 0, err
		}
		started := time.Now()
		if err := s.apply(ctx, parts); err != nil {
			return 0, err
		}
		took += time.Since(started)
		count += batchSize
	}
	return float64(count) / took.Seconds(), nil
}

// repeat appends what sessions have appended, and returns the turns per second.
func repeat(ctx context.Context, db *store.Store, batches [][]store.TurnPart) (float64, error) {
	count, started := 0, time.Now()
	for _, parts := range batches {
		held, err := db.AppendTurns(ctx, parts)
		if err == nil && len(held) != len(parts) {
			err = fmt.Errorf("%d of %d shards written", len(held), len(parts))
		}
		if err != nil {
			return 0, err
		}
		for _, part := range parts {
			count += len(part.Inbox)
		}
	}
	return float64(count) / time.Since(started).Seconds(), nil
}

// secondDatabase is one whose shards are leased as those of the first: with the same
// epochs, so that what was appended there can be appended here.
func (s *stage) secondDatabase(ctx context.Context, dsn string) (*store.Store, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE bare"); err != nil {
		return nil, err
	}
	second, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	second.Path = "/bare"
	db, err := s.open(ctx, second.String())
	if err != nil {
		return nil, err
	}
	_, err = lease(ctx, db)
	return db, err
}

// engine returns the turns per second of the pure engine in each round, on one core.
func (b *bench) engine() ([]float64, error) {
	const look = 1000 // turns between two looks at the clock
	source, err := fs.ReadFile(demoflows.Files, flowName+".yaml")
	if err != nil {
		return nil, err
	}
	f, err := flow.Parse(source)
	if err != nil {
		return nil, err
	}
	f = f.WithVersion(1)
	var inputs []*parleyv1.Input
	for _, text := range words {
		inputs = append(inputs, says(text))
	}
	rates := make([]float64, b.size.rounds)
	for i := range rates {
		_, state := flow.Turn(f, nil, flow.State{}, says("hi"))
		turns, started := 0, time.Now()
		for time.Since(started) < b.size.slice/3 {
			for range look {
				_, state = flow.Turn(f, f, state, inputs[turns%len(inputs)])
				turns++
			}
		}
		rates[i] = float64(turns) / time.Since(started).Seconds()
		if state.Status != flow.Active && state.Status != flow.Completed {
			return nil, fmt.Errorf("the engine left a session in status %d", state.Status)
		}
	}
	return rates, nil
}
