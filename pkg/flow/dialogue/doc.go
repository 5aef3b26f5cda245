// Package dialogue tells conversations with flows as plain text, and checks that
// the flows still hold them. A dialogue reads like the chat itself:
//
//	# A haircut is booked, in Spanish
//	flow booking
//	given phone=34600111222 name="Ann Lee" at="2026-12-01 10:00" zone=Europe/Madrid
//	> reservar
//	< ¿Qué servicio quieres?
//	  [Corte] [Color]
//	> [Corte]
//	< ¿Qué día?
//	state day
//	values service="cut"
//
// # The file
//
// A line of three dashes ends a dialogue; the next begins with a new person. The
// first comment of a dialogue is its title. If nothing is said before the first
// such line, what stands there is given for every dialogue of the file. A line
// that is indented by two blanks goes on with what the line before it began, also
// over blank lines.
//
// # Given
//
//	flow lead                     the flow that answers when no entry of any flow fits
//	given phone=34600111222       the person: phone, name, language, opted_out=true
//	given at="2026-12-01 10:00"   when it begins (2026-01-05 10:00, a Monday, unless
//	given zone=Europe/Madrid      it says so); the zone is for that, else the flow's own
//	given channel=1055            the business number
//	given variant.greeting=b      the variant that the person draws in a test
//	given table=slots.csv         a table, named slots; table.slots=may.csv names it otherwise
//	table slots                   a table with its rows below, indented
//	  service,weekday,time
//	  cut,monday,10:00
//	slots cut                     slots of a service, instead of those that its opening
//	  calendar,day,time,capacity,booked     hours in slots/cut.yaml make
//	  Ana,2026-12-04,15:30,2,1
//	pool sales                    the agents of a pool; other pools have one agent, "agent", who
//	  agent,name,skills,on,capacity,open      is on
//	  ann,Ann,en es,true,3,2
//
// # The person
//
// Each of these takes a second of the dialogue's time.
//
//	> a text                      \[, \( and \\ begin a text with these characters
//	> [Corte]                     taps a button or a row that is on the screen; also [2]
//	> (old) [Corte]               taps one of an earlier message
//	> (image) a caption           also video, audio, document, sticker; with a name, a
//	> (document a.pdf 2MB)        MIME type, a size
//	> (location) 41.38,2.17 La Rambla | Rambla 1
//	> (contact) Bo Li +34600111333 bo@example.org
//	> (form) {"pain": 7}          sends the form that is open
//	> (draft DETAILS) {"pain": 7} what the open form sends on the way, from a screen
//	> (open)                      the form opens and asks for its first screen
//	> (back DETAILS)              somebody goes back to a screen that asks again
//	> (ad 120211) I saw this      comes from an advertisement
//	> (payload BOOK) Book now     taps the button of a template
//	> (other poll)                a message of a type that flows do not know
//	> (call ok) {"id": 7}         what comes of a call that the flow waits for, with its
//	                              answer; (call failed 404)
//	> (reply size) large          a reply (a swipe) to what a step said
//	> (reaction 👍)                what answers nothing: a reaction, (edit), (revoke)
//	pass 3s                       time goes by, also 2h, 3d; timers go off
//	start language=es city=Rome   the API starts a flow (flow=, or the one that serves),
//	                              with values
//	others service=cut day=2026-12-04 time=15:30   other people take all that is free of
//	                              these slots; also calendar=
//	operator take by=Ana reason="is angry"   a person of the business acts: take, give_back,
//	operator say text="Hello!"    say, restart, move, set, end, opt_out, opt_in, block, unblock; with
//	operator set slot=guests value=3      step=, slot= and value=, text=
//	operator echo text="Hello!"   the business writes with the phone's own app
//	another                       the person shows as another contact from here on
//	merge                         the two turn out to be one: one of their conversations goes on
//
// # The flow
//
// What follows must be all that the flow says, message by message.
//
//	< a text                      also (image https://…), (location) …, as they are told here
//	  [Yes] [No]                  the buttons below it; a list has a row on each line
//	< (screen DETAILS) {"n":1}    what the open form shows next, with its data; (finished)
//	                              closes it
//	< (call POST https://…) {"n":1}   a system of the business is asked
//	< Your number is ...          three dots stand for anything: within a line, a line of
//	                              its own for any lines, alone in column 1 for any messages
//	<~ ^Hello|^Hi                 a message in which the regular expression matches
//
// Then what must be so:
//
//	state day                     where the session stands: a step, completed, cancelled
//	values guests=2 name="Ann"    values, as JSON; triage.pain=7 is a field, x= has no value
//	language es                   the session's language
//	ends cancelled stop           completed, cancelled (with a reason), human, or no
//	human sales                   a human has taken over, of this pool; no is nobody
//	variant greeting=b            the variant of a test
//	goal greeting                 its goal was reached
//
// # Programs
//
// [Parse] reads a file, [World.Run] plays one of its dialogues, [World.Rewrite]
// corrects the file to what the flows say now, and [Measure] counts what the
// dialogues visited. A [Chat] is one conversation, line by line. State goes
// through its stored form between any two turns, as in production.
package dialogue
