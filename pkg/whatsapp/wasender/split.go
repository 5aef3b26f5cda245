package wasender

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Provider names this package in an Envelope.
const Provider = "wasender"

const (
	// maxUpdates is how many updates of one POST are told apart.
	maxUpdates = 10_000
	// maxEventBytes bounds the name of an event.
	maxEventBytes = 128
	// noLane is the lane key of what belongs to no person and no session.
	noLane = "unreadable"
)

// Split takes one POST of a session apart into envelopes, in order: one for each
// message, receipt, deletion, reaction, call, card and notice. The body must have come with the
// session's webhook secret; no part of it but its secrets is lost then:
//   - a message of a person becomes KIND_MESSAGE. Its id is WhatsApp's, whichever of
//     messages.upsert, messages.received and messages-personal.received brought it,
//     so that it is one however often it comes. What is written in groups, and to
//     one's status, is kept like this too, and no flow reacts;
//   - a call of a person is a KIND_VOICE_CALL, "<id>/<state>", what a contact or a chat says of
//     who somebody is a KIND_CARD;
//   - a message of ours (fromMe), and what became of one, is a KIND_RECEIPT, "<id>/sent";
//   - what is about no message, an event that Parley does not know, and one without
//     updates becomes one KIND_ACCOUNT with the whole POST;
//   - an element that is no message becomes KIND_UNREADABLE with its own bytes, and
//     its neighbours are read as usual;
//   - a body that is no event, or is nested deeper than 64 levels, or holds more than
//     10,000 updates, becomes one KIND_UNREADABLE with the whole body.
//
// The channel is the session, as the webhook's address names it: the body's
// sessionId may be the session's API key. It is redacted from everything, as are
// secrets, those that the caller knows: the session's webhook secret and API key.
// The raw fields are parts of body where nothing was redacted; it must not change
// afterwards. The portfolio is left empty.
func Split(body []byte, channel string, receivedAt time.Time, secrets ...string) []*parleyv1.Envelope {
	s := splitter{channel: channel, receivedAtMS: receivedAt.UnixMilli(), whole: redact(body, secrets)}
	root, fault := parse(s.whole)
	if fault == "" {
		s.posts(root)
	}
	if len(s.envelopes) > maxUpdates {
		fault = "more than " + strconv.Itoa(maxUpdates) + " updates"
	}
	if fault != "" {
		s.event, s.at, s.envelopes = "", value{}, nil
		s.unreadable(s.whole, fault)
	}
	return s.envelopes
}

type splitter struct {
	channel      string
	receivedAtMS int64
	whole        []byte
	envelopes    []*parleyv1.Envelope

	event string // of the event that is read, and its time
	at    value
}

// posts takes an event apart, or each of a list of them.
func (s *splitter) posts(root value) {
	if !root.isList() || root.first().isNone() {
		s.post(root)
		return
	}
	for event := range root.elements() {
		s.post(event)
	}
}

func (s *splitter) post(event value) {
	f := event.fields()
	s.event, s.at = f.get("event").limited(maxEventBytes), f.get("timestamp")
	take, isKnown := readers[s.event]
	switch {
	case !event.isObject():
		s.unreadable(event.raw(), "event is not an object")
		return
	case s.event == "":
		s.unreadable(event.raw(), "event without a name")
		return
	case !isKnown:
		s.account(event)
		return
	}
	before, rest := len(s.envelopes), false
	for _, member := range f {
		switch {
		case member.key.is("data"):
			updates, more := updatesOf(member.value, take.names)
			rest = rest || more
			for _, update := range updates {
				take.read(s, update)
			}
		default:
			rest = rest || !member.value.first().isNone()
		}
	}
	if rest || len(s.envelopes) == before {
		s.account(event)
	}
}

// reader is how the updates of an event are read: what its list of updates may be
// called, and what one of them is.
type reader struct {
	names []string
	read  func(*splitter, value)
}

// readers of the events that are about messages, calls, contacts and chats. One event may have several
// shapes: documents, captures and published types disagree.
// Source: WASenderApi, "Webhooks"; its n8n node.
var readers = map[string]reader{
	"messages.received":            {[]string{"messages", "message"}, (*splitter).message},
	"messages-personal.received":   {[]string{"messages", "message"}, (*splitter).message},
	"messages-group.received":      {[]string{"messages", "message"}, (*splitter).message},
	"messages-newsletter.received": {[]string{"messages", "message"}, (*splitter).message},
	"messages.upsert":              {[]string{"messages", "message"}, (*splitter).message},
	"message.sent":                 {[]string{"messages"}, (*splitter).sent},
	eventUpdate:                    {[]string{"messages", "updates"}, (*splitter).receipt},
	"message-receipt.update":       {[]string{"message", "messages", "receipts", "updates"}, (*splitter).receipt},
	eventDelete:                    {[]string{"keys"}, (*splitter).deletion},
	eventReaction:                  {[]string{"messages", "reactions"}, (*splitter).reaction},
	"call":                         {[]string{"call", "calls"}, (*splitter).call},
	"call.received":                {[]string{"call", "calls"}, (*splitter).call},
	"contacts.upsert":              {[]string{"contacts", "contact"}, (*splitter).card},
	"contacts.update":              {[]string{"contacts", "contact"}, (*splitter).card},
	"chats.upsert":                 {[]string{"chats"}, (*splitter).card},
	"chats.update":                 {[]string{"chats"}, (*splitter).card},
	"chats.delete":                 {[]string{"chats"}, (*splitter).chatGone},
}

