package session

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// update is one envelope of a batch, decoded as far as it can be.
type update struct {
	shard    int
	position uint64
	data     []byte
	envelope *parleyv1.Envelope
	contact  uuid.UUID
	inbox    uuid.UUID
	// input is set if a flow can react to the update; only its body is.
	input *parleyv1.Input
	// dead and reason say why no flow can.
	dead, reason string
	// notice is set for what concerns an account, and nobody's session.
	notice *parleyv1.AccountNoticed
	// redrive is set for an operator's order to try a parked contact again.
	redrive bool
	// renamed are the ids that a person has from here on, if the update says that they
	// changed.
	renamed *parleyv1.Identity
	// card is set if the update says only who somebody is, and nothing that they did.
	card bool
}

func (u update) session() store.SessionKey {
	return store.SessionKey{Channel: u.envelope.Channel, Contact: u.contact}
}

// updates are a batch's updates, by part.
type updates [][]update

func decode(parts []lane.Part) updates {
	list := make(updates, len(parts))
	for i, part := range parts {
		list[i] = make([]update, len(part.Messages))
		for j, m := range part.Messages {
			list[i][j] = decodeOne(m)
		}
	}
	return list
}

func decodeOne(m lane.Message) update {
	u := update{shard: m.Shard, position: m.Pos, data: m.Data, envelope: &parleyv1.Envelope{}}
	if err := proto.Unmarshal(m.Data, u.envelope); err != nil {
		u.envelope.Reset()
		u.dead, u.reason = store.DeadUnreadable, "not an envelope: "+err.Error()
		u.inbox = store.InboxID("", fmt.Sprintf("position %d/%d", m.Shard, m.Pos))
		return u
	}
	e := u.envelope
	storable(e)
	u.contact = store.ContactID(e.Portfolio, e.LaneKey)
	if id, err := uuid.FromBytes(e.ContactId); err == nil && id != uuid.Nil {
		u.contact = id
	}
	u.inbox = store.InboxID(e.Channel, e.Id)
	u.decodeKind()
	return u
}

// decodeKind reads what the update is about, by its kind.
func (u *update) decodeKind() {
	switch e := u.envelope; e.Kind {
	case parleyv1.Kind_KIND_MESSAGE:
		if u.renamed = whatsapp.DecodeRenamed(e); u.renamed == nil {
			u.decodeMessage()
		}
	case parleyv1.Kind_KIND_IDENTITY:
		if u.renamed = whatsapp.DecodeRenamed(e); u.renamed == nil {
			u.dead, u.reason = store.DeadUnreadable, "no new id of the person"
		}
	case parleyv1.Kind_KIND_UNREADABLE:
		u.dead, u.reason = store.DeadUnreadable, e.Reason
	case parleyv1.Kind_KIND_TIMER, parleyv1.Kind_KIND_FAILURE, parleyv1.Kind_KIND_FORM, parleyv1.Kind_KIND_CALL:
		u.decodeInput()
	case parleyv1.Kind_KIND_ECHO:
		u.decodeEcho()
	case parleyv1.Kind_KIND_PREFERENCE:
		u.decodePreference()
	case parleyv1.Kind_KIND_CARD:
		u.card = true
	case parleyv1.Kind_KIND_ACTION:
		u.decodeAction()
	case parleyv1.Kind_KIND_VOICE_CALL:
		u.decodeVoiceCall()
	case parleyv1.Kind_KIND_HISTORY:
		u.decodePast()
	case parleyv1.Kind_KIND_RECEIPT:
		u.decodeStatus()
	case parleyv1.Kind_KIND_ACCOUNT:
		u.decodeNotice()
	case parleyv1.Kind_KIND_OPERATOR:
		u.decodeOrder()
	default:
		u.dead, u.reason = store.DeadUnhandled, fmt.Sprintf("nothing reacts to %s of field %q yet", e.Kind, e.Field)
	}
}

