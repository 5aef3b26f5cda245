package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
)

const (
	// publishBytesMax bounds the body of a publish: a definition, escaped.
	publishBytesMax = 4 * flow.SourceBytesMax
	// digestDigitsMin is how many digits of a digest name a version at least.
	digestDigitsMin = 6
	// byCharactersMax and noteCharactersMax bound what is kept of who and why.
	byCharactersMax, noteCharactersMax = 100, 1000
)

// publishRequest is what POST /api/v1/flows takes.
type publishRequest struct {
	// Source is the definition in YAML. Digest names one that was published before,
	// by its first digits, of the flow Flow: that is a rollback.
	Source string `json:"source"`
	Flow   string `json:"flow"`
	Digest string `json:"digest"`
	By     string `json:"by"`
	Note   string `json:"note"`
	// Weight is the percent of new sessions that get it; without it, or with 100, all do.
	Weight *int `json:"weight"`
	// Migrate moves the people who are in other versions, by Map and the file's own.
	Migrate bool              `json:"migrate"`
	Map     map[string]string `json:"map"`
	// DryRun says what would happen, and does nothing.
	DryRun bool `json:"dry_run"`
}

const publishFields = "source (or flow and digest), by, note, weight, migrate, map, dry_run"

// publishReport says what happened, or would.
type publishReport struct {
	Flow string `json:"flow"`
	// Version is its number; a dry run gives a new definition none.
	Version uint32 `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Known says that the definition had been published before.
	Known bool `json:"known,omitempty"`
	// Weight is the canary's share; 0 says that the version is for all.
	Weight int  `json:"weight,omitempty"`
	DryRun bool `json:"dry_run,omitempty"`
	// Published says that new sessions get it from now on.
	Published bool          `json:"published"`
	Warnings  flow.Problems `json:"warnings,omitempty"`
	// Standing is who is in other versions, and where they go.
	Standing []moveRow `json:"standing"`
	// Moving and Stranded count people: those who were told to move, and those who
	// cannot be moved. Both are 0 if nobody asked to move them. Who cannot be moved
	// goes on on their version: it is kept as long as anybody is in it.
	Moving   int `json:"moving"`
	Stranded int `json:"stranded"`
}

// publish makes a definition live, or the canary, and moves people if it is asked
// to. If somebody could not be moved, nothing is published. Whoever comes to such a
// step later, or begins on the old version meanwhile, is counted by the report, and
// goes on on the version that they are in: nobody is stranded.
func (a *API) publish(w http.ResponseWriter, r *http.Request) {
	p, err := readPublish(w, r)
	if err == nil {
		takeTime(w)
		var report *publishReport
		if report, err = a.release(r.Context(), p); err == nil {
			answer(w, http.StatusOK, report)
			return
		}
	}
	a.refused(w, r, err)
}

// takeTime lets the answer come when it comes, once the request has been read: to
// count or move many people takes longer than requests do. A writer that has no limits to
// lift, in a test, has none that could cut it short.
func takeTime(w http.ResponseWriter) {
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Time{})
	_ = controller.SetWriteDeadline(time.Time{})
}

func readPublish(w http.ResponseWriter, r *http.Request) (p publishRequest, err error) {
	if err := readBody(w, r, publishBytesMax, publishFields, &p); err != nil {
		return p, err
	}
	if wrong := p.wrong(); wrong != "" {
		return p, refuse(http.StatusBadRequest, "%s", wrong)
	}
	return p, errors.Join(checkWords("by", p.By, byCharactersMax), checkWords("note", p.Note, noteCharactersMax))
}

// wrong says what is missing or makes no sense; empty if nothing is.
func (p publishRequest) wrong() string {
	switch {
	case (p.Source == "") == (p.Digest == ""):
		return "give source, or flow and the digest of a version that was published before"
	case p.Digest != "" && p.Flow == "":
		return "give flow, the name of the flow, with a digest"
	case strings.TrimSpace(p.By) == "":
		return "give by: who publishes"
	case p.Weight != nil && (*p.Weight < 1 || *p.Weight > 100):
		return "weight is the percent of new sessions that get it, 1 to 100: leave it out to give it to all. To end a canary, publish the live version again without weight"
	case p.Migrate && p.canary():
		return "people are moved to a version that is for all: leave out weight, or migrate"
	case len(p.Map) > 0 && !p.Migrate:
		return "map says where people are moved: add migrate, or leave out map"
	case len(p.Map) > flow.StepsMax:
		return "map has more entries than a flow can have steps"
	}
	return ""
}

// canary reports whether only a share of the new sessions is to get the version.
func (p publishRequest) canary() bool { return p.Weight != nil && *p.Weight < 100 }

// release does what a publish asks for.
func (a *API) release(ctx context.Context, p publishRequest) (*publishReport, error) {
	source, err := a.source(ctx, p)
	if err != nil {
		return nil, err
	}
	f, problems := flow.Lint(source)
	if f == nil {
		return nil, &refusal{
			status: http.StatusUnprocessableEntity, Problems: problems,
			Message: "the definition has errors, and nothing was published: correct them (parley flow lint finds them as well)",
		}
	}
	m, err := newMigration(a, f, p)
	if err != nil {
		return nil, err
	}
	overlaps, err := a.overlaps(ctx, f)
	if err != nil {
		return nil, err
	}
	unknown, err := a.unknownResources(ctx, f)
	if err != nil {
		return nil, err
	}
	m.report.Warnings = slices.Concat(problems, overlaps, unknown)
	if err := m.look(ctx); err != nil || p.DryRun {
		return &m.report, err
	}
	if err := a.haveFiles(ctx, f); err != nil {
		return nil, err
	}
	if err := m.publish(ctx, source); err != nil || !p.Migrate {
		return &m.report, err
	}
	return &m.report, m.move(ctx)
}

// source is the definition that is to be published.
func (a *API) source(ctx context.Context, p publishRequest) ([]byte, error) {
	if p.Digest == "" {
		return []byte(p.Source), nil
	}
	digest := strings.ToLower(p.Digest)
	if len(digest) < digestDigitsMin || strings.Trim(digest, "0123456789abcdef") != "" {
		return nil, refuse(http.StatusBadRequest, "digest %q is not the beginning of a digest: give its first %d digits or more, 0 to 9 and a to f", p.Digest, digestDigitsMin)
	}
	versions, err := a.store.FlowVersions(ctx, p.Flow)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, a.noFlow(ctx, p.Flow)
	}
	versions = slices.DeleteFunc(versions, func(v store.VersionInfo) bool { return !strings.HasPrefix(v.Digest, digest) })
	switch len(versions) {
	case 0:
		return nil, refuse(http.StatusNotFound, "no version of flow %s has a digest that begins with %s: parley flow versions %[1]s lists them (GET /api/v1/flows/%[1]s)", p.Flow, digest)
	case 1:
		return a.store.Definition(ctx, p.Flow, versions[0].Version)
	}
	return nil, refuse(http.StatusConflict, "the digests of %d versions of flow %s begin with %s: give more digits, such as %s", len(versions), p.Flow, digest, versions[0].Digest[:min(len(versions[0].Digest), 2*len(digest))])
}
