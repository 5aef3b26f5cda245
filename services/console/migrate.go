package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// pinsPage is how many sessions are in memory at a time.
	pinsPage = 500
	// sinkIn is how long after a publish people may still begin on what was live
	// before: the session services ask every 2 s what is live, and commit what they
	// began with. Only then does everybody to be moved stand there to be seen.
	sinkIn = 3 * time.Second
	// lagMax is how long the session service may take to apply what stands in the
	// lanes, and lagPoll how often it is asked.
	lagMax, lagPoll = 30 * time.Second, 100 * time.Millisecond
	// movingMax bounds one migration.
	movingMax = 15 * time.Minute
)

var (
	errStopping = errors.New("the console is stopping")
	errBehind   = errors.New("the session service has not caught up (see /api/v1/status)")
)

// moveRow is a group of people at one step of one version.
type moveRow struct {
	Version uint32 `json:"version"`
	Step    string `json:"step"`
	Status  string `json:"status"`
	People  int    `json:"people"`
	// To is the step of the new version, empty if they stay where they are. Lacks is
	// why they cannot be moved, what the new version or they themselves do not have.
	To    string `json:"to,omitempty"`
	Lacks string `json:"lacks,omitempty"`
}

// migration is one publish under way. It goes through the people twice: before
// anything is published, to see who is where, and afterwards, to tell them.
type migration struct {
	api     *API
	flow    *flow.Flow
	request publishRequest
	// steps maps steps: as the file says, or else the request.
	steps  map[string]string
	report publishReport
}

func newMigration(a *API, f *flow.Flow, p publishRequest) (*migration, error) {
	if p.Flow != "" && p.Flow != f.Name() {
		return nil, refuse(http.StatusBadRequest, "the definition is of flow %s, not of %s: correct its name, or leave out flow", f.Name(), p.Flow)
	}
	for _, from := range slices.Sorted(maps.Keys(p.Map)) {
		if to := p.Map[from]; !slices.Contains(f.Steps(), to) {
			return nil, refuse(http.StatusBadRequest, "map sends people from %q to %q, and the definition has no such step: its steps are %s", from, to, listed(f.Steps()))
		}
		if len(from) > flow.NameCharactersMax {
			return nil, refuse(http.StatusBadRequest, "map has a name of %d characters: names of steps have at most %d", len(from), flow.NameCharactersMax)
		}
	}
	m := &migration{api: a, flow: f, request: p, steps: map[string]string{}}
	maps.Copy(m.steps, f.Migrations())
	maps.Copy(m.steps, p.Map)
	m.report = publishReport{Flow: f.Name(), Digest: f.Digest(), DryRun: p.DryRun}
	if p.canary() {
		m.report.Weight = *p.Weight
	}
	return m, nil
}

// namesShown bounds how many names an error lists.
const namesShown = 20

