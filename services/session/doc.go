// Package session turns what people send into events: it owns shards of WA_IN,
// decides each update with the pure engine, and commits a batch's events,
// session rows, inbox keys and checkpoint in one transaction. A reply is an
// event (MessageQueued): appending it is the outbox.
package session
