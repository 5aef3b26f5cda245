// Package platform is what every Parley process does around its service: read
// the configuration and report all its problems at once, open NATS and
// PostgreSQL, answer health checks and metrics, and stop in order.
package platform
