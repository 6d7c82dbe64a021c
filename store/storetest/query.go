package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// The values that records and queries are drawn from: few, so that they meet.
var (
	someWords   = []string{"alpha", "beta", "Gamma", "rate limit", "limit exceeded", "A b", "v1.8"}
	someNumbers = []float64{0, 0.5, 1, 2, 3.25, 1500, 10000, -1, -0.25, 1e20}
	someKeys    = []string{"release", "Region", "a b", "a.b", "deep", "tags", "n"}
)

// drawRecords draws sessions with events, some of them part of another one.
func drawRecords(rt *rapid.T, run int) (writes []store.Write, records []asked) {
	number := func(label string) string {
		return fmt.Sprint(rapid.SampledFrom(someNumbers).Draw(rt, label))
	}
	scalar := func() string {
		switch rapid.IntRange(0, 5).Draw(rt, "kind of value") {
		case 0:
			return "true"
		case 1, 2:
			return number("value")
		case 3:
			return `"2"`
		}
		b, _ := json.Marshal(rapid.SampledFrom(someWords).Draw(rt, "text"))
		return string(b)
	}
	var object func(depth int) string
	object = func(depth int) string {
		var parts []string
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(someKeys), 0, 3, rapid.ID).Draw(rt, "keys") {
			v := scalar()
			switch rapid.IntRange(0, 6).Draw(rt, "shape") {
			case 0:
				v = "[" + scalar() + "," + scalar() + "]"
			case 1:
				if depth < 2 {
					v = object(depth + 1)
				}
			}
			parts = append(parts, fmt.Sprintf("%q:%s", k, v))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	with := func(o, more string) string {
		if more == "" {
			return o
		}
		if o == "{}" {
			return "{" + more + "}"
		}
		return strings.TrimSuffix(o, "}") + "," + more + "}"
	}
	fields := func(event bool) string {
		out := `"start_time":` + fmt.Sprint(ms(float64(rapid.IntRange(0, 9).Draw(rt, "start"))))
		if rapid.Bool().Draw(rt, "ended") {
			out += `,"duration":` + rapid.SampledFrom([]string{"0", "150", "1500", "2000.5"}).Draw(rt, "duration")
		}
		if rapid.IntRange(0, 2).Draw(rt, "failed") == 0 {
			out += fmt.Sprintf(`,"error":%q`, rapid.SampledFrom(someWords).Draw(rt, "error"))
		}
		measured := ""
		if rapid.Bool().Draw(rt, "measured") {
			measured = `"prompt_tokens":` + rapid.SampledFrom([]string{"0", "10", "10000"}).Draw(rt, "in") + `,"time_to_first_chunk_ms":250`
		}
		if rapid.Bool().Draw(rt, "paid") {
			measured = strings.TrimPrefix(measured+`,"cost":0.5`, ",")
		}
		rating := ""
		if rapid.IntRange(0, 3).Draw(rt, "rated") == 0 {
			rating = `"rating":` + rapid.SampledFrom([]string{"1", "-1", "0.5"}).Draw(rt, "rating")
		}
		outputs := object(0)
		if event && rapid.Bool().Draw(rt, "retriever") {
			measured = strings.TrimPrefix(measured+`,"event_kind":"retriever"`, ",")
			outputs = with(outputs, `"documents":`+rapid.SampledFrom([]string{`[]`, `[{"score":0.5,"content":"alpha"},{"score":2}]`, `[{"content":"beta"}]`}).Draw(rt, "documents"))
		}
		out += `,"metadata":` + with(object(0), measured) + `,"feedback":` + with(object(1), rating) + `,"inputs":` + object(0) + `,"outputs":` + outputs + `,"metrics":` + object(1)
		if rapid.Bool().Draw(rt, "model") {
			return out + `,"config":` + with(object(1), `"model":"m1","provider":"alpha"`)
		}
		return out + `,"config":` + object(1)
	}
	n := 0
	add := func(w store.Write, r asked) {
		n++
		w.At = base.Add(time.Duration(n) * time.Second)
		writes, records = append(writes, w), append(records, r)
	}
	var sessions []honeyhive.UUID
	for s := range rapid.IntRange(1, 5).Draw(rt, "sessions") {
		id := name(run, fmt.Sprint("session ", s))
		sessions = append(sessions, id)
		if rapid.IntRange(0, 5).Draw(rt, "known") > 0 {
			text := fmt.Sprintf(`{"session_id":%q,"project":%q,"session_name":%q,"source":"s","user_properties":{"user_id":%q,"plan":"pro"},%s}`, id,
				rapid.SampledFrom(someWords).Draw(rt, "project"), rapid.SampledFrom(someWords).Draw(rt, "name"), rapid.SampledFrom([]string{"u1", "u2"}).Draw(rt, "user"), fields(false))
			add(store.Write{Session: decoded(new(honeyhive.SessionStartRequest), text)}, asked{id, id, false, text})
		}
		for k := range rapid.IntRange(0, 4).Draw(rt, "events") {
			id := name(run, fmt.Sprint("event ", s, k))
			text := fmt.Sprintf(`{"event_id":%q,"session_id":%q,"event_type":%q,"event_name":%q,%s}`, id, sessions[s],
				rapid.SampledFrom([]string{"model", "tool", "chain"}).Draw(rt, "type"), rapid.SampledFrom(someWords).Draw(rt, "event name"), fields(true))
			add(store.Write{Event: decoded(new(honeyhive.Event), text)}, asked{id, sessions[s], true, text})
		}
		if s > 0 && rapid.IntRange(0, 2).Draw(rt, "joined") == 0 {
			writes = append(writes, store.Write{At: base, Join: &store.Join{From: id, To: sessions[0], Trace: id, Text: "x", Span: name(run, fmt.Sprint("span ", s))}})
		}
	}
	return writes, records
}

// drawQuery draws what may meet some of the records.
func drawQuery(rt *rapid.T, records []asked, depth int, inEvent bool) query.Expr {
	part := func() query.Expr { return drawQuery(rt, records, depth+1, inEvent) }
	kind := rapid.IntRange(0, 11).Draw(rt, "kind of part")
	if depth == 3 {
		kind = min(kind, 6)
	}
	switch kind {
	case 7, 8:
		return query.And{part(), part()}
	case 9:
		return query.Or{part(), part()}
	case 10:
		return query.Not{Expr: part()}
	case 11:
		if !inEvent {
			return query.Event{Expr: drawQuery(rt, records, depth+1, true)}
		}
	case 0:
		return &query.Words{Text: rapid.SampledFrom([]string{"alpha", "GAMMA", "rate limit", "limit", "al", "exce", "b", "v1.8"}).Draw(rt, "words"), Prefix: rapid.Bool().Draw(rt, "prefix")}
	}
	for {
		f := rapid.SampledFrom(query.Fields()).Draw(rt, "field")
		if inEvent && !f.Inside {
			continue
		}
		name, op, value := f.Name, query.Equal, rapid.SampledFrom(append([]string{"m1", "u1", "model", "retriever", "true", "2", "pro", "0.5"}, someWords...)).Draw(rt, "value")
		switch f.Kind {
		case query.Map:
			name += rapid.SampledFrom(append([]string{"deep.n", "deep.deep.n", "prompt_tokens", "plan", "rating", "deep.a.b"}, someKeys...)).Draw(rt, "key")
			if rapid.Bool().Draw(rt, "compares") {
				op, value = rapid.SampledFrom([]query.Op{query.Greater, query.GreaterEqual, query.Less, query.LessEqual}).Draw(rt, "op"), fmt.Sprint(rapid.SampledFrom(someNumbers).Draw(rt, "number"))
			}
		case query.Number, query.Duration:
			op, value = rapid.SampledFrom([]query.Op{query.Equal, query.Greater, query.GreaterEqual, query.Less, query.LessEqual}).Draw(rt, "op"), rapid.SampledFrom([]string{"0", "1", "0.5", "-1", "250", "1500", "10k", "2"}).Draw(rt, "number")
		case query.Time:
			op, value = rapid.SampledFrom([]query.Op{query.Equal, query.Greater, query.GreaterEqual, query.Less, query.LessEqual}).Draw(rt, "op"), at(rapid.IntRange(0, 9).Draw(rt, "time")).Format("2006-01-02T15:04:05")
		case query.Choice:
			value = rapid.SampledFrom(f.Choices).Draw(rt, "choice")
		case query.ID:
			value = rapid.SampledFrom(records).Draw(rt, "record").id.String()
		}
		t, err := query.NewTerm(name, op, value)
		if f.Kind == query.Exists {
			return &query.Term{Field: f, Op: query.Equal, Prefix: true}
		}
		if err != nil {
			continue
		}
		if op == query.Equal && f.Kind != query.Time && f.Kind != query.ID && rapid.IntRange(0, 3).Draw(rt, "any") == 0 {
			t.Value, t.Prefix, t.IsNumber, t.Number = "", true, false, 0
		} else if op == query.Equal && (f.Kind == query.Text || f.Kind == query.Map || f.Kind == query.Search) && rapid.IntRange(0, 3).Draw(rt, "prefix") == 0 {
			t.Value, t.Prefix, t.IsNumber, t.Number = value[:1], true, false, 0
		}
		return t
	}
}

// testQuery compares what queries find with what a look at every record says.
func testQuery(t *testing.T, open Opener) {
	f := newFixture(t, open)
	run := 0
	met := make(map[bool]int)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		left, err := f.Sessions(t.Context(), store.SessionQuery{Limit: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		for i := range left.Sessions { // of the run before
			if err := f.Delete(t.Context(), left.Sessions[i].ID); err != nil {
				rt.Fatal(err)
			}
		}
		writes, records := drawRecords(rt, run)
		if len(records) == 0 {
			return
		}
		order := rapid.Permutation(writes).Draw(rt, "order")
		if err := f.Write(t.Context(), order); err != nil {
			rt.Fatal(err)
		}
		state, err := StateOf(writes)
		if err != nil {
			rt.Fatal(err)
		}
		if err := f.Sync(t.Context()); err != nil {
			rt.Fatal(err)
		}
		of := make(map[honeyhive.UUID][]asked)
		for _, r := range records {
			home := r.session
			if to, ok := state.Follows[home]; ok {
				home = to
			}
			of[home] = append(of[home], r)
		}
		all, err := f.Sessions(t.Context(), store.SessionQuery{Limit: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		for range 12 {
			e := drawQuery(rt, records, 0, false)
			text := query.Print(e)
			q, err := query.Parse(text)
			if err != nil {
				rt.Fatalf("%s: %v", text, err)
			}
			var want []honeyhive.UUID
			for i := range all.Sessions {
				if row := &all.Sessions[i]; holds(q.Expr, row, of[row.ID], time.Now()) {
					want = append(want, row.ID)
				}
			}
			page, err := f.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Query: q}, Limit: 1000})
			if err != nil {
				rt.Fatalf("%s: %v", text, err)
			}
			var got []honeyhive.UUID
			for _, row := range page.Sessions {
				got = append(got, row.ID)
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("%s finds %d sessions, %v, want %d, %v", text, len(got), got, len(want), want)
			}
			checkHits(rt, f, q, got, of)
			met[len(want) > 0 && len(want) < len(all.Sessions)]++
		}
		checkGroups(rt, f, all.Sessions, of)
	})
	if met[true]*10 < met[false] {
		t.Errorf("%d queries divide the sessions, %d do not", met[true], met[false])
	}
}

