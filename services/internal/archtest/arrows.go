package archtest

import (
	"slices"
	"strings"
)

// layer is a group of packages and the layers that they may import. Packages of
// one layer do not know each other, except within a family: pkg/store and
// pkg/store/devpg, or a service and its main.
type layer struct {
	name     string
	packages []string // folders, with everything below them; the first layer that matches counts
	may      []string
	why      string
}

// layers are listed with the exceptions before the rules.
//
//	main ─▶ service ─▶ lane ─▶ adapter ─▶ core ─▶ contract
var layers = []layer{
	{
		name: "contract", packages: []string{"proto"},
		why: "it is stored for years and read by others: it depends on nothing of ours",
	},
	{
		name: "core", packages: []string{"pkg/flow", "pkg/insight"}, may: []string{"contract"},
		why: "a replay must decide the same as the first time, whatever the database, the bus and the vendors do",
	},
	{
		name: "guard", packages: []string{"pkg/egress"},
		why: "whoever calls an address that others name does it through here, and it knows nobody",
	},
	{
		name: "test kit", packages: []string{"pkg/store/pgtest", "pkg/whatsapp/*/fake"}, may: []string{"contract", "core", "adapter"},
		why: "what only tests and the sandbox use must not reach production",
	},
	{
		name: "adapter", packages: []string{"pkg/bus", "pkg/store", "pkg/whatsapp", "pkg/telemetry", "pkg/lifecycle", "pkg/webhook"}, may: []string{"contract", "core", "guard"},
		why: "each wraps one thing outside; they meet in a service",
	},
	{
		name: "lane", packages: []string{"pkg/lane"}, may: []string{"contract", "core", "adapter"},
		why: "it joins the bus and the store for every service, and knows none",
	},
	{
		name: "platform", packages: []string{"services/internal/platform", "services/internal/demoflows", "services/internal/flowfiles"}, may: []string{"contract", "core", "adapter", "lane"},
		why: "it is what every process does around its service, and knows none",
	},
	{
		name: "instrument", packages: []string{"services/internal"},
		may: []string{"contract", "core", "adapter", "guard", "test kit", "lane", "platform", "service", "sandbox", "instrument"},
		why: "it looks at the whole system from outside; nothing in production imports it",
	},
	{
		name: "sandbox", packages: []string{"services/sandbox"}, may: []string{"contract", "adapter", "test kit"},
		why: "it plays WhatsApp: it knows the vendor's protocol, and of Parley only the webhook",
	},
	{
		name: "all-in-one", packages: []string{"services/parley"},
		may: []string{"contract", "core", "adapter", "lane", "platform", "service", "sandbox"},
		why: "it runs every service in one process, and only it may",
	},
	{
		name: "service", packages: []string{"services/ingress", "services/session", "services/dispatcher", "services/projector", "services/console"},
		may: []string{"contract", "core", "adapter", "guard", "lane", "platform"},
		why: "services run alone and meet in the streams and the database only",
	},
}

// contractRuntime is all that the contract needs besides the standard library.
const contractRuntime = "google.golang.org/protobuf/"

// Arrows reports imports against the direction of the layers.
func Arrows(tree *Tree) []Finding {
	var found []Finding
	for _, p := range tree.Packages {
		if len(p.Files) == 0 {
			continue // only tests
		}
		from := layerOf(p.Path)
		if from == nil {
			found = append(found, tree.find(p.Files[0].Name, "%s belongs to no layer: say in archtest/arrows.go what it may import", p.Path))
			continue
		}
		for imported, spec := range p.imports() {
			if reason := from.refuses(p.Path, imported); reason != "" {
				found = append(found, tree.find(spec, "%s (%s) imports %s: %s", p.Path, from.name, imported, reason))
			}
		}
	}
	return found
}

// refuses returns why a package of the layer may not import what it imports, or
// an empty string.
func (l *layer) refuses(pkg, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, modulePrefix)
	if !isOurs {
		foreign := strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
		if l.name == "contract" && foreign && !strings.HasPrefix(imported, contractRuntime) {
			return l.why
		}
		return ""
	}
	to := layerOf(ours)
	switch {
	case to == nil:
		return "" // reported where it is declared
	case to.name == l.name && family(pkg) == family(ours), slices.Contains(l.may, to.name):
		return ""
	case to.name == "test kit" || to.name == "instrument":
		return to.why
	}
	return l.why
}

func layerOf(pkg string) *layer {
	for i, l := range layers {
		if within(pkg, l.packages...) {
			return &layers[i]
		}
	}
	return nil
}

// family is what a package belongs to: its first two folders.
func family(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}
