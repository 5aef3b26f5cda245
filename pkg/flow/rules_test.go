package flow

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ruleFinds says what each rule looks for. The README's table is made of it, and of
// the first example of each rule.
var ruleFinds = map[string]string{
	ruleYAML: "the file is YAML, and one flow", ruleField: "fields are known, fit together, and are there once", ruleMissing: "what is required is there",
	ruleValue: "values are of the right kind", ruleName: "names can be names, and are used once", ruleLanguage: "language tags are tags, and declared",
	ruleText: "placeholders, plurals and Parley's own words are written right", ruleSlot: "a slot that is used surely has a value, whichever way a person came",
	ruleType: "a value fits the type of its place", ruleExpression: "expressions compile", ruleTarget: "what `goto`, `then`, `step` and `migrate` name is there",
	ruleUnreachable: "every step can be reached", ruleDeadEnd: "from every step the flow can end", ruleEndless: "no circle of steps without a question",
	ruleLimit: "WhatsApp's limits, in every language, and Parley's own", ruleKeyword: "a keyword means one thing", ruleChoice: "options can be told apart",
	ruleEntry: "entries do not hide each other", ruleTranslation: "every text is there in every language", rulePlural: "every plural form of a language is there",
	ruleUnused: "what is declared is used", ruleShadow: "no option is also a keyword", ruleHandover: "who is handed over hears of it", ruleSubflow: "sub-flows are there, and do not run themselves",
	ruleZone: "the time zone is known", ruleSplit: "a test has variants and a goal",
	ruleWindow: "what the API begins is said in templates until the person answers",
	ruleFile:   "files lie beside the flow, and WhatsApp takes them",
}

// example is a block of testdata/lint/rules.txt: a change that breaks the flow of
// shop.yaml, and what the linter says of it.
type example struct{ rule, old, new, says string }

// TestRules breaks a flow by each rule, and compares the whole message. After a
// change run it with -rewrite and read the diff; that also rewrites the table in
// deploy/flows/README.md.
func TestRules(t *testing.T) {
	const path = "testdata/lint/rules.txt"
	source, base := readFile(t, path), readFile(t, "testdata/lint/shop.yaml")
	if _, problems := Lint([]byte(base)); len(problems) > 0 {
		t.Fatalf("shop.yaml has problems:\n%v", problems)
	}
	var blocks []string
	var examples []example
	for block := range strings.SplitSeq(strings.TrimRight(source, "\n"), "\n\n") {
		e := readExample(t, block)
		e.says = lintExample(t, base, e)
		if !strings.Contains(e.says, "("+e.rule+")") {
			t.Errorf("the example does not break rule %s:\n%s\n%s", e.rule, e.new, e.says)
		}
		upper, _, _ := strings.Cut(block, "\n----")
		blocks = append(blocks, upper+"\n----\n"+e.says)
		examples = append(examples, e)
	}
	compareOrRewrite(t, path, source, strings.Join(blocks, "\n\n")+"\n")
	checkEveryMessage(t, examples)
	checkTable(t, examples)
}

