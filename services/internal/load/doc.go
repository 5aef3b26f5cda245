// Package load tries Parley from the outside, by HTTP only: it plays a WhatsApp
// with thousands of contacts who talk to the flow "lead", and checks every reply.
//
//  2. signed webhooks: messages, receipts, duplicates
//     ┌───────────┐      ┌─────────┐                                ┌────────┐
//     │ scheduler │─────▶│ workers │───────────────────────────────▶│ Parley │
//     └─────▲─────┘      └─────────┘      retried until 200         └───┬────┘
//     │ 4. receipts, the next thing to say                        │
//     ┌─────┴─────┐                                                     │
//     │  graph    │◀────────────────────────────────────────────────────┘
//     └─────┬─────┘            3. replies, through the fake Graph API
//     ▼ 5. after quiet
//     check: what each contact heard == what the naive dialogue says
//
// It promises to its reader that a run cannot pass by doing nothing: a run that
// saw no duplicate, no early receipt, no BSUID-only contact, no double message or
// not enough messages fails.
//
// One thing defines the order of a contact's messages: a POST with messages of a
// contact leaves only after the one before it was answered 200.
package load
