package wasender

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what an answer can ask for: a day's limit ends with the day.
const maxRetryAfter = 24 * time.Hour

// Rate is what an answer says about the limits of its endpoint. Limit is 0 if it
// says nothing.
type Rate struct {
	Limit, Remaining           int
	Reset                      time.Time // when Remaining is Limit again; zero if not said
	DailyLimit, DailyRemaining int
	DailyReset                 time.Time
}

// rateOf reads the X-RateLimit headers.
// Source: WASenderApi, "Rate limits".
func rateOf(h http.Header, now time.Time) Rate {
	return Rate{
		Limit: count(h, "X-RateLimit-Limit"), Remaining: left(h, "X-RateLimit-"), Reset: resetTime(h.Get("X-RateLimit-Reset"), now),
		DailyLimit: count(h, "X-RateLimit-Daily-Limit"), DailyRemaining: left(h, "X-RateLimit-Daily-"),
		DailyReset: resetTime(h.Get("X-RateLimit-Daily-Reset"), now),
	}
}

// left is what is left of a limit: all of it, if the answer does not say.
func left(h http.Header, prefix string) int {
	if h.Get(prefix+"Remaining") == "" {
		return count(h, prefix+"Limit")
	}
	return count(h, prefix+"Remaining")
}

func count(h http.Header, name string) int {
	n, err := strconv.ParseUint(h.Get(name), 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// resetTime reads when a limit ends: one page of the documentation has the seconds
// until then, another the time itself in seconds.
func resetTime(header string, now time.Time) time.Time {
	const firstTime, firstMillis = 1e9, 1e12 // September 2001, and in milliseconds
	n, err := strconv.ParseFloat(header, 64)
	switch {
	case err != nil || !(n >= 0 && n < 1e14):
		return time.Time{}
	case n >= firstMillis:
		return time.UnixMilli(int64(n))
	case n >= firstTime:
		return time.Unix(int64(n), 0)
	}
	return now.Add(time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second)))
}

// Wait is how long a limit that is used up lasts; 0 if there is none.
func (r Rate) Wait(now time.Time) time.Duration {
	wait := time.Duration(0)
	if r.Limit > 0 && r.Remaining == 0 && !r.Reset.IsZero() {
		wait = r.Reset.Sub(now)
	}
	if r.DailyLimit > 0 && r.DailyRemaining == 0 && !r.DailyReset.IsZero() {
		wait = max(wait, r.DailyReset.Sub(now))
	}
	return min(max(wait, 0), maxRetryAfter)
}

// retryAfter is the least that an answer asks to wait: in its body, in the header of
// RFC 9110, section 10.2.3, or by the limits that are used up.
func retryAfter(h http.Header, body fields, now time.Time) time.Duration {
	wait := rateOf(h, now).Wait(now)
	for _, s := range []string{body.get("retry_after").text(), h.Get("Retry-After")} {
		if seconds, err := strconv.ParseFloat(s, 64); err == nil && seconds > 0 {
			wait = max(wait, time.Duration(math.Ceil(min(seconds, maxRetryAfter.Seconds())))*time.Second)
		} else if at, err := http.ParseTime(s); err == nil {
			wait = max(wait, at.Sub(now))
		}
	}
	return min(max(wait, 0), maxRetryAfter)
}
