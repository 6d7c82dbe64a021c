package query_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/store/query"
)

func parse(t testing.TB, text string) *query.Query {
	t.Helper()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return q
}

// TestPrint parses queries and prints them in their plainest form.
func TestPrint(t *testing.T) {
	for text, want := range map[string]string{
		"":    "",
		" \t": "",
		`status:error model:gpt-4.1 metadata.release:v1.8 duration>2s "rate limit"`: `status:error model:gpt-4.1 metadata.release:v1.8 duration>2s "rate limit"`,
		`status=error  AND "a"`:             `status:error a`,
		`(a b) (c OR d)`:                    `a b (c OR d)`,
		`a b OR c`:                          `a b OR c`,
		`((a OR b) OR c)`:                   `a OR b OR c`,
		`-(a b) -"c d" --e`:                 `-(a b) -"c d" --e`,
		`event(name:search duration>=1.5s)`: `event(name:search duration>=1.5s)`,
		`event((kind:tool OR kind:retriever) -error:*)`: `event((kind:tool OR kind:retriever) -error:*)`,
		`"metadata.a b":"x \"y\" \\"`:                   `"metadata.a b":"x \"y\" \\"`,
		`"metadata.region":eu*`:                         `metadata.region:eu*`,
		`metadata.url:http://x/?a=b`:                    `metadata.url:http://x/?a=b`,
		`metadata.x:"5*"`:                               `metadata.x:"5*"`,
		`metadata.x:"a b"*`:                             `metadata.x:"a b"*`,
		`metadata.x:""`:                                 `metadata.x:""`,
		`"OR" "AND" "-x" "a:b" "(x)" 12:30`:             `"OR" "AND" "-x" "a:b" "(x)" 12:30`,
		`or and event`:                                  `or and event`,
		`start>-24h start:2026-11-30`:                   `start>-24h start:2026-11-30`,
		`id:6ba7b810-9dad-11d1-80b4-00c04fd430c8`:       `id:6ba7b810-9dad-11d1-80b4-00c04fd430c8`,
		`rating<0 tokens>10k rating:-1`:                 `rating<0 tokens>10k rating:-1`,
		"日本語\u3000é*":                                   `日本語 é*`,
		`name:"a:b" name:a:b`:                           `name:a:b name:a:b`, //nolint:dupword // the same twice
	} {
		got := parse(t, text).String()
		if got != want {
			t.Errorf("%s: printed as %s, want %s", text, got, want)
		}
		if again := parse(t, got).String(); again != got {
			t.Errorf("%s: printed as %s, and then as %s", text, got, again)
		}
	}
}

