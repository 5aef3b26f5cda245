package bus

// What is said of a provider's sessions goes through no stream: it is worth nothing
// a minute later, and a part of it, the code that links a phone, must not be stored.
const (
	rootSignal = "session.signal"
	rootOrder  = "session.order"
)

// SubjectSignal returns the subject of what is heard of a channel's session.
func SubjectSignal(channel string) string { return rootSignal + "." + channelToken(channel) }

// SubjectOrder returns the subject of what operators want of a channel's session.
func SubjectOrder(channel string) string { return rootOrder + "." + channelToken(channel) }
