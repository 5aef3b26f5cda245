package console

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// startBytesMax bounds the body of a start.
const startBytesMax = 64 << 10

var phoneDigits = regexp.MustCompile(`^[0-9]{5,20}$`)

// startRequest is what POST /api/v1/flows/{flow}/start takes.
type startRequest struct {
	Channel string `json:"channel"`
	// Phone (digits) or BSUID says who.
	Phone    string         `json:"phone"`
	BSUID    string         `json:"bsuid"`
	Language string         `json:"language"`
	Slots    map[string]any `json:"slots"`
	// Key makes a repeated request the same one: it takes effect once.
	Key string `json:"key"`
}

// refused says what is missing; empty if nothing is.
func (s startRequest) refused() string {
	switch {
	case s.Channel == "":
		return "give channel, the business number's phone_number_id"
	case s.Phone == "" && s.BSUID == "":
		return "give phone or bsuid: who the flow is started for"
	case s.Phone != "" && !phoneDigits.MatchString(s.Phone):
		return "phone is digits only, with the country code and without +"
	}
	return ""
}

// start begins a flow for a person, unless they are in a session already. It
// takes its turn in the person's lane; the flow must have the entry api: true.
func (a *API) start(w http.ResponseWriter, r *http.Request) {
	var s startRequest
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, startBytesMax))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		answer(w, http.StatusBadRequest, problem{"the body is not what start takes: " + err.Error()})
		return
	}
	if refused := s.refused(); refused != "" {
		answer(w, http.StatusBadRequest, problem{refused})
		return
	}
	if known, err := a.store.FlowPublished(r.Context(), r.PathValue("flow")); err != nil || !known {
		if err != nil {
			a.failed(w, r, err)
			return
		}
		answer(w, http.StatusNotFound, problem{"no flow of that name is published; GET /api/v1/flows lists them"})
		return
	}
	id, err := a.orderStart(r, s)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"id": id})
}

func (a *API) orderStart(r *http.Request, s startRequest) (id string, err error) {
	if s.Key == "" {
		s.Key = rand.Text()
	}
	id = fmt.Sprintf("start/%s/%s", r.PathValue("flow"), s.Key)
	slots, err := json.Marshal(s.Slots)
	if err != nil {
		return "", err
	}
	raw, err := protojson.Marshal(&parleyv1.Input{Body: &parleyv1.Input_Start{Start: &parleyv1.StartRequest{
		Flow: r.PathValue("flow"), Language: s.Language, Slots: slots,
	}}})
	if err != nil {
		return "", err
	}
	lane := s.BSUID
	if lane == "" {
		lane = s.Phone
	}
	portfolio := a.channels.Portfolio(s.Channel)
	data, err := proto.Marshal(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Field: store.OperatorInput, Raw: raw,
		Channel: s.Channel, Portfolio: portfolio, LaneKey: lane, ReceivedAtMs: time.Now().UnixMilli(),
		Contact: &parleyv1.Identity{Phone: s.Phone, Bsuid: s.BSUID},
	})
	if err != nil {
		return "", err
	}
	_, err = a.js.Publish(r.Context(), bus.SubjectIn(bus.ShardOf(portfolio, lane, a.shards), s.Channel, lane), data)
	return id, err
}
