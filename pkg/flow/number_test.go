package flow

import "testing"

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		language, said string
		want           float64
	}{
		{"en", "12", 12},
		{"en", "1,234.5", 1234.5},
		{"en", "1.5", 1.5},
		{"en", "1,5", 1.5},
		{"en", "0,123", 0.123},
		{"en", "1,234,567", 1234567},
		{"es", "1.234,5", 1234.5},
		{"es", "1.5", 1.5},
		{"es", "1.234", 1234},
		{"es", "0.123", 0.123},
		{"es-MX", "1,234.5", 1234.5},
		{"pt-BR", "1.234", 1234},
		{"de", "1'234,5", 1234.5},
		{"fr", "1 234,5", 1234.5},
		{"en", "1 234.5", 1234.5},
		{"en", " -5 ", -5},
		{"en", "- 5", -5},
		{"en", "−5", -5},
		{"en", "+7", 7},
		{"en", "-0", 0},
		{"ar", "٣٦", 36},
		{"hi", "१२", 12},
		{"en", "１２", 12},
		{"fa", "۱۲٫۵", 12.5},
	} {
		if got, ok := parseNumber(c.said, c.language); !ok || got != c.want {
			t.Errorf("%s %q is %v, %t, want %v", c.language, c.said, got, ok, c.want)
		}
	}
	// A wrong number is worse than asking again.
	for _, said := range []string{"", " ", "2 3", "1,23,4", "1.2.3", "1.234,5", "five", "1e5", "0x10", "1_000", "--5", "5%", "12 345 6", "1.", ".5", "∞", "½"} {
		if got, ok := parseNumber(said, "en"); ok {
			t.Errorf("%q is %v", said, got)
		}
	}
}
