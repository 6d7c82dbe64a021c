package page

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

func TestHiddenCharactersAreSeen(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünï 漢字\u200d\u200c\n\t": "plain, ünï 漢字\u200d\u200c\n\t",
		"a\r\nb":                        "a\nb",
		"a\rb":                          `a\u000db`,
		"\x00\x1b[0m\x7f":               `\u0000\u001b[0m\u007f`,
		"\u0085\u009b":                  `\u0085\u009b`,
		"\u202eabc\u202c":               `\u202eabc\u202c`,
		"\u2066\u200f\u061c":            `\u2066\u200f\u061c`,
		"\u200b\ufeff\u00ad":            `\u200b\ufeff\u00ad`,
		"\u2028\u2029":                  `\u2028\u2029`,
		"\U000e0041":                    `\udb40\udc41`,
		"\xff\xfe":                      "\ufffd",
	} {
		if got := visible(text); got != want {
			t.Errorf("%+q: %+q, want %+q", text, got, want)
		}
	}
}

func TestLinesAreShort(t *testing.T) {
	if got := line("  one\n\ttwo  three", 100); got != "one two three" {
		t.Errorf("%q", got)
	}
	for n := range 12 {
		got := line("añb漢字cdefgh", n)
		if !utf8.ValidString(got) || len(got) > n+len("…") || n < 12 && !strings.HasSuffix(got, "…") {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestNumbersReadWell(t *testing.T) {
	for want, got := range map[string]string{
		"0 ms": duration(0), "0.3 ms": duration(0.26), "12 ms": duration(12.3), "999 ms": duration(999), "1.50 s": duration(1500), "2 min 5 s": duration(125_000),
		"3 h 0 min": duration(3 * 3600e3), "-5 ms": duration(-5), none: duration(math.NaN()),
		"0": grouped(0), "999": grouped(999), "1,000": grouped(1000), "1,234,567": grouped(1234567), "−1,234": grouped(-1234),
		"9,999": short(9999), "10k": short(10_000), "1.2M": short(1_234_567), "3G": short(3e9),
		"12 B": size(12), "4 kB": size(4000), "5.2 MB": size(5_242_880), "2 GB": size(2e9),
		"0.00123": cost(0.00123), "1.50": cost(1.5), "123": cost(123.4), "12,346": cost(12345.6), "1e+20": cost(1e20),
		"33.3 %": percent(1, 3), "9999-12-31 23:59:59.999": stamp(1e300), "1970-01-01 00:00:00.000": stamp(0),
		"– / 5": tokens(honeyhive.Optional[int64]{}, honeyhive.Some(int64(5))),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIndentKeepsTheValue(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `"a{b,c:d}\"\\"`, `{"a":[1,{"b":null},[]],"c":{},"d\"e":"x: [y]"}`, `12345678901234567890`} {
		got := indent(text)
		back, err := rawjson.Parse(got)
		if err != nil || back != text {
			t.Errorf("%s: %s: %v", text, got, err)
		}
	}
	if got := indent(`{"a":[1,2]}`); got != "{\n  \"a\": [\n    1,\n    2\n  ]\n}" {
		t.Errorf("%q", got)
	}
}

func TestCurlCarriesTheSessionAndNoKey(t *testing.T) {
	name := "it's \u202e$(x) `y` \"z\" \\ \n漢"
	s := &honeyhive.SessionStartRequest{Project: honeyhive.Some("p"), SessionName: honeyhive.Some(name), Source: honeyhive.Some("s"), Error: honeyhive.Null[string](), Config: honeyhive.NullObject()}
	command, fromFile := curl(s)
	_, quoted, ok := strings.Cut(command, "--data-raw '")
	if fromFile || !ok || !strings.Contains(command, `"Authorization: Bearer $HH_API_KEY"`) {
		t.Fatal(command)
	}
	// As a shell reads it: '\'' is an apostrophe, everything else stands for itself.
	body := strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), `'\''`, "'")
	var got map[string]map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got["session"]["session_name"] != name || len(got["session"]) != 3 {
		t.Errorf("got %v", got)
	}
	if strings.Contains(command, "\u202e") {
		t.Error("the command hides something")
	}
	s.Source = honeyhive.Some(strings.Repeat("x", curlMost))
	if command, fromFile := curl(s); !fromFile || len(command) > 1000 || !strings.Contains(command, "--data-binary @session-") {
		t.Errorf("a large session: %.300s", command)
	}
}
