package traces

import (
	"runtime"
	"strings"
	"testing"
)

// FuzzValidText compares texts with what the standard library makes of them.
func FuzzValidText(f *testing.F) {
	for _, s := range []string{"", "a", "é漢😀", "\xff", "\xffa", "a\xff\xfe", "a\xff\xfeb\xc3", "caf\xc3", "\xed\xa0\x80", "\xf0\x9f\x98", "\ufffd\xff\ufffd", "é\x80é", "\xe6\xbc", "\x80\xe6\xbc\xa2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ToValidUTF8(s, "\uFFFD")
		if got := validText(s); got != want || validLength(s) != len(want) {
			t.Errorf("%q became %q of %d bytes, want %q", s, got, validLength(s), want)
		}
	})
}

// TestValidTextOnce makes room for a text once, and returns one that is valid as it is.
func TestValidTextOnce(t *testing.T) {
	for text, most := range map[string]float64{strings.Repeat("a漢", 1000): 0, strings.Repeat("\xffa", 1000): 1} {
		if n := testing.AllocsPerRun(10, func() { validText(text) }); n > most {
			t.Errorf("%.0f allocations for %.10q, more than %.0f", n, text, most)
		}
	}
}

// TestTooLongWhenValid reads a span with a text that is no UTF-8 and would be longer
// than a record may be: it is left out before there is such a text.
func TestTooLongWhenValid(t *testing.T) {
	text := strings.Repeat("\xffa", 9<<20)
	for name, content := range map[string][]byte{
		"name":  field(5, []byte(text)),
		"value": field(9, append(field(1, []byte("k")), field(2, field(1, []byte(text)))...)),
		"key":   field(9, append(field(1, []byte(text)), field(2, field(1, []byte("v")))...)),
		"event": field(11, field(2, []byte(text))),
	} {
		r := Proto(withSpans(append(content, ids...), append(field(5, []byte("good")), ids...)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := read(t, r)
		runtime.ReadMemStats(&after)
		if err != nil || len(got) != 1 || r.Invalid != 1 {
			t.Errorf("%s: %v, %d spans, %d are left out", name, err, len(got), r.Invalid)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}
