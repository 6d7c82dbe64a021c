package page

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// none stands where a value is not known.
const none = "–"

// isFinite reports whether a number is one.
func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// whole64 rounds a number, within the range of an int64.
func whole64(v float64) int64 {
	switch v = math.Round(v); {
	case v >= math.MaxInt64:
		return math.MaxInt64
	case v <= math.MinInt64:
		return math.MinInt64
	case math.IsNaN(v):
		return 0
	}
	return int64(v)
}

// farthest is the time in milliseconds, from the epoch or as a duration, past
// which a number is no time that a program meant: some 30,000 years.
const farthest = 1e15

// duration shows milliseconds.
func duration(ms float64) string {
	switch abs := math.Abs(ms); {
	case !isFinite(ms):
		return none
	case abs > farthest:
		return strconv.FormatFloat(ms, 'g', 3, 64) + " ms"
	case abs < 10 && ms != math.Trunc(ms):
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case abs < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case abs < 60_000:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	case abs < 3_600_000:
		s := int64(math.Round(ms / 1000))
		return strconv.FormatInt(s/60, 10) + " min " + strconv.FormatInt(s%60, 10) + " s"
	default:
		m := int64(math.Round(ms / 60_000))
		return grouped(m/60) + " h " + strconv.FormatInt(m%60, 10) + " min"
	}
}

// grouped shows a number with its thousands apart.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// short shows a number by its first digits.
func short(n int64) string {
	switch f := math.Abs(float64(n)); {
	case f < 10_000:
		return grouped(n)
	case f < 1e6:
		return trimmed(float64(n)/1e3, 1) + "k"
	case f < 1e9:
		return trimmed(float64(n)/1e6, 1) + "M"
	default:
		return trimmed(float64(n)/1e9, 1) + "G"
	}
}

func trimmed(f float64, digits int) string {
	s := strconv.FormatFloat(f, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// size shows a number of bytes.
func size(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1_000_000:
		return trimmed(float64(n)/1e3, 1) + " kB"
	case n < 1_000_000_000:
		return trimmed(float64(n)/1e6, 1) + " MB"
	default:
		return trimmed(float64(n)/1e9, 1) + " GB"
	}
}

// cost shows an amount in whatever currency the program wrote it.
func cost(v float64) string {
	switch abs := math.Abs(v); {
	case !isFinite(v):
		return none
	case abs == 0:
		return "0"
	case abs >= 100 && abs < 1e15:
		return grouped(int64(math.Round(v)))
	case abs >= 100:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case abs >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return trimmed(v, 5)
	}
}

// number shows a number as short as it is exact.
func number(v float64) string {
	if !isFinite(v) {
		return none
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// percent shows a part of a whole.
func percent(part, whole int64) string {
	if whole == 0 {
		return none
	}
	return trimmed(float64(part)*100/float64(whole), 1) + " %"
}

// moment is the time of Unix milliseconds, in UTC.
func moment(ms float64) time.Time {
	const most = 253402300799999 // the end of the year 9999
	if math.IsNaN(ms) {
		ms = 0
	}
	return time.UnixMilli(int64(min(max(ms, -62135596800000), most))).UTC()
}

// stamp shows Unix milliseconds.
func stamp(ms float64) string { return moment(ms).Format("2006-01-02 15:04:05.000") }

// machine is Unix milliseconds in the form of the attribute datetime.
func machine(ms float64) string { return moment(ms).Format("2006-01-02T15:04:05.000Z") }

// known shows a value that may be missing.
func known[T any](v honeyhive.Optional[T], show func(T) string) string {
	if got, ok := v.Get(); ok {
		return show(got)
	}
	return none
}

// tokens shows what went in and what came out.
func tokens(in, out honeyhive.Optional[int64]) string {
	if !isKnown(in) && !isKnown(out) {
		return none
	}
	return known(in, short) + " / " + known(out, short)
}

func isKnown[T any](v honeyhive.Optional[T]) bool {
	_, ok := v.Get()
	return ok
}

// lasts says how long something took, or that its time goes backwards.
func lasts(m store.Measures) string {
	if m.Backwards {
		return "ends before its start"
	}
	return known(m.Duration, duration)
}
