// Package bus is everything that Parley knows about NATS JetStream: the names of
// streams and subjects, the declaration of the streams, the embedded server, the
// publisher that lets concurrent callers share one fsync, and the reader that
// follows one shard in strict order.
//
// What a nil error means:
//
//	Publisher.Publish  every message is in the stream and the stream fsynced it
//	Read               the context ended; everything delivered was in order and gapless
//
// What it leaves to others: deduplication (the inbox in PostgreSQL) and ownership of
// a shard (the lease and its epoch in PostgreSQL). JetStream has no fencing token,
// so nothing here claims to be exclusive.
package bus
