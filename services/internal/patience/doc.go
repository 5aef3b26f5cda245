// Package patience lets many people take their time: for a month they answer soon, late,
// wrongly or never, stop, ask for a human and come back, while a judge holds against the
// events what a person may expect of reminders, of the end of a wait and of the archive.
//
// The people and the judge know nothing of who runs them. Here it is the pure core with
// timers that come late, twice and after outages (100,000 sessions: make patience); in
// services/session it is the real session service on a real database.
package patience
