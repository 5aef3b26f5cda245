// Package webhook tells another system what happened: which events it is told of, what
// of each, and how that is signed and posted, by the Standard Webhooks specification 1.0
// (https://www.standardwebhooks.com).
package webhook
