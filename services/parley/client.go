package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// server is the Parley that a tool talks to: its JSON API.
type server struct {
	URL string `env:"PARLEY_URL" default:"http://127.0.0.1:8080" help:"Address of the running Parley (of its console, if the services run apart)."`
	// key is the Idempotency-Key of the requests; empty for none.
	key   string
	Token string `env:"PARLEY_CONSOLE_TOKEN" help:"Bearer token of the API, if it has one."`
}

const (
	// answerBytesMax bounds an answer that is read.
	answerBytesMax = 64 << 20
	// answerWait is how long an answer may take if the caller does not say.
	answerWait = 2 * time.Minute
)

// apiError is an answer that is no success.
type apiError struct {
	Status int
	Body   []byte
}

func (e *apiError) Error() string {
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(e.Body, &body) == nil && body.Error != "" {
		return body.Error
	}
	return fmt.Sprintf("Parley answered %d %s", e.Status, http.StatusText(e.Status))
}

// with lets the requests carry a key.
func (s server) with(key string) server {
	s.key = key
	return s
}

// check tells the person if the address cannot be one.
func (s server) check(stderr io.Writer) error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return misused(stderr, "--url %q is no address: give one such as http://127.0.0.1:8080", s.URL)
	}
	return nil
}

// call makes one request of the API and reads its answer into into: as JSON, or as it is
// if into is a *[]byte.
func (s server) call(ctx context.Context, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.send(ctx, method, path, "application/json", data, into)
}

// send makes one request with a body of any kind.
func (s server) send(ctx context.Context, method, path, kind string, data []byte, into any) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, answerWait)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.URL, "/")+path, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s is no address: %w", s.URL, err)
	}
	request.Header.Set("Content-Type", kind)
	if s.key != "" {
		request.Header.Set("Idempotency-Key", s.key)
	}
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s.unanswered(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return s.unanswered(err)
	}
	return s.read(response.StatusCode, answer, into)
}

// unanswered says why there is no answer.
func (s server) unanswered(err error) error {
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted before Parley at %s answered: it may have done what was asked", s.URL)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the Parley at %s took too long to answer: it may still be at it, look before you ask again", s.URL)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the Parley at %s hung up before it answered: it may have done what was asked, look before you ask again", s.URL)
	}
	return fmt.Errorf("no Parley answers at %s (%w): start it with `parley up`, or name it with --url", s.URL, err)
}

func (s server) read(status int, answer []byte, into any) error {
	switch {
	case status == http.StatusUnauthorized && s.Token == "":
		return fmt.Errorf("the Parley at %s wants its token: set PARLEY_CONSOLE_TOKEN, or give --token", s.URL)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("the Parley at %s does not take this token: correct PARLEY_CONSOLE_TOKEN, or --token", s.URL)
	case status/100 != 2:
		return &apiError{status, answer}
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = answer
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("what answers at %s is not Parley's API (%w): name Parley with --url", s.URL, err)
	}
	return nil
}
