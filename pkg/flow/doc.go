// Package flow is the core of Parley: it decides what an input means for a
// session, and folds the events of that decision into the session's state.
//
// It is pure. There is no clock, no I/O, no context, no goroutine, no logging
// and no randomness in it: an input carries its own time and identity, so the
// same arguments give the same events, today and in a replay a year from now.
//
// The way through the package, in reading order:
//
//  1. [Parse] compiles a definition (YAML) into a [Flow].
//  2. [Turn] is what a caller runs for each input: it decides, folds, and
//     starts anew on the live version after a restart.
//  3. [Flow.Decide] says what an input means for one session.
//  4. [Evolve] folds one event into a [State]. Nothing else changes a State.
package flow
