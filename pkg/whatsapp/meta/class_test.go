package meta

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCodesAreInTheTable holds the table of ARCHITECTURE.md to the codes: its row of each
// class names all of them, in the order of the code.
func TestCodesAreInTheTable(t *testing.T) {
	page, err := os.ReadFile("../../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	of := map[Class][]string{}
	for _, c := range codeClasses {
		code := fmt.Sprint(c.first)
		if c.last > c.first {
			code = fmt.Sprintf("%d–%d", c.first, c.last)
		}
		of[c.class] = append(of[c.class], code+" "+c.title)
	}
	for class, codes := range of {
		if row := fmt.Sprintf("\n| %s | %s", class, strings.Join(codes, ", ")); !strings.Contains(string(page), row) {
			t.Errorf("ARCHITECTURE.md lacks the row%s", row)
		}
	}
}