// updatesOf finds the updates of an event's data: a list, an object with a member
// that is a list or one update, or one update itself, whose "message" is its content.
// rest reports a list beside them that Parley does not know.
func updatesOf(data value, names []string) (updates []value, rest bool) {
	if data.isList() {
		return slices.Collect(data.elements()), false
	}
	f, found := data.fields(), false
	isUpdate := f.get("key").isObject()
	for _, member := range f {
		switch {
		case !slices.ContainsFunc(names, member.key.is), isUpdate && member.key.is("message"):
			rest = rest || !member.value.first().isNone()
			continue
		case member.value.isList():
			updates = slices.AppendSeq(updates, member.value.elements())
		case !member.value.isNull():
			updates = append(updates, member.value)
		}
		found = true
	}
	if !found && data.isObject() {
		return []value{data}, false
	}
	return updates, rest
}

func (s *splitter) message(m value) {
	f := m.fields()
	k := keyIn(f)
	fill(&k.person.Name, f.get("pushName").limited(maxFieldBytes))
	switch {
	case !validID(k.id) && (k.id != "" || k.fromMe || laneKey(k.person) == ""):
		s.unreadable(m.raw(), "message without an id")
	case k.fromMe:
		s.receipt(m)
	case laneKey(k.person) != "":
		s.add(parleyv1.Kind_KIND_MESSAGE, s.messageID(k, f), k.person, f.get("messageTimestamp"), m.raw())
	case k.chat.isGroup():
		s.add(parleyv1.Kind_KIND_ACCOUNT, k.id, k.person, f.get("messageTimestamp"), m.raw())
	default:
		s.unreadable(m.raw(), "message without a sender")
	}
}

// messageID is WhatsApp's id. A message that could not be decrypted comes again under
// the same id, so what has no content yet must not take that id. A message without an
// id is known by what it says and when.
func (s *splitter) messageID(k key, f fields) string {
	switch {
	case k.id == "" && !f.get("messageTimestamp").isNone():
		return digest([]byte(laneKey(k.person)), f.get("messageTimestamp").raw(), f.get("message").raw(), f.get("messageBody").raw())
	case k.id == "":
		return digest([]byte(laneKey(k.person)), s.at.raw(), f.get("message").raw(), f.get("messageBody").raw())
	case isEmpty(f):
		return k.id + "/empty"
	}
	return cmp.Or(editID(f), k.id)
}

// editID is the id of a message that edits another. The update of that other says the
// same and has no id: both are known by what was edited when. Empty for all else.
func editID(f fields) string {
	kind, content := unwrapped(f.get("message"))
	if wordFor(kind, content) != "edit" {
		return ""
	}
	at := cmp.Or(millis(content.get("timestampMs")), millis(f.get("messageTimestamp")))
	return editedAt(content.get("key", "id").text(), at)
}

// editedAt is empty if it is not known what was edited, or when. Updates have seconds.
func editedAt(id string, ms int64) string {
	if !validID(id) || ms == 0 {
		return ""
	}
	return id + "/edit/" + strconv.FormatInt(ms/1000, 10)
}

// updateID is the id of an update: that of the message which brought it about, which
// comes too, and if that has none, a digest.
func updateID(k key, r value) string {
	update := r.get("update")
	for _, own := range []value{update.get("key", "id"), update.get(pollUpdates).first().get("pollUpdateMessageKey", "id")} {
		if id := own.text(); validID(id) && id != k.id {
			return id
		}
	}
	if id := editedAt(k.id, millis(update.get("messageTimestamp"))); id != "" && update.get("message").isObject() {
		return id
	}
	return k.id + "/update/" + digest(r.raw())[:16]
}

// sent is what came of a send. A failed one does not say which: it is kept.
func (s *splitter) sent(m value) {
	if m.isObject() && m.get("key", "id").isNone() {
		s.account(m)
		return
	}
	s.receipt(m)
}

