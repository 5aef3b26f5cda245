package load

import (
	"strings"
	"testing"
	"time"
)

func TestDialogue(t *testing.T) {
	const (
		welcome = "Welcome! What is your name?"
		invalid = "That email looks invalid. Please try again."
		thanks  = "Thank you! Your information is saved."
		again   = "Send 'RESTART' to begin again."
	)
	photo := words{image: true, text: "RESTART"}
	turns := []struct {
		words words
		want  string
	}{
		{photo, welcome}, // the first message of any kind
		{photo, welcome}, // a photo is no name
		{words{text: " {email} Zoë "}, "Hi {email} Zoë, what is your email?"},
		{photo, "Hi {email} Zoë, what is your email?"},
		{words{text: "no"}, invalid},
		{words{text: " a@example.com"}, thanks},
		{words{text: "hi"}, again},
		{photo, again},
		{words{text: " restart\n"}, welcome},
		{words{text: "Restart"}, welcome},
		{words{text: "Ann"}, "Hi Ann, what is your email?"},
		{words{text: "RESTART please"}, invalid},
		{words{text: "RESTART"}, welcome},
	}
	var d dialogue
	for i, turn := range turns {
		if got := d.reply(turn.words); got != turn.want {
			t.Fatalf("turn %d: %q, want %q", i, got, turn.want)
		}
	}
}

func TestScriptsReachEveryState(t *testing.T) {
	replies, restarts, photos := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range 50 {
		c := newContact(Config{Channels: []string{"1"}, Seed: 7}, i)
		var d dialogue
		for range 30 {
			before := d.step
			m := c.speak(1, time.Time{})
			replies[strings.Fields(d.reply(m.words))[0]] = true
			if m.words.image {
				photos[before] = true
			} else if strings.EqualFold(strings.TrimSpace(m.words.text), "restart") {
				restarts[before] = true
			}
		}
	}
	if len(replies) != 5 || len(restarts) != 4 || len(photos) != 4 {
		t.Errorf("replies %v, restarts %v, photos %v", replies, restarts, photos)
	}
}
