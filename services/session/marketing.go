package session

import parleyv1 "github.com/parleyhq/parley/proto/parley/v1"

const (
	// categoryMarketing is the one kind of message that Meta lets people choose about
	// (WIRE.md 1.9, user_preferences).
	categoryMarketing = "marketing_messages"
	// codeMarketing is Meta's refusal of what the person does not want (WIRE.md 3.4).
	codeMarketing = 131050
)

// prefer keeps with the contact whether they want what the business begins, if the
// update says so: their choice, or Meta's refusal of a message because of it. Answers
// are sent to them in any case.
func (b *batch) prefer(u update) {
	no, said := marketing(u.input)
	c := b.known.Contacts[u.contact]
	if !said || c.NoMarketing == no {
		return
	}
	c.NoMarketing = no
	b.write(c)
}

// marketing is whether an input says that marketing is not wanted; said is false if it
// says nothing about it.
func marketing(in *parleyv1.Input) (no, said bool) {
	if in.GetDeliveryFailure().GetCode() == codeMarketing {
		return true, true
	}
	p := in.GetPreference()
	if p.GetCategory() != categoryMarketing {
		return false, false
	}
	switch p.GetValue() {
	case "stop":
		return true, true
	case "resume", "signup":
		return false, true
	}
	return false, false
}
