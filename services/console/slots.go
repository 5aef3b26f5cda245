package console

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	slotsUsual, slotsMost = 200, 10_000
	// slotsBytesMax is the size of the largest import: about 100,000 slots.
	slotsBytesMax = 8 << 20
	// slotDays is how far a list goes if nothing is said.
	slotDays = 14
)

// slots lists slots, and bookings what was booked: in the order of time, as JSON or CSV.
func (a *API) slots(w http.ResponseWriter, r *http.Request) {
	filter, err := slotFilter(r)
	if err != nil {
		a.refused(w, r, err)
		return
	}
	list, err := a.store.Slots(r.Context(), filter)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answerList(w, r, "slots", list, []string{"id", "service", "calendar", "day", "time", "starts_at", "ends_at", "capacity", "booked", "closed"}, func(s store.SlotInfo) []string {
		return []string{
			s.ID, s.Service, s.Calendar, s.Day, s.Time, s.StartsAt.Format(time.RFC3339), s.EndsAt.Format(time.RFC3339),
			strconv.Itoa(s.Capacity), strconv.Itoa(s.Booked), strconv.FormatBool(s.Closed),
		}
	})
}

func (a *API) bookings(w http.ResponseWriter, r *http.Request) {
	filter, err := slotFilter(r)
	if err != nil {
		a.refused(w, r, err)
		return
	}
	list, err := a.store.Bookings(r.Context(), filter)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answerList(w, r, "bookings", list, []string{"id", "state", "places", "phone", "name", "contact", "channel", "slot", "service", "calendar", "day", "time", "created_at"}, func(b store.BookingInfo) []string {
		return []string{
			b.ID, string(b.State), strconv.Itoa(b.Places), b.Phone, b.Name, b.Contact, b.Channel, b.Slot, b.Service, b.Calendar,
			b.Day, b.Time, b.CreatedAt.UTC().Format(time.RFC3339),
		}
	})
}

// answerList answers a list as an object with one field, or as CSV. What a spreadsheet would
// take for a formula is written as text.
func answerList[T any](w http.ResponseWriter, r *http.Request, name string, list []T, columns []string, row func(T) []string) {
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		answer(w, http.StatusOK, map[string]any{name: list})
		return
	case "csv":
	default:
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("format=%q: use json or csv", format)})
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	table := csv.NewWriter(w)
	_ = table.Write(columns)
	for _, each := range list {
		cells := row(each)
		for c := range cells {
			cells[c] = cell(cells[c])
		}
		_ = table.Write(cells)
	}
	table.Flush()
}

func slotFilter(r *http.Request) (f store.SlotFilter, err error) {
	q := r.URL.Query()
	f = store.SlotFilter{Service: q.Get("service"), Calendar: q.Get("calendar"), Limit: limit(r, slotsUsual, slotsMost)}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if f.From, err = dayOf(q, "from", today); err != nil {
		return f, err
	}
	f.To, err = dayOf(q, "to", f.From.AddDate(0, 0, slotDays))
	return f, err
}

func dayOf(q url.Values, name string, otherwise time.Time) (time.Time, error) {
	value := q.Get(name)
	if value == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, value); err == nil {
			return at, nil
		}
	}
	return otherwise, refuse(http.StatusBadRequest, "%s=%q: write 2026-12-04, or a time such as 2026-12-04T15:30:00Z", name, value)
}

// importSlots takes slots that are made elsewhere: CSV with the columns service,
// calendar, start, minutes, capacity. Starts without a zone are in that of zone=.
func (a *API) importSlots(w http.ResponseWriter, r *http.Request) {
	body, err := readText(w, r, slotsBytesMax)
	if err != nil {
		a.refused(w, r, err)
		return
	}
	slots, err := slotRows(body, r.URL.Query().Get("zone"))
	if err != nil {
		a.refused(w, r, err)
		return
	}
	changed, err := a.store.ImportSlots(r.Context(), slots)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]int{"slots": len(slots), "changed": changed})
}

// readText reads a body that is no JSON.
func readText(w http.ResponseWriter, r *http.Request, bytesMax int64) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bytesMax))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes: send less", large.Limit)
	case err != nil:
		return "", refuse(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return string(body), nil
}

var importColumns = []string{"service", "calendar", "start", "minutes", "capacity"}

