// Package meta speaks with Meta's Cloud API: it proves that a webhook is Meta's,
// takes its POSTs apart into envelopes, reads messages and receipts out of them,
// and sends messages through the Graph API.
//
//	body ─▶ VerifySignature ─▶ Split ─▶ envelopes ─▶ DecodeMessage ─▶ a flow's input
//	                                              └▶ DecodeReceipt ─▶ what became of a send
//	Client.Send ─▶ wamid, or a SendError that says what to do about it
//
// Nothing authentic is refused: what this package does not understand becomes an
// envelope too, with its bytes as they came. Errors and reasons name no person.
package meta