func listed(names []string) string {
	if len(names) > namesShown {
		return strings.Join(names[:namesShown], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// look finds who is where, and refuses what would be done in vain or would move
// only some of the people.
func (m *migration) look(ctx context.Context) error {
	list, err := m.api.store.FlowVersions(ctx, m.flow.Name())
	if err != nil {
		return err
	}
	live := slices.IndexFunc(list, func(v store.VersionInfo) bool { return v.Live })
	switch {
	case m.request.canary() && live < 0:
		return refuse(http.StatusConflict, "a canary needs a live version beside it, and flow %s has none: publish without weight", m.flow.Name())
	case m.request.canary() && list[live].Digest == m.flow.Digest():
		return refuse(http.StatusConflict, "this definition is live already as version %d, it cannot be its own canary: give another one, or leave out weight to end a canary", list[live].Version)
	}
	if own := slices.IndexFunc(list, m.own); own >= 0 {
		m.report.Known, m.report.Version = true, list[own].Version
	}
	if !m.request.Migrate {
		return m.stand(ctx)
	}
	if err := m.survey(ctx, nil); err != nil {
		return err
	}
	if m.report.Stranded > 0 && !m.request.DryRun {
		return &refusal{status: http.StatusConflict, Report: &m.report, Message: fmt.Sprintf(
			"%s cannot be moved, and nothing was published: say in map where people of their steps go, or publish without migrate, so that everybody goes on on their version", people(m.report.Stranded))}
	}
	return nil
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

func (m *migration) own(v store.VersionInfo) bool { return v.Digest == m.flow.Digest() }

// stand reports who is in other versions. They stay there.
func (m *migration) stand(ctx context.Context) error {
	rows, err := m.api.store.Standing(ctx, m.flow.Name())
	m.report.Standing = []moveRow{}
	for _, row := range rows {
		if row.Version != m.report.Version {
			m.report.Standing = append(m.report.Standing, moveRow{Version: row.Version, Step: row.Step, Status: row.Status, People: row.People})
		}
	}
	return err
}

// survey counts who is in other versions and whether they could go on in this one,
// page by page. Those of a page who could are given to tell, if there is one.
func (m *migration) survey(ctx context.Context, tell func(context.Context, []store.SessionPin) error) error {
	versions, err := m.otherVersions(ctx)
	if err != nil {
		return err
	}
	m.report.Moving, m.report.Stranded = 0, 0
	rows := map[moveRow]int{}
	defer func() { m.report.Standing = standing(rows) }()
	var after store.SessionKey
	for more := len(versions) > 0; more; {
		pins, err := m.api.store.SessionsAt(ctx, m.flow.Name(), versions, after, pinsPage)
		if err != nil {
			return err
		}
		if more = len(pins) == pinsPage; more {
			after = pins[len(pins)-1].Key
		}
		moving := m.place(pins, rows)
		if tell != nil && len(moving) > 0 {
			if err := tell(ctx, moving); err != nil {
				return err
			}
		}
		m.report.Moving += len(moving)
	}
	return nil
}

// otherVersions are those that people may be moved from.
func (m *migration) otherVersions(ctx context.Context) ([]uint32, error) {
	list, err := m.api.store.FlowVersions(ctx, m.flow.Name())
	var versions []uint32
	for _, v := range slices.DeleteFunc(list, m.own) {
		versions = append(versions, v.Version)
	}
	return versions, err
}

// place counts where the people of a page go, and returns those who can be moved.
func (m *migration) place(pins []store.SessionPin, rows map[moveRow]int) (moving []store.SessionPin) {
	for _, pin := range pins {
		row := moveRow{Version: pin.State.FlowVersion, Step: pin.State.Step, Status: pin.State.Status.String()}
		if pin.State.Status == flow.Active { // else a human has it: it goes on where it is
			to := cmp.Or(m.steps[row.Step], row.Step)
			if row.Lacks = strings.Join(m.flow.Lacks(pin.State, to), ", "); row.Lacks != "" {
				m.report.Stranded++
			} else {
				row.To = to
				moving = append(moving, pin)
			}
		}
		rows[row]++
	}
	return moving
}

func standing(rows map[moveRow]int) []moveRow {
	list := make([]moveRow, 0, len(rows))
	for row, people := range rows {
		row.People = people
		list = append(list, row)
	}
	slices.SortFunc(list, func(a, b moveRow) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), strings.Compare(a.Step, b.Step), strings.Compare(a.Status, b.Status), strings.Compare(a.Lacks, b.Lacks))
	})
	return list
}

// publish makes the version live, or the canary.
func (m *migration) publish(ctx context.Context, source []byte) error {
	published, err := m.api.store.Publish(ctx, store.Release{
		Flow: m.flow, Source: source, By: m.request.By, Note: m.request.Note, Weight: m.report.Weight,
	})
	if errors.Is(err, store.ErrNoRelease) { // somebody published meanwhile
		return refuse(http.StatusConflict, "%v: see what is live, then publish again", err)
	}
	if err != nil {
		return err
	}
	m.report.Version, m.report.Known, m.report.Published = published.Version, published.Known, true
	return nil
}

// move tells everybody who is in another version to come to this one. It goes on
// if the asker goes away: half of the people moved is what nobody asked for. To
// publish the same again does the rest.
func (m *migration) move(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), movingMax)
	defer cancel()
	err := m.sink(ctx)
	if err == nil {
		err = m.survey(ctx, m.tell)
	}
	var refused *refusal
	if err == nil || errors.As(err, &refused) {
		return err
	}
	m.api.log.Error().Err(err).Str("flow", m.flow.Name()).Uint32("version", m.report.Version).Int("told", m.report.Moving).Msg("moving people was interrupted")
	return &refusal{status: http.StatusServiceUnavailable, Report: &m.report, Message: fmt.Sprintf(
		"version %d of %s is live, but moving people was interrupted after %d were told, because %s: publish the same again, it does the rest and moves nobody twice",
		m.report.Version, m.flow.Name(), m.report.Moving, why(err))}
}

