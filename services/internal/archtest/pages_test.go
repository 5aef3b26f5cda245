package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository.
var root = filepath.Join("..", "..", "..")

var (
	namedTest     = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")
	definedTest   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9_]+)\(`)
	namedDialogue = regexp.MustCompile("`((?:tests/)?[a-z_*]+\\.txt)`")
)

// The pages name the tests that prove what they say: each is there.
func TestPagesNameTestsThatExist(t *testing.T) {
	defined := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, match := range definedTest.FindAllStringSubmatch(page(t, path), -1) {
			defined[match[1]] = true
		}
		return nil
	})
	if err != nil || len(defined) < 100 {
		t.Fatalf("found %d tests: %v", len(defined), err)
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md"} {
		for _, match := range namedTest.FindAllStringSubmatch(page(t, filepath.Join(root, name)), -1) {
			if !defined[match[1]] {
				t.Errorf("%s names %s, and there is no such test", name, match[1])
			}
		}
	}
}

// ARCHITECTURE.md says which dialogue shows which feature: each is there, and each
// that is there is named.
func TestFeaturesHaveTheirDialogues(t *testing.T) {
	_, section, _ := strings.Cut(page(t, filepath.Join(root, "ARCHITECTURE.md")), "### Each feature and its dialogue")
	section, _, _ = strings.Cut(section, "\n## ")
	named := map[string]bool{}
	for _, match := range namedDialogue.FindAllStringSubmatch(section, -1) {
		folder := "pkg/flow/testdata"
		if strings.HasPrefix(match[1], "tests/") {
			folder = "deploy/flows"
		}
		files, err := filepath.Glob(filepath.Join(root, folder, match[1]))
		if err != nil || len(files) == 0 {
			t.Errorf("there is no %s in %s (%v)", match[1], folder, err)
		}
		for _, file := range files {
			named[file] = true
		}
	}
	all, err := filepath.Glob(filepath.Join(root, "pkg/flow/testdata/*.txt"))
	demos, demosErr := filepath.Glob(filepath.Join(root, "deploy/flows/tests/*.txt"))
	if err != nil || demosErr != nil || len(all) < 20 {
		t.Fatalf("%d dialogues: %v, %v", len(all), err, demosErr)
	}
	for _, file := range slices.Concat(all, demos) {
		if !named[file] {
			t.Errorf("ARCHITECTURE.md names no feature that %s shows", file)
		}
	}
}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
