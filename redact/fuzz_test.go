package redact_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/samples"
	"github.com/sessionspan/sessionspan/redact"
)

// most is how many times as long a text may become: the shortest thing that is found,
// an address of seven bytes, becomes a mark with a hash of 48, and twice that where the
// mark is escaped or encoded.
const most = 16

// FuzzText holds of any text that it is redacted without a panic, does not grow by more
// than a constant factor, that a value planted in it between other texts does not get
// through, and that what was redacted is not redacted again.
func FuzzText(f *testing.F) {
	for n, e := range samples.Encodings {
		f.Add("a "+e.Of("ann@example.org"), " b", uint64(n), byte(n))
	}
	f.Add(`{"password":"`, `"}`, uint64(1), byte(3))
	f.Add("-----BEGIN PRIVATE KEY-----\n", "", uint64(2), byte(5))
	f.Add("https://u:", "@h/", uint64(2), byte(5))
	p := policy(f, redact.WithKey("ssn", redact.KeepLast(4)), redact.WithDetector(redact.Email, redact.Hash), redact.WithSalt(make([]byte, 16)))
	f.Fuzz(func(t *testing.T, before, after string, seed uint64, n byte) {
		m := samples.Of(samples.Rand(seed), samples.Kinds()[int(n)%len(samples.Kinds())])
		got := p.Text("x", before+after)
		if len(got) > most*len(before+after)+most {
			t.Errorf("%d bytes became %d", len(before+after), len(got))
		}
		// A space, and a line of its own, keep the value a word of its own. What is before
		// it may say that it is something else (a part of a number, a quote): then all of it
		// must be gone too, or it is no such value any more, which only words can tell.
		if strings.ContainsAny(before, "\\%&\"'`") || utf8.RuneCountInString(before) != len(before) || len(before) > 0 && before[len(before)-1] > ' ' {
			return
		}
		got = p.Text("x", before+"\n\nIt is: "+m.Text+" \n\n"+after)
		if strings.Contains(got, m.Secret) {
			t.Errorf("%q got through: %q", m.Secret, got)
		}
	})
}

// FuzzJSON holds of any value that it stays JSON with its structure, where nothing is
// removed, and of any text that is none that it becomes a mark.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":{"b":["ann@example.org",4111111111111111,1e400,-0,"\ud800",{"password":{"type":"string"}}]}}`, `[`, `"\u0000"`, `{"a":1,"a":2,"":""}`,
		`{"ann@example.org":1,"bob@example.org":2}`, `"{\"a\":\"{\\\"b\\\":1}\"}"`, strings.Repeat("[", 100),
	} {
		f.Add(text, uint64(1), byte(1))
	}
	p := policy(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64, n byte) {
		got := p.JSON("inputs", text)
		canonical, err := rawjson.Parse(text)
		switch {
		case text == "" && got == "":
		case err != nil && got != `"[redacted:failed]"`:
			t.Errorf("%q: %q", text, got)
		case !json.Valid([]byte(got)):
			t.Fatalf("%q is no JSON: %q", text, got)
		case err == nil && !sameShape(canonical, got):
			t.Errorf("%q became %q", text, got)
		case len(got) > most*len(text)+most:
			t.Errorf("%d bytes became %d", len(text), len(got))
		}
		if err != nil {
			return
		}
		m := samples.Of(samples.Rand(seed), samples.Kinds()[int(n)%len(samples.Kinds())])
		planted := p.JSON("inputs", `{"before":`+canonical+`,"text":`+samples.JSON("it is "+m.Text+" here")+`,"after":`+canonical+`}`)
		if !json.Valid([]byte(planted)) || strings.Contains(planted, strings.Trim(samples.JSON(m.Secret), `"`)) {
			t.Errorf("%q got through: %q", m.Secret, planted)
		}
	})
}

// sameShape reports whether values have the same kinds, and as many members in the same
// order, but for numbers that became strings.
func sameShape(a, b string) bool {
	ka, kb := rawjson.KindOf(a), rawjson.KindOf(b)
	if ka != kb {
		return kb == rawjson.String && ka == rawjson.Number
	}
	switch ka {
	case rawjson.Object:
		var left, right []string
		for _, v := range rawjson.Members(a) {
			left = append(left, v)
		}
		for _, v := range rawjson.Members(b) {
			right = append(right, v)
		}
		return sameEach(left, right)
	case rawjson.Array:
		var left, right []string
		for v := range rawjson.Elements(a) {
			left = append(left, v)
		}
		for v := range rawjson.Elements(b) {
			right = append(right, v)
		}
		return sameEach(left, right)
	case rawjson.String:
		return true
	}
	return a == b
}

func sameEach(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !sameShape(a[i], b[i]) {
			return false
		}
	}
	return true
}
