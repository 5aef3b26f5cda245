// Package archtest holds the rules of the tree that no compiler enforces, each
// with its reason, and the test that fails when one is broken:
//
//	arrows.go      who may import whom
//	purity.go      the core asks nobody for anything
//	docs.go        every package says what it is for
//	length.go      functions stay readable
//	signatures.go  secrets are compared in constant time
//	sql.go         statements are constants
//	names.go       streams and subjects are named in one place
//
// Besides, deploy_test.go compares what deploy/ repeats with the code that it
// repeats.
//
// The rules read the source of all three modules. Each is itself tested against
// an example in testdata, where "// bad" marks every line that it must report
// and no other line may be.
package archtest
