package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// testState writes what traces of any kind come to, shuffled, cut into batches at
// random, repeated, and with restarts in between: the state is that of the reference.
func testState(t *testing.T, open Opener) {
	f := newFixture(t, open)
	next := 0
	rapid.Check(t, func(rt *rapid.T) {
		next++
		writes := Draw(rt, next)
		order := rapid.Permutation(append(slices.Clone(writes), rapid.SliceOfN(rapid.SampledFrom(writes), 0, 5).Draw(rt, "again")...)).Draw(rt, "order")
		for len(order) > 0 {
			n := rapid.IntRange(1, min(len(order), 12)).Draw(rt, "batch")
			f.write(order[:n]...)
			order = order[n:]
			if rapid.IntRange(0, 15).Draw(rt, "restart") == 0 {
				f.reopen()
			}
		}
		Check(rt, f.Store, writes)
		// What was deleted leaves nothing, and may come again.
		want, err := StateOf(writes)
		if err != nil {
			rt.Fatal(err)
		}
		checkProjects(t.Context(), rt, f.Store, want)
		if len(want.Sessions) == 0 || rapid.IntRange(0, 3).Draw(rt, "delete") > 0 {
			return
		}
		for id := range want.Sessions {
			if err := f.Delete(t.Context(), id); err != nil {
				rt.Fatal(err)
			}
		}
		for id := range want.Sessions {
			if _, err := f.Session(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				rt.Fatalf("session %s: %v", id, err)
			}
		}
	})
}

// name makes an id of a text, in the space of one run.
func name(run int, text string) honeyhive.UUID {
	sum := sha256.Sum256([]byte(fmt.Sprint(run, " ", text)))
	u := honeyhive.UUID{6: 0x40, 8: 0x80}
	copy(u[:6], sum[:])
	copy(u[9:], sum[6:])
	return u
}

// Draw makes the writes that some traces come to, and what people say of them: names
// strong and weak, on any span or on none; several services; sums; circles; roots that
// never come.
func Draw(rt *rapid.T, run int) []store.Write {
	d := &drawing{T: rt, run: run}
	for trace := range rapid.IntRange(1, 3).Draw(rt, "traces") {
		d.trace(fmt.Sprint("trace ", trace))
	}
	for range rapid.IntRange(0, 3).Draw(rt, "updates") {
		target := rapid.SampledFrom(d.targets).Draw(rt, "target")
		d.add(store.Write{Update: decoded(new(honeyhive.Update), fmt.Sprintf(`{"event_id":%q,"feedback":{"rating":%d}}`, target, rapid.IntRange(1, 5).Draw(rt, "rating")))})
	}
	return d.writes
}

// Example returns writes as Draw makes them, the same ones for the same number.
func Example(run int) []store.Write {
	return rapid.Custom(func(rt *rapid.T) []store.Write { return Draw(rt, run) }).Example(run)
}

type drawing struct {
	*rapid.T
	run     int
	n       int
	targets []honeyhive.UUID
	writes  []store.Write
}

func (d *drawing) add(w store.Write) {
	d.n++
	w.At = base.Add(time.Duration(d.n) * time.Second)
	d.writes = append(d.writes, w)
}

func decoded[T interface{ UnmarshalJSON(b []byte) error }](into T, text string) T {
	if err := into.UnmarshalJSON([]byte(text)); err != nil {
		panic(err)
	}
	return into
}

func (d *drawing) trace(trace string) {
	home := name(d.run, trace)
	d.targets = append(d.targets, home)
	count := rapid.IntRange(1, 8).Draw(d.T, "spans")
	spanID := func(n int) honeyhive.UUID { return name(d.run, fmt.Sprint(trace, " span ", n)) }
	names := rapid.SampledFrom([][]string{{""}, {"", "", "weak a"}, {"", "weak a", "weak b"}, {"", "", "strong x"}, {"", "weak a", "strong x"}, {"strong x", "strong y", ""}, {"uuid", ""}, {"", "owned"}, {"", "weak a", "weak b", "strong x", "strong y", "uuid"}}).Draw(d.T, "names")
	for n := range count {
		parent := -1 // a root
		switch rapid.IntRange(0, 9).Draw(d.T, "place") {
		case 0: // of a parent that never comes
			parent = 100
		case 1: // of one that comes later, or itself
			parent = rapid.IntRange(n, count-1).Draw(d.T, "later")
		default:
			if n > 0 {
				parent = rapid.IntRange(0, n-1).Draw(d.T, "parent")
			}
		}
		d.span(trace, home, spanID, n, parent, rapid.SampledFrom(names).Draw(d.T, "name"))
	}
}

