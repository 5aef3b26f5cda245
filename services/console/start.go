package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// startBytesMax bounds the body of a start.
	startBytesMax = 64 << 10
	// nameCharactersMax bounds what a start names: a channel, a person, a key.
	nameCharactersMax = 128
)

var phoneDigits = regexp.MustCompile(`^[1-9][0-9]{4,19}$`)

// startRequest is what POST /api/v1/flows/{flow}/start takes.
type startRequest struct {
	Channel string `json:"channel"`
	// Phone (digits) or BSUID says who.
	Phone    string         `json:"phone"`
	BSUID    string         `json:"bsuid"`
	Language string         `json:"language"`
	Slots    map[string]any `json:"slots"`
	// Key makes a repeated request for the same person the same one: it takes
	// effect once.
	Key string `json:"key"`
}

const startFields = "channel, phone (or bsuid), language, slots, key"

func readStart(w http.ResponseWriter, r *http.Request) (s startRequest, err error) {
	if err := readBody(w, r, startBytesMax, startFields, &s); err != nil {
		return s, err
	}
	header := r.Header.Get(idempotencyKey)
	if s.Key == "" {
		s.Key = header
	}
	switch {
	case header != "" && header != s.Key:
		err = refuse(http.StatusBadRequest, "key and the header Idempotency-Key differ: give one of them")
	case s.Channel == "":
		err = refuse(http.StatusBadRequest, "give channel, the business number's phone_number_id")
	case s.Phone == "" && s.BSUID == "":
		err = refuse(http.StatusBadRequest, "give phone or bsuid: who the flow is started for")
	case s.Phone != "" && !phoneDigits.MatchString(s.Phone):
		err = refuse(http.StatusBadRequest, "phone %q is no phone number: give its digits only, with the country code, without + and zeros before it", s.Phone)
	}
	return s, errors.Join(
		err, checkWords("channel", s.Channel, nameCharactersMax), checkWords("bsuid", s.BSUID, nameCharactersMax),
		checkWords("language", s.Language, nameCharactersMax), checkWords("key", s.Key, nameCharactersMax),
	)
}

// start begins a flow for a person, unless they are in a session already or have
// opted out. It takes its turn in the person's lane; the flow must have the entry
// api: true.
func (a *API) start(w http.ResponseWriter, r *http.Request) {
	s, err := readStart(w, r)
	if err == nil {
		err = a.canStart(r.Context(), r.PathValue("flow"), s)
	}
	var id string
	var order bus.Message
	if err == nil {
		id, order, err = a.orderStart(r.Context(), r.PathValue("flow"), s)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	if err := a.in.Publish(r.Context(), order); err != nil {
		a.unsent(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"id": id})
}

// canStart asks the engine what a start would do for somebody new, and refuses what
// it would ignore.
func (a *API) canStart(ctx context.Context, name string, s startRequest) error {
	live, err := a.live(ctx, name)
	if err != nil {
		return err
	}
	if !a.channels.Offers(s.Channel, name) {
		return refuse(http.StatusConflict, "flow %s is not offered on channel %s: add it to the channel's flows in the channels file, or start another", name, s.Channel)
	}
	f, err := a.compiled.get(ctx, a.store, live)
	if err != nil {
		return err
	}
	in, err := s.input(name)
	if err != nil {
		return err
	}
	events, _ := flow.Turn(flow.NewRouter(s.Channel, "", flow.Release{Flow: f}), nil, flow.State{}, in)
	if len(events) == 0 {
		return refuse(http.StatusConflict, "flow %s cannot be started through the API on channel %s: give it the entry {api: true} for the channel, and publish it", name, s.Channel)
	}
	return s.checkSlots(f, events)
}

// checkSlots refuses values that the engine did not keep.
func (s startRequest) checkSlots(f *flow.Flow, events []*parleyv1.Event) error {
	kept := map[string]bool{}
	for _, e := range events {
		kept[e.GetValueSet().GetSlot()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(s.Slots)) {
		if kept[name] {
			continue
		}
		if kind, known := f.Describe().Slots[name]; known {
			return refuse(http.StatusBadRequest, "slot %q is a %s of flow %s and cannot be set to what is given: give a value of that type, and the slot a default in the flow", name, kind, f.Name())
		}
		return refuse(http.StatusBadRequest, "flow %s has no slot %q to be set: correct the name, or declare the slot with a default in the flow", f.Name(), name)
	}
	return nil
}

func (s startRequest) input(name string) (*parleyv1.Input, error) {
	slots, err := json.Marshal(s.Slots)
	return &parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{Flow: name, Language: s.Language, Slots: slots}}}, err
}

// orderStart makes the update. Its id is that of the request, for this person: a
// key may be that of a whole campaign.
func (a *API) orderStart(ctx context.Context, name string, s startRequest) (id string, order bus.Message, err error) {
	in, err := s.input(name)
	if err != nil {
		return "", order, err
	}
	if s.Key == "" {
		s.Key = rand.Text()
	}
	portfolio := a.channels.Portfolio(s.Channel)
	id = strings.Join([]string{"start", name, store.ContactID(portfolio, s.asked()).String(), s.Key}, "/")
	lane, err := a.laneKey(ctx, portfolio, s)
	if err != nil {
		return "", order, err
	}
	order, err = a.order(&parleyv1.Envelope{
		Id: id, Channel: s.Channel, Portfolio: portfolio, LaneKey: lane, Contact: &parleyv1.Identity{Phone: s.Phone, Bsuid: s.BSUID},
	}, in)
	return id, order, err
}

// asked is who the request names.
func (s startRequest) asked() string {
	if s.BSUID != "" {
		return s.BSUID
	}
	return s.Phone
}

// laneKey is where the person is heard. Whoever was met by a user id is heard in
// the lane of that, even if the request has the phone only.
func (a *API) laneKey(ctx context.Context, portfolio string, s startRequest) (string, error) {
	if s.BSUID != "" {
		return s.BSUID, nil
	}
	sessions, err := a.store.FindSessions(ctx, s.Phone)
	for _, session := range sessions {
		if session.BSUID != "" && session.ContactID == store.ContactID(portfolio, session.BSUID) {
			return session.BSUID, nil
		}
	}
	return s.Phone, err
}

// compiled keeps the live versions, one of each flow.
type compiled struct {
	mu    sync.Mutex
	flows map[string]*flow.Flow
}

func (c *compiled) get(ctx context.Context, s *store.Store, live store.Live) (*flow.Flow, error) {
	c.mu.Lock()
	f := c.flows[live.Name]
	c.mu.Unlock()
	if f != nil && f.Version() == live.Version {
		return f, nil
	}
	f, err := s.LoadFlow(ctx, live.Name, live.Version)
	if err != nil {
		return nil, fmt.Errorf("compile what is live: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flows == nil {
		c.flows = map[string]*flow.Flow{}
	}
	c.flows[live.Name] = f
	return f, nil
}
