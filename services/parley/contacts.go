package main

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// contactsCommand are the tools for people.
type contactsCommand struct {
	Find findContactsCommand `cmd:"" help:"Find people by a phone number, user id, LID, @user name, or the beginning of a name."`
}

type findContactsCommand struct {
	Who    string `arg:"" help:"Phone number, user id (BSUID), LID, contact id, @user name, or the beginning of a name."`
	Limit  int    `default:"20" help:"How many at most, up to 100."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server `embed:""`
}

type contactRow struct {
	Contact   string     `json:"contact_id"`
	Portfolio string     `json:"portfolio"`
	Name      string     `json:"name"`
	Username  string     `json:"username"`
	Phone     string     `json:"phone"`
	BSUID     string     `json:"bsuid"`
	CreatedAt time.Time  `json:"created_at"`
	Last      *time.Time `json:"last_interaction,omitempty"`
}

// Run prints the list.
func (c findContactsCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var found struct {
		Contacts []contactRow `json:"contacts"`
		More     bool         `json:"more"`
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/contacts/find", map[string]any{"who": c.Who, "limit": c.Limit}, &found); err != nil {
		return err
	}
	if c.Output == "json" {
		return to.json(found.Contacts)
	}
	table := tabwriter.NewWriter(line.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CONTACT\tNAME\tUSER NAME\tPHONE\tUSER ID\tLAST HEARD")
	for _, p := range found.Contacts {
		last := "never"
		if p.Last != nil {
			last = p.Last.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Contact, p.Name, p.Username, p.Phone, p.BSUID, last)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if found.More {
		to.printf("there are more: write more of the name, or raise --limit\n")
	}
	return nil
}