// receipt keeps what became of a message.
func (s *splitter) receipt(r value) {
	k, status, at := receiptOf(s.event, r)
	switch {
	case !validID(k.id):
		s.unreadable(r.raw(), "receipt without an id")
		return
	case !validID(status):
		s.changed(k, r)
		return
	}
	id := k.id + "/" + status
	if k.chat.isGroup() && laneKey(k.person) != "" { // in a group each participant has receipts
		id += "/" + laneKey(k.person)
	}
	s.add(parleyv1.Kind_KIND_RECEIPT, id, k.person, at, r.raw())
}

// changed keeps an update of something else than the status: a person edited or
// deleted a message, or voted. One that brings a content is the message itself, which
// could not be decrypted before.
func (s *splitter) changed(k key, r value) {
	update := r.get("update")
	switch content := update.get("message"); {
	case s.event != eventUpdate || k.chat.isGroup() || laneKey(k.person) == "", k.fromMe && update.get(pollUpdates).isNone():
		s.account(r)
	case isContent(content):
		s.add(parleyv1.Kind_KIND_MESSAGE, k.id, k.person, update.get("messageTimestamp"), r.raw())
	default:
		s.add(parleyv1.Kind_KIND_MESSAGE, updateID(k, r), k.person, value{}, r.raw())
	}
}

// deletion is one key of messages that were deleted, or a chat that was emptied.
func (s *splitter) deletion(v value) {
	whose := v
	if inner := v.get("key"); inner.isObject() {
		whose = inner
	}
	k := keyOf(whose)
	switch {
	case !v.isObject():
		s.unreadable(v.raw(), "deletion without a key")
	case !validID(k.id) || k.fromMe || laneKey(k.person) == "":
		s.account(v)
	default:
		s.add(parleyv1.Kind_KIND_MESSAGE, k.id+"/deleted", k.person, value{}, v.raw())
	}
}

// reaction has two keys: whose message it is about, and its own, which says who
// reacts; the message that brings it has the same. A sample has the same one twice, so
// that neither can be its id.
func (s *splitter) reaction(v value) {
	f := v.fields()
	target, own := keyOf(f.get("key")), keyOf(f.get("reaction").get("key"))
	if own.id == "" {
		own = target
		own.fromMe = false // it is ours that somebody reacts to
	}
	switch {
	case !v.isObject() || !validID(own.id) && !validID(target.id):
		s.unreadable(v.raw(), "reaction without a key")
	case own.fromMe || laneKey(own.person) == "":
		s.account(v)
	default:
		id := own.id
		if id == target.id {
			id += "/reaction/" + digest(v.raw())[:16]
		}
		s.add(parleyv1.Kind_KIND_MESSAGE, id, own.person, value{}, v.raw())
	}
}

// account keeps what concerns no single person.
func (s *splitter) account(v value) {
	s.add(parleyv1.Kind_KIND_ACCOUNT, digest([]byte(s.event), v.raw()), &parleyv1.Identity{}, value{}, v.raw())
}

func (s *splitter) unreadable(raw []byte, reason string) {
	s.add(parleyv1.Kind_KIND_UNREADABLE, digest([]byte(s.event), raw), &parleyv1.Identity{}, value{}, raw)
	s.envelopes[len(s.envelopes)-1].Reason = reason
}

// add keeps one update. Behind the limit it keeps none: Split gives the POST up as
// a whole.
func (s *splitter) add(kind parleyv1.Kind, id string, contact *parleyv1.Identity, at value, raw []byte) {
	if len(s.envelopes) > maxUpdates {
		return
	}
	e := &parleyv1.Envelope{
		Id: id, Kind: kind, Provider: Provider, Channel: s.channel, LaneKey: laneKey(contact), Contact: contact,
		ProviderAtMs: millis(at), ReceivedAtMs: s.receivedAtMS, Field: s.event, Raw: raw,
	}
	if e.ProviderAtMs == 0 {
		e.ProviderAtMs = millis(s.at)
	}
	fill(&e.LaneKey, e.Channel)
	fill(&e.LaneKey, noLane)
	s.envelopes = append(s.envelopes, e)
}

// digest is the id of what has none.
func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		h.Write([]byte{':'})
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// millis reads a timestamp: Unix seconds or milliseconds, both of which WASenderApi
// sends, or a date. 0 if it is none of them.
func millis(v value) int64 {
	const firstMillis, lastMillis = 1e12, 1e14 // September 2001 and the year 5138
	at, err := strconv.ParseFloat(v.text(), 64)
	if v.isObject() {
		at, err = float64(v.integer()), nil
	}
	if date, no := time.Parse(time.RFC3339, v.text()); no == nil {
		return max(date.UnixMilli(), 0)
	}
	if err != nil || !(at > 0 && at < lastMillis) {
		return 0
	}
	if at < firstMillis {
		at *= 1000
	}
	return int64(math.Round(at))
}
