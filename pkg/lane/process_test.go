package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parleyhq/parley/pkg/store"
)

// scripted is a handler without a database, whose messages say what becomes of them: "refused" fails for a reason of its own, "lost"
// without a known outcome, "fenced" belongs to somebody else by now, "sticky" cannot even be parked.
type scripted struct{ calls []string }

var (
	errRefused = fmt.Errorf("apply: %w", &pgconn.PgError{Code: "22021"})
	errLost    = errors.New("connection lost")
)

func (s *scripted) Take(context.Context, store.Lease) error { return nil }
func (s *scripted) Drop(int)                                {}

func (s *scripted) Apply(_ context.Context, parts []Part) (held []int, err error) {
	call := "apply"
	for _, part := range parts {
		call += fmt.Sprintf(" %d(%d-%d)", part.Fence.Shard, part.Fence.From, part.Fence.To)
		fenced := false
		for _, m := range part.Messages {
			switch string(m.Data) {
			case "lost":
				err = errLost
			case "refused", "sticky":
				err = errRefused
			case "fenced":
				fenced = true
			}
		}
		if !fenced {
			held = append(held, part.Fence.Shard)
		}
	}
	s.calls = append(s.calls, call)
	if err != nil {
		return nil, err
	}
	return held, nil
}

func (s *scripted) Park(_ context.Context, part Part, cause error) (bool, error) {
	s.calls = append(s.calls, fmt.Sprintf("park %d(%d-%d)", part.Fence.Shard, part.Fence.From, part.Fence.To))
	if !errors.Is(cause, errRefused) || string(part.Messages[0].Data) == "sticky" {
		return false, errLost
	}
	return true, nil
}

// partOf is a shard's part whose messages stand at 10, 20, ...
func partOf(shard int, texts ...string) Part {
	part := Part{Fence: store.Fence{Shard: shard, Epoch: 3, From: 5}}
	for i, text := range texts {
		part.Fence.To = uint64(i+1) * 10
		part.Messages = append(part.Messages, Message{Shard: shard, Pos: part.Fence.To, Data: []byte(text)})
	}
	return part
}

func TestProcess(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []Part
		held  []int
		err   error
		calls []string
	}{
		{"good", []Part{partOf(1, "a", "b"), partOf(2, "c")}, []int{1, 2}, nil, []string{"apply 1(5-20) 2(5-10)"}},
		{"fenced", []Part{partOf(1, "fenced"), partOf(2, "c")}, []int{2}, nil, []string{"apply 1(5-10) 2(5-10)"}},
		{"lost", []Part{partOf(1, "a"), partOf(2, "lost")}, nil, errLost, []string{"apply 1(5-10) 2(5-10)"}},
		{
			"one refused",
			[]Part{partOf(1, "a", "refused", "b"), partOf(2, "c")},
			[]int{1, 2},
			nil,
			[]string{"apply 1(5-30) 2(5-10)", "apply 1(5-10)", "apply 1(10-20)", "park 1(10-20)", "apply 1(20-30)", "apply 2(5-10)"},
		},
		{
			"fenced while one by one",
			[]Part{partOf(1, "refused", "fenced", "b"), partOf(2, "c")},
			[]int{2},
			nil,
			[]string{"apply 1(5-30) 2(5-10)", "apply 1(5-10)", "park 1(5-10)", "apply 1(10-20)", "apply 2(5-10)"},
		},
		{
			"lost while one by one",
			[]Part{partOf(1, "refused"), partOf(2, "c", "refused", "sticky", "d")},
			[]int{1},
			errLost,
			[]string{"apply 1(5-10) 2(5-40)", "apply 1(5-10)", "park 1(5-10)", "apply 2(5-10)", "apply 2(10-20)", "park 2(10-20)", "apply 2(20-30)", "park 2(20-30)"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			handler := &scripted{}
			held, err := Process(t.Context(), handler, c.parts)
			if !slices.Equal(held, c.held) || !errors.Is(err, c.err) || !slices.Equal(handler.calls, c.calls) {
				t.Errorf("held %v, %v\n%q, want held %v, %v\n%q", held, err, handler.calls, c.held, c.err, c.calls)
			}
		})
	}
}
