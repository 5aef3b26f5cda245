// Package backtest plays recorded conversations through another version of
// their flow and says what would have been different: the funnels side by side,
// where each changed conversation first parts, and at which steps people would
// now still wait. Nothing is sent. It is pure, like the engine that it drives.
//
// A conversation goes another way if something else is asked, accepted, rejected
// or ended. What is said is no way: a text may change, a step that only says
// something may come or go.
//
// People answered the questions that they were asked then, at the times at which
// they did. An answer is played to the question that it was given to, by name, also
// if the version asks in another order. To a question that nobody was asked then
// there is no answer: people wait there. So what comes after the first divergence is
// a guess, a good one where a step was removed or moved or made stricter, and none
// behind a step that is new. Rows of tables are those that were recorded; a version
// that looks up others is followed up to there and no further.
//
// The way through the package: [Report.Add] makes a recording of a session's
// events, replays it, and compares the two turn by turn.
package backtest
