// Package simulation runs the services' real logic against a hostile world of
// its own: virtual time, one seeded source of chance, fakes of the streams, the
// database and the provider, and people who write. The same seed gives the same
// run, byte for byte; its trace hash proves it.
//
//	people ─▶ webhooks ─▶ ingress ─▶ WA_IN ─▶ session ─▶ database ─▶ WA_EVENTS ─▶ dispatcher ─▶ provider
//	             ▲                └▶ WA_STATUS ─▶ receipts ─▶ database ◀─ projector ◀─┘               │
//	             └─────────────────────────────────────────────────────────────────────────────────┘
//
// Everything that waits is a task: a coroutine that one event loop resumes, one
// at a time, in the order of virtual time. A task that waits for the database is
// really suspended there while the others go on, so a paused process wakes up
// between its reading and its commit to find its shard taken.
//
// A run has two phases. While the nemesis works, processes are killed, paused
// and replaced, and each fake fails in each way that the real thing can. Then
// everything heals, the run goes on until nothing is left to do, and the
// checkers judge what is there (I1 to I8 of the test names).
//
// Everything here is test code; start with simulation_test.go. One seed with its
// whole trace: go test ./services/internal/simulation -run Seed -seed=7
package simulation