// checkGroups compares how sessions and events are divided with a count of each of them.
func checkGroups(rt *rapid.T, f *fixture, rows []store.SessionRow, of map[honeyhive.UUID][]asked) {
	filter := store.Filter{}
	if rapid.Bool().Draw(rt, "filtered") {
		filter.Query, _ = query.Parse(`duration>=0 -rating<0`)
	}
	want := make(map[store.By]map[string]int64)
	count := func(by store.By, key string) {
		if want[by] == nil {
			want[by] = make(map[string]int64)
		}
		want[by][key]++
	}
	release := store.ByField("release")
	values := make(map[string]int64)
	for i := range rows {
		row := &rows[i]
		if filter.Query != nil && !holds(filter.Query.Expr, row, nil, time.Now()) {
			continue
		}
		rating, rated := row.Rating.Get()
		switch {
		case rated && rating > 0:
			count(store.ByFeedback, "up")
		case rated && rating < 0:
			count(store.ByFeedback, "down")
		case row.Feedback:
			count(store.ByFeedback, "other")
		default:
			count(store.ByFeedback, "none")
		}
		releases := make(map[string]bool)
		for _, r := range of[row.ID] {
			var p struct {
				Error    string         `json:"error"`
				Type     string         `json:"event_type"`
				Name     string         `json:"event_name"`
				Metadata map[string]any `json:"metadata"`
			}
			if err := json.Unmarshal([]byte(r.text), &p); err != nil {
				rt.Fatal(err)
			}
			mine := make(map[string]bool)
			for _, v := range flat(p.Metadata, "release") {
				_, isNumber := v.(float64)
				mine[fmt.Sprint(isNumber, " ", v)] = true
			}
			for v := range mine {
				_, v, _ := strings.Cut(v, " ")
				releases[v] = true
			}
			if r.event && p.Error != "" {
				for v := range mine {
					values[v]++
				}
			}
			if !r.event {
				continue
			}
			count(store.ByEvent, p.Name)
			kind, _ := p.Metadata["event_kind"].(string)
			if kind == "" {
				kind = p.Type
			}
			count(store.ByKind, kind)
			if p.Error != "" {
				count(store.ByErrorKind, "")
			}
		}
		for v := range releases {
			count(release, v)
		}
	}
	var groupings []store.Grouping
	for _, by := range []store.By{store.ByFeedback, store.ByEvent, store.ByKind, store.ByErrorKind, store.ByPrompt, release} {
		groupings = append(groupings, store.Grouping{By: by, Buckets: 3})
	}
	got, err := f.AggregateAll(f.Context(), filter, groupings)
	if err != nil {
		rt.Fatal(err)
	}
	for i, list := range got {
		have := make(map[string]int64)
		for _, s := range list {
			have[s.Key] += s.Total.Count
			if n := s.Points[0].Count + s.Points[1].Count + s.Points[2].Count; n != s.Total.Count {
				rt.Errorf("the points of %q have %d of %d", s.Key, n, s.Total.Count)
			}
		}
		if by := groupings[i].By; len(have) != len(want[by]) || !maps.Equal(have, want[by]) {
			rt.Errorf("by %s: %v, want %v", by, have, want[by])
		}
	}
	failed, _ := query.Parse(`error:*`)
	list, err := f.Values(f.Context(), store.ValueQuery{Field: "release", Filter: filter, Event: failed})
	if err != nil {
		rt.Fatal(err)
	}
	have := make(map[string]int64)
	for i, v := range list {
		have[fmt.Sprint(v.IsNumber, " ", v.Text)] += v.Count
		if n, err := strconv.ParseFloat(v.Text, 64); v.IsNumber && (err != nil || n != v.Number) {
			rt.Errorf("the value %+v", v)
		}
		if i > 0 && v.Count > list[i-1].Count {
			rt.Errorf("the values are in the order %v", list)
		}
	}
	if !maps.Equal(have, values) {
		rt.Errorf("values: %v, want %v", have, values)
	}
}

