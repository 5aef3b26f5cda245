// Package process builds and runs Parley's programs as processes, for those who
// look at them from the outside: measurements and whole-system tests. Nothing that
// it starts outlives its parent.
package process
