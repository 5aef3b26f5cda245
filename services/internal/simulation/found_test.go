package simulation

import "testing"

// found are seeds that have found mistakes of the services themselves. The
// mistakes live on as planted bugs: when the world changes so that a seed tells
// another story, TestPlantedBugs prints one that tells the old one again.
var found = []struct {
	name string
	seed uint64
}{
	// A dispatcher recorded that attempt 1 was refused, did not see its commit,
	// and recorded it again. Meanwhile the shard's new owner had claimed attempt
	// 2: the old result put the delivery back to queued, the new one was ignored,
	// and the message went out of order or twice. Results now name their attempt.
	{string(staleResults), 123},
}

func TestFound(t *testing.T) {
	if *seedFlag != 0 || *seedsFlag != 0 {
		return
	}
	for _, f := range found {
		t.Run(f.name, func(t *testing.T) { simulate(newOptions(f.seed, none), nil).report(t) })
	}
}