func compareOrRewrite(t *testing.T, path, was, is string) {
	t.Helper()
	switch {
	case was == is:
	case *rewrite:
		if err := os.WriteFile(path, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s differs; -rewrite and read the diff. Now it would be:\n%s", path, is)
	}
}

func readExample(t *testing.T, block string) example {
	t.Helper()
	lines := strings.SplitN(block, "\n", 4)
	if len(lines) < 4 || !strings.HasPrefix(lines[1], "replace ") || !strings.HasPrefix(lines[2], "with    ") {
		t.Fatalf("no example: %s", block)
	}
	unescape := strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t")
	_, says, _ := strings.Cut(block, "\n----\n")
	return example{lines[0], unescape.Replace(lines[1][8:]), unescape.Replace(lines[2][8:]), says}
}

// repeated are parts such as {{x*70}} and {{s%d, *3}}: a text many times, with
// numbers or letters.
var repeated = regexp.MustCompile(`(?s)\{\{(.+?)\*(\d+)\}\}`)

func expanded(s string) string {
	return repeated.ReplaceAllStringFunc(s, func(part string) string {
		m := repeated.FindStringSubmatch(part)
		times, _ := strconv.Atoi(m[2])
		var b strings.Builder
		for i := range times {
			b.WriteString(strings.NewReplacer("%d", strconv.Itoa(i), "%e", strconv.Itoa(i+1), "%c", string(rune('a'+i))).Replace(m[1]))
		}
		return b.String()
	})
}

func lintExample(t *testing.T, base string, e example) string {
	t.Helper()
	if strings.Count(base, e.old) < 1 {
		t.Fatalf("%q is not in shop.yaml", e.old)
	}
	_, problems := Lint([]byte(strings.Replace(base, e.old, expanded(e.new), 1)))
	var lines []string
	for _, p := range problems {
		kind := "error"
		if p.Warning {
			kind = "warning"
		}
		lines = append(lines, fmt.Sprintf("%s [%d:%d] %s (%s)", kind, p.Line, p.Column, p.Message, p.Rule))
	}
	return strings.Join(lines, "\n")
}

// checkEveryMessage finds each message of the linter in the source of the package,
// and wants an example of it.
func checkEveryMessage(t *testing.T, examples []example) {
	t.Helper()
	var all strings.Builder
	for _, e := range examples {
		all.WriteString(e.says + "\n")
	}
	all.WriteString(readFile(t, "parse_test.go")) // TestParseProblems has those about whole files
	for _, format := range messages(t) {
		pattern := regexp.QuoteMeta(format)
		pattern = regexp.MustCompile(`%[qsdv]`).ReplaceAllString(pattern, `.*`)
		if !regexp.MustCompile(pattern).MatchString(all.String()) {
			t.Errorf("no example gives the message %q", format)
		}
	}
}

// messages are the formats of all reports and warnings.
func messages(t *testing.T) []string {
	t.Helper()
	files, _ := filepath.Glob("*.go")
	var formats []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 3 {
				return true
			}
			called, ok := call.Fun.(*ast.SelectorExpr)
			literal, isLiteral := call.Args[2].(*ast.BasicLit)
			if ok && isLiteral && (called.Sel.Name == "report" || called.Sel.Name == "warn") {
				format, _ := strconv.Unquote(literal.Value)
				formats = append(formats, format)
			}
			return true
		})
	}
	return formats
}

// checkTable compares the table of rules in the README with the examples.
func checkTable(t *testing.T, examples []example) {
	t.Helper()
	const path, begin, end = "../../deploy/flows/README.md", "<!-- rules: written by go test ./pkg/flow -run TestRules -rewrite -->\n", "<!-- /rules -->"
	readme := readFile(t, path)
	before, rest, found := strings.Cut(readme, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table of rules between %q and %q", path, begin, end)
	}
	compareOrRewrite(t, path, readme, before+begin+table(t, examples)+end+after)
}

func table(t *testing.T, examples []example) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| rule | what it looks for | example | message |\n|---|---|---|---|\n")
	var seen []string
	for _, e := range examples {
		if slices.Contains(seen, e.rule) {
			continue
		}
		seen = append(seen, e.rule)
		if ruleFinds[e.rule] == "" {
			t.Errorf("nobody says what rule %s looks for", e.rule)
		}
		line, warning := "", ""
		for said := range strings.SplitSeq(e.says, "\n") {
			if kind, message, _ := strings.Cut(said, " "); line == "" && strings.HasSuffix(said, "("+e.rule+")") {
				_, message, _ = strings.Cut(message, "] ")
				line = strings.TrimSuffix(message, " ("+e.rule+")")
				if kind == "warning" {
					warning = " (warning)"
				}
			}
		}
		fmt.Fprintf(&b, "| `%s`%s | %s | %s | %s |\n", e.rule, warning, ruleFinds[e.rule], code(e.new), cell(line))
	}
	for rule := range ruleFinds {
		if !slices.Contains(seen, rule) {
			t.Errorf("rule %s has no example", rule)
		}
	}
	b.WriteString("\n")
	return b.String()
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s) }

// code shows an example on one line.
func code(s string) string {
	s = strings.Join(strings.Fields(repeated.ReplaceAllString(s, "…")), " ")
	if s == "" {
		return "left out"
	}
	return "`" + strings.NewReplacer("|", `\|`, "`", "'").Replace(s) + "`"
}
