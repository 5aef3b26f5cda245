package meta

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Provider names this package in an Envelope.
const Provider = "meta"

// maxUpdates is how many updates of one POST are told apart. Meta sends at most 1,000,
// but of history as many as go into 3 MB.
const maxUpdates = 20_000

// fieldUserID is the webhook field, and the list in it, of user ids that changed.
const fieldUserID = "user_id_update"

// noLane is the lane key of what belongs to no person and no number.
const noLane = "unreadable"

// listed are the fields whose changes hold lists of updates of people.
var listed = map[string]bool{
	"messages": true, "smb_message_echoes": true, "user_preferences": true, "calls": true, fieldHistory: true, "smb_app_state_sync": true,
}

// Split takes one POST apart into envelopes, in order: one for each message,
// receipt, echo, preference, call, past message, card, action, system error and
// account change. The body must be authentic; no part of it is lost then:
//   - a change of a field that is about no person, or without updates, or with a list
//     of updates that Parley does not know, becomes one KIND_ACCOUNT with the raw change;
//   - an element that is no message or receipt becomes KIND_UNREADABLE with its own
//     bytes, and its neighbours are read as usual;
//   - a body that is no webhook of a WhatsApp business account, or is nested deeper
//     than 64 levels, or holds more than 20,000 updates, becomes one KIND_UNREADABLE
//     with the whole body.
//
// There are no envelopes only if the POST truly holds nothing ("entry":[]).
// An update that stands twice in the POST gives two envelopes with one id.
// The raw fields are parts of body, which must not change afterwards. The
// portfolio is left empty.
func Split(body []byte, receivedAt time.Time) []*parleyv1.Envelope {
	s := splitter{receivedAtMS: receivedAt.UnixMilli()}
	fault := s.post(body)
	if len(s.envelopes) > maxUpdates {
		fault = "more than " + strconv.Itoa(maxUpdates) + " updates"
	}
	if fault != "" {
		s.envelopes = nil
		s.unreadable(&change{}, body, fault)
	}
	return s.envelopes
}

type splitter struct {
	receivedAtMS int64
	envelopes    []*parleyv1.Envelope
}

// change is what the updates of one change have in common.
type change struct {
	entryID   string
	entryTime value
	field     string
	number    string // phone_number_id; empty for an account-level change
	displayed string // the same number as people see it, digits only
	people    people
}

// post takes a body apart, or says why it is no webhook.
func (s *splitter) post(body []byte) (fault string) {
	post, fault := parse(body)
	switch {
	case fault != "":
		return fault
	case !post.get("object").is("whatsapp_business_account"):
		return "not of a WhatsApp business account"
	case !post.get("entry").isList():
		return "no list of entries"
	}
	for key, list := range post.members() {
		if key.is("entry") {
			for entry := range list.elements() {
				s.entry(entry)
			}
		}
	}
	return ""
}

func (s *splitter) entry(entry value) {
	common := change{entryID: entry.get("id").text(), entryTime: entry.get("time")}
	switch {
	case !entry.isObject():
		s.unreadable(&common, entry.raw(), "entry is not an object")
		return
	case !entry.get("changes").isList():
		s.account(&common, entry)
		return
	}
	for key, list := range entry.members() {
		if key.is("changes") {
			for element := range list.elements() {
				s.change(common, element)
			}
		}
	}
}

func (s *splitter) change(c change, whole value) {
	if !whole.isObject() {
		s.unreadable(&c, whole.raw(), "change is not an object")
		return
	}
	content := whole.get("value")
	c.field = limited(whole.get("field"), maxTypeBytes)
	if number := content.get("metadata", "phone_number_id").text(); validID(number) {
		c.number = number
	}
	c.displayed = digitsOf(limited(content.get("metadata", "display_phone_number"), maxFieldBytes))
	switch {
	case c.field == fieldUserID && s.userIDs(&c, content):
		return
	case !listed[c.field]:
		s.account(&c, whole)
		return
	}
	c.people = peopleOf(content.get("contacts"))
	before := len(s.envelopes)
	unknown, fault := s.lists(&c, content)
	switch {
	case fault != "":
		s.unreadable(&c, whole.raw(), fault)
	case unknown || len(s.envelopes) == before:
		s.account(&c, whole)
	}
}

