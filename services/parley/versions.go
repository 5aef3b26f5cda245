package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"text/tabwriter"
	"time"
)

// versionsCommand lists what was published of a flow.
type versionsCommand struct {
	Flow   string `arg:"" help:"Name of the flow."`
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
	server `embed:""`
}

// flowVersions is what the API says of a flow.
type flowVersions struct {
	Flow     string `json:"flow"`
	Versions []struct {
		Version     uint32    `json:"version"`
		Digest      string    `json:"digest"`
		PublishedBy string    `json:"published_by"`
		Note        string    `json:"note"`
		PublishedAt time.Time `json:"published_at"`
		Live        bool      `json:"live"`
		Canary      bool      `json:"canary"`
		Weight      int       `json:"weight"`
		People      int       `json:"people"`
	} `json:"versions"`
	Standing []struct {
		Version uint32 `json:"version"`
		Step    string `json:"step"`
		Status  string `json:"status"`
		People  int    `json:"people"`
	} `json:"standing"`
}

// Run prints the versions and who stands where.
func (c versionsCommand) Run(ctx context.Context) error {
	var list flowVersions
	if err := c.call(ctx, "GET", "/api/v1/flows/"+url.PathEscape(c.Flow), nil, &list); err != nil {
		return err
	}
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(list)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSERVES\tPEOPLE\tDIGEST\tPUBLISHED\tBY\tNOTE")
	for _, v := range list.Versions {
		serves := ""
		switch {
		case v.Live:
			serves = "live"
		case v.Canary:
			serves = fmt.Sprintf("%d %%", v.Weight)
		}
		by := v.PublishedBy
		if by == "" {
			by = "(service start)"
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n", v.Version, serves, v.People, v.Digest[:min(12, len(v.Digest))], v.PublishedAt.Format("2006-01-02 15:04"), by, v.Note)
	}
	if len(list.Standing) > 0 {
		fmt.Fprintln(w, "\nVERSION\tSTEP\tPEOPLE\t")
		for _, row := range list.Standing {
			fmt.Fprintf(w, "%d\t%s\t%d\t%s\n", row.Version, row.Step, row.People, map[string]string{"human": "with a human"}[row.Status])
		}
	}
	return w.Flush()
}
