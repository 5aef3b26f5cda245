package archtest

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rules are the checkers by the folder of testdata that holds their example.
var rules = map[string]func(*Tree) []Finding{
	"arrows":     Arrows,
	"purity":     Purity,
	"docs":       Docs,
	"length":     Lengths,
	"signatures": Signatures,
	"sql":        SQL,
	"names":      Names,
}

// repository loads the source of all modules.
func repository(t *testing.T) *Tree {
	t.Helper()
	tree, err := Load(filepath.Join("..", "..", ".."), "proto", "pkg", "services")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTreeKeepsTheRules(t *testing.T) {
	tree := repository(t)
	if len(tree.Packages) < 20 {
		t.Fatalf("only %d packages were found: the test looks in the wrong place", len(tree.Packages))
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, finding := range rule(tree) {
				t.Error(finding)
			}
		})
	}
	if median := MedianLines(tree); median >= medianLinesMax {
		t.Errorf("the median function has %d lines: keep it below %d", median, medianLinesMax)
	}
}

// TestRulesFindWhatIsBad runs each rule on an example in which every line that
// it must report is marked.
func TestRulesFindWhatIsBad(t *testing.T) {
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join("testdata", name)
			tree, err := Load(root, ".")
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, finding := range rule(tree) {
				if finding.At.IsValid() { // an allowance that the example does not use has no place
					found = append(found, fmt.Sprintf("%s:%d", finding.At.Filename, finding.At.Line))
				}
			}
			slices.Sort(found)
			marked := marks(t, root)
			if found = slices.Compact(found); !slices.Equal(found, marked) || len(marked) == 0 {
				t.Errorf("found\n  %s\nmarked\n  %s", strings.Join(found, "\n  "), strings.Join(marked, "\n  "))
			}
		})
	}
}

// marks lists the lines that end in "// bad".
func marks(t *testing.T, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		short, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		source, err := os.Open(file)
		if err != nil {
			return err
		}
		defer source.Close()
		lines := bufio.NewScanner(source)
		for number := 1; lines.Scan(); number++ {
			if strings.HasSuffix(lines.Text(), "// bad") {
				list = append(list, fmt.Sprintf("%s:%d", short, number))
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestAllowancesThatNothingNeedsAreFound(t *testing.T) {
	tree, err := Load(filepath.Join("testdata", "sql"), ".")
	if err != nil {
		t.Fatal(err)
	}
	_, unused := statements(tree)
	if len(unused) != len(builtStatements)-1 || slices.Contains(unused, "pkg/store.ReplaceCounts") {
		t.Errorf("the example needs one allowance, and these are unused: %q", unused)
	}
}

func TestMedian(t *testing.T) {
	tree, err := Load(filepath.Join("testdata", "length"), ".")
	if err != nil {
		t.Fatal(err)
	}
	if median := MedianLines(tree); median != 3 {
		t.Errorf("functions of 1, 3, 3, 70 and 71 lines have the median 3, not %d", median)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{
		"wantMAC": "want mac", "MACOf": "mac of", "signatureHeader": "signature header", "hmac256": "hmac", "machine": "machine", "X": "x",
	} {
		if got := strings.Join(words(name), " "); got != want {
			t.Errorf("words of %s: %q, want %q", name, got, want)
		}
	}
}