func (d *drawing) span(trace string, home honeyhive.UUID, spanID func(int) honeyhive.UUID, n, parent int, called string) {
	start := ms(float64(rapid.IntRange(0, 3).Draw(d.T, "start")))
	project := rapid.SampledFrom([]string{"p", "p", "q"}).Draw(d.T, "project")
	j := store.Join{From: home, To: home, Trace: home, Project: project, Span: spanID(n), Below: parent >= 0, Start: start}
	at := home
	var more []store.Join
	switch {
	case called == "":
	case called == "uuid", called == "owned":
		at = name(d.run, called)
		j.To, j.Text = at, at.String()
		j.Owned, j.Unannounced = called == "owned", called == "owned"
	case called[0] == 'w':
		j.To, j.Text, j.Weak = name(d.run, project+called), called, true
	default:
		at = name(d.run, trace+called)
		j.To, j.Text = name(d.run, project+called), called
		other := j
		other.From = at
		more = append(more, other)
	}
	d.targets = append(d.targets, j.To)
	kind := rapid.SampledFrom([]string{"plain", "model", "model", "chain", "tool", "session"}).Draw(d.T, "kind")
	times := fmt.Sprintf(`"start_time":%v,"end_time":%v`, start, start+float64(rapid.IntRange(0, 5000).Draw(d.T, "lasts")))
	content := rapid.SampledFrom([]string{``, ``, `,"inputs":{"question":"q%[1]d"}`, `,"outputs":{"answer":"a%[1]d"}`, `,"inputs":{"question":"q%[1]d"},"outputs":{"answer":"a%[1]d"},"user_properties":{"user_id":"u%[1]d"}`}).Draw(d.T, "content")
	if content != "" {
		content = fmt.Sprintf(content, n)
	}
	tried := rapid.SampledFrom([]string{``, ``, `,"metadata":{"run_id":"run %[2]d"},"metrics":{"n":%[1]d}`, `,"metadata":{"run_id":"other run %[2]d"},"metrics":{"n":%[1]d}`}).Draw(d.T, "tried")
	if tried != "" {
		tried = fmt.Sprintf(tried, n, d.run)
	}
	up := honeyhive.UUID{}
	if parent >= 0 {
		up = spanID(parent)
	}
	j.Speaks = kind != "plain" && kind != "session"
	for i := range more {
		more[i].Speaks = j.Speaks
	}
	if called != "" || kind != "plain" {
		d.add(store.Write{Join: &j})
		for i := range more {
			d.add(store.Write{Join: &more[i]})
		}
	}
	if parent < 0 && kind != "session" {
		d.add(store.Write{Trace: home, Session: decoded(new(honeyhive.SessionStartRequest), fmt.Sprintf(`{"session_id":%q,"session_name":"root %d",%s%s%s}`, home, n, times, content, tried))})
	}
	switch kind {
	case "plain":
		d.add(store.Write{Edge: &store.Edge{Span: spanID(n), Parent: up, Trace: home}})
	case "session":
		if at == home { // one that names none is a session of its own
			at = name(d.run, fmt.Sprint(trace, " session ", n))
		}
		d.add(store.Write{Trace: home, Session: decoded(new(honeyhive.SessionStartRequest), fmt.Sprintf(`{"session_id":%q,"session_name":"session %d",%s%s%s}`, at, n, times, content, tried))})
		d.add(store.Write{Edge: &store.Edge{Span: spanID(n), Parent: at, Trace: home}})
	default:
		counts := ""
		if kind != "tool" {
			counts = fmt.Sprintf(`,"metadata":{"prompt_tokens":%d,"cost":%v}`, rapid.IntRange(0, 9).Draw(d.T, "tokens"), rapid.IntRange(0, 3).Draw(d.T, "cost"))
		}
		if up.IsZero() {
			up = at
		}
		d.add(store.Write{Trace: home, Event: decoded(new(honeyhive.Event), fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":%q,"event_name":"event %d of %d","config":{"model":"run %d"},"project":%q,%s%s%s}`,
			spanID(n), at, up, kind, n, d.run, d.run, project, times, content, counts))})
	}
}

