package redact_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/samples"
)

// TestOracle sees that the oracle finds what is not redacted.
func TestOracle(t *testing.T) {
	r := samples.Rand(3)
	for _, e := range samples.Encodings {
		if m := samples.Of(r, "email"); !samples.Leaks(e.Of(m.Text), m.Secret) {
			t.Errorf("%s: %q is not found", e.Name, m.Secret)
		}
	}
}

// TestCorpus puts generated values, in every encoding and in encodings of encodings, into
// every field of a record, as values and as keys.
func TestCorpus(t *testing.T) {
	p := policy(t)
	r := samples.Rand(7)
	const each = 1
	tried := 0
	for _, d := range samples.Kinds() {
		for _, outer := range samples.Encodings {
			for _, inner := range samples.Encodings {
				for range each {
					m := samples.Of(r, d)
					text := outer.Of(inner.Of(m.Text))
					tried++
					if got := p.Text("inputs.note", text); samples.Leaks(got, m.Secret) {
						t.Errorf("%s, %s in %s: %q left %q", d, inner.Name, outer.Name, text, got)
						break
					}
				}
			}
		}
	}
	t.Logf("%d texts", tried)
}

// place puts a text anywhere in a JSON value.
func place(r *rand.Rand, text string, depth int) any {
	switch {
	case depth == 0 && r.IntN(4) == 0:
		return map[string]any{text: r.IntN(9)} // as a key
	case depth == 0:
		return text
	case r.IntN(2) == 0:
		return []any{"before", place(r, text, depth-1), nil}
	}
	return map[string]any{[]string{"text", "content", "query", "0"}[r.IntN(4)]: place(r, text, depth-1), "n": 1.5, "ok": true}
}

// TestRecords puts generated values into every field of sessions, events and updates.
func TestRecords(t *testing.T) {
	p := policy(t)
	r := samples.Rand(11)
	object := func(text string) honeyhive.Object {
		o, err := honeyhive.ObjectOf(map[string]any{"v": place(r, text, r.IntN(6)), text: 1})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	const id = "5ca1ab1e-0000-4000-8000-00000000c0de"
	for n := range 60 {
		d := samples.Kinds()[n%len(samples.Kinds())]
		m := samples.Of(r, d)
		text := samples.Encodings[r.IntN(len(samples.Encodings))].Of(m.Text)
		some := honeyhive.Some(text)
		o := func() honeyhive.Object { return object(text) }
		s := &honeyhive.SessionStartRequest{
			Project: some, SessionName: some, Source: some, SessionID: honeyhive.Some(id), ChildrenIDs: honeyhive.Some([]string{id, text}), Error: some,
			Config: o(), Inputs: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Evaluations: o(), Unknown: o(),
		}
		e := &honeyhive.Event{
			Project: some, EventName: some, EventType: some, Source: some, EventID: honeyhive.Some(id), SessionID: some, ParentID: some,
			ChildrenIDs: honeyhive.Some([]string{id}), Error: some,
			Config: o(), Inputs: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Evaluations: o(), Unknown: o(),
		}
		u := &honeyhive.Update{
			EventID: honeyhive.Some(id), ChildrenIDs: honeyhive.Some([]string{id}),
			Config: o(), Outputs: o(), UserProperties: o(), Metrics: o(), Feedback: o(), Metadata: o(), Unknown: o(),
		}
		for _, body := range [][]byte{p.Session(s).AppendJSON(nil), p.Event(e).AppendJSON(nil), p.Update(u).AppendJSON(nil)} {
			if !json.Valid(body) || !strings.Contains(string(body), id) {
				t.Fatalf("%s", body)
			}
			if samples.Leaks(string(body), m.Secret) || samples.LeaksJSON(body, m.Secret) {
				t.Fatalf("%s: %q left\n%s", d, text, body)
			}
		}
		if !strings.Contains(string(s.AppendJSON(nil)), "\"project\"") || s.Project.Or("") != text {
			t.Fatal("the payload itself was changed")
		}
	}
}
