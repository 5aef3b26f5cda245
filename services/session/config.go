package session

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/demoflows"
	"github.com/parleyhq/parley/services/internal/flowfiles"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the session service reads from the environment.
type Config struct {
	platform.Common
	Forms platform.FormSecrets
	// FlowsDir holds the flow definitions; empty means the demo flows.
	FlowsDir string `env:"PARLEY_FLOWS_DIR"`
}

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	errs := []error{c.Common.Problems(), c.Forms.Problems()}
	if c.FlowsDir != "" {
		if info, err := os.Stat(c.FlowsDir); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("PARLEY_FLOWS_DIR is %q: no such folder", c.FlowsDir))
		}
	}
	return errors.Join(errs...)
}

// inboxAge is how long message ids are remembered: WhatsApp repeats a webhook
// for up to 7 days.
const inboxAge = 30 * 24 * time.Hour

// Build publishes the flows and makes the service ready to run.
func Build(ctx context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	if err := Publish(ctx, d.Store, c.flows()); err != nil {
		return platform.Service{}, err
	}
	for _, name := range d.Channels.Flows() {
		if _, err := d.Store.LoadFlow(ctx, name, 0); err != nil {
			return platform.Service{}, fmt.Errorf("%w: set PARLEY_DEFAULT_FLOW, correct the channels file, or put the flow into PARLEY_FLOWS_DIR", err)
		}
	}
	relay := NewRelay(d.JS, d.Store, d.Log)
	in := bus.NewPublisher(d.NATS, bus.StreamIn, bus.PublisherOptions{})
	service := New(d.Store, relay, d.Channels, Lanes{In: in, Shards: d.Shards}, time.Now, d.Log)
	tokens, err := c.Forms.Tokens()
	if err != nil {
		in.Close()
		return platform.Service{}, err
	}
	service.ServeForms(tokens, d.NATS.Publish)
	runner := d.Lane(store.ServiceSession, d.Stream(store.ServiceSession, bus.StreamIn, bus.FilterIn), service, platform.GatherReply, nil)
	timers := NewTimers(d.Store, service.Owned, in, d.Shards, time.Now, d.Log)
	orders := NewOrders(d.Store, service.Owned, in, d.Shards, time.Now, d.Log)
	campaigns := NewCampaigns(d.Store, in, d.Shards, time.Now, d.Log)
	return platform.Service{Close: in.Close, Parts: []lifecycle.Part{
		{Name: "session", Run: func(intake, work context.Context) error { return runWithRelay(intake, work, runner, relay) }},
		{Name: "session timers", Run: func(intake, _ context.Context) error { return timers.Run(intake) }},
		{Name: "session orders", Run: func(intake, _ context.Context) error { return orders.Run(intake) }},
		{Name: "campaigns", Run: func(intake, _ context.Context) error { return campaigns.Run(intake) }},
		d.Trimmer(store.ServiceSession, bus.StreamIn, bus.FilterIn),
		{Name: "session housekeeping", Run: func(intake, _ context.Context) error { return housekeep(intake, d) }},
	}}, nil
}

// runWithRelay keeps the relay going until the last batch is committed. What
// it has not relayed by then, the next owner of the shard relays.
func runWithRelay(intake, work context.Context, runner *lane.Runner, relay *StreamRelay) error {
	relaying, stop := context.WithCancel(work)
	group := errgroup.Group{}
	group.Go(func() error { return relay.Run(relaying) })
	group.Go(func() error { defer stop(); return runner.Run(intake, work) })
	return group.Wait()
}

func (c Config) flows() fs.FS {
	if c.FlowsDir == "" {
		return demoflows.Files
	}
	return os.DirFS(c.FlowsDir)
}

// Publish makes every flow of a folder the live version of its name, imports the
// tables in its folder tables, and makes slots of the opening hours in its folder
// slots. All problems of all files are reported at
// once, and then nothing is published.
func Publish(ctx context.Context, s *store.Store, files fs.FS) error {
	paths, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return err
	}
	var errs []error
	flows, definitions := make([]*flow.Flow, len(paths)), make([]flowfiles.Definition, len(paths))
	for i, name := range paths {
		var source []byte
		if source, err = fs.ReadFile(files, name); err == nil {
			definitions[i], err = flowfiles.Read(files, source)
		}
		if err == nil {
			flows[i], err = flow.Parse(definitions[i].Source)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("flow file %s: %w", name, err))
		}
	}
	tables, err := readTables(files)
	rules, rulesErr := readRules(files)
	if err := errors.Join(append(errs, err, rulesErr)...); err != nil {
		return err
	}
	for _, definition := range rules {
		if _, err := s.SaveRules(ctx, definition, time.Now()); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if _, err := s.ImportTable(ctx, t.name, t.columns, t.rows); err != nil {
			return err
		}
	}
	for i, f := range flows {
		for _, file := range definitions[i].Files {
			if err := s.SaveFile(ctx, file.SHA256, file.Type, file.Content); err != nil {
				return err
			}
		}
		if _, err := s.PublishFlow(ctx, f, definitions[i].Source); err != nil {
			return err
		}
	}
	return nil
}

// table is what flows look things up in.
type table struct {
	name    string
	columns []string
	rows    [][]string
}

// readTables reads tables/NAME.csv: a line of column names, and the rows.
func readTables(files fs.FS) ([]table, error) {
	paths, err := fs.Glob(files, "tables/*.csv")
	if err != nil {
		return nil, err
	}
	var errs []error
	var tables []table
	for _, name := range paths {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		lines, err := csv.NewReader(bytes.NewReader(source)).ReadAll()
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("table %s: %w", name, err))
		case len(lines) == 0:
			errs = append(errs, fmt.Errorf("table %s is empty: its first line names the columns", name))
		default:
			tables = append(tables, table{strings.TrimSuffix(path.Base(name), ".csv"), lines[0], lines[1:]})
		}
	}
	return tables, errors.Join(errs...)
}

// readRules reads slots/NAME.yaml: the opening hours of a service.
func readRules(files fs.FS) ([][]byte, error) {
	paths, err := fs.Glob(files, "slots/*.yaml")
	if err != nil {
		return nil, err
	}
	var errs []error
	definitions := make([][]byte, len(paths))
	for i, name := range paths {
		if definitions[i], err = fs.ReadFile(files, name); err == nil {
			_, err = hours.Parse(definitions[i], time.LoadLocation)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("opening hours %s: %w", name, err))
		}
	}
	return definitions, errors.Join(errs...)
}

// housekeep creates event partitions ahead of time, makes the slots that came into
// the horizon, and forgets old message ids.
func housekeep(ctx context.Context, d *platform.Deps) error {
	const every, monthsAhead, forgetMax = time.Hour, 3, 10_000
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := d.Store.EnsureEventPartitions(ctx, monthsAhead); err != nil && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("housekeeping")
		}
		if err := d.Store.MakeSlots(ctx, time.Now().Add(-every), time.Now()); err != nil && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("housekeeping")
		}
		for ctx.Err() == nil {
			forgotten, err := d.Store.ForgetInbox(ctx, inboxAge, forgetMax)
			if err != nil && ctx.Err() == nil {
				d.Log.Warn().Err(err).Msg("housekeeping")
			}
			if err != nil || forgotten < forgetMax {
				break
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
