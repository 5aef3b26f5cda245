package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/flow"
)

// towns is a table whose values are what an SQL statement, or JSON, put together by hand would choke on.
var towns = [][]string{
	{"Rome", "IT", "1"}, {"Bern", "CH", "2"}, {"Turin", "IT", ""}, {`O'Fallon "x" \`, "US", "4"}, {"東京", "JP", "5"}, {"Rome", "US", "6"},
}

var townColumns = []string{"town", "country", `zip'"code`}

func importTable(t testing.TB, s *Store, name string, columns []string, rows [][]string) bool {
	t.Helper()
	changed, err := s.ImportTable(t.Context(), name, columns, rows)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// look returns the first column of what a look-up finds.
func look(t testing.TB, s *Store, table, column string, limit uint32, where map[string]string) (values []string) {
	t.Helper()
	found, err := s.LookupRows(t.Context(), flow.Lookup{Table: table, Where: where, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range found {
		var row map[string]string
		if err := json.Unmarshal(data, &row); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		values = append(values, row[column])
	}
	return values
}

func TestLookupRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	importTable(t, s, "towns", townColumns, towns)
	importTable(t, s, "others", townColumns, [][]string{{"Milan", "IT", "7"}})
	for _, c := range []struct {
		where map[string]string
		limit uint32
		want  []string
	}{
		{nil, 0, []string{"Rome", "Bern", "Turin", `O'Fallon "x" \`, "東京", "Rome"}},
		{nil, 2, []string{"Rome", "Bern"}},
		{map[string]string{"country": "IT"}, 10, []string{"Rome", "Turin"}},
		{map[string]string{"country": "IT"}, 1, []string{"Rome"}},
		{map[string]string{"country": "IT", "town": "Turin"}, 10, []string{"Turin"}},
		{map[string]string{`zip'"code`: ""}, 10, []string{"Turin"}},
		{map[string]string{`zip'"code`: "4"}, 10, []string{`O'Fallon "x" \`}},
		{map[string]string{"town": `O'Fallon "x" \`}, 10, []string{`O'Fallon "x" \`}},
		{map[string]string{"town": "東京"}, 10, []string{"東京"}},
		{map[string]string{"town": "rome"}, 10, nil},
		{map[string]string{"town": "Rome\x00"}, 10, nil},
		{map[string]string{"town": "\xff"}, 10, nil},
		{map[string]string{"no column": "IT"}, 10, nil},
	} {
		if got := look(t, s, "towns", "town", c.limit, c.where); !slices.Equal(got, c.want) {
			t.Errorf("where %q, at most %d: %q, want %q", c.where, c.limit, got, c.want)
		}
	}
	for _, where := range []map[string]string{nil, {"country": "IT"}, {"country": "\x00"}} {
		if _, err := s.LookupRows(t.Context(), flow.Lookup{Table: "nobody's", Where: where}); !errors.Is(err, ErrNoTable) {
			t.Errorf("in no table, where %q: %v, want ErrNoTable", where, err)
		}
	}
}

func TestLookupRowsLimit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var rows [][]string
	for i := range LookupRowsMax + 100 {
		rows = append(rows, []string{fmt.Sprint(i), "all"})
	}
	importTable(t, s, "many", []string{"n", "of"}, rows)
	for _, limit := range []uint32{0, LookupRowsMax, LookupRowsMax + 1, 1<<32 - 1} {
		for _, where := range []map[string]string{nil, {"of": "all"}} {
			got := look(t, s, "many", "n", limit, where)
			if len(got) != LookupRowsMax || got[0] != "0" || got[LookupRowsMax-1] != fmt.Sprint(LookupRowsMax-1) {
				t.Errorf("limit %d: %d rows from %s to %s", limit, len(got), got[0], got[len(got)-1])
			}
		}
	}
}

func TestImportTable(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if list, err := s.Tables(t.Context()); err != nil || list == nil || len(list) != 0 {
		t.Errorf("tables at first: %v, %v", list, err)
	}
	less := towns[1:3]
	for i, c := range []struct {
		columns []string
		rows    [][]string
		changed bool
	}{
		{townColumns, towns, true},
		{townColumns, towns, false},
		{townColumns, less, true}, // fewer rows: none of before is left
		{[]string{"town", "country", "zip"}, less, true},
		{[]string{"town", "country", "zip"}, less, false},
		{townColumns, nil, true}, // an empty table is one
		{townColumns, [][]string{}, false},
	} {
		before := updatedAt(t, s)
		if changed := importTable(t, s, "towns", c.columns, c.rows); changed != c.changed {
			t.Errorf("import %d: changed %v, want %v", i, changed, c.changed)
		}
		list, err := s.Tables(t.Context())
		if err != nil || len(list) != 1 || list[0].Name != "towns" || !slices.Equal(list[0].Columns, c.columns) || list[0].Rows != len(c.rows) {
			t.Errorf("import %d: tables %+v, %v", i, list, err)
		}
		if moved := !updatedAt(t, s).Equal(before); moved != c.changed {
			t.Errorf("import %d: time of the update moved: %v", i, moved)
		}
		if got := look(t, s, "towns", "town", 0, nil); len(got) != len(c.rows) {
			t.Errorf("import %d: %q", i, got)
		}
	}
}

func updatedAt(t *testing.T, s *Store) time.Time {
	return value[time.Time](t, s, `SELECT COALESCE(max(updated_at), 'epoch') FROM tables`)
}

func TestImportTableRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	importTable(t, s, "towns", townColumns, towns)
	for says, c := range map[string]struct {
		name    string
		columns []string
		rows    [][]string
	}{
		"need a name":           {"", townColumns, nil},
		"each of its columns":   {"towns", []string{"a", ""}, nil},
		"a table and each":      {"towns", nil, nil},
		"same name":             {"towns", []string{"a", "b", "a"}, nil},
		"row 2 has 1 values":    {"towns", []string{"a", "b"}, [][]string{{"1", "2"}, {"3"}}},
		"100000 is the limit":   {"towns", []string{"a"}, make([][]string, TableRowsMax+1)},
		"22P05":                 {"towns", []string{"a"}, [][]string{{"fine"}, {"a\x00b"}}},
		"invalid byte sequence": {"to\x00wns", []string{"a"}, nil},
	} {
		changed, err := s.ImportTable(t.Context(), c.name, c.columns, c.rows)
		if changed || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v; want an error that says %q", changed, err, says)
		}
	}
	if got := look(t, s, "towns", "town", 0, nil); len(got) != len(towns) {
		t.Errorf("refused imports left %q", got)
	}
}

// TestImportTableAtOnce replaces a table again and again while others import it too and look things up: they find one whole content.
func TestImportTableAtOnce(t *testing.T) {
	t.Parallel()
	const rounds, size = 10, 150
	s := newStore(t)
	content := func(n int) (rows [][]string) {
		for range size {
			rows = append(rows, []string{fmt.Sprint(n), "x"})
		}
		return rows
	}
	importTable(t, s, "t", []string{"n", "x"}, content(0))
	ctx, stop := context.WithCancel(t.Context())
	var imports, readers errgroup.Group
	for i := range 2 {
		imports.Go(func() error {
			for round := range rounds {
				if _, err := s.ImportTable(ctx, "t", []string{"n", "x"}, content(2*round+i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	readers.Go(func() error {
		for ctx.Err() == nil {
			if got := look(t, s, "t", "n", 0, map[string]string{"x": "x"}); len(slices.Compact(got)) != 1 {
				return fmt.Errorf("a mixture: %q", got)
			}
		}
		return nil
	})
	err := imports.Wait()
	stop()
	if err := errors.Join(err, readers.Wait()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, s, `SELECT count(*) FROM table_rows`); n != size {
		t.Errorf("%d rows, want %d", n, size)
	}
}
