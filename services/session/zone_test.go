package session

import (
	"testing"
	"time"
)

func TestOffsetOfAPhone(t *testing.T) {
	summer, winter := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	z := zones{}
	for _, c := range []struct {
		phone string
		at    time.Time
		want  int32
	}{
		{"4930123456", winter, 60}, {"4930123456", summer, 120}, // Berlin
		{"12125550123", winter, -300},   // New York, by the area code
		{"13105550123", winter, -480},   // Los Angeles
		{"5511912345678", winter, -180}, // São Paulo
		{"919812345678", winter, 330},
	} {
		if got := z.offset(c.phone, c.at); got == nil || *got != c.want {
			t.Errorf("%s at %s: %v, want %d", c.phone, c.at, got, c.want)
		}
	}
	for _, phone := range []string{"", "18005550123", "x", "US.123"} { // toll-free numbers are in all zones of a continent
		if got := z.offset(phone, winter); got != nil {
			t.Errorf("%s: %d, want none", phone, *got)
		}
	}
}