// why says what the asker can know of a failure of ours.
func why(err error) string {
	if errors.Is(err, errBehind) || errors.Is(err, errStopping) {
		return err.Error()
	}
	return "the database or the message stream did not answer"
}

// sink waits until nobody begins on what was live before, and all that stood in the
// lanes has been applied. An earlier publish may have left orders there: who has
// yet to come to this version by one, or to leave it, is not where they seem to be.
func (m *migration) sink(ctx context.Context) error {
	m.report.Moving = 0 // nobody was told yet
	if err := pause(ctx, m.api.sinkIn); err != nil {
		return err
	}
	patience := time.Now().Add(m.api.lagMax)
	for shard := range m.api.shards {
		last, err := bus.LastMessage(ctx, m.api.js, bus.StreamIn, bus.FilterIn(shard))
		if err != nil {
			return err
		}
		for last != nil {
			applied, err := m.api.applied(ctx, store.ServiceSession, shard)
			switch {
			case err != nil:
				return err
			case applied >= last.Seq:
				last = nil
			case time.Now().After(patience):
				return errBehind
			default:
				err = pause(ctx, lagPoll)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// pause waits, unless the process or the migration has to end.
func pause(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-lifecycle.Stopping(ctx):
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell orders the moves of a page, unless somebody has published something else
// meanwhile: then it is theirs to say where people go.
func (m *migration) tell(ctx context.Context, pins []store.SessionPin) error {
	select {
	case <-lifecycle.Stopping(ctx):
		return errStopping
	default:
	}
	live, err := m.api.live(ctx, m.flow.Name())
	if err != nil {
		return err
	}
	if live.Version != m.report.Version {
		return &refusal{status: http.StatusConflict, Report: &m.report, Message: fmt.Sprintf(
			"version %d of %s was published meanwhile and is live instead of version %d; %d people had been told to move to that: see who stands where, and publish with migrate what shall hold",
			live.Version, m.flow.Name(), m.report.Version, m.report.Moving)}
	}
	orders := make([]bus.Message, len(pins))
	for i, pin := range pins {
		if orders[i], err = m.order(pin); err != nil {
			return fmt.Errorf("order session %d to move: %w", pin.ID, err)
		}
	}
	return m.api.in.Publish(ctx, orders...)
}

// order moves one session in its turn. It has the whole map, for the person may
// answer before; and one id for each state of the session, so that the same order
// given again is no other. A session that has moved to a version by then, or cannot
// be moved any more, stays where it is.
func (m *migration) order(pin store.SessionPin) (bus.Message, error) {
	return m.api.order(&parleyv1.Envelope{
		Id:      fmt.Sprintf("migrate/%d/%d/%d", pin.ID, pin.State.Version, m.report.Version),
		Channel: pin.Key.Channel, Portfolio: pin.Portfolio, LaneKey: pin.LaneKey, ContactId: pin.Key.Contact[:],
	}, &parleyv1.Input{Body: &parleyv1.Input_Migration{Migration: &parleyv1.Migration{
		Flow: m.flow.Name(), FromVersion: pin.State.FlowVersion, ToVersion: m.report.Version, Steps: m.steps,
	}}})
}
