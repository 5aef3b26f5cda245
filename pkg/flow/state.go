package flow

// State is a session's events folded; the zero State means that there is no
// session. It is plain data, comparable with reflect.DeepEqual. Treat it as a
// value: its maps and slices are shared between copies, and never written to.
type State struct {
	Flow        string
	FlowVersion uint32
	Status      Status
	// Step is where a session waits, or where a human took over; otherwise empty.
	Step     string
	Language string
	// Failures counts the rejected answers since the step was entered.
	Failures uint32
	// Version counts the session's events.
	Version uint32
	// Answers maps a slot to its value: a string, float64, bool, or map[string]any,
	// as JSON has them. It is not nil once a session has started.
	Answers map[string]any
	// StartedAtMs is the time of SessionStarted, LastInteractionMs that of the
	// last message; both in Unix milliseconds.
	StartedAtMs, LastInteractionMs int64
	// Progress is what the engine keeps besides.
	Progress Progress
}

// Progress is the part of a state that only the engine reads. It is stored as
// JSON: fields may be added, and a missing one is its zero value.
type Progress struct {
	// Ref names the session in the ids of buttons and forms.
	Ref string `json:"ref,omitempty"`
	// FirstLanguage is the language that the session started in; empty while it is
	// still that one.
	FirstLanguage string `json:"first_language,omitempty"`
	// Calls are the sub-flows that run, the innermost last: each is the name of the
	// step that called it.
	Calls []string `json:"calls,omitempty"`
	// Called counts the session's calls of other systems.
	Called uint32 `json:"called,omitempty"`
	// Loops counts how often the session came back to a step from a later one.
	Loops map[string]uint32 `json:"loops,omitempty"`
	// Variants maps a test to the session's variant, Goals says which were reached.
	Variants map[string]string `json:"variants,omitempty"`
	Goals    map[string]bool   `json:"goals,omitempty"`
	// Undelivered says that the session reacted to a message that did not arrive, and
	// that the person has not written since.
	Undelivered bool `json:"undelivered,omitempty"`
	// WindowUntilMs is until when WhatsApp takes free text for the person; 0 if that is
	// not known. HushedMs is when the bot was told to be silent, by the person or because
	// a human took over: what was queued before is not sent any more.
	WindowUntilMs int64 `json:"window_until_ms,omitempty"`
	HushedMs      int64 `json:"hushed_ms,omitempty"`

	// TimerMs is when the session wants to be woken, besides WakeAtMs; 0 if never.
	TimerMs int64 `json:"timer_ms,omitempty"`
	// Campaign is the contact of a campaign that began the session, until the person
	// writes for the first time.
	Campaign *CampaignLine `json:"campaign,omitempty"`
	// Archived says that the session, which has ended, is out of the way.
	Archived bool `json:"archived,omitempty"`

	// HumanMs is when a human took over or wrote last; 0 while the bot has the
	// conversation.
	HumanMs int64 `json:"human_ms,omitempty"`

	// EndedAtMs is when the flow was completed; 0 before, and in old sessions.
	EndedAtMs int64 `json:"ended_at_ms,omitempty"`

	// The rest belongs to the present step and ends with it.

	// AskedMs is when the question was asked, Reminded how many of its reminders are
	// done with.
	AskedMs  int64  `json:"asked_ms,omitempty"`
	Reminded uint32 `json:"reminded,omitempty"`
	// Call is the call whose result the step waits for.
	Call string `json:"call,omitempty"`
	// Resuming says that the person came back and was asked whether to go on.
	Resuming bool `json:"resuming,omitempty"`
	// Silence is the silence for which a reminder is planned; nil if none is.
	Silence *Silence `json:"silence,omitempty"`
	// Page and Offered are the choices shown last; Offered is nil unless they come
	// from a table.
	Page    uint32   `json:"page,omitempty"`
	Offered []Choice `json:"offered,omitempty"`
	// Pending is the answer that waits to be confirmed.
	Pending *Pending `json:"pending,omitempty"`
	// Fragments are the parts of an answer so far; it is weighed at WakeAtMs, at
	// the latest at UntilMs.
	Fragments []string `json:"fragments,omitempty"`
	WakeAtMs  int64    `json:"wake_at_ms,omitempty"`
	UntilMs   int64    `json:"until_ms,omitempty"`
	// Form is what the open form has sent so far.
	Form map[string]any `json:"form,omitempty"`
	// FormAnswers are what the open form was shown, the newest last; see FormAnswersMax.
	FormAnswers []FormAnswer `json:"form_answers,omitempty"`
	// Lookup is what the session needs to be told before its turn can go on. It is
	// never set between turns.
	Lookup *Lookup `json:"lookup,omitempty"`
}

