package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// versionsCommand lists what was published of a flow.
type versionsCommand struct {
	Flow   string `arg:"" help:"Name of the flow."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

// Help is shown by --help.
func (versionsCommand) Help() string {
	return `SERVES says what new sessions get: the live version, and the canary its share.
PEOPLE are in a session now, with the bot or with a human.

Examples:
  parley flow versions booking
  parley flow versions booking -o json

Exit codes: 0 listed, 1 no such flow, or no answer, 2 wrong usage.`
}

// flowVersions is what the API says of a flow.
type flowVersions struct {
	Flow     string        `json:"flow"`
	Versions []versionRow  `json:"versions"`
	Releases []releaseRow  `json:"releases"`
	Standing []standingRow `json:"standing"`
}

type versionRow struct {
	Version     uint32    `json:"version"`
	Digest      string    `json:"digest"`
	PublishedBy string    `json:"published_by"`
	Note        string    `json:"note"`
	PublishedAt time.Time `json:"published_at"`
	Live        bool      `json:"live"`
	Canary      bool      `json:"canary"`
	Weight      int       `json:"weight"`
	People      int       `json:"people"`
}

// releaseRow is what new sessions got from a time on.
type releaseRow struct {
	Version uint32    `json:"version"`
	Canary  uint32    `json:"canary"`
	Weight  uint32    `json:"weight"`
	By      string    `json:"by"`
	Note    string    `json:"note"`
	At      time.Time `json:"at"`
}

type standingRow struct {
	Version           uint32    `json:"version"`
	Step              string    `json:"step"`
	Status            string    `json:"status"`
	People            int       `json:"people"`
	OldestInteraction time.Time `json:"oldest_interaction"`
}

// Run prints the versions and who stands where.
func (c versionsCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var list flowVersions
	err := c.call(ctx, "GET", "/api/v1/flows/"+url.PathEscape(c.Flow), nil, &list)
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		return fmt.Errorf("%w; parley flow publish FILE publishes one", err)
	case err != nil:
		return err
	case c.Output == "json":
		return to.json(list)
	}
	return list.print(to)
}

func (list flowVersions) print(to output) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSERVES\tPEOPLE\tDIGEST\tPUBLISHED\tBY\tNOTE")
	for _, v := range list.Versions {
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\n", v.Version, v.serves(), v.People, shortDigest(v.Digest), clock(v.PublishedAt), signed(v.PublishedBy, v.Note))
	}
	if len(list.Releases) > 0 {
		fmt.Fprintln(w, "\nSINCE\tNEW SESSIONS GET\tBY\tNOTE")
	}
	for _, r := range list.Releases {
		fmt.Fprintf(w, "%s\t%s\t%s\n", clock(r.At), r.serves(), signed(r.By, r.Note))
	}
	if len(list.Standing) > 0 {
		fmt.Fprintln(w, "\nVERSION\tSTEP\tPEOPLE\tSILENT SINCE\tWITH")
	}
	for _, row := range list.Standing {
		with := "the bot"
		if row.Status == "human" {
			with = "a human"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\n", row.Version, row.Step, row.People, clock(row.OldestInteraction), with)
	}
	err := w.Flush()
	for line := range strings.Lines(b.String()) {
		to.printf("%s\n", strings.TrimRight(line, " \n")) // an empty column leaves spaces
	}
	return err
}

// signed says who and why, in two columns.
func signed(by, note string) string {
	if by = oneLine(by); by == "" {
		by = "(service start)"
	}
	return by + "\t" + oneLine(note)
}

func (r releaseRow) serves() string {
	if r.Canary == 0 {
		return fmt.Sprintf("version %d", r.Version)
	}
	return fmt.Sprintf("version %d, %d %% version %d", r.Version, r.Weight, r.Canary)
}

func (v versionRow) serves() string {
	switch {
	case v.Live && v.Weight == 100:
		return "live"
	case v.Live:
		return fmt.Sprintf("live, %d %%", v.Weight)
	case v.Canary:
		return fmt.Sprintf("canary, %d %%", v.Weight)
	}
	return ""
}

// oneLine keeps what people wrote in its column.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func clock(at time.Time) string { return at.Local().Format("2006-01-02 15:04") }
