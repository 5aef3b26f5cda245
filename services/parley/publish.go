package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"

	"github.com/parleyhq/parley/pkg/flow"
)

// publishCommand makes a version live.
type publishCommand struct {
	File    string            `arg:"" optional:"" help:"The flow's YAML file." type:"existingfile"`
	Flow    string            `help:"With --digest: the name of the flow."`
	Digest  string            `help:"Make an earlier version live again: the first digits of its digest (see parley flow versions)."`
	By      string            `help:"Who publishes; your login name if left out."`
	Note    string            `help:"Why."`
	Weight  int               `help:"Percent of the new sessions that get it beside the live version (A/B); without it, all."`
	Migrate bool              `help:"Move the people who are in other versions to this one."`
	Map     map[string]string `help:"Where people of a removed step go: old=new;old2=new2. Also migrate: in the file." placeholder:"OLD=NEW"`
	DryRun  bool              `help:"Say what would happen, and do nothing."`
	Output  string            `short:"o" enum:"table,json" default:"table" help:"table or json."`
	server  `embed:""`
}

// Help is shown by --help.
func (publishCommand) Help() string {
	return `Sessions that run stay on their version unless --migrate moves them. Nobody is
stranded: if somebody stands at a step that the new version lacks, and no map
says where they go, nothing is published.

  parley flow publish booking.yaml --note "asks for the number of guests"
  parley flow publish booking.yaml --migrate --map old_step=new_step --dry-run
  parley flow publish booking.yaml --weight 20          (a fifth of the new sessions)
  parley flow publish --flow booking --digest 1a2b3c    (rollback)

Exit code 1: refused, nothing was published.`
}

// report is what the API says of a publish.
type publishReport struct {
	Flow     string        `json:"flow"`
	Version  uint32        `json:"version"`
	Digest   string        `json:"digest"`
	Known    bool          `json:"known"`
	Weight   int           `json:"weight"`
	DryRun   bool          `json:"dry_run"`
	Warnings flow.Problems `json:"warnings"`
	Standing []struct {
		Version uint32 `json:"version"`
		Step    string `json:"step"`
		Status  string `json:"status"`
		People  int    `json:"people"`
		To      string `json:"to"`
		Lacks   string `json:"lacks"`
	} `json:"standing"`
	Moving   int `json:"moving"`
	Stranded int `json:"stranded"`
}

// Run publishes.
func (c publishCommand) Run(ctx context.Context) error {
	if (c.File == "") == (c.Digest == "") {
		return errors.New("name a file, or an earlier version with --flow and --digest")
	}
	request := map[string]any{
		"flow": c.Flow, "digest": c.Digest, "by": c.author(), "note": c.Note, "weight": c.Weight, "migrate": c.Migrate, "map": c.Map,
		"dry_run": c.DryRun,
	}
	if c.File != "" {
		source, err := os.ReadFile(c.File)
		if err != nil {
			return err
		}
		request["source"] = string(source)
	}
	var report publishReport
	err := c.call(ctx, "POST", "/api/v1/flows", request, &report)
	var refused *apiError
	if errors.As(err, &refused) {
		return c.refused(os.Stdout, refused)
	}
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	report.print(os.Stdout, c.Migrate)
	return nil
}

func (c publishCommand) author() string {
	if c.By != "" {
		return c.By
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

// refused shows why nothing was published.
func (c publishCommand) refused(out io.Writer, err *apiError) error {
	var body struct {
		Problems flow.Problems  `json:"problems"`
		Report   *publishReport `json:"report"`
	}
	if json.Unmarshal(err.Body, &body) != nil {
		return err
	}
	if c.Output == "json" {
		fmt.Fprintf(out, "%s\n", strings.TrimSpace(string(err.Body)))
		return err
	}
	for _, p := range body.Problems {
		fmt.Fprintf(out, "%s:%s\n\n", c.File, p)
	}
	if body.Report != nil {
		body.Report.table(out, true)
	}
	return err
}

func (r publishReport) print(out io.Writer, migrate bool) {
	for _, p := range r.Warnings {
		if p.Warning {
			fmt.Fprintf(out, "warning: %s\n", p)
		}
	}
	r.table(out, migrate)
	digest := r.Digest[:min(len(r.Digest), 12)]
	switch {
	case r.DryRun && migrate:
		fmt.Fprintf(out, "Dry run: %d people would be moved to %s (digest %s), %d cannot be. Nothing was published.\n", r.Moving, r.Flow, digest, r.Stranded)
	case r.DryRun:
		fmt.Fprintf(out, "Dry run: %s (digest %s) can be published. Nothing was.\n", r.Flow, digest)
	case r.Weight > 0 && r.Weight < 100:
		fmt.Fprintf(out, "Version %d of %s (digest %s) gets %d %% of the new sessions.\n", r.Version, r.Flow, digest, r.Weight)
	default:
		fmt.Fprintf(out, "Version %d of %s (digest %s) is live for new sessions.\n", r.Version, r.Flow, digest)
	}
	if migrate && !r.DryRun {
		fmt.Fprintf(out, "%d people are being moved, each in their turn; see parley flow versions %s.\n", r.Moving, r.Flow)
	}
}

// table shows who is in other versions.
func (r publishReport) table(out io.Writer, migrate bool) {
	if len(r.Standing) == 0 {
		fmt.Fprintln(out, "Nobody is in another version.")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSTEP\tPEOPLE\tGO TO")
	for _, row := range r.Standing {
		to := "stay on their version"
		switch {
		case migrate && row.Lacks != "":
			to = "cannot move: the new version lacks " + row.Lacks
			if !strings.HasPrefix(row.Lacks, "step ") {
				to = "cannot move: they have no value for " + row.Lacks
			}
		case migrate && row.To != "":
			to = row.To
		case row.Status == "human":
			to = "a human has them: they stay"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", row.Version, row.Step, row.People, to)
	}
	w.Flush()
}
