package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/webhook"
	"github.com/parleyhq/parley/services/dispatcher"
	"github.com/parleyhq/parley/services/internal/platform"
)

// webhooksCommand shows what another system is still to be told.
type webhooksCommand struct {
	List    listWebhooksCommand    `cmd:"" default:"withargs" help:"List what waits to be told, or was given up."`
	Redrive redriveWebhooksCommand `cmd:"" help:"Tell again what was given up."`
	Test    testWebhookCommand     `cmd:"" help:"Post a signed webhook.test to PARLEY_WEBHOOK_URL from here, and say what it answers."`
}

type listWebhooksCommand struct {
	State  string `enum:"queued,dead,any" default:"any" help:"Which: ${enum}."`
	Limit  int    `default:"100" help:"How many at most; the oldest come first."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

type webhookRow struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	State    string    `json:"state"`
	Contact  string    `json:"contact_id"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	NextAt   time.Time `json:"next_at"`
	Error    string    `json:"error"`
}

type webhookPage struct {
	Counts struct {
		Queued int `json:"queued"`
		Dead   int `json:"dead"`
	} `json:"counts"`
	Webhooks []webhookRow `json:"webhooks"`
	Next     string       `json:"next"`
}

// page reads one page of the list.
func (s server) page(ctx context.Context, state, after string, limit int) (p webhookPage, err error) {
	query := url.Values{"state": {state}, "after": {after}, "limit": {strconv.Itoa(limit)}}
	return p, s.call(ctx, http.MethodGet, "/api/v1/webhooks?"+query.Encode(), nil, &p)
}

// Run prints the list.
func (c listWebhooksCommand) Run(ctx context.Context, app *kong.Kong) error {
	if err := c.check(app.Stderr); err != nil {
		return err
	}
	state := c.State
	if state == "any" {
		state = ""
	}
	page, err := c.page(ctx, state, "", c.Limit)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(app.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(page.Webhooks)
	}
	table := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WEBHOOK\tSINCE\tTYPE\tCONTACT\tSTATE\tATTEMPTS\tNEXT\tERROR")
	for _, w := range page.Webhooks {
		next := w.NextAt.Local().Format("15:04:05")
		if w.State != "queued" {
			next = "never"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", w.ID, w.Since.Local().Format("2006-01-02 15:04:05"), w.Type, w.Contact,
			w.State, w.Attempts, next, w.Error)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(app.Stdout, "%d queued, %d given up\n", page.Counts.Queued, page.Counts.Dead)
	return nil
}

type redriveWebhooksCommand struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"The webhooks' ids, such as evt_3_127."`
	All    bool     `help:"All that were given up."`
	server `embed:""`
}

// Run orders each.
func (c redriveWebhooksCommand) Run(ctx context.Context, app *kong.Kong) error {
	if err := c.check(app.Stderr); err != nil {
		return err
	}
	if c.All == (len(c.IDs) > 0) {
		return misused(app.Stderr, "name webhooks, or give --all")
	}
	ids := c.IDs
	for after := ""; c.All; {
		page, err := c.page(ctx, "dead", after, 1000)
		if err != nil {
			return err
		}
		for _, w := range page.Webhooks {
			ids = append(ids, w.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for _, id := range ids {
		var done map[string]string
		if err := c.call(ctx, http.MethodPost, "/api/v1/webhooks/"+url.PathEscape(id)+"/redrive", struct{}{}, &done); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	fmt.Fprintf(app.Stdout, "%d told again\n", len(ids))
	return nil
}

type testWebhookCommand struct{}

// Run posts from here with the configuration that the dispatcher has.
func (testWebhookCommand) Run(ctx context.Context, app *kong.Kong) error {
	config, err := platform.Load[dispatcher.Outside](os.Environ())
	if err == nil && config.WebhookURL == "" {
		err = errors.New("PARLEY_WEBHOOK_URL is not set: nobody is told")
	}
	if err != nil {
		platform.Misconfigured(app.Stderr, "parley webhooks test", err)
		return errMisconfigured
	}
	endpoint, err := config.Endpoint()
	if err != nil {
		return err
	}
	now := time.Now()
	body, err := webhook.TestBody(now)
	if err != nil {
		return err
	}
	if err := endpoint.Post(ctx, fmt.Sprintf("test_%d", now.UnixMilli()), now, body); err != nil {
		return fmt.Errorf("the receiver did not take it: %w", err)
	}
	fmt.Fprintf(app.Stdout, "taken within %s\n", time.Since(now).Round(time.Millisecond))
	return nil
}