// slotRows reads all rows, or says what is wrong with the first that is.
func slotRows(body, zoneName string) ([]hours.Slot, error) {
	zone, err := time.LoadLocation(zoneName)
	if err != nil || zoneName == "Local" {
		return nil, refuse(http.StatusBadRequest, "zone=%q is no time zone: write one such as Europe/Madrid", zoneName)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(body, "\ufeff"))).ReadAll()
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body is no CSV: %v", err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], importColumns) {
		return nil, refuse(http.StatusBadRequest, "the first line must be %s", strings.Join(importColumns, ","))
	}
	slots := make([]hours.Slot, len(rows)-1)
	seen := map[string]bool{}
	for i, row := range rows[1:] {
		if slots[i], err = slotRow(row, zone); err == nil && seen[slots[i].ID] {
			err = errors.New("this slot is here twice")
		}
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "line %d: %v", i+2, err)
		}
		seen[slots[i].ID] = true
	}
	return slots, nil
}

func slotRow(row []string, zone *time.Location) (s hours.Slot, err error) {
	start, err := time.Parse(time.RFC3339, row[2])
	if err != nil {
		if start, err = time.ParseInLocation("2006-01-02 15:04", row[2], zone); err != nil {
			return s, fmt.Errorf("start is %q: write 2026-12-04 15:30, or 2026-12-04T15:30:00+01:00", row[2])
		}
	}
	minutes, err := strconv.Atoi(row[3])
	if err != nil || minutes < 1 || minutes > 24*60 {
		return s, fmt.Errorf("minutes is %q: write 1 to 1440", row[3])
	}
	capacity, err := strconv.Atoi(row[4])
	if err != nil || capacity < 1 || capacity > hours.CapacityMax {
		return s, fmt.Errorf("capacity is %q: write 1 to %d", row[4], hours.CapacityMax)
	}
	if err := errors.Join(hours.CheckServiceName(row[0]), hours.CheckCalendarName(row[1])); err != nil {
		return s, err
	}
	return hours.At(row[0], row[1], start, time.Duration(minutes)*time.Minute, zone, capacity), nil
}

// saveHours takes the opening hours of a service, as slots/SERVICE.yaml has them, and
// makes its slots.
func (a *API) saveHours(w http.ResponseWriter, r *http.Request) {
	body, err := readText(w, r, hours.SourceBytesMax+1)
	if err != nil {
		a.refused(w, r, err)
		return
	}
	rules, err := hours.Parse([]byte(body), time.LoadLocation)
	if err != nil {
		answer(w, http.StatusUnprocessableEntity, problem{err.Error()})
		return
	}
	changed, err := a.store.SaveRules(r.Context(), []byte(body), time.Now())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"service": rules.Service, "changed": changed})
}

// changeBooking orders a booking to be cancelled, or moved to another slot. It is done
// in the lane of the person: the answer says that it is on its way.
func (a *API) changeBooking(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		order := &parleyv1.ResourceOrder{Verb: verb}
		if verb == flow.VerbReschedule {
			var body struct {
				Slot string `json:"slot"`
			}
			err := readBody(w, r, 4<<10, "slot", &body)
			if err == nil && body.Slot == "" {
				err = refuse(http.StatusBadRequest, "slot is missing: give the id of the slot that the booking moves to")
			}
			if err != nil {
				a.refused(w, r, err)
				return
			}
			order.Slot = body.Slot
		}
		id, err := uuid.Parse(r.PathValue("id"))
		if err != nil {
			answer(w, http.StatusNotFound, problem{"no such booking; GET /api/v1/bookings lists them"})
			return
		}
		b, ok, err := a.store.Booking(r.Context(), id)
		switch {
		case err != nil:
			a.failed(w, r, err)
			return
		case !ok || b.LaneKey == "":
			answer(w, http.StatusNotFound, problem{"no such booking; GET /api/v1/bookings lists them"})
			return
		case !b.State.Active():
			answer(w, http.StatusConflict, problem{fmt.Sprintf("the booking is %s", b.State)})
			return
		}
		order.Booking = b.ID
		a.orderResource(w, r, order, &parleyv1.Envelope{Channel: b.Channel, Portfolio: b.Portfolio, LaneKey: b.LaneKey})
	}
}