// TestErrors says what is wrong, and marks it.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{ // the marked part, and a part of the message
		`status:bad`:           `bad|one of ok, error`,
		`stauts:error`:         `stauts|no field is called "stauts"`,
		`Status:error`:         `Status|but status is one`,
		`metadata:x`:           `metadata|a key follows it`,
		`a duration > 2s`:      `>|right behind a field`,
		`duration:`:            `duration:|a value stands right behind`,
		`duration: 2s`:         `duration:|a value stands right behind`,
		`duration>soon`:        `soon|no duration`,
		`duration>1e999`:       `1e999|no duration`,
		`duration>2parsecs`:    `2parsecs|no duration`,
		`tokens>NaN`:           `NaN|no number`,
		`tokens>0x10`:          `0x10|no number`,
		`metadata.x>y`:         `y|no number`,
		`model>a`:              `a|compared by : alone`,
		`tokens:1*`:            `1*|takes no *`,
		`tokens>1*`:            `1*|only : takes a *`,
		`name:a**`:             `a**|stands for itself`,
		`start>tomorrow`:       `tomorrow|no time`,
		`start>2026-13-01`:     `2026-13-01|no time`,
		`id:x`:                 `x|no id`,
		`feedback:up`:          `up|takes * alone`,
		`"abc`:                 `"abc|closes this quote`,
		`"a\b"`:                `\|backslash`,
		`(a`:                   `(|closes this parenthesis`,
		`a)`:                   `)|opens this parenthesis`,
		`()`:                   `()|nothing between`,
		`a OR`:                 `OR|both sides`,
		`OR a`:                 `OR|both sides`,
		`a OR OR b`:            `OR|both sides`, //nolint:dupword // the mistake
		`(a OR )`:              `OR|both sides`,
		`a -`:                  `-|right before`,
		`- a`:                  `-|right before`,
		`!!`:                   `!!|no letter or digit`,
		`error:"..."`:          `"..."|no letter or digit`,
		`event(status:error)`:  `status|outside of event`,
		`event(event(name:x))`: `event|inside of another`,
		`event(event:x)`:       `event|outside of event`,
		`event()`:              `()|nothing between`,
		`a"b"`:                 `"|needs a space`,
		`name:a(b)`:            `(|needs a space`,
		`metadata.x:=1`:        `=|begins with an operator`,
		strings.Repeat("(", 9) + "a" + strings.Repeat(")", 9): `(|8 parentheses`,
		strings.Repeat("-", 9) + "a":                          `-|8 parentheses`,
		strings.Repeat("a ", 65):                              `a |64 parts`,
		strings.Repeat("a", 9000):                             strings.Repeat("a", 9000-query.MaxLength) + `|8 KiB`,
		"a \xff":                                              "\xff|UTF-8",
	} {
		q, err := query.Parse(text)
		var e *query.SyntaxError
		if !errors.As(err, &e) || q != nil {
			t.Errorf("%s: got %v, %v", text, q, err)
			continue
		}
		mark, message, _ := strings.Cut(want, "|")
		if got := text[e.Offset:e.End]; got != mark || !strings.Contains(e.Message, message) || !strings.HasPrefix(err.Error(), "query: at byte ") {
			t.Errorf("%.80s: %q is marked, %v", text, got, err)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]float64{
		"duration>2s": 2000, "duration>150ms": 150, "duration>1.5m": 90_000, "duration>7": 7, "ttft<250us": 0.25, "duration<1d": 86_400_000,
		"tokens>10k": 10_000, "tokens>1.5M": 1.5e6, "cost>=.5": 0.5, "rating<-1": -1, "metadata.n:2G": 2e9, "score>1e-3": 0.001, "errors:3": 3,
	} {
		if e := parse(t, text).Expr.(*query.Term); !e.IsNumber || e.Number != want {
			t.Errorf("%s is %v, %v", text, e.Number, e.IsNumber)
		}
	}
	if e := parse(t, "metadata.n:v1").Expr.(*query.Term); e.IsNumber {
		t.Errorf("v1 is the number %v", e.Number)
	}
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 30, 16, 20, 0, 0, time.UTC)
	at := func(text string) time.Time {
		v, err := time.Parse("2006-01-02 15:04:05.999999999", text)
		if text != "" && err != nil {
			t.Fatal(err)
		}
		return v
	}
	for text, want := range map[string][2]string{
		"start>-24h":                      {"2026-11-29 16:20:00.000000001", ""},
		"start>=-1w":                      {"2026-11-23 16:20:00", ""},
		"start<-2d":                       {"", "2026-11-28 16:20:00"},
		"start:2026-11-30":                {"2026-11-30 00:00:00", "2026-12-01 00:00:00"},
		"start>2026-11-30":                {"2026-12-01 00:00:00", ""},
		"start<=2026-11-30":               {"", "2026-12-01 00:00:00"},
		"start:2026-11-30T16:20":          {"2026-11-30 16:20:00", "2026-11-30 16:21:00"},
		"start>=2026-11-30T16:20:01.5":    {"2026-11-30 16:20:01.5", ""},
		"start<2026-11-30T16:20:01+02:00": {"", "2026-11-30 14:20:01"},
	} {
		from, to := parse(t, text).Expr.(*query.Term).Times(now)
		if !from.Equal(at(want[0])) && (want[0] != "" || !from.IsZero()) || !to.Equal(at(want[1])) && (want[1] != "" || !to.IsZero()) {
			t.Errorf("%s is from %v to %v", text, from, to)
		}
	}
}

// TestFromText takes the texts of older addresses for what they were.
func TestFromText(t *testing.T) {
	for text, want := range map[string]string{
		`rate limit`: `rate limit`, `"rate limit" foo*`: `"rate limit" foo*`, `status:error (x -y`: `"status:error" "(x" "-y"`,
		`... !`: ``, `"a*"`: `a`, `a "b`: `a b`, "\xff": "", `OR`: `"OR"`,
	} {
		q := query.FromText(text)
		if got := q.String(); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
		parse(t, q.String())
	}
}

