// Command bench measures Parley on this machine: how much it takes in, decides and
// sends in a second, what a message costs in CPU, and how long people wait. Where a
// figure has a limit that something below Parley sets, the limit is measured beside
// it, in turns (A B A B), and the ratio is printed: machines differ, ratios less.
//
//	webhooks   callers ─▶ parley-ingress ─▶ NATS         beside  raw atomic batches ─▶ NATS
//	turns      lane.Process ─▶ session ─▶ PostgreSQL     beside  the same rows ─▶ PostgreSQL
//	sends      queued messages ─▶ parley-dispatcher ─▶ fake Graph API
//	services   load ─▶ the four services, NATS and PostgreSQL, each a process ─▶ fake Graph API
//	up         load ─▶ parley up ─▶ fake Graph API
//
// Every measurement starts with empty data and its own NATS and PostgreSQL, both
// with fsync. Progress goes to standard error, the table to standard output. It
// fails if something answers wrongly, never because something is slow.
//
//	make bench BENCH_ARGS="-short"
package main