// testComplete completes values and keys.
func testComplete(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(
		store.Write{Session: session(t, 1, `"session_name":"chat","user_properties":{"user_id":"anna"},"metadata":{"region":"eu","release":"v1.8","n":1}`)},
		store.Write{Session: session(t, 2, `"session_name":"check","user_properties":{"user_id":"Ben"},"metadata":{"region":"eu-west","nested":{"key":"x"}}`)},
		store.Write{Event: event(t, 11, 1, 1, `"event_type":"model","event_name":"answer","config":{"model":"gpt-4.1"},"metadata":{"release":"v1.9"}`)},
	)
	f.indexed()
	for _, c := range []struct {
		field, prefix string
		want          []string
	}{
		{"name", "", []string{"chat", "check"}}, {"name", "che", []string{"check"}}, {"user", "", []string{"Ben", "anna"}}, {"event", "a", []string{"answer"}}, {"model", "gpt", []string{"gpt-4.1"}},
		{"release", "v1.", []string{"v1.8", "v1.9"}}, {"metadata.region", "eu", []string{"eu", "eu-west"}}, {"metadata.", "", []string{"n", "nested.key", "region", "release"}},
		{"metadata.", "re", []string{"region", "release"}}, {"metadata.", "zz", nil}, {"duration", "", nil}, {"status", "", nil}, {"metadata.region", "Z", nil},
	} {
		got, err := f.Complete(t.Context(), c.field, c.prefix, 0)
		f.check(err)
		slices.Sort(got)
		f.equal(got, c.want, c.field+":"+c.prefix)
	}
	few, err := f.Complete(t.Context(), "metadata.", "", 2)
	f.check(err)
	f.equal(len(few), 2, "keys within a limit")
	for _, field := range []string{"nonsense", "", "nonsense."} {
		if _, err := f.Complete(t.Context(), field, "", 0); err == nil {
			t.Errorf("%q gives no error", field)
		}
		if _, err := f.Values(t.Context(), store.ValueQuery{Field: field}); err == nil {
			t.Errorf("%q gives no error", field)
		}
	}
}

