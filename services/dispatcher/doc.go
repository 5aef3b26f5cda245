// Package dispatcher sends what sessions have queued, and settles it with the
// receipts that come back.
//
// It has two lanes. Service follows events: each MessageQueued becomes a row in
// deliveries, whose intent is committed before the call to the provider and
// whose result is committed after it. Receipts follows WA_STATUS. Between them
// stands the Desk, which knows who may be sent to next; it is plain data without
// clock or I/O.
//
// A send whose outcome is unknown (timeout, cut connection, crash between call
// and record) is ambiguous. It is held: the receipt that echoes our id settles
// it, or the log of WASenderApi, whose receipts echo none; only if neither did
// within the grace period is the message sent again.
package dispatcher