func (u *update) decodeMessage() {
	message, conversational, err := whatsapp.DecodeMessage(u.envelope)
	switch {
	case err != nil:
		u.dead, u.reason = store.DeadUnreadable, err.Error()
	case conversational:
		u.input = &parleyv1.Input{Body: &parleyv1.Input_Message{Message: message}}
	default:
		u.decodeAside()
	}
}

// decodeAside reads what is no message between two.
func (u *update) decodeAside() {
	if aside := whatsapp.DecodeAside(u.envelope); aside != nil {
		u.input = &parleyv1.Input{Body: &parleyv1.Input_Aside{Aside: aside}}
		return
	}
	u.decodeGroup()
}

func (u *update) decodeGroup() {
	message := whatsapp.DecodeGroupMessage(u.envelope)
	if message == nil {
		u.dead, u.reason = store.DeadUnreadable, "neither a message, nor done to one"
		return
	}
	u.input = &parleyv1.Input{Body: &parleyv1.Input_GroupMessage{GroupMessage: message}}
}

// incidental reports whether the update makes nobody a contact: it is not said to us.
func (u update) incidental() bool {
	return u.card || u.input.GetGroupMessage().GetGroup() == wasender.StatusPosts
}

func (u *update) decodeEcho() {
	if echo := meta.DecodeEcho(u.envelope); echo != nil {
		u.input = &parleyv1.Input{Body: &parleyv1.Input_Echo{Echo: echo}}
		return
	}
	u.decodeGroup()
}

func (u *update) decodeAction() {
	aside := meta.DecodeAction(u.envelope)
	if aside == nil {
		u.dead, u.reason = store.DeadUnhandled, "it does not say what was done"
		return
	}
	u.input = &parleyv1.Input{Body: &parleyv1.Input_Aside{Aside: aside}}
}

func (u *update) decodeVoiceCall() {
	call, err := whatsapp.DecodeVoiceCall(u.envelope)
	if err != nil {
		u.dead, u.reason = store.DeadUnreadable, err.Error()
		return
	}
	u.input = &parleyv1.Input{Body: &parleyv1.Input_VoiceCall{VoiceCall: call}}
}

func (u *update) decodePast() {
	past, err := meta.DecodePast(u.envelope)
	if err != nil {
		u.dead, u.reason = store.DeadUnreadable, err.Error()
		return
	}
	u.input = &parleyv1.Input{Body: &parleyv1.Input_PastMessage{PastMessage: past}}
}

// decodeStatus reads what became of a message in a word that is no receipt's: WhatsApp
// has had some, as "deleted". Of nobody it is kept.
func (u *update) decodeStatus() {
	receipt, err := whatsapp.DecodeReceipt(u.envelope)
	switch {
	case err != nil:
		u.dead, u.reason = store.DeadUnreadable, err.Error()
	case len(u.keys()) == 0:
		u.dead, u.reason = store.DeadUnhandled, fmt.Sprintf("nothing reacts to the status %q of a message to nobody", receipt.Status)
	default:
		u.input = &parleyv1.Input{Body: &parleyv1.Input_Aside{Aside: &parleyv1.Aside{Kind: "status", MessageId: receipt.WAMID, State: receipt.Status}}}
	}
}

func (u *update) decodePreference() {
	preference := meta.DecodePreference(u.envelope)
	if preference == nil {
		u.dead, u.reason = store.DeadUnreadable, "a preference without a value"
		return
	}
	u.input = &parleyv1.Input{Body: &parleyv1.Input_Preference{Preference: preference}}
}

// noticeMax bounds the raw bytes that a notice's event keeps.
const noticeMax = 64 << 10

