// Package sandbox is Parley's practice ground: a fake Graph API and a fake
// WASenderApi with phones in the browser. What a person types on the page travels
// the whole way, as a webhook; the replies come back through the fake providers and
// are followed by their receipts. Nothing here is reachable from, or known to, the
// services: to them the sandbox is WhatsApp.
//
// A phone is named by its person's only identity: digits, or a BSUID. Names are
// computed from it. So a page that outlives the process goes on with the same
// people: only its history is gone, because history is kept in memory, and the
// page says so.
//
// The phones show every kind of message that the business can send, and answer as
// WhatsApp would: a tap names the message that it was made on, and old messages
// stay tappable. What the sandbox cannot know it shows as it was sent: of a
// template the parameters, of a form the data of its first screen. Files that a
// link names are never fetched.
//
// Who has a phone number can write over two lines: to the business's number at Meta,
// and to its session of WASenderApi, if there is one. Each is a conversation of its
// own. While the session is down, what people write there waits on their phones.
//
// # HTTP
//
// Everything stands below /sandbox/. Answers are JSON, errors {"error": "..."}.
// POSTs from other sites are refused with 403.
//
//	GET  /sandbox/                            the page
//	POST /sandbox/api/phones                  {"kind":"phone"|"bsuid"}: a new person; 201 and a PhoneView
//	GET  /sandbox/api/phones/{id}             a PhoneView; an identity never seen before has an empty one
//	POST /sandbox/api/phones/{id}/messages    a message, see below: 202 and the Bubble; 429 while
//	                                          100 messages of the phone wait on that line
//	GET  /sandbox/api/phones/{id}/messages?after=BUBBLE&wait=2s
//	                                          {"bubbles":[...]}: what the business said after that
//	                                          bubble (0 or nothing: all that is kept), oldest first.
//	                                          If it is nothing yet, it waits for it, at most 30s
//	GET, POST, DELETE /sandbox/api/faults     what goes wrong: see below
//	GET  /sandbox/api/session                 how the session is: {"status":"connected"}, or "" if there is none
//	POST /sandbox/api/session                 {"do":"drop"|"log_out"|"scan"}: what WhatsApp does to it, or
//	                                          whoever has its phone; 409 if its state does not allow that
//	GET  /sandbox/api/files/{id}              a file that the business has uploaded
//	GET  /sandbox/api/events?phone=ID&phone=ID  server-sent events about these phones
//	POST /sandbox/graph/{version}/{phone_number_id}/messages  the fake Graph API; also .../media, and
//	                                          GET .../{version}/{id}, where a file is
//	     /sandbox/wasender/api/...            the fake WASenderApi, where there is a session
//
// # Messages
//
// What a person sends; fields in brackets may be left out.
//
//	{"type":"text", "text":"hi"}
//	{"type":"image", ["text":"the caption"]}
//	{"type":"document", "filename":"a.pdf", ["text":"the caption"]}
//	{"type":"location", "latitude":1.5, "longitude":-2.5, ["name":"...", "address":"..."]}
//	{"type":"contacts", "contacts":[{"name":"Ann", "phone":"+1555...", ["email":"...", "organization":"..."]}], ["shared":true]}
//	                                          shared: their own, by the button that a message had for it
//	{"type":"button", "id":"yes", ["title":"Yes"]}
//	{"type":"list", "id":"row-1", ["title":"First"]}
//	{"type":"template_button", "payload":"p", ["text":"Yes"]}
//	{"type":"form", "values":{"name":"Ann"}, ["flow_token":"..."]}
//
// Each may have a "provider": "meta", which is meant without one, or "wasender", which
// takes the first five only. Each may have a "context": the wamid of the message that it answers. A tap and a
// form find theirs by themselves: the newest that offers what is tapped. A title,
// a text or a flow_token is only needed where none does: after a restart, or to
// send what nobody was offered.
//
// A Bubble has an id, which grows from message to message while the sandbox runs,
// the wamid, and as content what stands under the message's type on the wire.
// So this talks to the business, and reads what it answers:
//
//	id=$(curl -s $S/phones/15551234567/messages -d '{"type":"text","text":"hi"}' | jq .id)
//	curl -s "$S/phones/15551234567/messages?after=$id&wait=5s" | jq -c '.bubbles[] | [.text, .content]'
//
// # Faults
//
// What goes wrong at the providers, for the next so many messages or for every so
// many; GET lists them with how often they did, DELETE turns all off. With a
// "provider" it is for "meta" or "wasender" only; a code is Meta's.
//
//	{"kind":"refuse", "next":1, "status":429, ["code":130429, "retry_after":5]}
//	{"kind":"cut", "every":10}                    closed before it is accepted
//	{"kind":"lost", "next":1, "delay_ms":20000}   accepted, never answered
//	{"kind":"slow", "next":1, "delay_ms":3000}    accepted, answered late
//	{"kind":"garbage", "next":1}                  accepted, answered with rags
//	{"kind":"receipts_first", "next":1}           before the answer; also
//	                                              receipts_late (delay_ms), _twice, _never
//	{"kind":"drop", "next":1}                     the session of WASenderApi loses WhatsApp
//
// # Events
//
//	reset     read the phones again: sent first, and when Last-Event-ID is of
//	          another process or too old to be resumed
//	bubble    a Bubble, new or changed
//	typing    a Typing: the business writes to the phone
//	exchange  an Exchange, new or changed
//	session   a SessionView: the session has changed
package sandbox
