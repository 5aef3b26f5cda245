package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
)

// messagesCommand are the tools for the message log.
type messagesCommand struct {
	Export messagesExport `cmd:"" help:"Write what was said to a file: CSV, or a line of JSON for each message."`
}

type messagesExport struct {
	Contact string `help:"Only of this phone number, user id (BSUID) or contact id."`
	Channel string `help:"Only of this business number."`
	From    string `placeholder:"DAY" help:"From this day on (UTC), such as 2026-12-04."`
	To      string `placeholder:"DAY" help:"Before this day."`
	Raw     bool   `help:"With what the provider sent."`
	Format  string `enum:"csv,jsonl" default:"jsonl" help:"How to write it: ${enum}."`
	File    string `short:"f" placeholder:"FILE" help:"Where to; without it the terminal."`
	server  `embed:""`
}

// Run writes the export as it comes.
func (c messagesExport) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	if err := c.check(to.stderr); err != nil {
		return err
	}
	asked := map[string]string{"contact": c.Contact, "channel": c.Channel, "from": c.From, "to": c.To, "format": c.Format}
	if c.Raw {
		asked["raw"] = "1"
	}
	path := "/api/v1/messages" + query(asked)
	if c.File == "" {
		return c.stream(ctx, path, line.Stdout)
	}
	if err := c.write(ctx, path); err != nil {
		return err
	}
	to.printf("written to %s\n", c.File)
	return nil
}

// write fills the file at once: half an export would look like a whole one.
func (c messagesExport) write(ctx context.Context, path string) error {
	file, err := os.CreateTemp(filepath.Dir(c.File), ".messages-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // unless it has its name
	buffered := bufio.NewWriter(file)
	if err = c.stream(ctx, path, buffered); err == nil {
		err = buffered.Flush()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), c.File)
}

// stream makes one request and passes its answer on as it comes, however long that is.
func (s server) stream(ctx context.Context, path string, to io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(s.URL, "/")+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("%s is no address: %w", s.URL, err)
	}
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s.unanswered(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
		if err != nil {
			return s.unanswered(err)
		}
		return s.read(response.StatusCode, answer, nil)
	}
	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("the export from %s broke off (%w): ask again", s.URL, err)
	}
	return nil
}