// decodeNotice reads a notice about an account. What says nothing that Parley knows
// is kept as a dead letter, whole.
func (u *update) decodeNotice() {
	if u.notice = whatsapp.DecodeNotice(u.envelope); len(u.notice.GetFacts()) == 0 {
		u.notice = nil
		u.dead, u.reason = store.DeadUnhandled, fmt.Sprintf("nothing reacts to %s of field %q yet", u.envelope.Kind, u.envelope.Field)
		return
	}
	if len(u.envelope.Raw) <= noticeMax {
		u.notice.Raw = u.envelope.Raw
	}
}

func (u *update) decodeOrder() {
	switch u.envelope.Field {
	case store.OperatorRedrive:
		u.redrive = true
	case store.OperatorInput:
		u.decodeInput()
	default:
		u.dead, u.reason = store.DeadUnhandled, fmt.Sprintf("unknown operator action %q", u.envelope.Field)
	}
}

// decodeInput reads an input that Parley itself put into the lane.
func (u *update) decodeInput() {
	in := &parleyv1.Input{}
	if err := protojson.Unmarshal(u.envelope.Raw, in); err != nil || in.Body == nil {
		u.dead, u.reason = store.DeadUnreadable, fmt.Sprintf("no input: %v", err)
		return
	}
	u.input = in
}

// raw is what the provider sent, but for what sets up a call; nil for what Parley itself put into the lane.
func (u update) raw() []byte {
	switch u.envelope.GetKind() {
	case parleyv1.Kind_KIND_MESSAGE, parleyv1.Kind_KIND_ECHO, parleyv1.Kind_KIND_PREFERENCE, parleyv1.Kind_KIND_ACTION,
		parleyv1.Kind_KIND_HISTORY, parleyv1.Kind_KIND_RECEIPT:
		return u.envelope.GetRaw()
	case parleyv1.Kind_KIND_VOICE_CALL:
		if u.envelope.GetProvider() == meta.Provider {
			return meta.WithoutSession(u.envelope)
		}
		return u.envelope.GetRaw()
	}
	return nil
}

// recorded reports whether the update is an event of the person that no session decides.
func (u update) recorded() bool {
	switch u.input.GetBody().(type) {
	case *parleyv1.Input_Aside, *parleyv1.Input_Preference, *parleyv1.Input_VoiceCall, *parleyv1.Input_PastMessage, *parleyv1.Input_GroupMessage:
		return true
	}
	return false
}

// personal reports whether the update is about a contact: it has a lane, and
// waits there if the contact is parked.
func (u *update) personal() bool {
	return u.envelope.Kind == parleyv1.Kind_KIND_MESSAGE || u.input != nil || u.renamed != nil || u.card
}

// inboxIDs are those of the updates, and of what may have been heard before as something
// else.
func (list updates) inboxIDs() []uuid.UUID {
	seen := map[uuid.UUID]bool{}
	ids := []uuid.UUID{}
	for _, part := range list {
		for _, u := range part {
			for _, id := range append(u.twins(), u.inbox) {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
	}
	return ids
}

// twins are the inbox ids of a message of the past if it was delivered as it was written:
// then it is in the log.
func (u update) twins() []uuid.UUID {
	if u.envelope.GetKind() != parleyv1.Kind_KIND_HISTORY {
		return nil
	}
	id := meta.PastID(u.envelope.GetId())
	return []uuid.UUID{store.InboxID(u.envelope.GetChannel(), id), store.InboxID(u.envelope.GetChannel(), "echo/"+id)}
}

// storable removes what PostgreSQL's text cannot hold from everything that
// becomes a column. The raw update keeps it.
func storable(e *parleyv1.Envelope) {
	for _, s := range []*string{&e.Id, &e.Channel, &e.Portfolio, &e.LaneKey, &e.Field, &e.Reason} {
		*s = strings.ReplaceAll(*s, "\x00", "")
	}
	if c := e.Contact; c != nil {
		for _, s := range []*string{&c.Phone, &c.Bsuid, &c.ParentBsuid, &c.Username, &c.Name, &c.Lid} {
			*s = strings.ReplaceAll(*s, "\x00", "")
		}
	}
}