// draw makes an expression as Parse does.
func draw(t *rapid.T, depth int, inEvent bool) query.Expr {
	text := rapid.OneOf(rapid.StringMatching(`[a-z]{1,6}`), rapid.StringMatching(`[ -~]{0,8}`), rapid.String())
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth >= 3 {
		kind = min(kind, 5)
	}
	list := func() []query.Expr {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) query.Expr { return draw(t, depth+1, inEvent) }), 2, 3).Draw(t, "list")
	}
	switch kind {
	case 0, 1:
		word := text.Filter(query.HasWord).Draw(t, "word")
		return &query.Words{Text: word, Prefix: rapid.Bool().Draw(t, "prefix")}
	case 6:
		return query.Not{Expr: draw(t, depth+1, inEvent)}
	case 7:
		var all query.And
		for _, e := range list() {
			if inner, ok := e.(query.And); ok {
				all = append(all, inner...)
			} else {
				all = append(all, e)
			}
		}
		return all
	case 8:
		var one query.Or
		for _, e := range list() {
			if inner, ok := e.(query.Or); ok {
				one = append(one, inner...)
			} else {
				one = append(one, e)
			}
		}
		return one
	case 9:
		if !inEvent {
			return query.Event{Expr: draw(t, depth+1, true)}
		}
	}
	for {
		f := rapid.SampledFrom(query.Fields()).Draw(t, "field")
		if inEvent && !f.Inside {
			continue
		}
		name, op := f.Name, query.Equal
		if f.Kind == query.Map {
			name += text.Filter(func(s string) bool { return s != "" }).Draw(t, "key")
		}
		value := text.Draw(t, "value")
		switch f.Kind {
		case query.Number, query.Duration:
			value, op = rapid.SampledFrom([]string{"1", "2.5", "-3", "1e3"}).Draw(t, "number"), rapid.SampledFrom([]query.Op{query.Equal, query.Less, query.GreaterEqual}).Draw(t, "op")
		case query.Time:
			value, op = rapid.SampledFrom([]string{"-24h", "2026-11-30", "2026-11-30T16:20"}).Draw(t, "time"), query.Greater
		case query.Choice:
			value = rapid.SampledFrom(f.Choices).Draw(t, "choice")
		case query.ID:
			value = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
		}
		term, err := query.NewTerm(name, op, value)
		if err != nil {
			continue
		}
		if op == query.Equal && (f.Kind == query.Text || f.Kind == query.Search) {
			term.Prefix = rapid.Bool().Draw(t, "prefix")
		}
		return term
	}
}

// TestRoundTrip prints any query, and reads it as the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &query.Query{Expr: draw(t, 0, false)}
		text := q.String()
		got, err := query.Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "64 parts") || strings.Contains(err.Error(), "8 KiB") {
				t.Skip("too large")
			}
			t.Fatalf("%q: %v", text, err)
		}
		if !reflect.DeepEqual(got, q) {
			t.Fatalf("%q is read as %q", text, got.String())
		}
	})
}

// FuzzParse reads any text: what it reads is printed as a text that is read as the same,
// and what it does not is marked within the text.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`status:error model:gpt-4.1 duration>2s "rate limit"`, `a OR (b -c*)`, `event(name:x score<0.5)`, `"metadata.a b":"\"\\"*`, `start>-24h`, `--(a)`, `"`, `(`, "\u0085-\u00a0a",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		var e *query.SyntaxError
		switch {
		case errors.As(err, &e):
			if e.Offset < 0 || e.Offset > e.End || e.End > len(text) || e.Message == "" {
				t.Fatalf("%q: %+v", text, e)
			}
			return
		case err != nil:
			t.Fatal(err)
		}
		printed := q.String()
		if len(printed) > len(text) {
			t.Fatalf("%q becomes longer: %q", text, printed)
		}
		again, err := query.Parse(printed)
		if err != nil || !reflect.DeepEqual(again, q) {
			t.Fatalf("%q is printed as %q: %v", text, printed, err)
		}
		if plain := query.FromText(text).String(); len(plain) <= query.MaxLength {
			if _, err := query.Parse(plain); err != nil && !strings.Contains(err.Error(), "64 parts") {
				t.Fatalf("as a text %q is %q: %v", text, plain, err)
			}
		}
	})
}
