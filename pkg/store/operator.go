package store

// Fields of an envelope that the console or the command line puts into a
// contact's lane (KIND_OPERATOR).
const (
	// OperatorRedrive tries a parked contact's updates again.
	OperatorRedrive = "redrive"
	// OperatorInput carries an Input for the contact's session, as proto JSON: a
	// start, a migration.
	OperatorInput = "input"
)
