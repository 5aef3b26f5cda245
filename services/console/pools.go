package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/leads"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	leadsUsual, leadsMost = 200, 10_000
	poolBytesMax          = 64 << 10
	agentNameMax          = 100
)

// poolName is what pools and agents can be called.
var poolName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.@-]{0,63}$`)

// pools lists the pools with their agents, and what each has to do.
func (a *API) pools(w http.ResponseWriter, r *http.Request) {
	list, err := a.store.Pools(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"pools": list})
}

// savePool makes a pool, or changes how long its agents have to take a lead.
func (a *API) savePool(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ReactSeconds int `json:"react_seconds"`
	}
	name := r.PathValue("pool")
	err := readBody(w, r, poolBytesMax, "react_seconds", &body)
	switch {
	case err != nil:
	case !poolName.MatchString(name):
		err = refuse(http.StatusBadRequest, "%q cannot be the name of a pool: use a to z, 0 to 9 and _", name)
	case body.ReactSeconds < 0 || body.ReactSeconds > 7*24*3600:
		err = refuse(http.StatusBadRequest, "react_seconds is %d: write 0 (any time) to 604800", body.ReactSeconds)
	default:
		err = a.store.SavePool(r.Context(), name, body.ReactSeconds)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"name": name, "react_seconds": body.ReactSeconds})
}

// saveAgent makes an agent, or changes one. What is left out is as for a new one.
func (a *API) saveAgent(w http.ResponseWriter, r *http.Request) {
	body := struct {
		Name     string            `json:"name"`
		Weight   int               `json:"weight"`
		Capacity int               `json:"capacity"`
		Skills   []string          `json:"skills"`
		Hours    map[string]string `json:"hours"`
		Zone     string            `json:"zone"`
		On       bool              `json:"on"`
	}{Weight: 1, Zone: "UTC", On: true}
	if err := readBody(w, r, poolBytesMax, "name, weight, capacity, skills, hours, zone, on", &body); err != nil {
		a.refused(w, r, err)
		return
	}
	agent := store.AgentInfo{
		Pool: r.PathValue("pool"), ID: r.PathValue("agent"), Name: body.Name, Weight: body.Weight, Capacity: body.Capacity,
		Skills: body.Skills, Hours: body.Hours, Zone: body.Zone, On: body.On,
	}
	if err := checkAgent(agent); err != nil {
		a.refused(w, r, err)
		return
	}
	ok, err := a.store.SaveAgent(r.Context(), agent)
	a.agentDone(w, r, ok, err)
}

func checkAgent(agent store.AgentInfo) error {
	if !poolName.MatchString(agent.ID) {
		return refuse(http.StatusBadRequest, "%q cannot be the id of an agent: use a to z, 0 to 9, _ . @ and -", agent.ID)
	}
	for _, skill := range agent.Skills {
		if skill == "" || strings.ContainsAny(skill, " \t\n") {
			return refuse(http.StatusBadRequest, "%q is no skill: each is one word", skill)
		}
	}
	if err := checkWords("name", agent.Name, agentNameMax); err != nil {
		return err
	}
	if err := agent.Check(); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	return nil
}

func (a *API) agentDone(w http.ResponseWriter, r *http.Request, ok bool, err error) {
	switch {
	case err != nil:
		a.failed(w, r, err)
	case !ok:
		answer(w, http.StatusNotFound, problem{"no such pool or agent; GET /api/v1/pools lists them, PUT /api/v1/pools/{pool} makes a pool"})
	default:
		answer(w, http.StatusOK, map[string]string{"pool": r.PathValue("pool"), "agent": r.PathValue("agent")})
	}
}

// switchAgent turns an agent on or off. Leads that they have not taken go to others.
func (a *API) switchAgent(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ok, err := a.store.SwitchAgent(r.Context(), r.PathValue("pool"), r.PathValue("agent"), on)
		a.agentDone(w, r, ok, err)
	}
}

func (a *API) removeAgent(w http.ResponseWriter, r *http.Request) {
	ok, err := a.store.RemoveAgent(r.Context(), r.PathValue("pool"), r.PathValue("agent"))
	a.agentDone(w, r, ok, err)
}

// leads lists leads, the latest first, as JSON or CSV.
func (a *API) leads(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list, err := a.store.Leads(r.Context(), store.LeadFilter{
		Pool: q.Get("pool"), State: q.Get("state"), Agent: q.Get("agent"), Limit: limit(r, leadsUsual, leadsMost),
	})
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answerList(w, r, "leads", list, []string{"id", "pool", "state", "agent", "phone", "name", "contact", "channel", "queued_at", "assigned_at", "closed_at"}, func(l store.LeadInfo) []string {
		return []string{
			l.ID, l.Pool, l.State, l.Agent, l.Phone, l.Name, l.Contact, l.Channel, l.QueuedAt.UTC().Format(time.RFC3339), moment(l.AssignedAt), moment(l.ClosedAt),
		}
	})
}

func moment(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// changeLead orders a lead to be taken, closed, or given to somebody else. It is done in
// the lane of the person: the answer says that it is on its way.
func (a *API) changeLead(verb string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		order := &parleyv1.ResourceOrder{Verb: verb}
		if verb != flow.VerbClose {
			var body struct {
				Agent  string `json:"agent"`
				Reason string `json:"reason"`
			}
			if err := readBody(w, r, 4<<10, "agent, reason", &body); err != nil {
				a.refused(w, r, err)
				return
			}
			order.Agent, order.Reason = body.Agent, body.Reason
		}
		if order.Reason == "" && verb == flow.VerbAssign {
			order.Reason = leads.ReasonOperator
		}
		if verb == flow.VerbAssign && order.Reason != leads.ReasonOperator && order.Reason != leads.ReasonRefused {
			answer(w, http.StatusBadRequest, problem{fmt.Sprintf("reason is %q: use operator or refused", order.Reason)})
			return
		}
		a.sendLead(w, r, order)
	}
}

func (a *API) sendLead(w http.ResponseWriter, r *http.Request, order *parleyv1.ResourceOrder) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		answer(w, http.StatusNotFound, problem{"no such lead; GET /api/v1/leads lists them"})
		return
	}
	l, ok, err := a.store.Lead(r.Context(), id)
	switch {
	case err != nil:
		a.failed(w, r, err)
	case !ok || l.LaneKey == "":
		answer(w, http.StatusNotFound, problem{"no such lead; GET /api/v1/leads lists them"})
	case l.State == string(leads.Closed):
		answer(w, http.StatusConflict, problem{"the lead is closed"})
	default:
		order.Lead = l.ID
		a.orderResource(w, r, order, &parleyv1.Envelope{Channel: l.Channel, Portfolio: l.Portfolio, LaneKey: l.LaneKey})
	}
}

// orderResource puts an order into the lane of e.
func (a *API) orderResource(w http.ResponseWriter, r *http.Request, order *parleyv1.ResourceOrder, e *parleyv1.Envelope) {
	e.Id = fmt.Sprintf("%s/%s", order.Verb, rand.Text())
	message, err := a.order(e, flow.OrderInput(e.Id, time.Now().UnixMilli(), order))
	if err == nil {
		err = a.in.Publish(r.Context(), message)
	}
	if err != nil {
		a.unsent(w, r, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"order": e.Id})
}

// unknownResources warns of services that have no slots and of pools that nobody made:
// people would be told that nothing is free, and that nobody is there.
func (a *API) unknownResources(ctx context.Context, f *flow.Flow) (flow.Problems, error) {
	d := f.Describe()
	services, pools, err := a.store.MissingResources(ctx, d.Services, d.Pools)
	if err != nil {
		return nil, err
	}
	var warnings flow.Problems
	warn := func(message, name string) {
		warnings = append(warnings, flow.Problem{Rule: "resource", Warning: true, Line: 1, Column: 1, Message: fmt.Sprintf(message, name)})
	}
	for _, name := range services {
		warn("service %s has no slots: make them of its opening hours (POST /api/v1/slots/hours), or import them (parley slots import)", name)
	}
	for _, name := range pools {
		warn("there is no pool %s: make it, with its agents (PUT /api/v1/pools/%[1]s)", name)
	}
	return warnings, nil
}
