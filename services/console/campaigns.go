package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// campaignBytesMax and contactsMax bound a campaign: some 100,000 contacts with a few
	// values each.
	campaignBytesMax = 32 << 20
	contactsMax      = 200_000
	// perSecondMost is the most that a number can send (WIRE.md 3.3).
	perSecondMost = 1000
	// resultsPage is how many results are read at a time.
	resultsPage = 5000

	campaignFields = "name, flow, channel, rate, at, template, csv (or query), source, dry_run"
)

// campaignName is what a campaign can be called.
var campaignName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

func (a *API) campaignRoutes(mux router) {
	mux.HandleFunc("GET /api/v1/campaigns", a.campaigns)
	mux.HandleFunc("POST /api/v1/campaigns", a.createCampaign)
	mux.HandleFunc("GET /api/v1/campaigns/{campaign}", a.campaign)
	mux.HandleFunc("GET /api/v1/campaigns/{campaign}/results", a.campaignResults)
	for _, verb := range []string{"start", "pause", "resume", "cancel"} {
		mux.HandleFunc("POST /api/v1/campaigns/{campaign}/"+verb, a.moveCampaign(verb))
	}
}

// campaignRequest is what POST /api/v1/campaigns takes.
type campaignRequest struct {
	Name    string `json:"name"`
	Flow    string `json:"flow"`
	Channel string `json:"channel"`
	// Rate is "20/s", "600/min" or "5000/h".
	Rate string `json:"rate"`
	// At is when it starts by itself; without it, it waits for start.
	At *time.Time `json:"at"`
	// Template is sent in place of what the flow says first. Its texts may name columns
	// in braces.
	Template json.RawMessage `json:"template"`
	// CSV holds the contacts, Query selects them.
	CSV   string         `json:"csv"`
	Query *campaignQuery `json:"query"`
	// Source is the name of the file.
	Source string `json:"source"`
	// DryRun asks what would be refused, and makes nothing.
	DryRun bool `json:"dry_run"`
}

// campaignQuery selects contacts by their newest conversation on the channel.
type campaignQuery struct {
	Flow   string `json:"flow"`
	Status string `json:"status"`
	// HeardWithin and SilentFor are durations such as "720h", up to now.
	HeardWithin string `json:"heard_within"`
	SilentFor   string `json:"silent_for"`
}

// campaignView is a campaign as the API shows it.
type campaignView struct {
	store.Campaign
	Rate     string                  `json:"rate"`
	Progress *store.CampaignProgress `json:"progress,omitempty"`
	DryRun   bool                    `json:"dry_run,omitempty"`
}

func viewCampaign(c store.Campaign) campaignView {
	return campaignView{Campaign: c, Rate: rateText(c.PerSecond)}
}

// rateUnits are what a rate can be given per.
var rateUnits = []struct {
	name    string
	seconds float64
}{{"s", 1}, {"min", 60}, {"h", 3600}}

func readRate(text string) (perSecond float64, err error) {
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	for _, u := range rateUnits {
		if err == nil && u.name == unit && n > 0 && n/u.seconds <= perSecondMost {
			return n / u.seconds, nil
		}
	}
	return 0, refuse(http.StatusBadRequest, "rate is %q: write how many are started, such as 20/s, 600/min or 5000/h; at most %d/s", text, perSecondMost)
}

// rateText writes a rate in the unit in which it is a whole number, if there is one.
func rateText(perSecond float64) string {
	for _, u := range rateUnits {
		if n := perSecond * u.seconds; n >= 1 && n == float64(int(n+1e-9)) {
			return fmt.Sprintf("%d/%s", int(n+1e-9), u.name)
		}
	}
	return strconv.FormatFloat(perSecond*3600, 'f', -1, 64) + "/h"
}

