// Package forms speaks the data endpoint of WhatsApp Flows, Meta's forms: it opens
// what a phone sends while somebody fills one in, and encrypts what it shows next.
//
//	         too large 413  signature 432  decrypt 421  request 400           token 427
//	POST ─▶ Endpoint.Receive ─────────────────────────────▶ ping, notice ─▶ Exchange
//	                                                            │               │ Token: whose form it is,
//	                                                            ▼               ▼        without a database
//	                                          Active, Acknowledged     Show, ShowMessage, Finish
//	                                                            └──▶ Exchange.Seal ─▶ the body of the 200
//
// Tokens joins a form to the session that sent it: New when the message is sent,
// Parse when an exchange or the result of the form comes back. Client tells Meta
// which key its phones encrypt with. Nothing here waits, keeps state or knows the
// time, but for Client. Errors name no person and no secret.
//
// Source of the protocol: Meta, "Implementing Endpoints for Flows", "Flows Error
// Codes" and "WhatsApp Business Encryption".
package forms
