package delivery

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Waits between tries. The first ones are short, so that a restarted server is
// found soon; none is longer than half a minute.
const (
	backoffBase = 500 * time.Millisecond
	backoffMost = 30 * time.Second
	// retryAfterMost bounds the wait that a server may ask for.
	retryAfterMost = 24 * time.Hour
)

// backoff returns how long to wait after the n-th failure in a row (from 1):
// any time up to a bound that doubles, so that clients which failed together do
// not come back together ("full jitter").
func backoff(n int) time.Duration {
	most := backoffMost
	if n < 8 {
		most = min(most, backoffBase<<max(0, n-1))
	}
	return rand.N(most) + time.Millisecond //nolint:gosec // no secret
}

// RetryAfter reads the Retry-After header (RFC 9110, section 10.2.3): seconds or
// a date. RetryAfter returns 0 where there is none or where it cannot be read, and at
// most a day.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		if seconds <= 0 {
			return 0
		}
		return time.Duration(min(seconds, int64(retryAfterMost/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(0, date.Sub(now)), retryAfterMost)
	}
	// A number too large for an integer asks for a very long wait.
	if strings.Trim(value, "0123456789") == "" {
		return retryAfterMost
	}
	return 0
}
