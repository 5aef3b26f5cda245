package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// campaignCommand begins a flow for many contacts.
type campaignCommand struct {
	Create  campaignCreate  `cmd:"" help:"Make a campaign of a file of contacts, or of a query."`
	Start   campaignMove    `cmd:"" help:"Start one that is ready or scheduled, now."`
	Pause   campaignMove    `cmd:"" help:"Start nobody more until it is resumed."`
	Resume  campaignMove    `cmd:"" help:"Go on with one that is paused."`
	Cancel  campaignMove    `cmd:"" help:"Start nobody more, for good."`
	Status  campaignStatus  `cmd:"" help:"Show how far a campaign is, or list all."`
	Results campaignResults `cmd:"" help:"Write what became of each contact, as CSV."`
}

type campaignCreate struct {
	Flow             string   `required:"" help:"The flow that begins. It needs the entry {api: true}."`
	Channel          string   `required:"" help:"The business number (phone_number_id) that writes."`
	CSV              string   `name:"csv" placeholder:"FILE" help:"The contacts: a first line with the columns phone (or bsuid), name, language, and slots of the flow."`
	Rate             string   `default:"20/s" help:"How many are started: 20/s, 600/min, 5000/h."`
	At               string   `placeholder:"TIME" help:"When it starts by itself: 2026-12-04T09:00:00Z, or '2026-12-04 09:00' or 09:00 by the clock of this computer. Without it, it waits for parley campaign start."`
	Name             string   `help:"What it is called; without it, of the flow and the time."`
	Template         string   `help:"The approved template that goes in place of what the flow says first."`
	TemplateLanguage string   `default:"en_US" help:"WhatsApp's code of its language: ${default}."`
	TemplateValue    []string `placeholder:"TEXT" sep:"none" help:"A value of its body, in order; {column} is a cell of the contact's line."`
	OfFlow           string   `placeholder:"FLOW" help:"Instead of a file: those whose newest conversation on the channel was in this flow."`
	OfStatus         string   `placeholder:"STATUS" help:"Of them, those whose conversation is active, completed, cancelled, human or expired."`
	HeardWithin      string   `placeholder:"TIME" help:"Of them, those who wrote within the last 720h, say."`
	SilentFor        string   `placeholder:"TIME" help:"Of them, those who have not written for 168h, say."`
	DryRun           bool     `help:"Say what would be refused, and make nothing."`
	server           `embed:""`
}

// Help is shown by --help.
func (campaignCreate) Help() string {
	return `Nobody is started who is in a conversation, has opted out, or wants no marketing:
the results say so. A mistake in the file refuses all of it; all mistakes are shown.

Examples:
  parley campaign create --flow offer --channel 100000000000001 --csv people.csv --rate 20/s
  parley campaign create --flow offer --channel 100000000000001 --csv people.csv --at 09:00 \
      --template invitation --template-value '{name}' --template-value '{code}'
  parley campaign create --flow survey --channel 100000000000001 --of-flow booking --of-status completed --heard-within 24h

Exit codes: 0 made, 1 refused, or no answer, 2 wrong usage.`
}

