package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// slotsCommand are the tools for what can be booked.
type slotsCommand struct {
	List   slotsList   `cmd:"" help:"List slots, with how much of each is booked."`
	Booked slotsBooked `cmd:"" help:"List bookings."`
	Import slotsImport `cmd:"" help:"Import slots from a CSV file, or the opening hours of a service from a YAML file."`
}

// leadsCommand are the tools for leads.
type leadsCommand struct {
	List   leadsList  `cmd:"" help:"List leads, the latest first."`
	Agents agentsList `cmd:"" help:"List pools and agents, with what each has to do."`
}

// period is what lists of slots and bookings have.
type period struct {
	Service  string `help:"Only of this service."`
	Calendar string `help:"Only of this calendar."`
	From     string `placeholder:"DAY" help:"From this day on (UTC), such as 2026-12-04; without it today."`
	To       string `placeholder:"DAY" help:"Before this day; without it 14 days later."`
	Limit    int    `default:"200" help:"At most so many: ${default}."`
	Output   string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
}

func (p period) query() string {
	return query(map[string]string{
		"service": p.Service, "calendar": p.Calendar, "from": p.From, "to": p.To, "limit": strconv.Itoa(p.Limit),
	})
}

func query(of map[string]string) string {
	values := url.Values{}
	for name, value := range of {
		if value != "" {
			values.Set(name, value)
		}
	}
	return "?" + values.Encode()
}

type slotsList struct {
	period `embed:""`
	server `embed:""`
}

// Run prints slots.
func (c slotsList) Run(ctx context.Context, line *kong.Context) error {
	var list struct {
		Slots []struct {
			ID       string `json:"id"`
			Service  string `json:"service"`
			Calendar string `json:"calendar"`
			Day      string `json:"day"`
			Time     string `json:"time"`
			Capacity int    `json:"capacity"`
			Booked   int    `json:"booked"`
			Closed   bool   `json:"closed"`
		} `json:"slots"`
	}
	return c.show(ctx, newOutput(line), c.Output, "/api/v1/slots"+c.query(), &list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "DAY\tTIME\tSERVICE\tCALENDAR\tBOOKED\tOF\tSLOT")
		for _, s := range list.Slots {
			of := strconv.Itoa(s.Capacity)
			if s.Closed {
				of += ", closed"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.Day, s.Time, s.Service, oneLine(s.Calendar), s.Booked, of, s.ID)
		}
	})
}

type slotsBooked struct {
	period `embed:""`
	server `embed:""`
}

// Run prints bookings.
func (c slotsBooked) Run(ctx context.Context, line *kong.Context) error {
	var list struct {
		Bookings []struct {
			ID       string `json:"id"`
			State    string `json:"state"`
			Places   int    `json:"places"`
			Phone    string `json:"phone"`
			Name     string `json:"name"`
			Contact  string `json:"contact"`
			Service  string `json:"service"`
			Calendar string `json:"calendar"`
			Day      string `json:"day"`
			Time     string `json:"time"`
		} `json:"bookings"`
	}
	return c.show(ctx, newOutput(line), c.Output, "/api/v1/bookings"+c.query(), &list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "DAY\tTIME\tSERVICE\tCALENDAR\tPLACES\tSTATE\tPHONE\tNAME\tBOOKING")
		for _, b := range list.Bookings {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", b.Day, b.Time, b.Service, oneLine(b.Calendar), b.Places, b.State, b.Phone, oneLine(b.Name), b.ID)
		}
	})
}

