// Package store is Parley's PostgreSQL: the schema, the leases, and the few hot
// statements written by hand.
//
// Every write of a lane's batch is one statement, and every row it writes is
// joined to the fence: the update of the shard's lease that only succeeds while
// the caller still owns the shard and nobody has applied the batch before. A
// stale owner therefore writes nothing at all, without an error and without a
// rollback.
package store
