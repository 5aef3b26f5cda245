// Package wasender speaks with WASenderApi, an unofficial gateway to WhatsApp Web:
// it checks the secret of a webhook, takes its POSTs apart into envelopes, reads
// messages and receipts out of them, and sends messages through its REST API.
//
//	header ─▶ VerifySecret; body ─▶ Split ─▶ envelopes ─▶ DecodeMessage ─▶ a flow's input
//	                                                   ├▶ DecodeReceipt ─▶ what became of a send
//	                                                   └▶ DecodeSession ─▶ whether the session works
//	Client.Send ─▶ WhatsApp's id, or a SendError that says what to do about it
//
// It differs from Meta's API in what matters most: a webhook proves who sent it but
// not what is in it, a session's API key may stand in a payload, a send is answered
// with an id that no receipt has, and nothing of ours comes back with a receipt.
// Nothing authentic is refused, no secret is kept, and errors name no person.
//
// Sources: WASenderApi's documentation of August 2026 and the clients that its
// vendor publishes; the content of a message is that of WhatsApp Web.
package wasender
