package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow"
)

// ErrNoTable says that no table of that name was imported.
var ErrNoTable = errors.New("no such table")

const (
	// TableRowsMax is how many rows a table may have: 100,000 are imported in some
	// seconds, and a look-up whose condition half of them meet still takes a tenth
	// of one.
	TableRowsMax = 100_000
	// LookupRowsMax is how many rows a look-up returns at most.
	LookupRowsMax = 200
)

// Table is a table that flows look things up in.
type Table struct {
	Name      string    `json:"name"`
	Columns   []string  `json:"columns"`
	Rows      int       `json:"rows"`
	Digest    string    `json:"digest"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Tables lists them by name.
func (s *Store) Tables(ctx context.Context) ([]Table, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, columns, row_count, digest, updated_at FROM tables ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Table])
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return nonNil(list), nil
}

// ImportTable makes the rows the whole content of a table, at once: look-ups see
// all of the old one or all of the new one. changed is false if it was the same.
func (s *Store) ImportTable(ctx context.Context, name string, columns []string, rows [][]string) (changed bool, err error) {
	if err := checkTable(name, columns, rows); err != nil {
		return false, fmt.Errorf("import table %q: %w", name, err)
	}
	digest := tableDigest(columns, rows)
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Who imports the same table waits here for the others. Then nothing comes
		// back if the content is the same.
		tag, err := tx.Exec(ctx, `INSERT INTO tables AS t (name, columns, row_count, digest, updated_at) VALUES ($1, $2, $3, $4, now())
			ON CONFLICT (name) DO UPDATE SET columns = excluded.columns, row_count = excluded.row_count,
			       digest = excluded.digest, updated_at = excluded.updated_at
			 WHERE t.digest <> excluded.digest`, name, columns, len(rows), digest)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		changed = true
		return replaceRows(ctx, tx, name, columns, rows)
	})
	if err != nil {
		return false, fmt.Errorf("import table %q: %w", name, err)
	}
	return changed, nil
}

func checkTable(name string, columns []string, rows [][]string) error {
	if name == "" || len(columns) == 0 || slices.Contains(columns, "") {
		return errors.New("a table and each of its columns need a name")
	}
	sorted := slices.Sorted(slices.Values(columns))
	if len(slices.Compact(sorted)) < len(columns) {
		return errors.New("two columns have the same name")
	}
	if len(rows) > TableRowsMax {
		return fmt.Errorf("%d rows; %d is the limit", len(rows), TableRowsMax)
	}
	for i, row := range rows {
		if len(row) != len(columns) {
			return fmt.Errorf("row %d has %d values, the table %d columns", i+1, len(row), len(columns))
		}
	}
	return nil
}

func tableDigest(columns []string, rows [][]string) string {
	sum := sha256.New()
	lines := json.NewEncoder(sum) // texts and a hash: neither fails
	_ = lines.Encode(columns)
	for _, row := range rows {
		_ = lines.Encode(row)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func replaceRows(ctx context.Context, tx pgx.Tx, name string, columns []string, rows [][]string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM table_rows WHERE table_name = $1`, name); err != nil {
		return err
	}
	source := pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		object := make(map[string]string, len(columns))
		for c, column := range columns {
			object[column] = rows[i][c]
		}
		data, err := json.Marshal(object)
		return []any{name, int32(i + 1), data}, err
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"table_rows"}, []string{"table_name", "position", "data"}, source)
	return err
}

// lookupSQL hides the table's name from its index: the rows are found by their
// values, or the planner, which learns neither the values nor the sizes of the
// tables, may read a whole table for one row. They are sorted afterwards, so the
// index on positions is no way to them either.
const lookupSQL = `
WITH found AS MATERIALIZED (
	SELECT position, data FROM table_rows WHERE data @> $2::jsonb AND table_name || '' = $1)
SELECT data FROM found ORDER BY position LIMIT $3`

// firstRowsSQL is for look-ups without a condition, which all rows meet.
const firstRowsSQL = `SELECT data FROM table_rows WHERE table_name = $1 ORDER BY position LIMIT $2`

// LookupRows returns, as JSON objects in the table's order, the first rows that
// have all the values that the look-up asks for: at most Limit and LookupRowsMax.
// A Limit of 0 is none.
func (s *Store) LookupRows(ctx context.Context, l flow.Lookup) ([][]byte, error) {
	found, err := s.lookupRows(ctx, l)
	if err == nil && len(found) == 0 {
		err = s.checkTableKnown(ctx, l.Table)
	}
	if err != nil {
		return nil, fmt.Errorf("look up in table %q: %w", l.Table, err)
	}
	return found, nil
}

func (s *Store) lookupRows(ctx context.Context, l flow.Lookup) ([][]byte, error) {
	if holdsNUL(l.Where) {
		return nil, nil
	}
	limit := int32(LookupRowsMax)
	if l.Limit > 0 {
		limit = int32(min(l.Limit, LookupRowsMax))
	}
	var rows pgx.Rows
	var err error
	if len(l.Where) == 0 {
		rows, err = s.pool.Query(ctx, firstRowsSQL, l.Table, limit)
	} else {
		rows, err = s.pool.Query(ctx, lookupSQL, l.Table, l.Where, limit)
	}
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

// holdsNUL reports whether a value, which may be what a person typed, has the one
// character that PostgreSQL refuses: then no row has it.
func holdsNUL(where map[string]string) bool {
	for _, value := range where {
		if strings.Contains(value, "\x00") {
			return true
		}
	}
	return false
}

func (s *Store) checkTableKnown(ctx context.Context, name string) error {
	var known bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tables WHERE name = $1)`, name).Scan(&known)
	if err == nil && !known {
		err = ErrNoTable
	}
	return err
}
