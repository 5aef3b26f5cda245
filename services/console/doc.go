// Package console answers the JSON API: it reads the read models and what the
// services keep about themselves. What an operator orders goes into WA_IN like
// every other update: it is ordered, logged and replayable.
package console
