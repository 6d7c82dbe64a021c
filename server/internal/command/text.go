package command

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// plain returns the beginning of a text in one line that a terminal shows and does not
// obey: control characters and marks that change the direction of text are left out,
// since what sessions hold was written by models and strangers.
func plain(text string, most int) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			blank = n > 0
			continue
		case !unicode.IsPrint(r): // control, format and private characters
			continue
		}
		if n == most {
			return b.String() + "…"
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

const unknown = "-"

func duration(ms *float64) string {
	if ms == nil {
		return unknown
	}
	d := time.Duration(*ms * float64(time.Millisecond))
	switch {
	case *ms > 1e15 || *ms < 0:
		return unknown
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func tokens(in, out *int64) string {
	if in == nil && out == nil {
		return unknown
	}
	one := func(n *int64) string {
		if n == nil {
			return unknown
		}
		return strconv.FormatInt(*n, 10)
	}
	return one(in) + "/" + one(out)
}

func cost(amount *float64, currency string, derived bool) string {
	if amount == nil {
		return unknown
	}
	about := ""
	if derived {
		about = "≈"
	}
	return fmt.Sprintf("%s%.4g %s", about, *amount, plain(currency, 8))
}

// when shows a time in the zone of the machine.
func when(ms *float64) string {
	if ms == nil || *ms < 0 || *ms > 253402300799999 {
		return unknown
	}
	return time.UnixMilli(int64(*ms)).Local().Format("2006-01-02 15:04:05")
}