// userIDs takes a change of user ids apart: each goes into the lane of the old one. It
// is false, and nothing is taken, if one of them does not say what became of which.
func (s *splitter) userIDs(c *change, content value) bool {
	before := len(s.envelopes)
	for u := range content.get(fieldUserID).items() {
		old := identity(value{}, u.get("user_id", "previous"), u.get("parent_user_id", "previous"))
		now := identity(u.get("wa_id"), u.get("user_id", "current"), u.get("parent_user_id", "current"))
		if c.number == "" || old.Bsuid == "" || laneKey(now) == "" {
			s.envelopes = s.envelopes[:before]
			return false
		}
		s.add(c, parleyv1.Kind_KIND_IDENTITY, c.digest(u.raw()), old, cmp.Or(u.get("timestamp"), c.entryTime), u.raw())
	}
	return len(s.envelopes) > before
}

// lists takes the lists of updates apart. It reports whether there is one that
// Parley does not know, and what is wrong with one that it does.
func (s *splitter) lists(c *change, content value) (unknown bool, fault string) {
	for key, list := range content.members() {
		take, isKnown := takers[key.text()]
		switch {
		case key.is("contacts"):
			continue
		case !isKnown:
			unknown = unknown || list.first() != value{}
			continue
		case !list.isList() && !list.isNull():
			fault = key.text() + " is not a list"
		}
		for element := range list.elements() {
			take(s, c, element)
		}
	}
	return unknown, fault
}

// takers are the lists of updates, by their name, and what takes one update of each.
var takers = map[string]func(*splitter, *change, value){
	"messages": (*splitter).message, "statuses": (*splitter).status, "message_echoes": (*splitter).echo,
	"user_preferences": (*splitter).preference, "user_actions": (*splitter).action, "calls": (*splitter).call,
	"state_sync": (*splitter).card, fieldHistory: (*splitter).chunk, "errors": (*splitter).account,
}

func (s *splitter) message(c *change, m value) {
	if c.field == fieldHistory { // a file of the past (WIRE.md 1.9)
		s.past(c, nil, m)
		return
	}
	id := m.get("id").text()
	sender := c.sender(m)
	c.people.complete(sender)
	fill(&sender.Phone, sharedPhone(m))
	switch {
	case !validID(id):
		s.unreadable(c, m.raw(), "message without an id")
	case laneKey(sender) == "":
		s.unreadable(c, m.raw(), "message without a sender")
	case c.number == "":
		s.unreadable(c, m.raw(), "message without a phone_number_id")
	default:
		s.add(c, parleyv1.Kind_KIND_MESSAGE, id, sender, m.get("timestamp"), m.raw())
	}
}

// sender is who a message is from. It may not say so: then a rotated BSUID is announced
// by the old one, or by its new owner only, and everything else is of the only person
// that the change is about.
func (c *change) sender(m value) *parleyv1.Identity {
	sender, system := identity(m.get("from"), m.get("from_user_id"), m.get("from_parent_user_id")), m.get("system")
	if laneKey(sender) == "" && system.isObject() {
		if sender = oldIdentity(system); laneKey(sender) == "" {
			sender = newIdentity(system)
		}
	}
	if laneKey(sender) == "" && c.people.only != nil {
		sender = proto.CloneOf(c.people.only)
	}
	return sender
}

// echo is a message that the business sent with the phone's own app. Its id is told
// apart from those of messages that come in.
func (s *splitter) echo(c *change, m value) {
	id := m.get("id").text()
	recipient := identity(m.get("to"), m.get("to_user_id"), m.get("to_parent_user_id"))
	switch {
	case c.field == fieldHistory:
		s.past(c, nil, m)
	case laneKey(recipient) == "" && groupOf(m) != "":
		s.account(c, m)
	case !validID(id):
		s.unreadable(c, m.raw(), "echo without an id")
	case laneKey(recipient) == "":
		s.unreadable(c, m.raw(), "echo without a recipient")
	case c.number == "":
		s.unreadable(c, m.raw(), "echo without a phone_number_id")
	default:
		s.add(c, parleyv1.Kind_KIND_ECHO, "echo/"+id, recipient, m.get("timestamp"), m.raw())
	}
}

