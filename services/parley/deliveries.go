package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// deliveriesCommand shows what became of sends, and decides on those that nobody knows.
type deliveriesCommand struct {
	List   listDeliveriesCommand `cmd:"" default:"withargs" help:"List sends whose outcome is unknown, that failed, or that went to one contact."`
	Resend orderCommand          `cmd:"" help:"Send one again whose outcome is unknown: the person may get it twice."`
	Drop   orderCommand          `cmd:"" help:"Give one up whose outcome is unknown: its session is told."`
}

type listDeliveriesCommand struct {
	State   string `enum:"ambiguous,failed,any" default:"ambiguous" help:"Which: ${enum}; any needs --contact."`
	Contact string `help:"Only those to a phone, a BSUID or a contact's id."`
	Channel string `help:"Only those of a number."`
	From    string `help:"Only those queued from then on: 2026-11-22, or 2026-11-22T08:00:00Z."`
	Limit   int    `default:"100" help:"How many at most; the newest come first."`
	Output  string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server  `embed:""`
}

type deliveryRow struct {
	ID        string    `json:"delivery_id"`
	QueuedAt  time.Time `json:"queued_at"`
	Channel   string    `json:"channel"`
	Contact   string    `json:"contact_id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`
	Receipt   string    `json:"receipt"`
	Class     string    `json:"error_class"`
	Code      int       `json:"error_code"`
	Attempts  int       `json:"attempts"`
	Cause     string    `json:"cause"`
	Ordered   string    `json:"ordered"`
	SettledBy string    `json:"settled_by"`
}

// Run prints the list.
func (c listDeliveriesCommand) Run(ctx context.Context, app *kong.Kong) error {
	if err := c.check(app.Stderr); err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Limit)}, "contact": {c.Contact}, "channel": {c.Channel}, "from": {c.From}}
	if c.State != "any" {
		query.Set("state", c.State)
	}
	var page struct {
		Deliveries []deliveryRow `json:"deliveries"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/deliveries?"+query.Encode(), nil, &page); err != nil {
		return err
	}
	if c.Output == "json" {
		encoder := json.NewEncoder(app.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(page.Deliveries)
	}
	table := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DELIVERY\tQUEUED\tCHANNEL\tCONTACT\tKIND\tSTATE\tWHY\tATTEMPTS\tORDERED")
	for _, d := range page.Deliveries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", d.ID, d.QueuedAt.Local().Format("2006-01-02 15:04:05"), d.Channel,
			d.Contact, d.Kind, d.State, d.why(), d.Attempts, d.Ordered)
	}
	return table.Flush()
}

// why names the cause of an unknown outcome, or of a failure.
func (d deliveryRow) why() string {
	switch {
	case d.State == "ambiguous":
		return d.Cause
	case d.Code != 0:
		return fmt.Sprintf("%s %d", d.Class, d.Code)
	}
	return d.Class
}

// orderCommand decides on one delivery; which way its name says.
type orderCommand struct {
	ID     string `arg:"" help:"The delivery's id, such as p1.3.127."`
	server `embed:""`
}

// Run gives the order.
func (c orderCommand) Run(ctx context.Context, app *kong.Kong, line *kong.Context) error {
	if err := c.check(app.Stderr); err != nil {
		return err
	}
	order := line.Selected().Name
	var done map[string]string
	if err := c.call(ctx, http.MethodPost, "/api/v1/deliveries/"+url.PathEscape(c.ID)+"/"+order, struct{}{}, &done); err != nil {
		return err
	}
	fmt.Fprintf(app.Stdout, "%s: %s\n", order, c.ID)
	return nil
}
