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
	URL   string `env:"PARLEY_URL" default:"http://127.0.0.1:8080" help:"Address of the running Parley (of its console, if the services run apart)."`
	Token string `env:"PARLEY_CONSOLE_TOKEN" help:"Bearer token of the API, if it has one."`
}

// answerBytesMax bounds an answer that is read.
const answerBytesMax = 64 << 20

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

// call makes one request of the API and reads its answer into into.
func (s server) call(ctx context.Context, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.URL, "/")+path, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s is no address: %w", s.URL, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return fmt.Errorf("no Parley answers at %s (%w): start it with `parley up`, or name it with --url", s.URL, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return &apiError{response.StatusCode, answer}
	}
	return json.Unmarshal(answer, into)
}
