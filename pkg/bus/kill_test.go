package bus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

// The environment variables that turn the test binary into the process which
// TestAcknowledgedSurvivesAKill kills.
const (
	victimDir   = "PARLEY_TEST_VICTIM_DIR"
	victimRound = "PARLEY_TEST_VICTIM_ROUND"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		fmt.Fprintln(os.Stderr, publishForEver(dir, os.Getenv(victimRound)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// publishForEver publishes from many callers, one message or three at a time, and prints
// each call when it is acknowledged.
func publishForEver(dir, round string) error {
	s, err := StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		return err
	}
	nc, err := s.Connect("victim")
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := Declare(context.Background(), js, Options{}); err != nil {
		return err
	}
	p := NewPublisher(nc, StreamIn, PublisherOptions{Gather: -1})
	failed := make(chan error)
	for caller := range 24 {
		go func() {
			for number := 0; ; number++ {
				text := fmt.Sprintf("%s/%d/%d", round, caller, number)
				message := Message{Subject: SubjectIn(0, "15550001111", text), Data: []byte(text)}
				messages := []Message{message}
				if caller%8 == 0 {
					messages = []Message{message, message, message}
				}
				if err := p.Publish(context.Background(), messages...); err != nil {
					failed <- err
					return
				}
				fmt.Println(text)
			}
		}()
	}
	return <-failed
}

func TestAcknowledgedSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 2 { // the second process starts on what the first one's death left
		killAfter(t, dir, strconv.Itoa(round), acknowledged)
	}
	s, err := StartServer(ServerOptions{Dir: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	_, js := connect(t, s)
	stored := map[string]int{}
	for _, text := range texts(t, js, StreamIn, ">", int(streamState(t, js, StreamIn).Msgs)) {
		stored[text]++
	}
	for text := range acknowledged {
		if stored[text] == 0 {
			t.Errorf("%s was acknowledged and is lost", text)
		}
	}
}

// killAfter runs the victim, kills it after 400 acknowledgements, and collects all that
// it has printed.
func killAfter(t *testing.T, dir, round string, acknowledged map[string]bool) {
	t.Helper()
	enough := len(acknowledged) + 400
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimDir+"="+dir, victimRound+"="+round)
	var complaint strings.Builder
	victim.Stderr = &complaint
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		acknowledged[lines.Text()] = true
		if len(acknowledged) == enough {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = victim.Wait() // it was killed, that is its error
	if len(acknowledged) < enough {
		t.Fatalf("the victim ended by itself after %d acknowledgements: %s", len(acknowledged), complaint.String())
	}
}