// campaignRow is a campaign as the API shows it.
type campaignRow struct {
	Name       string            `json:"name"`
	Flow       string            `json:"flow"`
	Channel    string            `json:"channel"`
	Template   string            `json:"template"`
	Rate       string            `json:"rate"`
	PerSecond  float64           `json:"per_second"`
	State      string            `json:"state"`
	Size       int               `json:"size"`
	Source     string            `json:"source"`
	StartsAt   *time.Time        `json:"starts_at,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	StartedAt  *time.Time        `json:"started_at,omitempty"`
	FinishedAt *time.Time        `json:"finished_at,omitempty"`
	Progress   *campaignProgress `json:"progress,omitempty"`
}

// Run makes the campaign.
func (c campaignCreate) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	body, err := c.body(to, time.Now())
	if err != nil {
		return err
	}
	var made campaignRow
	err = c.call(ctx, "POST", "/api/v1/campaigns", body, &made)
	var refused *apiError
	if errors.As(err, &refused) {
		showRowProblems(to, cmp.Or(c.CSV, "query"), refused.Body)
	}
	if err != nil {
		return err
	}
	switch {
	case c.DryRun:
		to.printf("%d contacts, nothing is wrong with them; nothing was made\n", made.Size)
	case made.StartsAt != nil:
		to.printf("campaign %s: %d contacts, starts at %s, %s\n", made.Name, made.Size, clock(*made.StartsAt), made.Rate)
	default:
		to.printf("campaign %s: %d contacts, %s; parley campaign start %s starts it\n", made.Name, made.Size, made.Rate, made.Name)
	}
	return nil
}

// body is what the API takes.
func (c campaignCreate) body(to output, now time.Time) (map[string]any, error) {
	name := cmp.Or(c.Name, fmt.Sprintf("%s-%s", c.Flow, now.UTC().Format("20060102-150405")))
	body := map[string]any{"name": name, "flow": c.Flow, "channel": c.Channel, "rate": c.Rate, "dry_run": c.DryRun}
	if (c.CSV == "") == (c.OfFlow == "") {
		return nil, misused(to.stderr, "give --csv, or --of-flow with a query")
	}
	if c.CSV != "" {
		data, err := readFile(to.stderr, c.CSV)
		if err != nil {
			return nil, err
		}
		body["csv"], body["source"] = string(data), filepath.Base(c.CSV)
	} else {
		body["query"] = map[string]any{"flow": c.OfFlow, "status": c.OfStatus, "heard_within": c.HeardWithin, "silent_for": c.SilentFor}
	}
	if c.Template != "" {
		values := []map[string]string{}
		for _, text := range c.TemplateValue {
			values = append(values, map[string]string{"text": text})
		}
		body["template"] = map[string]any{"name": c.Template, "language": c.TemplateLanguage, "body": values}
	}
	if c.At != "" {
		at, err := campaignTime(c.At, now)
		if err != nil {
			return nil, misused(to.stderr, "--at %q is no time: write 2026-12-04T09:00:00Z, '2026-12-04 09:00' or 09:00", c.At)
		}
		body["at"] = at
	}
	return body, nil
}

// campaignTime reads a time. One of day alone is the next that comes.
func campaignTime(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if at, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		return at, nil
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		return at, err
	}
	at = time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if at.Before(now) {
		at = at.AddDate(0, 0, 1)
	}
	return at, nil
}

type campaignMove struct {
	Name   string `arg:"" help:"The campaign."`
	server `embed:""`
}

// Run does what the command says.
func (c campaignMove) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var row campaignRow
	path := "/api/v1/campaigns/" + url.PathEscape(c.Name) + "/" + line.Selected().Name
	if err := c.call(ctx, "POST", path, struct{}{}, &row); err != nil {
		return err
	}
	to.printf("campaign %s is %s\n", row.Name, row.State)
	return nil
}

type campaignStatus struct {
	Name   string `arg:"" optional:"" help:"The campaign; without it all are listed."`
	Watch  bool   `short:"w" help:"Show it again every two seconds, until it is done or cancelled."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

// Run shows it.
func (c campaignStatus) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	switch {
	case c.Name == "" && c.Watch:
		return misused(to.stderr, "--watch needs the name of a campaign")
	case c.Name == "":
		return c.list(ctx, to)
	case c.Watch:
		return c.watch(ctx, to)
	}
	row, err := c.get(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return to.json(row)
	}
	to.printf("%s", row.text(time.Now()))
	return nil
}

func (c campaignStatus) get(ctx context.Context) (row campaignRow, err error) {
	err = c.call(ctx, "GET", "/api/v1/campaigns/"+url.PathEscape(c.Name), nil, &row)
	return row, err
}

func (c campaignStatus) list(ctx context.Context, to output) error {
	var list struct {
		Campaigns []campaignRow `json:"campaigns"`
	}
	return c.show(ctx, to, c.Output, "/api/v1/campaigns", &list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "CREATED\tCAMPAIGN\tSTATE\tFLOW\tCHANNEL\tCONTACTS\tRATE\tOF")
		for _, r := range list.Campaigns {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", clock(r.CreatedAt), r.Name, r.State, r.Flow, r.Channel, r.Size, r.Rate, oneLine(r.Source))
		}
	})
}

type campaignResults struct {
	Name   string `arg:"" help:"The campaign."`
	File   string `short:"w" placeholder:"FILE" help:"Where they are written; without it they are printed."`
	server `embed:""`
}

// Run writes the results.
func (c campaignResults) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var table []byte
	if err := c.call(ctx, "GET", "/api/v1/campaigns/"+url.PathEscape(c.Name)+"/results", nil, &table); err != nil {
		return err
	}
	if c.File == "" {
		to.printf("%s", table)
		return nil
	}
	if err := os.WriteFile(c.File, table, 0o600); err != nil {
		return misused(to.stderr, "%s cannot be written: %s", c.File, reason(err))
	}
	return nil
}
