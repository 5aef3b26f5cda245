package dialogue

import (
	"errors"
	"strings"
	"testing"
)

func TestParseNamesTheLine(t *testing.T) {
	for source, want := range map[string]string{
		"< hi":                             `1: nothing has happened before "< hi"`,
		"> hi\nsay no":                     `2: "say" is not understood`,
		"> hi\nflow x":                     "2: this is given from the start",
		"> hi\n> (song) x":                 "2: nobody can send (song)",
		"> (no\n> hi":                      "1: \"(no\" begins like something",
		"> (form) x":                       `1: "x" is no JSON object`,
		"> (location) here":                `1: "here" is no place`,
		"> (ad) x":                         "1: (ad) takes 1 to 1 words",
		"> hi\npass soon":                  `2: "soon" is no time to pass`,
		"> hi\npass":                       "2: pass needs how long",
		"> hi\nstate":                      "2: state needs a word",
		"> hi\nstate a b":                  `2: "b" is not understood`,
		"> hi\nvalues a":                   "2: a has no value",
		"> hi\nends well":                  "2: a session ends completed",
		"> hi\n<~ (":                       "2: missing closing )",
		"> hi\nstate a\n< late":            "3: what the flow says stands before",
		"given at=noon\n> hi":              `1: "noon" is no time`,
		"given phone=x\n> hi":              "1: a phone has digits only",
		"given color=red\n> hi":            "1: unknown color",
		"given name=\"x\n> hi":             "1: \"x: the quotes do not end",
		"given name=\"x\"y=1\n> hi":        "1: after name=\"x\" comes",
		"\n  lost":                         "2: an indented line goes on",
		"> hi\n---\n# empty":               "3: nobody says anything",
		"table t\n  a,b\n  1\n> hi":        "1: table t: line 2 has 1 values",
		"table t\n> hi":                    "1: table t: the table is empty",
		"table t\n  a\n  \"x\n> hi":        "1: table t: line 2: \"x: the quotes do not end",
		"> hi\nvalues a={\"x\n> (audio) x": "2: {\"x is no JSON",
	} {
		_, err := Parse(source)
		var problems Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

func TestParseReadsTheWholeFile(t *testing.T) {
	all := parse(t, "\ufeff# For all\r\nflow shop\r\ngiven name=\"Ann\" variant.x=a\n\n---\n# One\ngiven variant.y=b\n> a\n\n  b\n< c\n\n  d\n\n> \\(e\n---\n> f\n")
	if len(all) != 2 || all[0].Title != "One" || all[0].Line != 6 || all[1].Line != 17 {
		t.Fatalf("%+v", all)
	}
	one := all[0]
	if one.Given.Flow != "shop" || one.Given.Name != "Ann" || len(one.Given.Variants) != 2 || len(all[1].Given.Variants) != 1 {
		t.Errorf("%+v, %+v", one.Given, all[1].Given)
	}
	if one.acts[0].says.text != "a\n\nb" || one.acts[1].says.text != "(e" {
		t.Errorf("%q, %q", one.acts[0].says.text, one.acts[1].says.text)
	}
	if e := one.acts[0].expects; len(e) != 1 || strings.Join(e[0].lines, "|") != "c||d" || one.acts[0].from != 11 || one.acts[0].to != 14 {
		t.Errorf("%+v", one.acts[0])
	}
}

func TestLineFits(t *testing.T) {
	for _, c := range []struct {
		want, got string
		fits      bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a...", "abc", true},
		{"...c", "abc", true},
		{"a...c", "abc", true},
		{"a...b...d", "a b c d", true},
		{"a...a", "a", false},
		{"a...x...d", "abcd", false},
		{"One moment...", "One moment...", true},
		{"...", "", true},
	} {
		if lineFits(c.want, c.got) != c.fits {
			t.Errorf("%q and %q", c.want, c.got)
		}
	}
}

func TestParseTable(t *testing.T) {
	table, err := ParseTable("a, b\r\n1,\"x, \"\"y\"\"\"\n\n2,\n")
	if err != nil || len(table) != 2 || table[0]["b"] != `x, "y"` || table[1]["b"] != "" {
		t.Fatalf("%q, %v", table, err)
	}
	if found := table.find(map[string]string{"a": "2"}, 9); len(found) != 1 || len(table.find(nil, 1)) != 1 || table.find(map[string]string{"c": ""}, 9) != nil {
		t.Errorf("%q", found)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(read(f, "shop.txt"))
	f.Add("given at=\"2026-01-01 10:00\" table.x=a.csv\nstart a={\"b\":1}\n<~ x\n...\npass 3d\n> (draft X) {}\nends human\n")
	w := shop(f)
	f.Fuzz(func(t *testing.T, source string) {
		all, err := Parse(source)
		if err != nil || len(source) > 500 || strings.Contains(source, "variant") {
			return
		}
		for _, d := range all {
			w.Run(d)
		}
		rewritten, failures, err := w.Rewrite(source)
		if err != nil || len(failures) > 0 {
			return
		}
		if again, _, err := w.Rewrite(rewritten); err != nil || again != rewritten {
			t.Fatalf("rewritten\n%s\nand again (%v)\n%s", rewritten, err, again)
		}
	})
}
