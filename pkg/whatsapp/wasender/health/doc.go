// Package health judges a session of WASenderApi by what is heard of it, and says
// what to do: connect, restart, call a person, or wait. It is plain data: no clock,
// I/O or randomness, so that every history can be tried.
//
//	webhooks, heartbeat, sends, answers, orders ─▶ Input ─▶ Step ─▶ Health, Action
//
// The rules:
//   - a session that dropped is connected again by itself, after a wait that doubles
//     with each try; it is given up after TriesMost tries in a row;
//   - nothing is tried while a person must act (scan, passkey, logged out, expired), nor
//     after an operator has disconnected it: only an order or the session itself ends that;
//   - one try at a time, and none before the wait is over, whoever watches by then;
//   - a session is deaf if DeafSends messages or more were sent and nothing at all was
//     heard for DeafAfter since the first of them, although its sends used to be echoed.
//     Then it is restarted once;
//   - what is not connected has an alarm before long, which says what to do.
package health
