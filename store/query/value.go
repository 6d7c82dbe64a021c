package query

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// read checks a term and reads its number. It returns what is wrong.
func (t *Term) read() string {
	f := t.Field
	if t.Prefix && t.Value == "" && f.Kind != Time {
		return "" // any value
	}
	compared := t.Op != Equal
	switch f.Kind {
	case Text, Choice, ID, Search, Exists:
		if compared {
			return f.Name + " is compared by : alone"
		}
	case Map, Duration, Number, Time:
	}
	if t.Prefix && (f.Kind == Choice || f.Kind == ID || f.Kind == Duration || f.Kind == Number || f.Kind == Time) {
		return f.Name + " takes no *"
	}
	switch f.Kind {
	case Choice:
		if !slices.Contains(f.Choices, t.Value) {
			return f.Name + " is one of " + strings.Join(f.Choices, ", ")
		}
	case ID:
		if id, err := honeyhive.ParseUUID(t.Value); err != nil || id.IsZero() {
			return quote(t.Value) + " is no id"
		}
	case Search:
		if !HasWord(t.Value) {
			return "there is no letter or digit to look for"
		}
	case Exists:
		return f.Name + " takes * alone: " + f.Name + ":*, or -" + f.Name + ":*"
	case Time:
		if _, ok := readTime(t.Value, time.Unix(0, 0)); !ok {
			return quote(t.Value) + " is no time such as 2026-11-30, 2026-11-30T16:20 or -24h"
		}
	case Duration, Number:
		if t.Number, t.IsNumber = readNumber(t.Value, f.Kind); !t.IsNumber {
			if f.Kind == Duration {
				return quote(t.Value) + " is no duration such as 2s or 150ms"
			}
			return quote(t.Value) + " is no number such as 0.5 or 10k"
		}
	case Map:
		if !t.Prefix {
			t.Number, t.IsNumber = readNumber(t.Value, Number)
		}
		if compared && !t.IsNumber {
			return quote(t.Value) + " is no number such as 0.5 or 10k"
		}
	case Text:
		if f.Path != "" && !t.Prefix { // payloads may have a number there
			t.Number, t.IsNumber = readNumber(t.Value, Number)
		}
	}
	return ""
}

// HasWord reports whether a text has something that full text can look for.
func HasWord(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) >= 0
}

var numberForm = regexp.MustCompile(`^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([a-zA-Zµ]*)$`)

var units = map[Kind]map[string]float64{
	Duration: {"": 1, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000},
	Number:   {"": 1, "k": 1e3, "M": 1e6, "G": 1e9},
}

// readNumber reads a number with its unit.
func readNumber(text string, kind Kind) (float64, bool) {
	m := numberForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	unit, ok := units[kind][m[2]]
	n, err := strconv.ParseFloat(m[1], 64)
	n *= unit
	return n, ok && err == nil && !math.IsInf(n, 0)
}

// timeForms are how a point of time is written, with the length of what it names.
var timeForms = []struct {
	form  string
	width time.Duration
}{
	{time.DateOnly, 24 * time.Hour}, {"2006-01-02T15:04", time.Minute}, {"2006-01-02T15:04Z07:00", time.Minute},
	{"2006-01-02T15:04:05", time.Second}, {time.RFC3339, time.Second},
}

var ageForm = regexp.MustCompile(`^-([0-9]{1,6})([smhdw])$`)

var ages = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// A span of time that a value names: a day, a minute, a second, or less.
type span struct {
	from  time.Time
	width time.Duration // 0 for a point
}

func readTime(text string, now time.Time) (span, bool) {
	if m := ageForm.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return span{now.Add(-time.Duration(min(float64(n)*float64(ages[m[2]]), math.MaxInt64/2))), 0}, true
	}
	for _, f := range timeForms {
		t, err := time.Parse(f.form, text)
		if err != nil {
			continue
		}
		if strings.Contains(text, ".") {
			f.width = 0
		}
		return span{t.UTC(), f.width}, true
	}
	return span{}, false
}

// Times returns the range of time that a term of the kind Time names, as it is now: from
// is included, to is not, and a zero time does not bound.
func (t *Term) Times(now time.Time) (from, to time.Time) {
	s, _ := readTime(t.Value, now)
	behind := s.from.Add(max(s.width, 1))
	switch t.Op {
	case Greater:
		return behind, time.Time{}
	case GreaterEqual:
		return s.from, time.Time{}
	case Less:
		return time.Time{}, s.from
	case LessEqual:
		return time.Time{}, behind
	case Equal:
	}
	if t.Prefix {
		return time.Time{}, time.Time{}
	}
	return s.from, behind
}
