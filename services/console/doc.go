// Package console answers the JSON API and the web console, whose pages read that API
// like everybody else: it shows the read models and what the services keep about
// themselves. What an operator orders goes into WA_IN like every other update: it is
// ordered, logged and replayable. Orders for a session of WASenderApi go to whoever
// watches it.
package console
