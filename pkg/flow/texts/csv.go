package texts

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The columns of a CSV file before the languages.
const (
	idColumn    = "id"
	limitColumn = "characters_max"
	slotsColumn = "slots"
)

// CSV writes the texts with a column for each language.
func CSV(c Catalog) []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(append([]string{idColumn, limitColumn, slotsColumn}, c.Languages...)) // a Builder takes everything
	for _, e := range c.Entries {
		limit := ""
		if e.CharactersMax > 0 {
			limit = strconv.Itoa(e.CharactersMax)
		}
		var slots []string
		for _, s := range e.Slots {
			slots = append(slots, "{"+s.Name+"}")
		}
		row := []string{e.ID, limit, strings.Join(slots, " ")}
		for _, lang := range c.Languages {
			row = append(row, e.Texts[lang])
		}
		_ = w.Write(row)
	}
	w.Flush()
	return []byte(b.String())
}

// ReadCSV reads a CSV file with the column id and one for each language; source is
// the language that was translated from. Spreadsheets of some countries write ; for
// the comma. The error names the line.
func ReadCSV(data []byte, source string) ([]Translation, error) {
	body := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	r := csv.NewReader(strings.NewReader(body))
	if head, _, _ := strings.Cut(body, "\n"); strings.Count(head, ";") > strings.Count(head, ",") {
		r.Comma = ';'
	}
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("line 1: the columns cannot be read: %w", err)
	}
	id, from := slices.Index(head, idColumn), slices.Index(head, source)
	if id < 0 || from < 0 {
		return nil, fmt.Errorf("line 1: the columns are %s: there must be %s and %s", strings.Join(head, ", "), idColumn, source)
	}
	rows, lines, err := readRows(r, int64(len(body)))
	if err != nil {
		return nil, err
	}
	var all []Translation
	for i, row := range rows {
		row = append(row, make([]string, max(0, len(head)-len(row)))...)
		for column, lang := range head {
			if slices.Contains([]string{idColumn, limitColumn, slotsColumn, ""}, lang) || row[id] == "" {
				continue
			}
			all = append(all, Translation{ID: row[id], Language: lang, Source: row[from], Text: row[column], Line: lines[i]})
		}
	}
	return all, nil
}

// readRows reads what is left of a file, with the lines on which the rows begin.
func readRows(r *csv.Reader, size int64) (rows [][]string, lines []int, err error) {
	for r.InputOffset() < size {
		row, err := r.Read()
		if err != nil {
			return nil, nil, fmt.Errorf("the table cannot be read: %w", err)
		}
		line, _ := r.FieldPos(0)
		rows, lines = append(rows, row), append(lines, line)
	}
	return rows, lines, nil
}
