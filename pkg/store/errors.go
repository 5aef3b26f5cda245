package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"
)

// ErrFenced says that the caller no longer owns the shard: nothing was written.
var ErrFenced = errors.New("fenced: the shard has another owner")

// errNotJSON says that a session holds what JSON has no word for.
var errNotJSON = errors.New("not JSON")

// Permanent reports whether err is the statement's own fault: the same values
// will fail again (a value out of range, text that an encoding refuses). Every
// other error, a lost connection or a deadlock, may go away by itself.
func Permanent(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if errors.Is(err, proto.Error) || errors.Is(err, errNotJSON) { // what cannot be encoded
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return false
	}
	switch pg.Code[:2] {
	case "21", "22", "23", "54": // cardinality, data, constraint, program limit
		return true
	}
	return false
}