type leadsList struct {
	Pool   string `help:"Only of this pool."`
	State  string `help:"Only those that are queued, assigned, taken or closed."`
	Agent  string `help:"Only of this agent."`
	Limit  int    `default:"200" help:"At most so many: ${default}."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

// Run prints leads.
func (c leadsList) Run(ctx context.Context, line *kong.Context) error {
	var list struct {
		Leads []struct {
			ID       string `json:"id"`
			Pool     string `json:"pool"`
			State    string `json:"state"`
			Agent    string `json:"agent"`
			Phone    string `json:"phone"`
			Name     string `json:"name"`
			QueuedAt string `json:"queued_at"`
		} `json:"leads"`
	}
	path := "/api/v1/leads" + query(map[string]string{"pool": c.Pool, "state": c.State, "agent": c.Agent, "limit": strconv.Itoa(c.Limit)})
	return c.show(ctx, newOutput(line), c.Output, path, &list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "CAME\tPOOL\tSTATE\tAGENT\tPHONE\tNAME\tLEAD")
		for _, l := range list.Leads {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.QueuedAt, l.Pool, l.State, l.Agent, l.Phone, oneLine(l.Name), l.ID)
		}
	})
}

type agentsList struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

// Run prints pools and agents.
func (c agentsList) Run(ctx context.Context, line *kong.Context) error {
	var list struct {
		Pools []struct {
			Name         string `json:"name"`
			ReactSeconds int    `json:"react_seconds"`
			Queued       int    `json:"queued"`
			Agents       []struct {
				ID       string   `json:"id"`
				Name     string   `json:"name"`
				Weight   int      `json:"weight"`
				Capacity int      `json:"capacity"`
				Skills   []string `json:"skills"`
				On       bool     `json:"on"`
				Open     int      `json:"open"`
				Assigned int      `json:"assigned"`
			} `json:"agents"`
		} `json:"pools"`
	}
	return c.show(ctx, newOutput(line), c.Output, "/api/v1/pools", &list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "POOL\tWAIT\tAGENT\tNAME\tIS\tOPEN\tOF\tWEIGHT\tEVER\tSKILLS")
		for _, p := range list.Pools {
			if len(p.Agents) == 0 {
				fmt.Fprintf(w, "%s\t%d\n", p.Name, p.Queued)
			}
			for _, a := range p.Agents {
				is, of := "off", "any"
				if a.On {
					is = "on"
				}
				if a.Capacity > 0 {
					of = strconv.Itoa(a.Capacity)
				}
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%s\n", p.Name, p.Queued, a.ID, oneLine(a.Name), is, a.Open, of, a.Weight, a.Assigned, strings.Join(a.Skills, " "))
			}
		}
	})
}

// show asks for a list and prints it.
func (s server) show(ctx context.Context, to output, how, path string, list any, table func(*tabwriter.Writer)) error {
	if err := s.check(to.stderr); err != nil {
		return err
	}
	if err := s.call(ctx, "GET", path, nil, list); err != nil {
		return err
	}
	if how == "json" {
		return to.json(list)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	table(w)
	err := w.Flush()
	for line := range strings.Lines(b.String()) {
		to.printf("%s\n", strings.TrimRight(line, " \n"))
	}
	return err
}

type slotsImport struct {
	File   string `arg:"" help:"FILE.csv with the columns service, calendar, start, minutes, capacity; or FILE.yaml with the opening hours of a service."`
	Zone   string `default:"UTC" help:"Time zone of starts that have none: ${default}."`
	server `embed:""`
}

// Help is shown by --help.
func (slotsImport) Help() string {
	return `The same file again changes nothing. Capacities change, but to no less than is booked.

Examples:
  parley slots import --zone Europe/Madrid december.csv
  parley slots import flows/slots/cut.yaml

Exit codes: 0 imported, 1 refused, or no answer, 2 wrong usage.`
}

// Run sends the file.
func (c slotsImport) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	data, err := os.ReadFile(c.File)
	if err != nil {
		return misused(to.stderr, "%s cannot be read: %s", c.File, reason(err))
	}
	path, kind := "/api/v1/slots"+query(map[string]string{"zone": c.Zone}), "text/csv"
	if strings.HasSuffix(c.File, ".yaml") || strings.HasSuffix(c.File, ".yml") {
		path, kind = "/api/v1/slots/hours", "application/yaml"
	}
	var done struct {
		Changed int `json:"changed"`
	}
	if err := c.send(ctx, "POST", path, kind, data, &done); err != nil {
		return err
	}
	to.printf("%d slots are new, or other than they were\n", done.Changed)
	return nil
}
