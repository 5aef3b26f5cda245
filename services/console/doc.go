// Package console answers the JSON API: it reads the read models and what the
// services keep about themselves. It writes nothing.
package console