// Check compares a store with what writes come to.
func Check(t interface {
	Context() context.Context
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Helper()
}, s store.Store, writes []store.Write) {
	t.Helper()
	want, err := StateOf(writes)
	if err == nil {
		err = s.Sync(t.Context())
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	got := &State{make(map[honeyhive.UUID]*SessionState), make(map[honeyhive.UUID]honeyhive.UUID)}
	ids := make(map[honeyhive.UUID]bool)
	models, runs := make(map[string]bool), make(map[string]bool)
	note := func(id honeyhive.UUID) { ids[id] = true }
	for i := range writes {
		switch w := &writes[i]; {
		case w.Join != nil:
			note(w.Join.From)
			note(w.Join.To)
		case w.Session != nil:
			id, _ := honeyhive.ParseUUID(w.Session.SessionID.Or(""))
			note(id)
			if run := runOf(w.Session); run != "" {
				runs[run] = true
			}
		case w.Event != nil:
			id, _ := honeyhive.ParseUUID(w.Event.SessionID.Or(""))
			note(id)
			models[record.Model(w.Event)] = true
		}
	}
	sums, ofNames := make(map[string][4]int64), make(map[string][4]int64)
	for id := range ids {
		one, err := s.Session(t.Context(), id)
		if errors.Is(err, store.ErrNotFound) {
			to := id
			if f, ok := want.Follows[id]; ok {
				to = f
			}
			if want.Sessions[to] != nil {
				t.Errorf("session %s is not found", id)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		if to, ok := want.Follows[id]; ok && one.ID != to || !ok && one.ID != id {
			t.Errorf("%s is part of %s, want %s", id, one.ID, to)
		}
		if got.Sessions[one.ID] == nil {
			got.Sessions[one.ID] = seen(t, s, &one)
		}
	}
	for run := range runs {
		for a, err := range s.Attempts(t.Context(), run) {
			if err != nil {
				t.Fatalf("%v", err)
			}
			if one := got.Sessions[a.Session]; one == nil || one.Attempts[run] != "" {
				t.Errorf("the session %s of %s is not known, or comes twice", a.Session, run)
			} else {
				one.Attempts[run] = fmt.Sprint(a.Scores)
			}
		}
	}
	got.Follows = want.Follows
	for _, one := range want.Sessions {
		for _, to := range []struct{ sums, add map[string][4]int64 }{{sums, one.BySelf}, {ofNames, one.ByName}} {
			for key, add := range to.add {
				sum := to.sums[key]
				for i := range add {
					sum[i] += add[i]
				}
				to.sums[key] = sum
			}
		}
		one.BySelf, one.ByName = nil, nil
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		var lines []string
		for i := range writes {
			lines = append(lines, line(&writes[i]))
		}
		t.Errorf("the state (-want +got):\n%s%s", diff, strings.Join(lines, "\n"))
	}
	series, err := s.AggregateAll(t.Context(), store.Filter{}, []store.Grouping{{By: store.ByModel, Limit: math.MaxInt32}, {By: store.ByEvent, Limit: math.MaxInt32}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, e := range series[1] {
		add := [4]int64{e.Total.Count, e.Total.TokensIn, e.Total.TokensOut, record.ToCostUnits(e.Total.Cost)}
		if want, ok := ofNames[e.Key]; ok && add != want {
			t.Errorf("%q adds %v, want %v", e.Key, add, want)
		}
		delete(ofNames, e.Key)
	}
	if len(ofNames) > 0 {
		t.Errorf("nothing is said of %v", ofNames)
	}
	for _, m := range series[0] {
		if models[m.Key] {
			add := [4]int64{m.Total.Count, m.Total.TokensIn, m.Total.TokensOut, record.ToCostUnits(m.Total.Cost)}
			if add != sums[m.Key] {
				t.Errorf("model %q adds %v, want %v", m.Key, add, sums[m.Key])
			}
		}
	}
}

// line shows a write.
func line(w *store.Write) string {
	switch {
	case w.Session != nil:
		return "session " + string(w.Session.AppendJSON(nil))
	case w.Event != nil:
		return "event " + string(w.Event.AppendJSON(nil))
	case w.Update != nil:
		return "update " + string(w.Update.AppendJSON(nil))
	case w.Join != nil:
		return fmt.Sprintf("join %+v", *w.Join)
	}
	return fmt.Sprintf("edge %+v", *w.Edge)
}

// seen reads a session as the reference has it.
func seen(t interface {
	Context() context.Context
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}, s store.Store, one *store.Session) *SessionState {
	out := &SessionState{
		Name: one.Name, Project: one.Project, User: one.User, Question: one.Question, Answer: one.Answer, Error: one.Error, Status: one.Status, Rootless: one.Rootless,
		Start: one.Start.Or(math.NaN()), End: one.End.Or(math.NaN()), In: one.TokensIn.Or(-1), Out: one.TokensOut.Or(-1), Cost: -1, Calls: one.Calls, Models: one.ModelEvents,
		Parents: make(map[honeyhive.UUID]honeyhive.UUID), Rating: one.Rating.Or(math.NaN()), Attempts: make(map[string]string),
	}
	if v, ok := record.CostUnits(one.Cost).Get(); ok {
		out.Cost = float64(v)
	}
	for e, err := range s.EventBodies(t.Context(), one.ID, store.EventQuery{}) {
		if err != nil {
			t.Fatalf("%v", err)
		}
		out.Parents[e.ID] = e.Parent
		if e.Payload.SessionID.Or("") != one.ID.String() || e.Session != one.ID {
			t.Errorf("event %s says the session %s, want %s", e.ID, e.Payload.SessionID.Or(""), one.ID)
		}
		alone, err := s.Event(t.Context(), e.ID)
		if err != nil || alone.Parent != e.Parent || alone.Session != one.ID || alone.Payload.ParentID != e.Payload.ParentID {
			t.Errorf("event %s alone: %v, in %s under %s, want %s", e.ID, err, alone.Session, alone.Parent, e.Parent)
		}
	}
	if int64(len(out.Parents)) != one.Events {
		t.Errorf("session %s has %d events, and says %d", one.ID, len(out.Parents), one.Events)
	}
	if got, want := one.Payload.SessionID.Or(""), one.ID.String(); got != want {
		t.Errorf("session %s has the payload of %s", want, got)
	}
	question := record.Question(one.Payload.Inputs)
	if answer := record.Answer(one.Payload.Outputs); question != one.Question || answer != one.Answer {
		t.Errorf("session %s says %q, %q in its row and %q, %q in its payload", one.ID, one.Question, one.Answer, question, answer)
	}
	return out
}