// createCampaign keeps a campaign with its contacts, or says all that is wrong with them.
func (a *API) createCampaign(w http.ResponseWriter, r *http.Request) {
	var body campaignRequest
	err := readBody(w, r, campaignBytesMax, campaignFields, &body)
	var draft campaignDraft
	if err == nil {
		draft, err = a.draft(r.Context(), body)
	}
	if err == nil {
		err = a.keepCampaign(r.Context(), &draft, body.DryRun)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	status, view := http.StatusCreated, viewCampaign(draft.campaign)
	if body.DryRun {
		status, view.DryRun = http.StatusOK, true
	}
	answer(w, status, view)
}

// campaignDraft is a campaign that can be kept.
type campaignDraft struct {
	campaign store.Campaign
	contacts []store.CampaignContact
	// query and template stand for contacts that are selected.
	query    *store.ContactQuery
	template []byte
}

// draft checks all of a request.
func (a *API) draft(ctx context.Context, body campaignRequest) (d campaignDraft, err error) {
	if d.campaign, err = body.campaign(time.Now()); err != nil {
		return d, err
	}
	template, err := body.template()
	if err != nil {
		return d, err
	}
	d.campaign.Portfolio, d.campaign.Template = a.channels.Portfolio(body.Channel), template.GetName()
	check, err := a.callCheck(ctx, body, template)
	if err != nil {
		return d, err
	}
	if body.Query != nil {
		d.query, err = body.Query.read(time.Now())
		if err == nil && len(columnsOf(template)) > 0 {
			err = refuse(http.StatusBadRequest, "the template names columns, which contacts that are selected do not have: give csv, or a template without values")
		}
		if err == nil && template != nil {
			d.template, err = proto.Marshal(template)
		}
		return d, err
	}
	d.contacts, err = check.read(body.CSV)
	d.campaign.Size = len(d.contacts)
	return d, err
}

// campaign reads what is said about the campaign itself.
func (b campaignRequest) campaign(now time.Time) (store.Campaign, error) {
	c := store.Campaign{Name: b.Name, Flow: b.Flow, Channel: b.Channel, State: store.CampaignReady, StartsAt: b.At, Source: b.Source, CreatedAt: now}
	perSecond, err := readRate(b.Rate)
	c.PerSecond = perSecond
	switch {
	case !campaignName.MatchString(b.Name):
		err = errors.Join(refuse(http.StatusBadRequest, "name is %q: use at most 64 of a to z, 0 to 9, _ . and -", b.Name), err)
	case b.Channel == "":
		err = refuse(http.StatusBadRequest, "give channel, the business number's phone_number_id")
	case (b.CSV == "") == (b.Query == nil):
		err = refuse(http.StatusBadRequest, "give csv, the contacts, or query, which selects them")
	case b.At != nil && b.At.Before(now):
		err = refuse(http.StatusBadRequest, "at is in the past: give a time to come, or none to start by hand")
	}
	if b.At != nil {
		c.State = store.CampaignScheduled
	}
	if b.Query != nil && c.Source == "" {
		c.Source = b.Query.String()
	}
	return c, errors.Join(err, checkWords("channel", b.Channel, nameCharactersMax), checkWords("source", b.Source, nameCharactersMax))
}

// template reads the template; nil if none is given.
func (b campaignRequest) template() (*parleyv1.Template, error) {
	if len(b.Template) == 0 || string(b.Template) == "null" {
		return nil, nil
	}
	t := &parleyv1.Template{}
	if err := protojson.Unmarshal(b.Template, t); err != nil || t.GetName() == "" || t.GetLanguage() == "" {
		return nil, refuse(http.StatusBadRequest, `template is not understood: give its name and language, and its values, as {"name": "offer", "language": "en_US", "body": [{"text": "{name}"}]}`)
	}
	return t, nil
}

// String says whom the query selects.
func (q campaignQuery) String() string {
	text := "query: newest conversation in " + q.Flow
	for _, part := range []struct{ word, value string }{{", ", q.Status}, {", heard within ", q.HeardWithin}, {", silent for ", q.SilentFor}} {
		if part.value != "" {
			text += part.word + part.value
		}
	}
	return text
}

// statuses are what a conversation can be.
var statuses = []string{"", "active", "completed", "cancelled", "human", "expired"}

func (q campaignQuery) read(now time.Time) (*store.ContactQuery, error) {
	found := &store.ContactQuery{Flow: q.Flow, Status: q.Status, HeardAfter: time.Unix(0, 0), HeardBefore: now}
	if q.Flow == "" {
		return nil, refuse(http.StatusBadRequest, "give the query's flow: whose conversations are looked at")
	}
	if !slices.Contains(statuses, q.Status) {
		return nil, refuse(http.StatusBadRequest, "the query's status is %q: use one of%s", q.Status, strings.Join(statuses, " "))
	}
	for _, bound := range []struct {
		name, value string
		at          *time.Time
	}{{"heard_within", q.HeardWithin, &found.HeardAfter}, {"silent_for", q.SilentFor, &found.HeardBefore}} {
		if bound.value == "" {
			continue
		}
		d, err := time.ParseDuration(bound.value)
		if err != nil || d < 0 {
			return nil, refuse(http.StatusBadRequest, "%s is %q: write a duration such as 72h", bound.name, bound.value)
		}
		*bound.at = now.Add(-d)
	}
	return found, nil
}

// keepCampaign stores it, all or nothing; or asks only whether the name is free.
func (a *API) keepCampaign(ctx context.Context, d *campaignDraft, dry bool) (err error) {
	taken := false
	switch {
	case dry:
		_, taken, err = a.store.Campaign(ctx, d.campaign.Name)
	case d.query == nil:
		err = a.store.CreateCampaign(ctx, d.campaign, d.contacts)
	default:
		d.campaign.Size, err = a.store.CreateCampaignOf(ctx, d.campaign, d.template, *d.query, contactsMax)
	}
	if taken || errors.Is(err, store.ErrCampaignExists) {
		return refuse(http.StatusConflict, "there is a campaign %s already: GET /api/v1/campaigns/%[1]s shows it; give another name for a new one", d.campaign.Name)
	}
	return err
}

// campaigns lists them, the newest first.
func (a *API) campaigns(w http.ResponseWriter, r *http.Request) {
	list, err := a.store.Campaigns(r.Context(), limit(r, 50, 1000))
	if err != nil {
		a.failed(w, r, err)
		return
	}
	views := make([]campaignView, len(list))
	for i, c := range list {
		views[i] = viewCampaign(c)
	}
	answer(w, http.StatusOK, map[string]any{"campaigns": views})
}

// campaign shows one, with how far it is.
func (a *API) campaign(w http.ResponseWriter, r *http.Request) {
	view, err := a.findCampaign(r.Context(), r.PathValue("campaign"))
	if err == nil {
		var progress store.CampaignProgress
		progress, err = a.store.CampaignProgress(r.Context(), view.Name)
		view.Progress = &progress
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, view)
}

func (a *API) findCampaign(ctx context.Context, name string) (campaignView, error) {
	c, ok, err := a.store.Campaign(ctx, name)
	if err == nil && !ok {
		err = refuse(http.StatusNotFound, "no such campaign; GET /api/v1/campaigns lists them")
	}
	return viewCampaign(c), err
}

// moveCampaign starts, pauses, resumes or cancels a campaign. What is in the lanes already
// is decided all the same.
func (a *API) moveCampaign(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("campaign")
		moved, err := a.store.MoveCampaign(r.Context(), name, verb)
		var view campaignView
		if err == nil {
			view, err = a.findCampaign(r.Context(), name)
		}
		if err == nil && !moved {
			err = refuse(http.StatusConflict, "campaign %s is %s: it cannot be changed by %s", name, view.State, verb)
		}
		if err != nil {
			a.refused(w, r, err)
			return
		}
		answer(w, http.StatusOK, view)
	}
}

