package dialogue

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
)

var rewrite = flag.Bool("rewrite", false, "write what the flows say now into the dialogue files")

// shop is the world of testdata/shop.yaml.
func shop(t testing.TB) World {
	t.Helper()
	f, err := flow.Parse([]byte(read(t, "shop.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	return World{Flows: []*flow.Flow{f}, Zone: time.LoadLocation}
}

func read(t testing.TB, name string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func parse(t testing.TB, source string) []Dialogue {
	t.Helper()
	all, err := Parse(source)
	if err != nil {
		t.Fatalf("parse:\n%v", err)
	}
	return all
}

// TestShop plays a flow that says and hears everything there is. After a change
// run it with -rewrite and read the diff.
func TestShop(t *testing.T) {
	source := read(t, "shop.txt")
	w := shop(t)
	if *rewrite {
		rewritten, failures, err := w.Rewrite(source)
		if err != nil || failures != nil {
			t.Fatalf("%v, %v", failures, err)
		}
		if err := os.WriteFile(filepath.Join("testdata", "shop.txt"), []byte(rewritten), 0o644); err != nil {
			t.Fatal(err)
		}
		source = rewritten
	}
	var results []Result
	for _, d := range parse(t, source) {
		r := w.Run(d)
		results = append(results, r)
		for _, f := range r.Failures {
			t.Errorf("shop.txt:%v", f)
		}
	}
	if c := Measure(w.Flows[0], results...); !c.Full() {
		for _, m := range c.Missed {
			t.Errorf("%s (line %d)", m, m.Line)
		}
	}
	if again, _, err := w.Rewrite(source); err != nil || again != source {
		t.Errorf("rewriting what holds changes it: %v", err)
	}
}
