// Package devpg runs a private PostgreSQL for one Parley: the default when no PARLEY_DATABASE_URL is given.
//
// It is a real database, only a small one: fsync and synchronous_commit are on, data checksums too. It listens on a unix socket and
// nowhere else, and it lives and dies with its parent:
//
//	Start:  lock dir ─▶ choose binaries and account ─▶ end what an earlier Parley left ─▶ initdb once ─▶ postgres ─▶ database
//	Stop:   SIGINT (disconnect everybody, checkpoint) ─▶ SIGQUIT after a while ─▶ unlock dir
//
// The files of a server:
//
//	<dir>/lock         flock of the Parley that runs the server: one at a time
//	<dir>/place        only where <dir> is out of reach for the server's account: the folder used instead of <dir> for all below
//	<dir>/alive.lock   flock that every process of the server inherits: free means that nothing of it is left
//	<dir>/data         the cluster
//	<dir>/data.new     a cluster that initdb did not finish; it is made anew
//	<dir>/socket       the unix socket, 0700
//	<dir>/postgres.log what PostgreSQL says
//
// Nothing here ever deletes or overwrites a finished cluster.
package devpg