// CampaignLine names one contact of a campaign.
type CampaignLine struct {
	Name string `json:"name"`
	Line uint32 `json:"line"`
}

// Choice is one thing that can be chosen, as it was offered.
type Choice struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Value       string `json:"value"`
}

// FormAnswer is what an open form was shown for an exchange.
type FormAnswer struct {
	// Key names the exchange.
	Key      string `json:"key"`
	Screen   string `json:"screen,omitempty"`
	JSON     []byte `json:"json,omitempty"`
	Finished bool   `json:"finished,omitempty"`
}

// Pending is an answer that was understood, but is not accepted yet.
type Pending struct {
	// Text is what the person said, Value what it means.
	Text  string `json:"text"`
	Value any    `json:"value"`
}

// Lookup asks for rows of a table: those whose columns have these values, in
// order, at most Limit. With a Verb it asks for free slots, or to have something
// done: Where are its particulars, and the one row of the answer is its [Outcome].
type Lookup struct {
	// Step is the step that has something done; empty for an order from outside, and
	// for a question.
	Step  string            `json:"step,omitempty"`
	Verb  string            `json:"verb,omitempty"`
	Table string            `json:"table"`
	Where map[string]string `json:"where"`
	Limit uint32            `json:"limit"`
	// Answer is the answer that is weighed by the rows; nil if they are choices to
	// be shown.
	Answer *Pending `json:"answer,omitempty"`
}

// Awaits returns the lookup that the session's turn needs, or nil. The caller
// answers it with an input made by [LookupInput], in the same transaction.
func (s State) Awaits() *Lookup { return s.Progress.Lookup }

// WakeAt returns when the session wants a [TimerInput], in Unix milliseconds; 0
// if it does not.
func (s State) WakeAt() int64 {
	p := s.Progress
	if p.WakeAtMs == 0 || p.TimerMs > 0 && p.TimerMs < p.WakeAtMs {
		return p.TimerMs
	}
	return p.WakeAtMs
}

// Archived reports whether the session is out of the way of those that run. A
// message brings it back.
func (s State) Archived() bool { return s.Status == Expired || s.Progress.Archived }

const (
	stateCompleted = "completed"
	stateCancelled = "cancelled"
)

// completed reports whether the flow reached its end, even if a human has the
// conversation since.
func (s State) completed() bool { return s.Status == Completed || s.Progress.EndedAtMs > 0 }

// endedAt is when the flow was completed, in Unix milliseconds.
func (s State) endedAt() int64 {
	if s.Progress.EndedAtMs == 0 {
		return s.LastInteractionMs
	}
	return s.Progress.EndedAtMs
}

// quietSince is since when nothing has been said in a session that ended.
func (s State) quietSince() int64 { return max(s.endedAt(), s.LastInteractionMs) }

// CurrentState returns what SQL users see: the step of an active session,
// "completed", "cancelled", or "" if there is no session.
func (s State) CurrentState() string {
	switch {
	case s.Status == Cancelled:
		return stateCancelled
	case s.completed():
		return stateCompleted
	}
	return s.Step
}
