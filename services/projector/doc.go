// Package projector folds events into the read models of schema insight. Its
// counts are additive, so that each event counts once rests on the checkpoint,
// which is committed with them; the read models can be built anew from the
// events at any time, and are then the same.
package projector