var resultColumns = []string{
	"line", "phone", "bsuid", "name", "state", "reason", "decided_at", "delivery", "receipt", "error_class", "error_code", "replied_at", "opted_out", "contact_id",
}

// campaignResults writes what became of each contact, as CSV.
func (a *API) campaignResults(w http.ResponseWriter, r *http.Request) {
	view, err := a.findCampaign(r.Context(), r.PathValue("campaign"))
	var page []store.CampaignResult
	if err == nil {
		page, err = a.store.CampaignResults(r.Context(), view.Name, -1, resultsPage)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", view.Name+".csv"))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	table := csv.NewWriter(w)
	_ = table.Write(resultColumns)
	for len(page) > 0 {
		for _, result := range page {
			_ = table.Write(resultCells(result))
		}
		table.Flush()
		if page, err = a.store.CampaignResults(r.Context(), view.Name, page[len(page)-1].Line, resultsPage); err != nil {
			a.log.Error().Err(err).Str("route", r.Pattern).Msg("results cut off")
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	table.Flush()
}

func resultCells(r store.CampaignResult) []string {
	code, contact := "", ""
	if r.Code != 0 {
		code = strconv.Itoa(r.Code)
	}
	if r.Contact.Valid {
		contact = r.Contact.UUID.String()
	}
	return []string{
		strconv.Itoa(r.Line), r.Phone, cell(r.BSUID), cell(r.Name), r.State, r.Reason, moment(r.DecidedAt), r.Delivery, r.Receipt, r.Class, code,
		moment(r.RepliedAt), strconv.FormatBool(r.OptedOut), contact,
	}
}
