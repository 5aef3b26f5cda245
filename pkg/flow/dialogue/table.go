package dialogue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Table holds the rows of a table of allowed values, by the names of the columns.
type Table []map[string]string

// ParseTable reads rows of comma-separated values. The first line names the
// columns. A value with a comma stands in double quotes, and a quote in it twice.
func ParseTable(source string) (Table, error) {
	var columns []string
	var table Table
	for i, line := range strings.Split(strings.TrimPrefix(source, "\ufeff"), "\n") {
		line = strings.TrimRight(line, " \r")
		if line == "" {
			continue
		}
		cells, err := cellsOf(line)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		case columns == nil:
			columns = cells
		case len(cells) != len(columns):
			return nil, fmt.Errorf("line %d has %d values, the first line names %d columns", i+1, len(cells), len(columns))
		default:
			table = append(table, rowOf(columns, cells))
		}
	}
	if columns == nil {
		return nil, errors.New("the table is empty: name its columns in the first line")
	}
	return table, nil
}

func rowOf(columns, cells []string) map[string]string {
	row := make(map[string]string, len(columns))
	for i, column := range columns {
		row[column] = cells[i]
	}
	return row
}

func cellsOf(line string) ([]string, error) {
	var cells []string
	for {
		cell, after, err := cellOf(line)
		if err != nil {
			return nil, err
		}
		cells = append(cells, cell)
		if after == "" {
			return cells, nil
		}
		line = after[1:]
	}
}

// cellOf reads a value; after is empty, or begins with the comma.
func cellOf(line string) (cell, after string, err error) {
	if !strings.HasPrefix(line, `"`) {
		end := strings.IndexByte(line, ',')
		if end < 0 {
			return strings.TrimSpace(line), "", nil
		}
		return strings.TrimSpace(line[:end]), line[end:], nil
	}
	for end := 1; end < len(line); end++ {
		if line[end] != '"' {
			continue
		}
		if end+1 < len(line) && line[end+1] == '"' {
			end++
			continue
		}
		if after = line[end+1:]; after != "" && after[0] != ',' {
			return "", "", fmt.Errorf("after the quotes comes %q, not a comma", after)
		}
		return strings.ReplaceAll(line[1:end], `""`, `"`), after, nil
	}
	return "", "", fmt.Errorf("%s: the quotes do not end", line)
}

// find returns the rows whose columns have these values, at most limit.
func (t Table) find(where map[string]string, limit int) []map[string]string {
	var found []map[string]string
	for _, row := range t {
		if len(found) < limit && matches(row, where) {
			found = append(found, row)
		}
	}
	return slices.Clip(found)
}

func matches(row, where map[string]string) bool {
	for column, value := range where {
		if got, ok := row[column]; !ok || got != value {
			return false
		}
	}
	return true
}
