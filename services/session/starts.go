package session

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Why a start begins nothing: the reasons of StartRefused. A parked contact has no event;
// its start waits with its other updates.
const (
	startBusy        = "busy"
	startOptedOut    = "opted_out"
	startBlocked     = "blocked"
	startNoMarketing = "no_marketing"
	startTwice       = "twice"
	startNotLive     = "not_live"
	startParked      = "parked"
)

// campaigns are the contacts of campaigns that a batch is about: whom they have started
// already, and what is decided here. The result is committed with its turn, so that a
// campaign never counts what did not happen.
type campaigns struct {
	started map[store.CampaignMember]bool
	changes store.CampaignChanges
}

// findMembers reads whom the campaigns of the batch have started: two lines may turn out to
// be one person.
func (b *batch) findMembers(list updates) error {
	var names []string
	for _, part := range list {
		for _, u := range part {
			for _, each := range append(b.waiting(u), u) {
				if name := each.input.GetStart().GetCampaign(); name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	contacts := make([]uuid.UUID, 0, len(b.known.Contacts))
	for id := range b.known.Contacts {
		contacts = append(contacts, id)
	}
	var err error
	b.campaigns.started, err = b.service.store.StartedMembers(b.ctx, names, contacts)
	return err
}

// refusesStart is why a start must not be tried; empty if it may, or if the update is none.
// The engine asks the first three questions as well: it has no words for an answer. Campaigns
// alone ask what their report can tell.
func (b *batch) refusesStart(u update) string {
	start := u.input.GetStart()
	c, s := b.known.Contacts[u.contact], b.known.Sessions[u.session()].State
	switch {
	case start == nil:
		return ""
	case c.OptedOut:
		return startOptedOut
	case c.Blocked:
		return startBlocked
	case s.Status == flow.Active || s.Status == flow.Human:
		return startBusy
	case start.GetCampaign() == "":
		return ""
	case c.NoMarketing:
		return startNoMarketing
	case b.campaigns.started[store.CampaignMember{Campaign: start.GetCampaign(), Contact: u.contact}]:
		return startTwice
	}
	return ""
}

// refuseStart makes an event of a start that began nothing. It is the person's, and of no
// session: a session that runs is left as it is.
func (b *batch) refuseStart(u update, reason string) {
	start := u.input.GetStart()
	b.turn.Events = append(b.turn.Events, &parleyv1.Event{
		Shard: uint32(u.shard), Offset: b.turn.Head + uint64(len(b.turn.Events)) + 1, AtMs: b.nowMs, Channel: u.envelope.Channel,
		ContactId: u.contact[:], Body: &parleyv1.Event_StartRefused{StartRefused: &parleyv1.StartRefused{
			Input: u.envelope.Id, Flow: start.GetFlow(), Campaign: start.GetCampaign(), Line: start.GetLine(), Reason: reason,
		}},
	})
	b.startResult(u, store.StartResult{State: store.ContactRefused, Reason: reason})
}

// countStart tells the campaign that its contact was started, and by which message.
func (b *batch) countStart(u update, session uint64, events []*parleyv1.Event) {
	name := u.input.GetStart().GetCampaign()
	if name == "" {
		return
	}
	r := store.StartResult{State: store.ContactStarted, Session: session}
	for _, e := range events {
		if e.GetMessageQueued() != nil {
			r.Message = store.DeliveryKey{Shard: int(e.GetShard()), Offset: e.GetOffset()}
			break
		}
	}
	if b.campaigns.started == nil {
		b.campaigns.started = map[store.CampaignMember]bool{}
	}
	b.campaigns.started[store.CampaignMember{Campaign: name, Contact: u.contact}] = true
	b.startResult(u, r)
}

// startResult keeps what became of a contact of a campaign. What a batch decides last about
// a line holds: a parked start may be redriven in the same batch.
func (b *batch) startResult(u update, r store.StartResult) {
	start := u.input.GetStart()
	if start.GetCampaign() == "" {
		return
	}
	r.Campaign, r.Line, r.Contact = start.GetCampaign(), int(start.GetLine()), u.contact
	results := slices.DeleteFunc(b.campaigns.changes.Results, func(o store.StartResult) bool {
		return o.Campaign == r.Campaign && o.Line == r.Line
	})
	b.campaigns.changes.Results = append(results, r)
}

// countReply tells a campaign that the person wrote, for the first time since it started
// them.
func (b *batch) countReply(u update, before flow.State, events []*parleyv1.Event) {
	line := before.Progress.Campaign
	if line == nil || u.input.GetMessage() == nil {
		return
	}
	b.campaigns.changes.Replies = append(b.campaigns.changes.Replies, store.CampaignReply{
		Campaign: line.Name, Line: int(line.Line), At: time.UnixMilli(b.nowMs),
		OptedOut: slices.ContainsFunc(events, func(e *parleyv1.Event) bool { return e.GetOptedOut() != nil }),
	})
}
