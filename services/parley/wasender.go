package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

// wasenderCommand has the tools for sessions of WASenderApi.
type wasenderCommand struct {
	Status wasenderStatusCommand `cmd:"" help:"Show how the sessions are, what a person must do, and the QR code of one that must be scanned."`
	Order  wasenderOrderCommand  `cmd:"" help:"Connect, restart or disconnect a session."`
}

// wasenderStatusCommand shows the sessions.
type wasenderStatusCommand struct {
	Channel string `arg:"" optional:"" help:"Only this channel's session."`
	Output  string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
	server  `embed:""`
}

// Help is shown by --help.
func (wasenderStatusCommand) Help() string {
	return `A session that must be scanned is shown with its QR code: scan it with WhatsApp, Settings, Linked
devices. It is good for less than a minute; run the command again for the next.

Examples:
  parley wasender status
  parley wasender status shop

Exit codes: 0 shown, 1 no such session, or no answer, 2 wrong usage.`
}

// gatewaySession is what the API says of a session.
type gatewaySession struct {
	Channel   string     `json:"channel"`
	State     string     `json:"state"`
	Since     *time.Time `json:"since"`
	HeardAt   *time.Time `json:"heard_at"`
	NextTry   *time.Time `json:"next_try"`
	Tries     int        `json:"tries"`
	Alarm     string     `json:"alarm"`
	Advice    string     `json:"advice"`
	MissedAt  *time.Time `json:"missed_from"`
	MissedEnd *time.Time `json:"missed_to"`
}

// Run prints the sessions.
func (c wasenderStatusCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	list, err := c.sessions(ctx)
	switch {
	case err != nil:
		return err
	case c.Output == "json":
		return to.json(list)
	case len(list) == 0:
		to.printf("no session of WASenderApi is configured: PARLEY_WASENDER_TOKEN names them\n")
		return nil
	}
	if err := printSessions(to, list); err != nil {
		return err
	}
	for _, s := range list {
		if err := c.explain(ctx, to, s); err != nil {
			return err
		}
	}
	return nil
}

func (c wasenderStatusCommand) sessions(ctx context.Context) ([]gatewaySession, error) {
	if c.Channel == "" {
		var list []gatewaySession
		return list, c.call(ctx, "GET", "/api/v1/wasender/sessions", nil, &list)
	}
	list := make([]gatewaySession, 1)
	return list, c.call(ctx, "GET", sessionPath(c.Channel, ""), nil, &list[0])
}

func sessionPath(channel, action string) string {
	return "/api/v1/wasender/sessions/" + url.PathEscape(channel) + action
}

func printSessions(to output, list []gatewaySession) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CHANNEL\tSTATE\tSINCE\tLAST HEARD\tTRIES\tNEXT TRY\tALARM")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", oneLine(s.Channel), oneLine(s.State), maybe(s.Since), maybe(s.HeardAt), s.Tries, maybe(s.NextTry), s.Alarm)
	}
	err := w.Flush()
	for line := range strings.Lines(b.String()) {
		to.printf("%s\n", strings.TrimRight(line, " \n")) // an empty column leaves spaces
	}
	return err
}

func maybe(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return clock(*at)
}

// explain prints what a session's alarm asks for, and the code that it may need.
func (c wasenderStatusCommand) explain(ctx context.Context, to output, s gatewaySession) error {
	if s.Advice != "" {
		to.printf("\n%s: %s\n", oneLine(s.Channel), s.Advice)
	}
	if s.MissedAt != nil && s.MissedEnd != nil {
		to.printf("\n%s was not heard from %s to %s: what people wrote then may not have come\n", oneLine(s.Channel), clock(*s.MissedAt), clock(*s.MissedEnd))
	}
	if s.State != "need_scan" {
		return nil
	}
	var code struct {
		Blocks string `json:"blocks"`
	}
	if err := c.call(ctx, "GET", sessionPath(s.Channel, "/qr"), nil, &code); err != nil {
		return err
	}
	to.printf("\n%s", code.Blocks)
	return nil
}

// wasenderOrderCommand changes a session.
type wasenderOrderCommand struct {
	Channel string `arg:"" help:"The channel whose session it is."`
	Action  string `arg:"" enum:"connect,restart,disconnect" help:"What to do: ${enum}."`
	server  `embed:""`
}

// Run orders it, and prints the state afterwards.
func (c wasenderOrderCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	var got struct {
		State string `json:"state"`
	}
	if err := c.call(ctx, "POST", sessionPath(c.Channel, "/"+c.Action), struct{}{}, &got); err != nil {
		return err
	}
	to.printf("%s is %s\n", c.Channel, oneLine(got.State))
	return nil
}