// finds reports whether a part of an expression that is about records holds for one.
func (r asked) finds(e query.Expr) bool {
	switch e := e.(type) {
	case query.And:
		var words []query.Expr
		for _, part := range e {
			if _, ok := part.(*query.Words); ok {
				words = append(words, part)
			} else if r.finds(part) {
				return true
			}
		}
		return len(words) > 0 && r.all(words)
	case query.Or:
		return slices.ContainsFunc(e, r.finds)
	case query.Not:
		return false
	case query.Event:
		return r.event && r.holds(e.Expr, true)
	case *query.Term:
		return !e.Field.OfSession && r.holds(e, false)
	}
	return r.holds(e, false)
}

// checkHits compares the records that a query finds with a look at each of them.
func checkHits(rt *rapid.T, f *fixture, q *query.Query, sessions []honeyhive.UUID, of map[honeyhive.UUID][]asked) {
	hits, err := f.Hits(f.Context(), store.HitQuery{Sessions: sessions, Query: q})
	if err != nil {
		rt.Fatal(err)
	}
	for _, id := range sessions {
		var events []honeyhive.UUID
		found := false
		hit, ok := hits[id]
		for _, r := range of[id] {
			if !r.finds(q.Expr) {
				continue
			}
			found = found || r.id == hit.Record && r.event == hit.Event
			if r.event {
				events = append(events, r.id)
			}
		}
		if ok != found {
			rt.Fatalf("%s: session %s has the hit %+v", q, id, hit)
		}
		for _, m := range hit.Marks {
			if m[0] < 0 || m[0] >= m[1] || m[1] > len(hit.Text) || hit.Path == "" {
				rt.Fatalf("%s: %+v", q, hit)
			}
		}
		if !ok && len(events) > 0 {
			rt.Fatalf("%s: session %s has no hit of %d", q, id, len(events))
		}
		var got []honeyhive.UUID
		for e, err := range f.Events(f.Context(), id, store.EventQuery{Query: q}) {
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, e.ID)
		}
		for _, list := range [][]honeyhive.UUID{got, events} {
			slices.SortFunc(list, func(a, b honeyhive.UUID) int { return bytes.Compare(a[:], b[:]) })
		}
		if !slices.Equal(got, events) {
			rt.Fatalf("%s: the events %v of session %s are found, want %v", q, got, id, events)
		}
	}
}
