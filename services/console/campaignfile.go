package console

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
)

// problemsShown is how many problems of a file are listed; all are counted.
const problemsShown = 100

// Columns of a file of contacts. Every other one is a slot of the flow.
const (
	columnPhone    = "phone"
	columnBSUID    = "bsuid"
	columnName     = "name"
	columnLanguage = "language"
)

// plausible is a value of each type that a cell can hold.
var plausible = map[string]any{"text": "x", "number": 1.0, "boolean": true, "date": "2026-12-24", "time": "15:30"}

// rowProblem is what is wrong at a line of a file.
type rowProblem struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// callFile reads contacts, and all that is wrong with them.
type callFile struct {
	check    *callCheck
	columns  []string
	slots    []string // those of the columns that are slots
	contacts []store.CampaignContact
	seen     map[string]int // line by phone or user id
	problems []rowProblem
	count    int
}

// read takes a file of contacts: a line that names the columns, and one for each contact.
// All problems are reported together, and then nothing is taken.
func (c *callCheck) read(text string) ([]store.CampaignContact, error) {
	f := &callFile{check: c, seen: map[string]int{}}
	text = strings.TrimPrefix(text, "\ufeff")
	head, _, _ := strings.Cut(text, "\n")
	table := csv.NewReader(strings.NewReader(text))
	table.FieldsPerRecord = -1
	if strings.Contains(head, ";") && !strings.Contains(head, ",") { // as spreadsheets write it where the comma is in numbers
		table.Comma = ';'
	}
	for len(f.contacts) <= contactsMax && f.count <= contactsMax {
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.broken(err)
			break
		}
		line, _ := table.FieldPos(0)
		if f.columns == nil {
			f.header(line, cells)
		} else {
			f.row(line, cells)
		}
	}
	return f.contacts, f.verdict()
}

// verdict refuses the file if anything is wrong with it.
func (f *callFile) verdict() error {
	if f.count == 0 && len(f.contacts) == 0 {
		f.wrong(1, "there are no contacts: give a line that names the columns, and one for each contact")
	}
	if n := len(f.contacts); n > contactsMax {
		f.wrong(f.contacts[n-1].Line, fmt.Sprintf("there are more than %d contacts: make several campaigns", contactsMax))
	}
	if f.count == 0 {
		return nil
	}
	refused := refuse(http.StatusUnprocessableEntity, "%d problems with the contacts: nothing was made", f.count)
	if f.count == 1 {
		refused.Message = "a problem with the contacts: nothing was made"
	}
	refused.Problems = f.problems
	return refused
}

func (f *callFile) wrong(line int, message string) {
	if f.count++; len(f.problems) < problemsShown {
		f.problems = append(f.problems, rowProblem{line, message})
	}
}

func (f *callFile) broken(err error) {
	line := 1
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		line, err = parse.Line, parse.Err
	}
	f.wrong(line, fmt.Sprintf("this is no CSV from here on: %v", err))
}

// header reads the names of the columns.
func (f *callFile) header(line int, cells []string) {
	f.columns = make([]string, len(cells))
	for i, cell := range cells {
		name := strings.TrimSpace(cell)
		f.columns[i] = name
		kind, known := f.check.slots[name]
		switch {
		case slices.Contains(f.columns[:i], name):
			f.wrong(line, fmt.Sprintf("column %q is here twice", name))
		case slices.Contains([]string{columnPhone, columnBSUID, columnName, columnLanguage}, name):
		case !known && slices.Contains(f.check.columns, name): // for the template alone
		case !known:
			f.wrong(line, fmt.Sprintf("column %q is no slot of flow %s, and the template does not name it: columns are phone, bsuid, name, language, and slots that have a default", name, f.check.flow.Name()))
		case plausible[kind] == nil:
			f.wrong(line, fmt.Sprintf("slot %q is a %s, which no cell can hold: leave the column out", name, kind))
		case f.check.fits(map[string]any{name: plausible[kind]}) != "":
			f.wrong(line, fmt.Sprintf("slot %q has no default, and is not set at the start: leave the column out, or give the slot a default in the flow", name))
		default:
			f.slots = append(f.slots, name)
		}
	}
	if !slices.Contains(f.columns, columnPhone) && !slices.Contains(f.columns, columnBSUID) {
		f.wrong(line, "there is no column phone (or bsuid): the first line names the columns")
	}
	for _, name := range f.check.columns {
		if !slices.Contains(f.columns, name) {
			f.wrong(line, fmt.Sprintf("the template names column %q, which the file does not have", name))
		}
	}
}

