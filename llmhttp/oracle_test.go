package llmhttp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The tests of this file hold for every fixture of every format. None knows a
// format: what an event is to hold is written in the fixture, or is what the event
// of the same answer held that came another way.

// TestFixtures holds what is recorded of each answer, and that it is the same
// whole and as a stream.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			var streams []bool
			if f.whole != "" {
				s.play(&f, false, f.wholeAnswer())
				streams = append(streams, false)
			}
			if len(f.chunks) > 0 {
				s.play(&f, true, f.streamAnswer(f.chunks))
				streams = append(streams, true)
			}
			var seen []observed
			for i, e := range s.end() {
				o := observe(t, e)
				f.check(t, o, streams[i])
				for key := range f.streamed {
					delete(o.Metadata, key)
				}
				seen = append(seen, o)
			}
			if len(seen) == 2 {
				if diff := cmp.Diff(seen[0], seen[1]); diff != "" {
					t.Errorf("whole and as a stream: %s", diff)
				}
			}
		})
	}
}

// TestCutAtEveryByte ends each answer after each of its bytes, and breaks it after
// some. What is recorded is all of it, or says that it is not.
func TestCutAtEveryByte(t *testing.T) {
	broken := errors.New("connection reset")
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		s := newStage(t)
		s.play(f, streams, a)
		step := 1
		if raceEnabled { // which takes many times as long
			step += len(a.body) / 200
		}
		if testing.Short() {
			step += len(a.body) / 60
		}
		var at []int
		for n := 0; n < len(a.body); n += step {
			at = append(at, n)
			s.play(f, streams, answer{kind: a.kind, body: a.body[:n]})
			if n%5 == 0 {
				at = append(at, n)
				s.play(f, streams, answer{kind: a.kind, body: a.body[:n], cut: broken})
			}
		}
		list := s.end()
		all := observe(t, list[0])
		if all.marked() {
			t.Fatalf("the whole answer is marked: %+v", all)
		}
		whole := 0
		for i, e := range list[1:] {
			o := observe(t, e)
			switch {
			case o.equal(&all):
				whole++
			case !o.marked():
				// Where a stream has no terminator, nothing tells that usage or more
				// choices were to come.
				if f.noEnd && streams && o.Error == "" && fmt.Sprint(o.Outputs) == fmt.Sprint(all.Outputs) {
					continue
				}
				t.Fatalf("cut after %d of %d bytes, %q: a silent success: %+v", at[i], len(a.body), a.body[max(0, at[i]-40):at[i]], o)
			}
			if i > 0 && at[i] == at[i-1] && o.Error == "" && !o.equal(&all) {
				t.Fatalf("broken after %d of %d bytes: no error: %+v", at[i], len(a.body), o)
			}
		}
		if whole > len(list)/2 {
			t.Errorf("%d of %d cuts lost nothing: the test tests nothing", whole, len(list))
		}
	})
}

// TestCutCompressed is TestCutAtEveryByte for answers that are compressed.
func TestCutCompressed(t *testing.T) {
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(a.body))
		_ = z.Close()
		s := newStage(t)
		s.play(f, streams, answer{kind: a.kind, body: b.String()})
		step := 1
		if raceEnabled {
			step += b.Len() / 50
		}
		for n := 0; n < b.Len(); n += step {
			s.play(f, streams, answer{kind: a.kind, body: b.String()[:n]})
		}
		list := s.end()
		all := observe(t, list[0])
		f.check(t, all, streams)
		for i, e := range list[1:] {
			if o := observe(t, e); !o.marked() && !o.equal(&all) && (!f.noEnd || fmt.Sprint(o.Outputs) != fmt.Sprint(all.Outputs)) {
				t.Fatalf("cut after %d of %d bytes: a silent success: %+v", i*step, b.Len(), o)
			}
		}
	})
}

// TestRechunked reads each answer in pieces of each size and of random sizes, and
// in two at 200 places, of which a short run tries a quarter.
func TestRechunked(t *testing.T) {
	few := 1
	if testing.Short() {
		few = 4
	}
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		s := newStage(t)
		s.play(f, streams, a)
		for size := 1; size < 20; size += few {
			a.sizes = []int{size}
			s.play(f, streams, a)
		}
		step := 1 + few*len(a.body)/200
		for first := 1; first < len(a.body); first += step {
			a.sizes = []int{first, len(a.body)}
			s.play(f, streams, a)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 20 / few {
			a.sizes = nil
			for range 50 {
				a.sizes = append(a.sizes, 1+random.IntN(100))
			}
			s.play(f, streams, a)
		}
		list := s.end()
		all := observe(t, list[0])
		for i, e := range list {
			o := observe(t, e)
			if diff := cmp.Diff(all, o); diff != "" {
				t.Fatalf("read %d: %s", i, diff)
			}
		}
	})
}

