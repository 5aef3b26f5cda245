package main

import (
	"testing"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// TestTurnsAreWhatTheyClaim applies every turn of the dialogue to a real database:
// each message must start or continue a session and queue a reply, or the figures
// would be those of messages that are put aside.
func TestTurnsAreWhatTheyClaim(t *testing.T) {
	dsn := pgtest.New(t, store.Migrate)
	db, err := store.Open(t.Context(), dsn, poolSize, "bench test")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// Each says hi, everything after it, and the first words again.
	const crowd, batches = batchSize, 7
	s, err := newSessions(t.Context(), db, crowd)
	if err != nil {
		t.Fatal(err)
	}
	replies, rejected, completed, cancelled := 0, 0, 0, 0
	for range batches {
		parts, err := s.batch()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.apply(t.Context(), parts); err != nil {
			t.Fatal(err)
		}
		for _, part := range s.takeAppended()[0] {
			if len(part.DeadLetters) > 0 {
				t.Fatalf("dead letter: %s", part.DeadLetters[0].Reason)
			}
			for _, e := range part.Events {
				switch {
				case e.GetMessageQueued() != nil:
					replies++
				case e.GetAnswerRejected() != nil:
					rejected++
				case e.GetSessionCompleted() != nil:
					completed++
				case e.GetSessionCancelled() != nil:
					cancelled++
				}
			}
		}
	}
	if replies != batches*batchSize || rejected != crowd || completed != crowd || cancelled != crowd {
		t.Errorf("%d replies, %d rejected, %d completed, %d restarted; want %d and three times %d",
			replies, rejected, completed, cancelled, batches*batchSize, crowd)
	}
}