// row reads one contact. An empty line is none.
func (f *callFile) row(line int, cells []string) {
	if len(cells) != len(f.columns) {
		f.wrong(line, fmt.Sprintf("%d cells, and %d columns", len(cells), len(f.columns)))
		return
	}
	named := map[string]string{}
	for i, cell := range cells {
		named[f.columns[i]] = strings.TrimSpace(cell)
	}
	before := f.count
	contact := store.CampaignContact{Line: line, Phone: digitsOf(named[columnPhone]), BSUID: named[columnBSUID], Name: named[columnName], Language: named[columnLanguage]}
	f.person(contact, named[columnPhone])
	values := f.values(line, named)
	for _, name := range f.check.columns {
		if named[name] == "" && slices.Contains(f.columns, name) {
			f.wrong(line, fmt.Sprintf("%s is empty, and the template needs it", name))
		}
	}
	if f.count > before {
		return
	}
	var err error
	if contact.Slots, err = json.Marshal(values); err == nil && f.check.template != nil {
		template := proto.CloneOf(f.check.template)
		fill(template, named)
		contact.Template, err = proto.Marshal(template)
	}
	if err != nil {
		f.wrong(line, fmt.Sprintf("what stands here cannot be kept: %v", err))
		return
	}
	f.contacts = append(f.contacts, contact)
}

// person says what is wrong with who is named.
func (f *callFile) person(c store.CampaignContact, phone string) {
	switch {
	case phone == "" && c.BSUID == "":
		f.wrong(c.Line, "there is no phone and no bsuid")
	case phone != "" && !phoneDigits.MatchString(c.Phone):
		f.wrong(c.Line, "phone is no phone number: write its digits with the country code")
	}
	for _, id := range []string{c.Phone, c.BSUID} {
		if first := f.seen[id]; id != "" && first > 0 {
			f.wrong(c.Line, fmt.Sprintf("the same person as in line %d", first))
		}
		f.seen[id] = c.Line
	}
	if c.Language != "" && !f.check.speaks(c.Language) {
		f.wrong(c.Line, fmt.Sprintf("the flow does not speak %q: it has %s", c.Language, strings.Join(f.check.spoken, ", ")))
	}
	for _, word := range []struct{ field, value string }{{columnBSUID, c.BSUID}, {columnName, c.Name}, {columnLanguage, c.Language}} {
		if err := checkWords(word.field, word.value, nameCharactersMax); err != nil {
			f.wrong(c.Line, err.Error())
		}
	}
}

// values reads the cells that are slots. An empty cell leaves the slot as it is.
func (f *callFile) values(line int, named map[string]string) map[string]any {
	values := map[string]any{}
	for _, name := range f.slots {
		cell := named[name]
		if cell == "" {
			continue
		}
		values[name] = cell
		switch f.check.slots[name] {
		case "number":
			if n, err := strconv.ParseFloat(cell, 64); err == nil {
				values[name] = n
			}
		case "boolean":
			if b, err := strconv.ParseBool(strings.ToLower(cell)); err == nil {
				values[name] = b
			}
		}
	}
	if wrong := f.check.fits(values); wrong != "" {
		f.wrong(line, wrong)
	}
	return values
}

// digitsOf is a phone number without what people write around its digits.
func digitsOf(phone string) string {
	phone = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "\u00a0", "").Replace(phone)
	if rest, found := strings.CutPrefix(phone, "+"); found {
		return rest
	}
	return strings.TrimPrefix(phone, "00")
}
