package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// publishBytesMax bounds the body of a publish: a definition, escaped.
const publishBytesMax = 4 * flow.SourceBytesMax

// pinsPage is how many sessions are read at a time for a migration.
const pinsPage = 1000

// publishRequest is what POST /api/v1/flows takes.
type publishRequest struct {
	// Source is the definition in YAML. Digest names one that was published before,
	// by its first digits, of the flow Flow: that is a rollback.
	Source string `json:"source"`
	Flow   string `json:"flow"`
	Digest string `json:"digest"`
	By     string `json:"by"`
	Note   string `json:"note"`
	// Weight is the percent of new sessions that get it; 0 or 100 is all.
	Weight int `json:"weight"`
	// Migrate moves the people who are in other versions, by Map and the file's own.
	Migrate bool              `json:"migrate"`
	Map     map[string]string `json:"map"`
	// DryRun says what would happen, and does nothing.
	DryRun bool `json:"dry_run"`
}

// publishReport says what happened, or would.
type publishReport struct {
	Flow    string `json:"flow"`
	Version uint32 `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Known says that the definition had been published before.
	Known    bool          `json:"known,omitempty"`
	Weight   int           `json:"weight,omitempty"`
	DryRun   bool          `json:"dry_run,omitempty"`
	Warnings flow.Problems `json:"warnings,omitempty"`
	// Standing is who is in the flow, and where they go.
	Standing []moveRow `json:"standing"`
	// Moving and Stranded count people: those who are moved, and those who cannot be.
	Moving   int `json:"moving"`
	Stranded int `json:"stranded"`
}

// moveRow is a group of people at one step of one version.
type moveRow struct {
	Version uint32 `json:"version"`
	Step    string `json:"step"`
	Status  string `json:"status"`
	People  int    `json:"people"`
	// To is the step of the new version, empty if they stay where they are; Lacks is
	// why they cannot be moved.
	To    string `json:"to,omitempty"`
	Lacks string `json:"lacks,omitempty"`
}

// refusal is a report of what was not done.
type refusal struct {
	Error    string         `json:"error"`
	Problems flow.Problems  `json:"problems,omitempty"`
	Report   *publishReport `json:"report,omitempty"`
}

// publish makes a definition live, or the canary, and moves people if it is asked
// to. Nobody is stranded: if somebody cannot be moved, nothing is published.
func (a *API) publish(w http.ResponseWriter, r *http.Request) {
	p, refused := readPublish(w, r)
	if refused != "" {
		answer(w, http.StatusBadRequest, problem{refused})
		return
	}
	f, source, problems, err := a.definition(r.Context(), p)
	switch {
	case errors.Is(err, store.ErrNoFlow), errors.Is(err, store.ErrNoRelease):
		answer(w, http.StatusNotFound, problem{err.Error()})
		return
	case err != nil:
		a.failed(w, r, err)
		return
	case f == nil:
		answer(w, http.StatusUnprocessableEntity, refusal{Error: "the definition has errors: nothing was published", Problems: problems})
		return
	}
	m := &migration{api: a, flow: f, request: p, report: publishReport{
		Flow: f.Name(), Digest: f.Digest(), Weight: p.Weight, DryRun: p.DryRun, Warnings: problems,
	}}
	if err := m.look(r.Context()); err != nil {
		a.failed(w, r, err)
		return
	}
	if m.report.Stranded > 0 && p.Migrate && !p.DryRun {
		answer(w, http.StatusConflict, refusal{
			Error:  fmt.Sprintf("%d people cannot be moved, and nothing was published: add the missing steps to map, or publish without migrate, so that they stay on their version", m.report.Stranded),
			Report: &m.report,
		})
		return
	}
	if err := m.publish(r.Context(), source); err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, m.report)
}

func readPublish(w http.ResponseWriter, r *http.Request) (p publishRequest, refused string) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, publishBytesMax))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return p, "the body is not what publish takes: " + err.Error()
	}
	switch {
	case (p.Source == "") == (p.Digest == ""):
		return p, "give source, or the digest of a version that was published before"
	case p.Digest != "" && p.Flow == "":
		return p, "give the name of the flow with a digest"
	case p.By == "":
		return p, "give by: who publishes"
	case p.Weight < 0 || p.Weight > 100:
		return p, "weight is a percentage from 1 to 100"
	case p.Migrate && p.Weight > 0 && p.Weight < 100:
		return p, "people are moved to a version that is live for all: leave out weight, or migrate"
	}
	return p, ""
}

// definition compiles what is to be published; f is nil if it has errors.
func (a *API) definition(ctx context.Context, p publishRequest) (f *flow.Flow, source []byte, problems flow.Problems, err error) {
	source = []byte(p.Source)
	if p.Digest != "" {
		if source, err = a.oldDefinition(ctx, p.Flow, p.Digest); err != nil {
			return nil, nil, nil, err
		}
	}
	f, problems = flow.Lint(source)
	return f, source, problems, nil
}

func (a *API) oldDefinition(ctx context.Context, name, digest string) ([]byte, error) {
	versions, err := a.store.FlowVersions(ctx, name)
	if err != nil {
		return nil, err
	}
	versions = slices.DeleteFunc(versions, func(v store.VersionInfo) bool { return !strings.HasPrefix(v.Digest, digest) })
	if len(digest) < store.DigestDigitsMin || len(versions) != 1 {
		return nil, fmt.Errorf("%w: %d versions of flow %s have a digest that begins with %q: give %d digits or more of one", store.ErrNoRelease, len(versions), name, digest, store.DigestDigitsMin)
	}
	return a.store.Definition(ctx, name, versions[0].Version)
}

// migration is one publish under way.
type migration struct {
	api     *API
	flow    *flow.Flow
	request publishRequest
	report  publishReport
	moves   []store.SessionPin
}

// look finds who is in the flow and whether they could go on in the new version.
func (m *migration) look(ctx context.Context) error {
	versions, err := m.otherVersions(ctx)
	if err != nil {
		return err
	}
	rows := map[moveRow]int{}
	var after store.SessionKey
	for len(versions) > 0 {
		pins, err := m.api.store.SessionsAt(ctx, m.flow.Name(), versions, after, pinsPage)
		if err != nil {
			return err
		}
		for _, pin := range pins {
			rows[m.place(pin)]++
		}
		if len(pins) < pinsPage {
			break
		}
		after = pins[len(pins)-1].Key
	}
	for row, people := range rows {
		row.People = people
		m.report.Standing = append(m.report.Standing, row)
	}
	slices.SortFunc(m.report.Standing, func(a, b moveRow) int {
		return strings.Compare(fmt.Sprintf("%08d %s %s", a.Version, a.Step, a.Lacks), fmt.Sprintf("%08d %s %s", b.Version, b.Step, b.Lacks))
	})
	return nil
}

// otherVersions are those that people may be moved from.
func (m *migration) otherVersions(ctx context.Context) ([]uint32, error) {
	list, err := m.api.store.FlowVersions(ctx, m.flow.Name())
	var versions []uint32
	for _, v := range list {
		if v.Digest != m.flow.Digest() {
			versions = append(versions, v.Version)
		}
	}
	return versions, err
}

// place says where one session goes, and counts it.
func (m *migration) place(pin store.SessionPin) moveRow {
	row := moveRow{Version: pin.State.FlowVersion, Step: pin.State.Step, Status: pin.State.Status.String()}
	if pin.State.Status != flow.Active {
		return row // a human has it: it goes on where it is
	}
	to := m.target(pin.State.Step)
	if lacks := m.flow.Lacks(pin.State, to); len(lacks) > 0 {
		row.Lacks = strings.Join(lacks, ", ")
		m.report.Stranded++
		return row
	}
	row.To = to
	m.report.Moving++
	m.moves = append(m.moves, pin)
	return row
}

// target maps a step: by the request, by the file, or to the same name.
func (m *migration) target(step string) string {
	if to := m.request.Map[step]; to != "" {
		return to
	}
	if to := m.flow.Migrations()[step]; to != "" {
		return to
	}
	return step
}

// publish makes the version live and orders the moves.
func (m *migration) publish(ctx context.Context, source []byte) error {
	if m.request.DryRun {
		return nil
	}
	published, err := m.api.store.Publish(ctx, store.Release{
		Flow: m.flow, Source: source, By: m.request.By, Note: m.request.Note, Weight: m.request.Weight,
	})
	if err != nil {
		return err
	}
	m.report.Version, m.report.Known = published.Version, published.Known
	if !m.request.Migrate {
		m.report.Moving = 0
		for i := range m.report.Standing {
			m.report.Standing[i].To = ""
		}
		return nil
	}
	for _, pin := range m.moves {
		if err := m.order(ctx, pin); err != nil {
			return err
		}
	}
	return nil
}

// order puts the move of one session into its contact's lane: it takes its turn
// like everything else. A session that has moved on by then stays where it is.
func (m *migration) order(ctx context.Context, pin store.SessionPin) error {
	steps := map[string]string{pin.State.Step: m.target(pin.State.Step)}
	raw, err := protojson.Marshal(&parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{
		Flow: m.flow.Name(), FromVersion: pin.State.FlowVersion, ToVersion: m.report.Version, Steps: steps,
	}}})
	if err != nil {
		return fmt.Errorf("migrate session %d: %w", pin.ID, err)
	}
	data, err := proto.Marshal(&parleyv1.Envelope{
		Id:   fmt.Sprintf("migrate/%d/%d/%d", pin.ID, pin.State.Version, m.report.Version),
		Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Field: store.OperatorInput, Raw: raw,
		Channel: pin.Key.Channel, Portfolio: pin.Portfolio, LaneKey: pin.LaneKey, ReceivedAtMs: time.Now().UnixMilli(),
	})
	if err != nil {
		return fmt.Errorf("migrate session %d: %w", pin.ID, err)
	}
	shard := bus.ShardOf(pin.Portfolio, pin.LaneKey, m.api.shards)
	if _, err := m.api.js.Publish(ctx, bus.SubjectIn(shard, pin.Key.Channel, pin.LaneKey), data); err != nil {
		return fmt.Errorf("migrate session %d: %w", pin.ID, err)
	}
	return nil
}
