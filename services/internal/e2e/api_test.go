package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

// get reads a JSON resource.
func get[T any](t *testing.T, url string) T {
	t.Helper()
	var body T
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, data)
	}
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return body
}

// status is the part of /api/v1/status that the tests read.
type status struct {
	Streams []struct {
		Name     string `json:"name"`
		Messages uint64 `json:"messages"`
	} `json:"streams"`
	Deliveries  map[string]int `json:"deliveries"`
	Orphans     int            `json:"orphan_receipts"`
	DeadLetters map[string]int `json:"dead_letters"`
}

// messages counts what is stored on each stream.
func (s status) messages() map[string]uint64 {
	counts := map[string]uint64{}
	for _, stream := range s.Streams {
		counts[stream.Name] = stream.Messages
	}
	return counts
}