// TestOtherForms sends each answer in a form that its content type does not say,
// and behind what may stand before it.
func TestOtherForms(t *testing.T) {
	kinds := []string{"", "application/json", "text/event-stream", "application/x-ndjson", "text/plain; charset=utf-8", "text/html", "application/octet-stream", "application/vnd.amazon.eventstream", "nonsense"}
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		s := newStage(t)
		var what []string
		play := func(name string, a answer) {
			what = append(what, name)
			s.play(f, streams, a)
		}
		play("as it is", a)
		for _, kind := range kinds {
			play("as "+kind, answer{kind: kind, body: a.body})
			play("in bytes as "+kind, answer{kind: kind, body: a.body, sizes: []int{1}})
		}
		if !strings.HasPrefix(a.body, "\x00") {
			for _, before := range []string{"\ufeff", " \r\n\t\n", "\n\n\n", "\ufeff\n"} {
				play(fmt.Sprintf("behind %q", before), answer{kind: a.kind, body: before + a.body, sizes: []int{1}})
			}
			play("behind a comment", answer{kind: a.kind, body: ": PROCESSING\n\n: PROCESSING\n\n" + a.body})
			if strings.HasPrefix(a.body, "data:") || strings.HasPrefix(a.body, "event:") {
				play("CRLF", answer{kind: a.kind, body: strings.ReplaceAll(a.body, "\n", "\r\n")})
				play("CR", answer{kind: a.kind, body: strings.ReplaceAll(a.body, "\n", "\r")})
			}
		}
		list := s.end()
		all := observe(t, list[0])
		for i, e := range list {
			if diff := cmp.Diff(all, observe(t, e)); diff != "" {
				t.Errorf("%s: %s", what[i], diff)
			}
		}
	})
}

// added starts the names of members that no provider has.
const added = "x_not_known_"

// rewrite writes JSON anew, with the members of objects in another order, or with
// more of them.
func rewrite(random func(int) int, v any, shuffle, add bool) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = rewrite(random, v[i], shuffle, add)
		}
		return list
	case members:
		list := make(members, 0, len(v)+1)
		for _, m := range v {
			switch m.key {
			case "input", "args", "arguments": // what a model wrote is kept as it is
				list = append(list, member{m.key, rewrite(random, m.value, shuffle, false)})
			default:
				list = append(list, member{m.key, rewrite(random, m.value, shuffle, add)})
			}
		}
		if add {
			more := []any{"text", 7, nil, true, []any{}, []any{members{{"a", "b"}}}, members{}, members{{"type", "text"}, {"text", "no"}}}
			m := member{fmt.Sprint(added, random(100)), more[random(len(more))]}
			list = slices.Insert(list, random(len(list)+1), m)
		}
		if shuffle {
			for i := range list {
				j := i + random(len(list)-i)
				list[i], list[j] = list[j], list[i]
			}
		}
		return list
	}
	return v
}

// members are an object whose order is kept.
type members []member

type member struct {
	key   string
	value any
}

func (m members) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range m {
		if i > 0 {
			b = append(b, ',')
		}
		key, err := json.Marshal(f.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// ordered parses JSON and keeps the order.
func ordered(t interface{ Fatal(...any) }, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var value func() any
	value = func() any {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err, text)
		}
		switch token {
		case json.Delim('{'):
			m := members{}
			for d.More() {
				key, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				m = append(m, member{key.(string), value()})
			}
			_, _ = d.Token()
			return m
		case json.Delim('['):
			list := []any{}
			for d.More() {
				list = append(list, value())
			}
			_, _ = d.Token()
			return list
		}
		return token
	}
	return value()
}

// rewritten returns JSON that was rewritten.
func rewritten(t interface{ Fatal(...any) }, random func(int) int, text string, shuffle, add bool) string {
	b, err := json.Marshal(rewrite(random, ordered(t, text), shuffle, add))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// without returns a value without the members that were added.
func without(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			if strings.HasPrefix(key, added) {
				continue
			}
			rest := without(value)
			if left, ok := rest.(map[string]any); ok && key == "metadata" && len(left) == 0 { // of a document
				continue
			}
			m[key] = rest
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = without(v[i])
		}
		return list
	}
	return v
}

// TestOtherFields sends each answer with the members of its objects in any order,
// and with members that nobody knows: neither changes the event.
func TestOtherFields(t *testing.T) {
	ways(t, func(t *testing.T, f *fixture, streams bool, a answer) {
		rapid.Check(t, func(rt *rapid.T) {
			shuffle, add := rapid.Bool().Draw(rt, "shuffle"), rapid.Bool().Draw(rt, "add")
			random := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "random") }
			other := a
			if streams {
				chunks := slices.Clone(f.chunks)
				for i := range chunks {
					chunks[i].data = rewritten(rt, random, chunks[i].data, shuffle, add)
				}
				other = f.streamAnswer(chunks)
			} else {
				other.body = rewritten(rt, random, a.body, shuffle, add)
			}
			s := newStage(t)
			s.play(f, streams, a)
			s.play(f, streams, other)
			list := s.end()
			want, got := observe(t, list[0]), observe(t, list[1])
			got.Outputs = without(got.Outputs)
			got.Metadata, _ = without(got.Metadata).(map[string]any)
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s: %s", other.body, diff)
			}
		})
	})
}
