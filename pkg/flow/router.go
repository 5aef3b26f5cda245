package flow

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"golang.org/x/text/language"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Release is what is live of one flow: a version, and perhaps a second one that a
// share of the new sessions gets.
type Release struct {
	Flow *Flow
	// Canary is the second version, nil if there is none; Weight is its share in
	// percent.
	Canary *Flow
	Weight int
}

// version picks the version of a new session: the same input gets the same.
func (r Release) version(in *parleyv1.Input) *Flow {
	if r.Canary == nil {
		return r.Flow
	}
	h := fnv.New64a()
	h.Write([]byte(in.GetId()))
	if int(mix(h.Sum64())%100) < r.Weight {
		return r.Canary
	}
	return r.Flow
}

// Router is what can begin on one channel: several flows, and the one that serves
// everybody else. It never changes.
type Router struct {
	releases map[string]Release
	fallback string
	// routes are in the order in which they are tried; interrupts are those that may
	// end a session of another flow.
	routes     []route
	interrupts []route
}

// route is one entry of one flow.
type route struct {
	flow  string
	entry *entry
}

// NewRouter makes the router of a channel. The flow that serves it takes what no
// entry of any flow fits.
func NewRouter(channel, serves string, releases ...Release) *Router {
	r := &Router{releases: map[string]Release{}, fallback: serves}
	for _, release := range releases {
		r.releases[release.Flow.name] = release
		for _, e := range release.Flow.ranked {
			if len(e.channels) == 0 || contains(e.channels, channel) {
				r.routes = append(r.routes, route{release.Flow.name, e})
			}
		}
	}
	slices.SortStableFunc(r.routes, func(a, b route) int {
		return cmp.Or(a.entry.compare(b.entry), strings.Compare(a.flow, b.flow))
	})
	for _, route := range r.routes {
		if route.entry.interrupt && route.entry.kind != byDefault {
			r.interrupts = append(r.interrupts, route)
		}
	}
	return r
}

// compare orders entries as they are tried: what is meant for everybody last, then
// by priority and kind, and one advertisement before any.
func (e *entry) compare(o *entry) int {
	return cmp.Or(
		oneIf(e.kind == byDefault)-oneIf(o.kind == byDefault), o.priority-e.priority,
		slices.Index(entryOrder, e.kind)-slices.Index(entryOrder, o.kind), oneIf(e.id == anyAd)-oneIf(o.id == anyAd),
	)
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *Router) begins(in *parleyv1.Input, which entries) (*Flow, *entry) {
	routes := r.routes
	if which == interrupting {
		routes = r.interrupts
	}
	var word string
	if len(routes) > 0 {
		word = fold(answerOf(in.GetMessage()))
	}
	for _, route := range routes {
		if route.entry.kind == byDefault && route.flow != r.fallback && r.serves() || !route.entry.fits(in, route.flow, word, which) {
			continue
		}
		f := r.releases[route.flow].version(in)
		return f, route.entry.of(f)
	}
	if which == allEntries && r.serves() {
		return r.releases[r.fallback].version(in), nil
	}
	return nil, nil
}

// serves reports whether the channel has a flow for everybody.
func (r *Router) serves() bool { _, ok := r.releases[r.fallback]; return ok }

func (r *Router) again(name string, in *parleyv1.Input) *Flow {
	if release, ok := r.releases[name]; ok {
		return release.version(in)
	}
	if r.serves() {
		return r.releases[r.fallback].version(in)
	}
	return nil
}

// of is the same entry in another version of its flow; a step may stand elsewhere
// there. An entry that the version lacks begins at its first step.
func (e *entry) of(f *Flow) *entry {
	for _, other := range f.entries {
		if other.kind == e.kind && other.label() == e.label() {
			return other
		}
	}
	return &entry{kind: e.kind}
}

func (r *Router) numbered(name string, version uint32) *Flow {
	release := r.releases[name]
	for _, f := range []*Flow{release.Flow, release.Canary} {
		if f != nil && f.version == version {
			return f
		}
	}
	return nil
}

// begins lets a flow serve a channel alone: everything begins it, and nothing can
// interrupt it.
func (f *Flow) begins(in *parleyv1.Input, which entries) (*Flow, *entry) {
	if which == interrupting {
		return nil, nil
	}
	word := fold(answerOf(in.GetMessage()))
	for _, e := range f.ranked {
		if e.fits(in, f.name, word, which) {
			return f, e
		}
	}
	if which == allEntries {
		return f, nil
	}
	return nil, nil
}

func (f *Flow) again(string, *parleyv1.Input) *Flow { return f }

func (f *Flow) numbered(name string, version uint32) *Flow {
	if f.name == name && f.version == version {
		return f
	}
	return nil
}

// fits reports whether the entry counts, and begins a session for an input. word
// is what the message says, folded.
func (e *entry) fits(in *parleyv1.Input, flow, word string, which entries) bool {
	m := in.GetMessage()
	if which == typed && e.kind != byKeyword {
		return false
	}
	switch e.kind {
	case byAPI:
		return in.GetStart() != nil && in.GetStart().GetFlow() == flow
	case byPayload:
		return m.GetTap() != "" && m.GetTap() == e.id
	case byAd:
		id := m.GetReferral().GetSourceId()
		return m.GetReferral() != nil && (e.id == anyAd || e.id == id)
	case byKeyword:
		return m.GetType() == "text" && word != "" && contains(e.words, word)
	case byRegex:
		return m.GetType() == "text" && e.pattern.MatchString(answerOf(m))
	case byDefault:
		return m != nil && which == allEntries
	}
	return false
}

// Overlap is two entries of different flows that one message can fit.
type Overlap struct {
	Flow, Entry           string
	OtherFlow, OtherEntry string
	// Priority and OtherPriority are those of the entries: if they differ, somebody
	// has decided who goes first.
	Priority, OtherPriority int
	// Wins is the flow that begins.
	Wins string
}

// Overlaps finds the entries of different flows that surely meet: the same word,
// ad or payload on a channel.
func (r *Router) Overlaps() []Overlap {
	var all []Overlap
	for i, a := range r.routes {
		for _, b := range r.routes[i+1:] {
			if a.flow != b.flow && a.entry.kind != byDefault && a.entry.kind != byAPI && a.entry.overlaps(b.entry) {
				all = append(all, Overlap{
					Flow: a.flow, Entry: a.entry.label(), Priority: a.entry.priority,
					OtherFlow: b.flow, OtherEntry: b.entry.label(), OtherPriority: b.entry.priority, Wins: a.flow,
				})
			}
		}
	}
	return all
}

// languageOfPhone is the language to begin in with a phone of some country: what
// the flow says, else the most likely language there, if the flow speaks it.
func (f *Flow) languageOfPhone(phone string) int {
	region := regionOf(phone)
	if region == "" {
		return 0
	}
	if i, ok := f.countries[region]; ok {
		return i
	}
	country, err := language.ParseRegion(region)
	if err != nil {
		return 0
	}
	likely, err := language.Compose(language.Und, country)
	if err != nil {
		return 0
	}
	base, _ := likely.Base()
	for i, tag := range f.tags {
		if own, _ := tag.Base(); own == base {
			return i
		}
	}
	return 0
}

func sameBase(a, b string) bool {
	a, _, _ = strings.Cut(a, "-")
	b, _, _ = strings.Cut(b, "-")
	return strings.EqualFold(a, b)
}
