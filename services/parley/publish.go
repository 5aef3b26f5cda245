package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/services/internal/flowfiles"
)

// publishCommand makes a version live.
type publishCommand struct {
	File    string            `arg:"" optional:"" name:"file" help:"The flow's YAML file."`
	Flow    string            `help:"With --digest: the name of the flow."`
	Digest  string            `help:"Make an earlier version live again: the first digits of its digest (see parley flow versions)."`
	By      string            `help:"Who publishes; your login name if left out."`
	Note    string            `help:"Why."`
	Weight  *int              `help:"Percent of the new sessions that get it beside the live version (A/B), 1 to 99; without it, all." placeholder:"PERCENT"`
	Migrate bool              `help:"Move the people who are in other versions to this one."`
	Map     map[string]string `help:"Where people of a removed step go: old=new;old2=new2. Also migrate: in the file." placeholder:"OLD=NEW"`
	DryRun  bool              `help:"Say what would happen, and do nothing."`
	Output  string            `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server  `embed:""`
}

// publishWait is how long a publish may take: the console moves people for as long.
const publishWait = 16 * time.Minute

// Help is shown by --help.
func (publishCommand) Help() string {
	return `Sessions that run stay on their version unless --migrate moves them. Nobody is
stranded: if somebody stands at a step that the new version lacks, and no map
says where they go, nothing is published.

Examples:
  parley flow publish booking.yaml --note "asks for the number of guests"
  parley flow publish booking.yaml --migrate --map old_step=new_step --dry-run
  parley flow publish booking.yaml --weight 20             a fifth of the new sessions (A/B)
  parley flow publish --flow booking --digest 1a2b3c       an earlier version again

Exit codes: 0 published (or, with --dry-run, it would be), 1 refused or failed, 2 wrong usage.`
}

// publishReport is what the API says of a publish.
type publishReport struct {
	Flow      string        `json:"flow"`
	Version   uint32        `json:"version,omitempty"`
	Digest    string        `json:"digest"`
	Known     bool          `json:"known,omitempty"`
	Weight    int           `json:"weight,omitempty"`
	DryRun    bool          `json:"dry_run,omitempty"`
	Published bool          `json:"published"`
	Warnings  flow.Problems `json:"warnings,omitempty"`
	Standing  []moveRow     `json:"standing"`
	Moving    int           `json:"moving"`
	Stranded  int           `json:"stranded"`
}

// moveRow is a group of people at one step of one version, and where they go.
type moveRow struct {
	Version uint32 `json:"version"`
	Step    string `json:"step"`
	Status  string `json:"status"`
	People  int    `json:"people"`
	To      string `json:"to,omitempty"`
	Lacks   string `json:"lacks,omitempty"`
}

// publishRequest is what the API takes.
type publishRequest struct {
	Source  string            `json:"source,omitempty"`
	Flow    string            `json:"flow,omitempty"`
	Digest  string            `json:"digest,omitempty"`
	By      string            `json:"by"`
	Note    string            `json:"note,omitempty"`
	Weight  *int              `json:"weight,omitempty"`
	Migrate bool              `json:"migrate,omitempty"`
	Map     map[string]string `json:"map,omitempty"`
	DryRun  bool              `json:"dry_run,omitempty"`
}

// Run publishes.
func (c publishCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	request := publishRequest{
		Flow: c.Flow, Digest: c.Digest, By: c.author(), Note: c.Note, Weight: c.Weight, Migrate: c.Migrate, Map: c.Map, DryRun: c.DryRun,
	}
	if c.File != "" {
		source, err := readSource(to.stderr, c.File)
		if err != nil {
			return err
		}
		request.Source = string(source.text)
		if err := c.sendFiles(ctx, source); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	var report publishReport
	err := c.call(ctx, "POST", "/api/v1/flows", request, &report)
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		return c.refused(to, refused)
	case err != nil:
		return err
	case c.Output == "json":
		err = to.json(report)
	default:
		err = c.print(to, report)
	}
	if err == nil && report.Stranded > 0 && report.DryRun {
		err = c.stranded(report)
	}
	return err
}

// fileWait is how long a file may take to be sent.
const fileWait = 3 * time.Minute

// sendFiles gives Parley the files that the definition sends; with errors in it, or
// nothing to be done, none.
func (c publishCommand) sendFiles(ctx context.Context, s source) error {
	if s.flow == nil || c.DryRun {
		return nil
	}
	for _, f := range s.files {
		if err := c.sendFile(ctx, f); err != nil {
			return fmt.Errorf("%s was not taken: %w", f.Name, err)
		}
	}
	return nil
}

func (c publishCommand) sendFile(ctx context.Context, f flowfiles.File) error {
	ctx, cancel := context.WithTimeout(ctx, fileWait)
	defer cancel()
	var kept struct{}
	return c.send(ctx, "PUT", "/api/v1/files/"+f.SHA256, f.Type, f.Content, &kept)
}

// check tells the person if the command line says too little, or too much.
func (c publishCommand) check(stderr io.Writer) error {
	switch {
	case c.File == "" && c.Digest == "":
		return misused(stderr, "nothing to publish: name a flow file, or an earlier version with --flow and --digest")
	case c.File != "" && c.Digest != "":
		return misused(stderr, "%s and --digest are two versions: give one of them", c.File)
	case c.Digest != "" && c.Flow == "":
		return misused(stderr, "--digest %s of which flow? give --flow", c.Digest)
	case c.Weight != nil && (*c.Weight < 1 || *c.Weight > 100):
		return misused(stderr, "--weight %d is no share: give 1 to 99 percent, or leave it out for all. To end a canary, publish the live version again", *c.Weight)
	case c.Migrate && c.Weight != nil && *c.Weight < 100:
		return misused(stderr, "people are moved to a version that is for all: leave out --weight, or --migrate")
	case len(c.Map) > 0 && !c.Migrate:
		return misused(stderr, "--map says where people are moved: add --migrate, or leave it out")
	}
	return c.server.check(stderr)
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

// what is what is published, as the command line named it.
func (c publishCommand) what() string {
	if c.File != "" {
		return c.File
	}
	return "--flow " + c.Flow + " --digest " + c.Digest
}

// refused shows why something was not done, and what to do.
func (c publishCommand) refused(to output, err *apiError) error {
	var body struct {
		Problems flow.Problems  `json:"problems"`
		Report   *publishReport `json:"report"`
	}
	if json.Unmarshal(err.Body, &body) != nil {
		return err
	}
	if c.Output == "json" {
		to.printf("%s\n", strings.TrimSpace(string(err.Body)))
		return err
	}
	for _, p := range body.Problems.Errors() {
		to.problem(c.path(), p)
	}
	if len(body.Problems) > 0 && c.File != "" {
		return fmt.Errorf("nothing was published: fix the file, then check it with: parley flow lint %s", c.File)
	}
	if body.Report == nil {
		return err
	}
	if failed := body.Report.table(to.w, true); failed != nil {
		return failed
	}
	if !body.Report.Published {
		return c.stranded(*body.Report)
	}
	return fmt.Errorf("%w\n  see who stands where:  parley flow versions %s\n  then again:            %s", err, body.Report.Flow, c.again(c.Map))
}

// path is where problems are shown.
func (c publishCommand) path() string {
	if c.File != "" {
		return c.File
	}
	return c.Flow
}

// stranded says how to go on if somebody cannot be moved.
func (c publishCommand) stranded(r publishReport) error {
	steps := maps.Clone(c.Map)
	if steps == nil {
		steps = map[string]string{}
	}
	for _, row := range r.Standing {
		if row.Lacks != "" {
			steps[row.Step] = "STEP"
		}
	}
	return fmt.Errorf("%s cannot be moved, and nothing was published\n"+
		"  say where they go:              %s --dry-run\n"+
		"  or let all stay where they are: parley flow publish %s", peopleOf(r.Stranded), c.again(steps), c.what())
}

func peopleOf(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// again is the command line that migrates by a map.
func (c publishCommand) again(steps map[string]string) string {
	line := "parley flow publish " + c.what() + " --migrate"
	var pairs []string
	for _, from := range slices.Sorted(maps.Keys(steps)) {
		pairs = append(pairs, from+"="+steps[from])
	}
	if len(pairs) > 0 {
		line += " --map '" + strings.Join(pairs, ";") + "'"
	}
	return line
}

// print shows what happened, or would.
func (c publishCommand) print(to output, r publishReport) error {
	for _, p := range r.Warnings {
		output{w: to.stderr, coloured: to.coloured}.problem(c.path(), p)
	}
	if err := r.table(to.w, c.Migrate); err != nil {
		return err
	}
	to.printf("%s\n", c.summary(r))
	return nil
}

func (c publishCommand) summary(r publishReport) string {
	name := fmt.Sprintf("%s (digest %s)", r.Flow, shortDigest(r.Digest))
	if r.Version > 0 {
		name = fmt.Sprintf("version %d of %s", r.Version, name)
	}
	if r.DryRun {
		return c.summaryOfDryRun(r, name)
	}
	var lines []string
	if r.Weight > 0 {
		lines = append(lines, fmt.Sprintf("%d %% of the new sessions get %s.", r.Weight, name))
	} else {
		lines = append(lines, fmt.Sprintf("New sessions get %s.", name))
	}
	if c.Migrate {
		lines = append(lines, fmt.Sprintf("%s told to move, each in their turn. To see who stands where: parley flow versions %s", were(r.Moving), r.Flow))
	}
	if r.Stranded > 0 {
		lines = append(lines, fmt.Sprintf("%s came meanwhile to a step from which they cannot be moved: they go on on their version.", peopleOf(r.Stranded)))
	}
	return strings.Join(lines, "\n")
}

func (c publishCommand) summaryOfDryRun(r publishReport, name string) string {
	switch {
	case c.Migrate:
		return fmt.Sprintf("Dry run of %s: %s would be moved, %d cannot be. Nothing was published.", name, peopleOf(r.Moving), r.Stranded)
	case r.Weight > 0:
		return fmt.Sprintf("Dry run: %d %% of the new sessions would get %s. Nothing was published.", r.Weight, name)
	}
	return fmt.Sprintf("Dry run: new sessions would get %s. Nothing was published.", name)
}

func were(n int) string {
	if n == 1 {
		return "1 person was"
	}
	return fmt.Sprintf("%d people were", n)
}

func shortDigest(digest string) string { return digest[:min(len(digest), 12)] }

// table shows who is in other versions.
func (r publishReport) table(out io.Writer, migrate bool) error {
	if len(r.Standing) == 0 {
		fmt.Fprintln(out, "Nobody is in another version.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSTEP\tPEOPLE\tGO TO")
	for _, row := range r.Standing {
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", row.Version, row.Step, row.People, row.goes(migrate))
	}
	return w.Flush()
}

// goes says where the people of a row go, or why they do not.
func (row moveRow) goes(migrate bool) string {
	switch {
	case row.Status == "human":
		return "(stay: a human has them)"
	case !migrate:
		return "(stay on their version)"
	case strings.HasPrefix(row.Lacks, "step "), strings.HasPrefix(row.Lacks, "a step "):
		return "(cannot be moved: the new version lacks " + row.Lacks + ")"
	case row.Lacks != "":
		return "(cannot be moved: the new version needs " + row.Lacks + ", which they were not asked)"
	}
	return row.To
}
