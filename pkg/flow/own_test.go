package flow

import (
	"regexp"
	"testing"

	"github.com/parleyhq/parley/pkg/flow/when"
)

// What Parley tells people to write, it understands.
func TestOwnExamplesAreUnderstood(t *testing.T) {
	today := when.Date{Year: 2026, Month: 11, Day: 28}
	dates := map[string][]string{
		"en": {"14 March", "tomorrow"}, "es": {"14 de marzo", "mañana"}, "pt": {"14 de março", "amanhã"}, "fr": {"14 mars", "demain"},
		"de": {"14. März", "morgen"},
	}
	for language, own := range builtIn {
		for _, example := range dates[language] {
			if !regexp.MustCompile(regexp.QuoteMeta(example)).MatchString(own.text["ask_date"]) {
				t.Errorf("%s does not say %q", own.text["ask_date"], example)
			}
			if _, err := when.ParseDate(example, language, today); err != nil {
				t.Errorf("%s: %q is not understood: %v", language, example, err)
			}
		}
		for _, example := range regexp.MustCompile(`\d+(:\d+| pm)`).FindAllString(own.text["ask_time"], -1) {
			if _, err := when.ParseClock(example, language); err != nil {
				t.Errorf("%s: %q is not understood: %v", language, example, err)
			}
		}
	}
	if len(dates) != len(builtIn) {
		t.Errorf("%d languages have examples, %d are built in", len(dates), len(builtIn))
	}
}