// preference is what a person wants to hear of the business.
func (s *splitter) preference(c *change, p value) {
	person := identity(p.get("wa_id"), p.get("user_id"), p.get("parent_user_id"))
	switch {
	case laneKey(person) == "":
		s.unreadable(c, p.raw(), "preference of nobody")
	case c.number == "":
		s.unreadable(c, p.raw(), "preference without a phone_number_id")
	default:
		s.add(c, parleyv1.Kind_KIND_PREFERENCE, c.digest(p.raw()), person, cmp.Or(p.get("timestamp"), c.entryTime), p.raw())
	}
}

// status is what became of something: of a message, of a payment, of a call.
func (s *splitter) status(c *change, r value) {
	switch kind := r.get("type"); {
	case kind.is(typePayment):
		s.payment(c, r)
	case kind.is("call") || c.field == "calls":
		s.callStatus(c, r)
	default:
		s.receipt(c, r)
	}
}

func (s *splitter) receipt(c *change, r value) {
	id, status := r.get("id").text(), r.get("status").text()
	switch {
	case !validID(id) || !validID(status):
		s.unreadable(c, r.raw(), "receipt without an id or a status")
		return
	case c.number == "":
		s.unreadable(c, r.raw(), "receipt without a phone_number_id")
		return
	}
	id += "/" + status
	recipient, participant := recipients(r)
	if key := laneKey(participant); key != "" { // in a group each participant has receipts
		id, recipient = id+"/"+key, participant
	}
	before := len(s.envelopes)
	s.add(c, parleyv1.Kind_KIND_RECEIPT, id, recipient, r.get("timestamp"), r.raw())
	for _, e := range s.envelopes[before:] {
		e.Number = c.displayed
	}
}

// recipients says to whom a message went and, in a group, whose receipt this is.
func recipients(r value) (recipient, participant *parleyv1.Identity) {
	parent := r.get("recipient_parent_user_id")
	if parent == (value{}) {
		parent = r.get("parent_recipient_user_id") // Meta's name for it until May 2026
	}
	recipient = identity(r.get("recipient_id"), r.get("recipient_user_id"), parent)
	participant = identity(r.get("recipient_participant_id"), r.get("recipient_participant_user_id"), r.get("recipient_participant_parent_user_id"))
	return recipient, participant
}

// account keeps a change, or a system error of one, that concerns no single person.
func (s *splitter) account(c *change, v value) {
	s.add(c, parleyv1.Kind_KIND_ACCOUNT, c.digest(v.raw()), &parleyv1.Identity{}, c.entryTime, v.raw())
}

func (s *splitter) unreadable(c *change, raw []byte, reason string) {
	s.add(c, parleyv1.Kind_KIND_UNREADABLE, c.digest(raw), &parleyv1.Identity{}, c.entryTime, raw)
	s.envelopes[len(s.envelopes)-1].Reason = reason
}

// add keeps one update. Behind the limit it keeps none: Split gives the POST up as a whole.
func (s *splitter) add(c *change, kind parleyv1.Kind, id string, contact *parleyv1.Identity, at value, raw []byte) {
	if len(s.envelopes) > maxUpdates {
		return
	}
	c.people.complete(contact)
	e := &parleyv1.Envelope{
		Id: id, Kind: kind, Provider: Provider, Channel: c.number, LaneKey: laneKey(contact), Contact: contact,
		ProviderAtMs: millis(at), ReceivedAtMs: s.receivedAtMS, Field: c.field, Raw: raw,
	}
	if e.Channel == "" && validID(c.entryID) {
		e.Channel = c.entryID
	}
	fill(&e.LaneKey, e.Channel)
	fill(&e.LaneKey, noLane)
	s.envelopes = append(s.envelopes, e)
}

// digest is the id of what has none: a hash of the bytes, the entry's id and its
// time. A retry may be batched differently, so nothing around them counts.
func (c *change) digest(raw []byte) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(c.entryID), c.entryTime.raw(), raw} {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		h.Write([]byte{':'})
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// millis reads a timestamp: Unix seconds, or milliseconds as some payloads have
// them, as a string or a number. 0 if it is none of them.
func millis(v value) int64 {
	const firstMillis, lastMillis = 1e12, 1e14 // September 2001 and the year 5138
	at, err := strconv.ParseFloat(v.text(), 64)
	if err != nil || !(at > 0 && at < lastMillis) {
		return 0
	}
	if at < firstMillis {
		at *= 1000
	}
	return int64(math.Round(at))
}
