package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

const (
	// messagesUsual and messagesMost are the messages of a page; an export reads
	// them by exportPage.
	messagesUsual, messagesMost, exportPage = 100, 1000, 1000
	// rawPage is less: nobody says how large what a provider sends is.
	rawPage = 100
)

// messages answers what was said, the oldest first, or the newest with ?order=latest: a page as JSON, or all of a time
// as a file of JSON lines or CSV; with ?raw=1 also what the provider sent.
func (a *API) messages(w http.ResponseWriter, r *http.Request) {
	query, err := messageQuery(r.URL.Query())
	if err != nil {
		answer(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		query.Limit = limit(r, messagesUsual, messagesMost)
		if query.Raw {
			query.Limit = min(query.Limit, rawPage)
		}
		a.messagePage(w, r, query)
	case "jsonl":
		a.export(w, r, query, "application/jsonl", newJSONLines(w))
	case "csv":
		a.export(w, r, query, "text/csv; charset=utf-8", newTable(w, query.Raw))
	default:
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("format=%q: use json, jsonl or csv", format)})
	}
}

func (a *API) messagePage(w http.ResponseWriter, r *http.Request, query store.MessageQuery) {
	list, err := a.store.Messages(r.Context(), query)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	page := struct {
		Messages []store.Message `json:"messages"`
		// Next is what after= wants for the next page; empty if this was the last.
		Next string `json:"next"`
	}{Messages: list}
	if len(list) == query.Limit {
		page.Next = cursorOf(list[len(list)-1])
	}
	answer(w, http.StatusOK, page)
}

// lines writes messages to a file.
type lines interface {
	begin() error
	write(m store.Message) error
	// flush ends a page.
	flush() error
}

// export writes page after page. What goes wrong behind the first page can only be
// seen by the end that is missing, so the connection is cut.
func (a *API) export(w http.ResponseWriter, r *http.Request, query store.MessageQuery, contentType string, to lines) {
	query.Limit = exportPage
	if query.Raw {
		query.Limit = rawPage
	}
	started := false
	for {
		list, err := a.store.Messages(r.Context(), query)
		switch {
		case err != nil && !started:
			a.failed(w, r, err)
			return
		case err != nil:
			a.log.Error().Err(err).Str("route", r.Pattern).Msg("export cut off")
			panic(http.ErrAbortHandler)
		case !started:
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			started = true
			if to.begin() != nil {
				return
			}
		}
		for _, m := range list {
			if to.write(m) != nil {
				return // the client has gone
			}
		}
		// An export may take longer than an answer usually does.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
		if to.flush() != nil || len(list) < query.Limit {
			return
		}
		query.After = &list[len(list)-1]
	}
}

type jsonLines struct{ *json.Encoder }

func newJSONLines(w http.ResponseWriter) jsonLines { return jsonLines{json.NewEncoder(w)} }

func (jsonLines) begin() error                  { return nil }
func (l jsonLines) write(m store.Message) error { return l.Encode(m) }
func (jsonLines) flush() error                  { return nil }

type table struct {
	*csv.Writer
	raw bool
}

func newTable(w http.ResponseWriter, raw bool) table { return table{csv.NewWriter(w), raw} }

func (t table) begin() error {
	return t.row("raw", "at", "direction", "channel", "contact_id", "phone", "bsuid", "session_id", "flow", "kind", "body", "provider_id", "status")
}

// row writes a line; what the provider sent is its last column, if it is wanted.
func (t table) row(raw string, cells ...string) error {
	if t.raw {
		cells = append(cells, raw)
	}
	return t.Write(cells)
}

func (t table) write(m store.Message) error {
	return t.row(
		string(m.Raw), m.At.UTC().Format(time.RFC3339Nano), m.Direction, m.Channel, m.Contact.String(), m.Phone, m.BSUID, strconv.FormatUint(m.SessionID, 10),
		m.Flow, cell(m.Kind), cell(m.Body), cell(m.ProviderID), m.Status,
	)
}

func (t table) flush() error {
	t.Flush()
	return t.Error()
}

// cell keeps a spreadsheet from taking what a person wrote for a formula.
// Source: OWASP, "CSV Injection".
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// messageQuery reads the query: every parameter is optional.
func messageQuery(q url.Values) (store.MessageQuery, error) {
	query := store.MessageQuery{Contact: strings.TrimPrefix(q.Get("contact"), "+"), Channel: q.Get("channel"), From: time.Unix(0, 0), To: time.Now().AddDate(1, 0, 0)}
	for name, at := range map[string]*time.Time{"from": &query.From, "to": &query.To} {
		value := q.Get(name)
		if value == "" {
			continue
		}
		parsed, err := time.Parse(time.RFC3339, value)
		if err != nil {
			parsed, err = time.Parse(time.DateOnly, value)
		}
		if err != nil || parsed.Year() < 1 {
			return query, fmt.Errorf("%s=%q is not a time: use a day such as 2026-11-22, or 2026-11-22T08:00:00Z", name, value)
		}
		*at = parsed
	}
	switch raw := q.Get("raw"); raw {
	case "", "0":
	case "1":
		query.Raw = true
	default:
		return query, fmt.Errorf("raw=%q: use 1 to see what the provider sent", raw)
	}
	switch order := q.Get("order"); order {
	case "", "oldest":
	case "latest":
		query.Latest = true
	default:
		return query, fmt.Errorf("order=%q: use oldest or latest", order)
	}
	if value := q.Get("after"); value != "" {
		after, ok := readCursor(value)
		if !ok {
			return query, fmt.Errorf("after=%q is not the next of a page", value)
		}
		query.After = &after
	}
	return query, nil
}

// cursorOf names the place behind a message.
func cursorOf(m store.Message) string {
	return fmt.Sprintf("%d.%d.%d", m.At.UnixMicro(), m.Shard, m.Offset)
}

func readCursor(value string) (m store.Message, ok bool) {
	var micros int64
	_, err := fmt.Sscanf(value, "%d.%d.%d", &micros, &m.Shard, &m.Offset)
	m.At = time.UnixMicro(micros)
	return m, err == nil && cursorOf(m) == value
}
