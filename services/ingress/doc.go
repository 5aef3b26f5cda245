// Package ingress takes the providers' webhooks. It checks the signature over
// the raw bytes, takes the POST apart into its updates, and answers 200 only
// when every one of them is acknowledged by JetStream, which fsyncs first. It
// needs no database.
package ingress
