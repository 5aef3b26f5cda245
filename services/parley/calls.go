package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// callsCommand are the tools for calls of the business's systems.
type callsCommand struct {
	List listCallsCommand `cmd:"" default:"withargs" help:"List calls that failed, or that are still to be made."`
}

type listCallsCommand struct {
	State  string `enum:"failed,queued" default:"failed" help:"Which: ${enum}."`
	Limit  int    `default:"100" help:"How many at most; the newest come first."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

type callRow struct {
	ID       string    `json:"call_id"`
	QueuedAt time.Time `json:"queued_at"`
	Contact  string    `json:"contact_id"`
	Flow     string    `json:"flow"`
	Step     string    `json:"step"`
	Method   string    `json:"method"`
	URL      string    `json:"url"`
	Attempts int       `json:"attempts"`
	Reason   string    `json:"reason"`
}

// Run prints the list.
func (c listCallsCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var page struct {
		Calls []callRow `json:"calls"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/calls"+query(map[string]string{"state": c.State, "limit": strconv.Itoa(c.Limit)}), nil, &page); err != nil {
		return err
	}
	if c.Output == "json" {
		return to.json(page.Calls)
	}
	table := tabwriter.NewWriter(line.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CALL\tQUEUED\tCONTACT\tFLOW\tSTEP\tREQUEST\tATTEMPTS\tWHY")
	for _, d := range page.Calls {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s %s\t%d\t%s\n", d.ID, d.QueuedAt.Local().Format("2006-01-02 15:04:05"), d.Contact, d.Flow, d.Step, d.Method, d.URL, d.Attempts, d.Reason)
	}
	return table.Flush()
}
