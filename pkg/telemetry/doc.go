// Package telemetry makes what a program says about itself: logs, metrics, traces, and whether it is ready.
//
// None of it may carry a person's data. A label of a metric is something of which there are few (service, shard, flow, version, step,
// outcome), never a contact, a session or a message.
package telemetry
