// Package sandbox is Parley's practice ground: a fake Graph API with phones in
// the browser. What a person types on the page travels the whole way, as a
// signed webhook; the replies come back through the fake Graph API and are
// followed by their receipts. Nothing here is reachable from, or known to, the
// services: to them the sandbox is WhatsApp.
//
// A phone is named by its person's only identity: digits, or a BSUID. Names are
// computed from it. So a page that outlives the process goes on with the same
// people: only its history is gone, because history is kept in memory, and the
// page says so.
//
// # HTTP
//
// Everything stands below /sandbox/. Answers are JSON, errors {"error": "..."}.
// POSTs from other sites are refused with 403.
//
//	GET  /sandbox/                            the page
//	POST /sandbox/api/phones                  {"kind":"phone"|"bsuid"}: a new person; 201 and a PhoneView
//	GET  /sandbox/api/phones/{id}             a PhoneView; an identity never seen before has an empty one
//	POST /sandbox/api/phones/{id}/messages    {"type":"text"|"image","text":"..."}: 202 and the Bubble;
//	                                          429 while 100 messages of the phone wait to be accepted
//	GET  /sandbox/api/events?phone=ID&phone=ID  server-sent events about these phones
//	POST /sandbox/graph/{version}/{phone_number_id}/messages  the fake Graph API
//
// # Events
//
//	reset     read the phones again: sent first, and when Last-Event-ID is of
//	          another process or too old to be resumed
//	bubble    a Bubble, new or changed
//	exchange  an Exchange, new or changed
package sandbox
