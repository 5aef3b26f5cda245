package wasender

import (
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// maxIDBytes bounds every id that is taken out of a payload. WhatsApp's have
	// below 64.
	maxIDBytes = 512
	// maxPhoneDigits is above the 15 digits of E.164, and those of a LID.
	maxPhoneDigits = 20
)

// whatsAppItself is the user that WhatsApp's own announcements come from.
const whatsAppItself = "0"

// lidServer is what the address of a person whose phone is hidden ends in.
const lidServer = "lid"

// validID reports whether s can be an id: not empty, not too long, printable ASCII.
// A slash is none, as it separates an id from what happened to its message.
func validID(s string) bool {
	return s != "" && len(s) <= maxIDBytes &&
		strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) < 0
}

func isPhone(s string) bool {
	return s != "" && len(s) <= maxPhoneDigits &&
		strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// jid is the address of a chat: user@server. A phone may stand without a server,
// and with its "+".
type jid struct{ user, server string }

func (j jid) String() string {
	if j.server == "" {
		return j.user
	}
	return j.user + "@" + j.server
}

// parseJID leaves out which device of the user it is ("1555_1:4@s.whatsapp.net").
func parseJID(s string) jid {
	if len(s) > maxIDBytes {
		return jid{}
	}
	user, server, _ := strings.Cut(s, "@")
	if end := strings.IndexAny(user, ":_"); end >= 0 {
		user = user[:end]
	}
	return jid{strings.TrimPrefix(user, "+"), strings.TrimPrefix(server, "hosted.")}
}

// phone is empty if the address is not one of a phone. A LID has digits too.
func (j jid) phone() string {
	switch j.server {
	case "", "s.whatsapp.net", "c.us", "hosted":
		if isPhone(j.user) {
			return j.user
		}
	}
	return ""
}

// lid is the address of a person whose phone is hidden; empty for any other.
func (j jid) lid() string {
	if j.server == lidServer && isPhone(j.user) {
		return j.user + "@" + lidServer
	}
	return ""
}

// isGroup reports whether it is no chat with one person but a group, a broadcast
// list, somebody's status, a channel, WhatsApp itself, or something newer.
func (j jid) isGroup() bool {
	switch j.server {
	case "", "s.whatsapp.net", "c.us", "hosted", lidServer:
		return j.user == whatsAppItself
	}
	return true
}

// key says which message an update is about.
type key struct {
	id     string
	chat   jid
	fromMe bool
	person *parleyv1.Identity // who wrote it, or for our own to whom it went
}

// Where an address of the person stands, the best first. Documents and captures
// have cleanedSenderPn, a published type cleanSenderPn; the …Alt are WhatsApp Web's.
// Source: WASenderApi, "How to receive messages"; its npm package.
var (
	senderFields      = []string{"cleanedSenderPn", "cleanSenderPn", "senderPn", "remoteJid", "remoteJidAlt", "senderLid"}
	participantFields = []string{"cleanedParticipantPn", "cleanParticipantPn", "participantPn", "participant", "participantAlt", "participantLid"}
	recipientFields   = []string{"remoteJid", "remoteJidAlt"}
)

// keyIn is the key of an update. Its id may stand beside it, and the rest of it too.
func keyIn(update fields) key {
	own := update.get("key")
	if !own.isObject() {
		return keyOfFields(update)
	}
	k := keyOf(own)
	fill(&k.id, update.get("id").text())
	return k
}

func keyOf(v value) key { return keyOfFields(v.fields()) }

func keyOfFields(f fields) key {
	k := key{id: f.get("id").text(), fromMe: f.get("fromMe").isTrue(), chat: parseJID(f.get("remoteJid").text())}
	names := senderFields
	switch {
	case k.chat.isGroup():
		names = participantFields
	case k.fromMe:
		names = recipientFields
	}
	k.person = identityOf(addresses(f, names))
	return k
}

// addresses are what stands in some members.
func addresses(f fields, names []string) []jid {
	list := make([]jid, len(names))
	for i, name := range names {
		list[i] = parseJID(f.get(name).text())
	}
	return list
}

// identityOf is the first phone of the addresses and the first LID. Without a phone the
// LID stands as the BSUID too, which is what it is, an id of the person within our
// account; its "@lid" tells it from Meta's.
func identityOf(list []jid) *parleyv1.Identity {
	id := &parleyv1.Identity{}
	for _, j := range list {
		fill(&id.Phone, j.phone())
	}
	for _, j := range list {
		fill(&id.Lid, j.lid())
	}
	if id.Phone == "" {
		id.Bsuid = id.Lid
	}
	return id
}

// laneKey is the LID of a person without a phone, else the phone; empty if nobody
// is known.
func laneKey(id *parleyv1.Identity) string {
	if id.GetBsuid() != "" {
		return id.GetBsuid()
	}
	return id.GetPhone()
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
