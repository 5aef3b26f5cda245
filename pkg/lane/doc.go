// Package lane runs everything that consumes: it owns shards through leases in
// PostgreSQL, reads each shard in order from its checkpoint, and hands batches
// to a Handler that commits them under their fences.
//
// Exactly once rests on one rule: a batch's effect and its checkpoint are one
// commit, and that commit only succeeds for the owner of the shard (epoch) that
// starts where the last batch ended (checkpoint). What the stream delivers
// twice, late or to the wrong replica is dropped by that rule; JetStream
// acknowledgements play no part in it.
//
// There is one recovery: whenever the outcome of a batch is not known to be
// good, the shard is dropped, with all that was kept in memory for it, and
// taken again with a new epoch from the checkpoint that the database holds.
package lane
