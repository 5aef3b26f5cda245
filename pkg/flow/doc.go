// Package flow is the core of Parley: it decides what an input means for a
// session, and folds the events of that decision into the session's state.
//
// It is pure. There is no clock, no I/O, no context, no goroutine, no logging
// and no randomness in it: an input carries its own time and identity, so the
// same arguments give the same events, today and in a replay a year from now.
//
// The way through the package, in reading order:
//
//  1. [Parse] compiles a definition (YAML) into a [Flow]; [Lint] also warns. The
//     language is described in deploy/flows/README.md.
//  2. [Turn] decides what an input means, with the version that the session is
//     pinned to, and begins new sessions on what is [Live]: a Flow, or a [Router].
//     [Complete] also answers the lookups that a turn asks for.
//  3. [Evolve] folds one event into a [State]. Nothing else changes a State.
//  4. [Flow.Describe] and [Flow.Texts] say what a flow consists of, for tools.
//
// A turn goes: hear (what kind of message is it), weigh (is it an answer), advance
// (to the next question), say. Compiling goes: reader (what is written), compile_*
// (what it means), analyze, silence and assigned (whether the whole can work).
package flow
