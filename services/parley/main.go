package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/services/internal/platform"
)

// commands is the command line.
type commands struct {
	Up         upCommand         `cmd:"" default:"1" help:"Run everything: NATS, PostgreSQL, all services, the sandbox."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the database of PARLEY_DATABASE_URL up to date."`
	Rebuild    rebuildCommand    `cmd:"" help:"Build the read models anew from the events."`
	Flow       flowCommand       `cmd:"" help:"Tools for flows: check, draw, test, chat, compare, translate, publish, backtest."`
	Deliveries deliveriesCommand `cmd:"" help:"What became of sends: list them, send again or drop those that nobody knows of."`
	Calls      callsCommand      `cmd:"" help:"Calls of your systems that failed, or are still to be made."`
	Contacts   contactsCommand   `cmd:"" help:"Tools for people: find them by a name."`
	Messages   messagesCommand   `cmd:"" help:"Tools for the message log: export."`
	Webhooks   webhooksCommand   `cmd:"" help:"What another system is told: list what waits or was given up, redrive, test the receiver."`
	Slots      slotsCommand      `cmd:"" help:"Tools for what can be booked, and what is: list, import."`
	Leads      leadsCommand      `cmd:"" help:"Tools for leads and agents: list."`
	WASender   wasenderCommand   `cmd:"" name:"wasender" help:"Tools for sessions of WASenderApi: how they are, their QR codes, connect and restart."`
	WhatsApp   whatsappCommand   `cmd:"" name:"whatsapp" help:"What is done at Meta's side: the keys of forms."`
	Campaign   campaignCommand   `cmd:"" help:"Begin a flow for many contacts, at a rate: make campaigns, start and pause them, see what came of them."`
	Session    sessionCommand    `cmd:"" help:"Look at a person's conversation, take it, write, move it, end it."`
}

// errMisconfigured is returned after all problems have been printed.
var errMisconfigured = errors.New("the configuration is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	line := kong.Parse(&commands{},
		kong.Name("parley"),
		kong.Description("Parley runs WhatsApp conversations that last for days. Configuration comes from the environment; README.md lists it."),
		kong.UsageOnError(),
		kong.Exit(exit),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	switch err := line.Run(); {
	case errors.Is(err, errMisconfigured):
		os.Exit(platform.ExitMisconfigured)
	case err != nil:
		fmt.Fprintln(os.Stderr, "parley:", err)
		os.Exit(platform.ExitFailed)
	}
}

// exit ends the process for kong, whose own code says "the command line is wrong"
// with another number than the rest of Parley.
func exit(code int) {
	if code != 0 {
		code = platform.ExitMisconfigured
	}
	os.Exit(code)
}
