// Package backtest plays recorded conversations through another version of
// their flow and says what would have been different: the funnels side by side,
// where each changed conversation first parts, and at which steps people would
// now still wait. Nothing is sent. It is pure, like the engine that it drives.
//
// People answered the questions that they were asked then. Where the new version
// asks something else, their old answers are taken as far as they go; what comes
// after the first divergence is a guess, and the report counts it as one.
package backtest
