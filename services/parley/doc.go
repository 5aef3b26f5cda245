// Command parley is everything in one process: `parley up` runs NATS,
// PostgreSQL, all services and a sandbox that plays WhatsApp; the other
// commands are tools.
package main
