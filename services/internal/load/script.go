package load

import (
	"fmt"
	"math/rand/v2"
)

var (
	greetings = []string{"hi", "Hello!", "Good morning", "¡Hola!", "مرحبا", "is anybody there?", "👋"}
	names     = []string{"Ann", "José", "Zoë", "李雷", "O'Brien", "Иван", "{email}", "%s%d", `back\slash "quoted"`, "<b>Bold</b>", "👩‍💻"}
	badEmails = []string{"no", "ann", "ann@", "@example.com", "ann@example", "ann at example.com", "two@@example.com", "RESTART please", "ann@exa mple.com"}
	restarts  = []string{"RESTART", "restart", "Restart", "  RESTART ", "ReStArT\n"}
	chatter   = []string{"thanks", "ok", "are you a robot?", "what now", "👍", "bye"}
)

// next makes up what a person says who stands at this step. n tells the things
// that one person says apart.
func next(rng *rand.Rand, step string, n int) words {
	chance := rng.Float64()
	switch {
	case chance < 0.08:
		return words{image: true, text: photoCaption(rng)}
	case chance < 0.16 || step == "completed" && chance < 0.6:
		return words{text: pick(rng, restarts)}
	}
	switch step {
	case "name":
		return words{text: pad(rng, fmt.Sprintf("%s %d", pick(rng, names), n))}
	case "email":
		if chance < 0.45 {
			return words{text: pad(rng, pick(rng, badEmails))}
		}
		return words{text: pad(rng, fmt.Sprintf("ann.%d@mail.example.com", n))}
	case "completed":
		return words{text: pick(rng, chatter)}
	}
	return words{text: pick(rng, greetings)}
}

func photoCaption(rng *rand.Rand) string {
	if rng.IntN(2) == 0 {
		return ""
	}
	return "look at this"
}

// pad adds the space that thumbs leave behind.
func pad(rng *rand.Rand, text string) string {
	if rng.IntN(10) == 0 {
		return " " + text + "  "
	}
	return text
}

func pick(rng *rand.Rand, texts []string) string { return texts[rng.IntN(len(texts))] }
