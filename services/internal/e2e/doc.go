// Package e2e tests the real programs from the outside: it builds them, starts
// them as processes, talks to them over HTTP, kills, stops and restarts them,
// takes PostgreSQL away, and then looks into the database for what must be true.
//
//	┌──────────────────────────┐  signed webhooks   ┌────────────────────────┐
//	│ test process             │───────────────────▶│ parley up, or          │
//	│  load (plays WhatsApp)   │◀───────────────────│ parley-ingress, ...    │
//	│  the nemesis             │      replies       └───────────┬────────────┘
//	│  external NATS, if any   │── SIGKILL, SIGSTOP, SIGTERM ──▶│
//	└───────────┬──────────────┘                        ┌───────▼────────┐
//	            └────────── checks afterwards ─────────▶│ PostgreSQL     │
//	                                                    └────────────────┘
//
// The tests have the build tag e2e; what they stand on compiles always. By default
// they run at a size that suits CI; -long runs them at the full one:
//
//	go test -tags e2e -count=1 -v -timeout 40m ./services/internal/e2e -long
//
// With -v each test prints one line with its figures.
package e2e
