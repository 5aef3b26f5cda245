// Package parleyv1 is the contract between Parley's services and the shape of
// what they store: envelopes, inputs and events. The rest of it is generated
// from the .proto files beside it (make generate).
package parleyv1
