package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
)

// sessionCommand is what people of the business do to one conversation.
type sessionCommand struct {
	Show     sessionShow     `cmd:"" help:"Show the conversations of a person: where they stand, and what is known."`
	Take     sessionTake     `cmd:"" help:"Take a conversation: the bot is silent."`
	GiveBack sessionGiveBack `cmd:"" help:"Give it back to the bot: where it was, or at a step."`
	Say      sessionSay      `cmd:"" help:"Write to the person. Takes the conversation."`
	Restart  sessionRestart  `cmd:"" help:"Begin the flow again, on its newest version."`
	Move     sessionMove     `cmd:"" help:"Go on at another step."`
	Set      sessionSet      `cmd:"" help:"Give a slot a value."`
	End      sessionEnd      `cmd:"" help:"Cancel the session without a word."`
	OptOut   sessionOptOut   `cmd:"" help:"Say nothing more to the person."`
	OptIn    sessionOptIn    `cmd:"" help:"Undo an opt-out, as the person asked for."`
	Block    sessionBlock    `cmd:"" help:"Hear nothing more of the person: what they write is recorded, and nothing is sent to them."`
	Unblock  sessionUnblock  `cmd:"" help:"Undo a block."`
	Merge    sessionMerge    `cmd:"" help:"Say that another contact is the same person: they have one conversation from then on."`
}

// person names the conversation.
type person struct {
	Contact string `arg:"" help:"Phone number, user id (BSUID), LID or contact id; parley contacts find knows it by a name."`
	Channel string `help:"The business number, if the person talks with several."`
	server  `embed:""`
}

// actor says who acts, and why.
type actor struct {
	person
	By     string `help:"Who does it; without it the user of this computer."`
	Reason string `help:"Why."`
	Key    string `help:"Makes a repeated command the same one: it takes effect once."`
}

// send orders something of a conversation.
func (a actor) send(ctx context.Context, line *kong.Context, resource string, body map[string]any) error {
	to := newOutput(line)
	if err := a.check(to.stderr); err != nil {
		return err
	}
	body["by"], body["reason"], body["channel"] = cmp.Or(a.By, os.Getenv("USER"), "the command line"), a.Reason, a.Channel
	var got struct{ ID, Channel string }
	path := "/api/v1/sessions/" + url.PathEscape(a.Contact) + "/" + resource
	if err := a.server.with(a.Key).call(ctx, "POST", path, body, &got); err != nil {
		return err
	}
	to.printf("in the lane of the conversation on channel %s; parley session show %s tells what came of it\n", got.Channel, a.Contact)
	return nil
}

func (a actor) act(ctx context.Context, line *kong.Context, action string, more map[string]any) error {
	body := map[string]any{"action": action}
	for name, value := range more {
		body[name] = value
	}
	return a.send(ctx, line, "actions", body)
}

type sessionTake struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionTake) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActTake, nil)
}

type sessionGiveBack struct {
	actor `embed:""`
	Step  string `help:"Where the bot goes on."`
}

// Run orders it.
func (c sessionGiveBack) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActGiveBack, map[string]any{"step": c.Step})
}

type sessionSay struct {
	actor `embed:""`
	Text  string `arg:"" help:"What is said."`
}

// Run orders it.
func (c sessionSay) Run(ctx context.Context, line *kong.Context) error {
	return c.send(ctx, line, "messages", map[string]any{"text": c.Text})
}

type sessionRestart struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionRestart) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActRestart, nil)
}

type sessionMove struct {
	actor `embed:""`
	Step  string `arg:"" help:"Where the session goes on."`
}

// Run orders it.
func (c sessionMove) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActMove, map[string]any{"step": c.Step})
}

type sessionSet struct {
	actor `embed:""`
	Slot  string `arg:"" help:"Name of the slot."`
	Value string `arg:"" help:"Its value, as JSON; what is none is a text."`
}

// Run orders it.
func (c sessionSet) Run(ctx context.Context, line *kong.Context) error {
	var value any = c.Value
	if json.Valid([]byte(c.Value)) {
		value = json.RawMessage(c.Value)
	}
	return c.act(ctx, line, flow.ActSet, map[string]any{"slot": c.Slot, "value": value})
}

type sessionEnd struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionEnd) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActEnd, nil)
}

type sessionOptOut struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionOptOut) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActOptOut, nil)
}

type sessionOptIn struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionOptIn) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActOptIn, nil)
}

type sessionBlock struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionBlock) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActBlock, nil)
}

type sessionUnblock struct {
	actor `embed:""`
}

// Run orders it.
func (c sessionUnblock) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActUnblock, nil)
}

type sessionMerge struct {
	actor `embed:""`
	Into  string `arg:"" help:"Phone number, user id (BSUID) or contact id of the same person."`
}

// Run orders it.
func (c sessionMerge) Run(ctx context.Context, line *kong.Context) error {
	return c.act(ctx, line, flow.ActMerge, map[string]any{"into": c.Into})
}

// sessionShow lists a person's conversations.
type sessionShow struct {
	person `embed:""`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
}

// sessionRow is what the API says of a session.
type sessionRow struct {
	SessionID       int64           `json:"session_id"`
	Channel         string          `json:"channel"`
	Flow            string          `json:"flow"`
	FlowVersion     int             `json:"flow_version"`
	Status          string          `json:"status"`
	CurrentState    string          `json:"current_state"`
	FlowData        json.RawMessage `json:"flow_data"`
	Language        string          `json:"language"`
	StartedAt       time.Time       `json:"started_at"`
	LastInteraction time.Time       `json:"last_interaction"`
	Parked          bool            `json:"parked"`
}

// Run prints them.
func (c sessionShow) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var all, rows []sessionRow
	if err := c.call(ctx, "GET", "/api/v1/sessions/"+url.PathEscape(strings.TrimPrefix(c.Contact, "+")), nil, &all); err != nil {
		return err
	}
	for _, row := range all {
		if c.Channel == "" || row.Channel == c.Channel {
			rows = append(rows, row)
		}
	}
	if c.Output == "json" {
		return to.json(rows)
	}
	w := tabwriter.NewWriter(to.w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tFLOW\tSTATUS\tAT\tLANGUAGE\tSTARTED\tHEARD\tVALUES")
	for _, row := range rows {
		status := row.Status
		if row.Parked {
			status += ", parked"
		}
		fmt.Fprintf(w, "%s\t%s/%d\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Channel, row.Flow, row.FlowVersion, status, row.CurrentState, row.Language,
			clock(row.StartedAt), clock(row.LastInteraction), oneLine(string(row.FlowData)))
	}
	return w.Flush()
}
