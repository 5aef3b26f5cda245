package meta

import (
	"regexp"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// maxIDBytes bounds every id that is taken out of a payload. Meta's are below 200.
const maxIDBytes = 512

// maxPhoneDigits is above the 15 digits of E.164.
const maxPhoneDigits = 20

// bsuidPattern is the form of a business-scoped user id and of a parent one.
var bsuidPattern = regexp.MustCompile(`^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`)

// validID reports whether s can be an id: not empty, not too long, printable ASCII.
func validID(s string) bool {
	return s != "" && len(s) <= maxIDBytes &&
		strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func isPhone(s string) bool {
	return s != "" && len(s) <= maxPhoneDigits &&
		strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// identity is what an update says about a person. Payloads exist that carry a
// BSUID where the phone belongs, and a phone with a "+". What is neither is left out.
func identity(phone, bsuid, parent value) *parleyv1.Identity {
	id := &parleyv1.Identity{}
	if s := bsuid.text(); validID(s) {
		id.Bsuid = s
	}
	if s := parent.text(); validID(s) {
		id.ParentBsuid = s
	}
	s := phone.text()
	switch digits := strings.TrimPrefix(s, "+"); {
	case isPhone(digits):
		id.Phone = digits
	case id.Bsuid == "" && bsuidPattern.MatchString(s):
		id.Bsuid = s
	}
	return id
}

// laneKey is the BSUID if there is one, else the phone; empty if nobody is known.
func laneKey(id *parleyv1.Identity) string {
	if id.GetBsuid() != "" {
		return id.GetBsuid()
	}
	return id.GetPhone()
}

// people holds the contacts[] of a change by each of their ids, and the one there is if
// there is only one.
type people struct {
	byBSUID, byPhone map[string]*parleyv1.Identity
	only             *parleyv1.Identity
}

func peopleOf(contacts value) people {
	p := people{byBSUID: map[string]*parleyv1.Identity{}, byPhone: map[string]*parleyv1.Identity{}}
	count := 0
	for contact := range contacts.elements() {
		id := identity(contact.get("wa_id"), contact.get("user_id"), contact.get("parent_user_id"))
		id.Name = limited(contact.get("profile", "name"), maxFieldBytes)
		id.Username = limited(contact.get("profile", "username"), maxFieldBytes)
		p.byBSUID[id.Bsuid], p.byPhone[id.Phone] = id, id
		if count++; count == 1 {
			p.only = id
		}
	}
	if count > 1 {
		p.only = nil
	}
	return p
}

// complete adds to id what contacts[] says about the same person. A contact with
// the same phone and another BSUID is somebody else: numbers change hands.
func (p people) complete(id *parleyv1.Identity) {
	contact := p.byBSUID[id.Bsuid]
	if id.Bsuid == "" || contact == nil {
		contact = p.byPhone[id.Phone]
		if id.Phone == "" || contact == nil || (id.Bsuid != "" && contact.Bsuid != "") {
			return
		}
	}
	fill(&id.Phone, contact.Phone)
	fill(&id.Bsuid, contact.Bsuid)
	fill(&id.ParentBsuid, contact.ParentBsuid)
	fill(&id.Username, contact.Username)
	fill(&id.Name, contact.Name)
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// renames are the system messages that say that a person's ids are others now. The
// one about a customer is what Meta called the first before.
var renames = map[string]bool{"user_changed_number": true, "customer_changed_number": true, "user_changed_user_id": true}

// isRename reports whether a system message is one of them. Some have no type.
func isRename(system value) bool {
	return renames[system.get("type").text()] || system.get("new_user_id").text() != ""
}

// newIdentity is who a person is from a system message on. What is new may be marked
// so, as numbers were before version 12 of Meta's webhooks; else it stands alone.
func newIdentity(system value) *parleyv1.Identity {
	newest := func(name string) value {
		if marked := system.get("new_" + name); marked.text() != "" {
			return marked
		}
		return system.get(name)
	}
	return identity(newest("wa_id"), newest("user_id"), newest("parent_user_id"))
}

// oldIdentity is who a person was, if a system message marks it, or what is new.
func oldIdentity(system value) *parleyv1.Identity {
	if id := identity(value{}, system.get("previous_user_id"), system.get("previous_parent_user_id")); laneKey(id) != "" {
		return id
	}
	if system.get("new_user_id").text() != "" {
		return identity(value{}, system.get("user_id"), system.get("parent_user_id"))
	}
	return &parleyv1.Identity{}
}

// DecodeRenamed reads the ids that a person has from here on: of a system message, and of
// the field user_id_update (WIRE.md 1.7, 2.2). It is nil for everything else. The old ids
// are the envelope's; none is ever read out of a text.
func DecodeRenamed(e *parleyv1.Envelope) *parleyv1.Identity {
	raw, err := update(e)
	if err != nil {
		return nil
	}
	var id *parleyv1.Identity
	switch system := raw.get("system"); {
	case e.GetKind() == parleyv1.Kind_KIND_IDENTITY:
		id = identity(raw.get("wa_id"), raw.get("user_id", "current"), raw.get("parent_user_id", "current"))
	case raw.get("type").is("system") && isRename(system):
		id = newIdentity(system)
	}
	if laneKey(id) == "" {
		return nil
	}
	return id
}
