package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

func some[T any](v T) honeyhive.Optional[T] { return honeyhive.Some(v) }

// testSessionRow sees what is read of sessions for a list.
func testSessionRow(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(
		store.Write{At: at(5), Session: session(t, 1, `"user_properties":{"user_id":"u1"},"start_time":`+fmt.Sprint(ms(0))+
			`,"inputs":{"chat_history":[{"role":"system","content":"no"},{"role":"user","content":"first"},{"role":"user","content":[{"type":"text","text":"how\nmany"},{"type":"image_url"}]},{"role":"assistant","content":"no"}]}`+
			`,"outputs":{"role":"assistant","content":"two"}`)},
		store.Write{At: at(4), Event: event(t, 11, 1, 1, `"event_type":"model","config":{"model":"m2"},"metadata":{"prompt_tokens":10,"completion_tokens":2,"cost":0.1,"time_to_first_chunk_ms":40},"start_time":`+fmt.Sprint(ms(2))+`,"duration":1500`)},
		store.Write{At: at(4), Event: event(t, 12, 1, 1, `"event_type":"model","config":{"model":"m1"},"metadata":{"input_tokens":1},"metrics":{"cost":0.2,"ttft_ms":30},"start_time":`+fmt.Sprint(ms(1))+`,"feedback":{"rating":true}`)},
		store.Write{At: at(6), Event: event(t, 13, 1, 12, `"event_type":"tool","error":"bad","feedback":{"rating":4}`)},
		store.Write{At: at(6), Event: event(t, 14, 1, 12, `"event_type":"chain","error":null`)},
	)
	got := f.session(1)
	want := store.SessionRow{
		ID: id(1), Seq: got.Seq, Project: "p", Source: "test", Name: "n", User: "u1", Models: []string{"m1", "m2"}, Status: store.StatusRunning,
		Question: "how many", Answer: "two", Received: ms(4),
		Measures: store.Measures{
			Start: some(ms(0)), End: some(ms(3.5)), Duration: some(3500.0), TokensIn: some(int64(11)), TokensOut: some(int64(2)),
			Cost: some(0.3), FirstToken: some(30.0), Rating: some(2.5), Feedback: true,
		},
		Events: 4, ModelEvents: 2, ToolEvents: 1, ChainEvents: 1, Calls: 2, Errors: 1, Currency: "USD",
	}
	sameRow := func(what string, got, want store.SessionRow) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.SessionRow{}, "Seq", "Bytes")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if got.Bytes <= 0 {
			t.Errorf("%s: %d bytes", what, got.Bytes)
		}
	}
	sameRow("with what events say", got.SessionRow, want)

	// What it says itself goes before what its events say, but for what these count.
	f.write(store.Write{At: at(7), Session: session(t, 1, `"metadata":{"prompt_tokens":1,"completion_tokens":0,"cost":9,"time_to_first_token_ms":1,"error":"too late"},"feedback":{"rating":-1},"duration":1,"end_time":`+fmt.Sprint(ms(9)))})
	want.Status, want.Error = store.StatusError, "too late"
	want.Measures = store.Measures{
		Start: some(ms(0)), End: some(ms(9)), Duration: some(1.0), TokensIn: some(int64(11)), TokensOut: some(int64(2)),
		Cost: some(9.0), FirstToken: some(1.0), Rating: some(-1.0), Feedback: true,
	}
	sameRow("with what it says itself", f.session(1).SessionRow, want)
	page, err := f.Sessions(t.Context(), store.SessionQuery{})
	f.check(err)
	sameRow("in the list", page.Sessions[0], want)

	for n, c := range map[int]struct {
		fields string
		status store.Status
		name   string
	}{
		2: {`"end_time":1`, store.StatusOK, "n"},
		3: {`"duration":1`, store.StatusOK, "n"},
		4: {`"error":""`, store.StatusRunning, "n"},
		5: {`"error":"e"`, store.StatusError, "n"},
		6: {`"metadata":{"incomplete":true,"session_name":"better"},"session_name":"unknown"`, store.StatusIncomplete, "better"},
		7: {`"end_time":null,"duration":null`, store.StatusRunning, "n"},
	} {
		f.write(store.Write{Session: session(t, n, c.fields)})
		got := f.session(n)
		f.equal([]any{got.Status, got.Name}, []any{c.status, c.name}, c.fields)
	}
}

// testEventRow sees what is read of events for a tree.
func testEventRow(t *testing.T, open Opener) {
	f := newFixture(t, open)
	long := strings.Repeat("é ", 5000)
	f.write(store.Write{Event: event(t, 2, 1, 9, `"event_type":"model","event_name":"ask","error":"`+long+`","config":{"model":"m"},"start_time":5,"end_time":8.5,"metadata":{"prompt_tokens":3,"completion_tokens":"4","cost":-1},"feedback":{"note":"x"}`)},
		store.Write{Event: event(t, 3, 1, 0, `"event_type":"tool","metadata":{"response_model":"other"}`)},
		store.Write{Event: event(t, 4, 1, 0, `"event_type":"tool","event_name":"search","metadata":{"event_kind":"retriever"}`)},
		store.Write{Event: event(t, 5, 1, 0, `"event_type":"tool","metadata":{"event_kind":"<b>"}`)})
	for n, want := range map[int]string{3: "", 4: "retriever", 5: ""} {
		f.equal(f.event(n).Kind, want, "the kind of an event")
		f.equal(f.event(n).Type, "tool", "its type")
	}
	got := f.event(2)
	if len(got.Error) > 1000 || !strings.HasPrefix(got.Error, "é é") || !strings.HasSuffix(got.Error, "…") {
		t.Errorf("the error of the row is %q", got.Error)
	}
	f.equal(got.EventRow, store.EventRow{
		ID: id(2), Session: id(1), Parent: id(9), Seq: got.Seq, Name: "ask", Type: "model", Error: got.Error, Model: "m", Bytes: got.Bytes,
		Measures: store.Measures{Start: some(5.0), End: some(8.5), Duration: some(3.5), TokensIn: some(int64(3)), Feedback: true},
		Billed:   prices.Usage{Input: 3},
	}, "row")
	f.equal(f.event(3).EventRow, store.EventRow{ID: id(3), Session: id(1), Seq: f.event(3).Seq, Type: "tool", Model: "other", Bytes: f.event(3).Bytes}, "a poor row")
	f.equal(got.Payload.Error.Or(""), long, "the whole error")
}

// testSearch looks for words.
func testSearch(t *testing.T, open Opener) {
	f := newFixture(t, open)
	f.write(
		store.Write{Session: session(t, 1, `"inputs":{"question":"Where is the Café?"},"end_time":1`)},
		store.Write{Event: event(t, 11, 1, 1, `"event_type":"tool","event_name":"lookup","outputs":{"documents":[{"content":"It is on the corner of Main Street","score":0.75}]}`)},
		store.Write{Session: session(t, 2, `"error":"connection refused","inputs":{"q":"如何安装数据库"}`)},
		store.Write{Event: event(t, 12, 3, 3, `"event_type":"tool","metadata":{"deep":{"list":["needle"]}}`)},
	)
	find := func(text string) []int {
		t.Helper()
		f.indexed()
		page, err := f.Sessions(t.Context(), store.SessionQuery{Filter: store.Filter{Text: text}, Sort: store.SortName})
		f.check(err)
		var found []int
		for _, s := range page.Sessions {
			found = append(found, int(s.ID[15]))
		}
		slices.Sort(found)
		return found
	}
	for text, want := range map[string][]int{
		"cafe":                    {1},
		"CAFÉ where":              {1},
		"cafe street":             nil, // not in the same record
		"street corner":           {1},
		`"main street"`:           {1},
		`"street main"`:           nil,
		"stre*":                   {1},
		"stre":                    nil,
		"refused":                 {2},
		"数据库":                     {2},
		"库数":                      nil,
		"needle":                  {3},
		"lookup":                  {1},
		"0.75":                    {1},
		id(11).String():           nil,
		`main" OR NOT (x:y`:       nil,
		`AND`:                     nil,
		"":                        {1, 2, 3},
		` " * " ( ) `:             {1, 2, 3},
		"main\x00 \xff street":    {1},
		"the corner café":         nil,
		"connection AND refused)": nil,
	} {
		if got := find(text); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
		}
	}
	events := collect(f, f.Events(t.Context(), id(1), store.EventQuery{Text: "corner"}))
	f.equal(len(events), 1, "events with a word")
	f.equal(len(collect(f, f.Events(t.Context(), id(1), store.EventQuery{Text: "cafe"}))), 0, "events without")

	// What changes is found by what it says now.
	f.write(store.Write{Session: session(t, 2, `"inputs":{"q":"entirely new"},"end_time":5`)})
	f.equal(find("数据库"), []int(nil), "old words")
	f.equal(find("entirely"), []int{2}, "new words")
	f.check(f.Delete(t.Context(), id(2)))
	f.equal(find("entirely"), []int(nil), "words of a session that was deleted")
	f.reopen()
	f.equal(find("needle"), []int{3}, "after a restart")
}

// indexed waits until the search sees all records.
func (f *fixture) indexed() {
	f.Helper()
	deadline := time.Now().Add(time.Minute)
	for f.info().Unindexed > 0 {
		if time.Now().After(deadline) {
			f.Fatal("the index does not catch up")
		}
	}
}

// testEvents walks the events of a session.
func testEvents(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const n = 250
	var batch []store.Write
	for i := range n {
		batch = append(batch, store.Write{Event: event(t, 1000+i, 1, 1, fmt.Sprintf(`"event_type":"tool","inputs":{"i":%d}`, i))})
	}
	f.write(batch...)
	f.write(store.Write{Event: event(t, 5, 2, 2, `"event_type":"tool"`)})
	rows := collect(f, f.Events(t.Context(), id(1), store.EventQuery{}))
	f.equal(len(rows), n, "rows")
	for i, r := range rows {
		if i > 0 && r.Seq <= rows[i-1].Seq {
			t.Fatalf("row %d has number %d after %d", i, r.Seq, rows[i-1].Seq)
		}
	}
	bodies := collect(f, f.EventBodies(t.Context(), id(1), store.EventQuery{}))
	for i, b := range bodies {
		f.equal(b.EventRow, rows[i], "row with a body")
		f.equal(b.Payload.EventID.Or(""), b.ID.String(), "body")
	}
	f.equal(len(bodies), n, "bodies")
	var paged []store.EventRow
	for q := (store.EventQuery{Limit: 99}); ; {
		page := collect(f, f.Events(t.Context(), id(1), q))
		if len(page) == 0 {
			break
		}
		paged = append(paged, page...)
		q.After = page[len(page)-1].Seq
	}
	f.equal(paged, rows, "page by page")
	for _, err := range f.Events(t.Context(), id(1), store.EventQuery{}) {
		f.check(err)
		break // a reader may stop
	}
	last := rows[n-1].Seq
	f.write(store.Write{Update: update(t, 1003, `"outputs":{"new":true}`)})
	news := collect(f, f.Events(t.Context(), id(1), store.EventQuery{After: last}))
	if len(news) != 1 || news[0].ID != id(1003) {
		t.Errorf("after a change there is %v", news)
	}
	f.equal(len(collect(f, f.Events(t.Context(), id(3), store.EventQuery{}))), 0, "events of a session that is not known")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Events(ctx, id(1), store.EventQuery{}) {
		f.is(err, context.Canceled)
	}
}

// testLines exports, and imports into another store.
func testLines(t *testing.T, open Opener) {
	f, g := newFixture(t, open), newFixture(t, open)
	ids := []honeyhive.UUID{id(1), id(2), id(3), id(4), id(5), id(9)}
	f.write(
		store.Write{At: at(1), Session: session(t, 1, `"start_time":1,"inputs":{"n":9007199254740993,"a":null}`)},
		store.Write{At: at(1), Event: event(t, 11, 1, 1, `"event_type":"tool","outputs":{"z":1,"a":2},"start_time":1,"error":null`)},
		store.Write{At: at(1), Update: update(t, 1, `"duration":5`)},
		store.Write{At: at(1), Event: event(t, 12, 2, 1, `"event_type":"model","start_time":7`)},
		store.Write{At: at(1), Update: update(t, 2, `"feedback":{"rating":3}`)},
		store.Write{At: at(1), Event: event(t, 13, 3, 1, `"event_type":"model","start_time":8`)},
		store.Write{At: at(1), Update: update(t, 9, `"metadata":{"waits":true}`)},
	)
	var out bytes.Buffer
	n, err := store.Export(t.Context(), f, store.Filter{}, &out)
	f.check(err)
	f.equal(n, int64(3), "sessions")
	f.equal(strings.Count(out.String(), "\n"), 6, "lines")
	want := f.snapshot(ids...)
	unclocked := cmpopts.IgnoreFields(store.SessionRow{}, "Received", "Bytes")
	for _, text := range []string{out.String(), "\n\n" + strings.TrimSuffix(out.String(), "\n"), out.String()} {
		done, err := store.Import(t.Context(), g, strings.NewReader(text))
		f.check(err)
		f.equal(done, store.Imported{Sessions: 1, Events: 3, Updates: 2}, "imported")
		if diff := cmp.Diff(want, g.snapshot(ids...), unclocked); diff != "" {
			t.Errorf("after the import (-want +got):\n%s", diff)
		}
	}
	seq := f.info().Seq
	_, err = store.Import(t.Context(), f, strings.NewReader(`{"session":`+string(session(t, 1, `"start_time":99,"outputs":{"o":1},"metadata":null`).AppendJSON(nil))+"}"))
	f.check(err)
	got := f.session(1)
	f.equal([]any{got.Start.Or(0), got.Payload.Outputs.String()}, []any{1.0, `{"o":1}`}, "an import fills in")
	changes, err := f.Changes(t.Context(), seq, 0)
	f.check(err)
	f.equal(len(changes), 1, "changes")

	out.Reset()
	n, err = store.Export(t.Context(), f, store.Filter{Project: "p"}, &out)
	f.check(err)
	f.equal([]any{n, strings.Count(out.String(), "\n")}, []any{int64(1), 2}, "sessions and lines with a filter")
}

// testBrokenLines imports what cannot be taken.
func testBrokenLines(t *testing.T, open Opener) {
	f := newFixture(t, open)
	good := `{"session":` + string(session(t, 1, ``).AppendJSON(nil)) + "}\n"
	for text, want := range map[string]string{
		good + "{":                             "line 2: ",
		good + good + `[]`:                     "line 3: ",
		`{"session":{}}`:                       "line 1: session_id",
		`{"event":{"event_id":1}}`:             "line 1: event_id",
		`{"update":null}`:                      "line 1: ",
		`{"other":{}}`:                         `line 1: the key is "other"`,
		`{"session":{},"event":{}}`:            "line 1: ",
		`{}`:                                   "line 1: ",
		"\n \n" + `{"update":{"event_id":""}}`: "line 3: event_id",
		strings.Repeat("[", 100_000):           "line 1: ",
		`{"event":` + string(event(t, 1, 2, 0, `"event_type":"tool"`).AppendJSON(nil)) + "}": "line 1: the id",
	} {
		f.write(store.Write{Session: session(t, 1, ``)})
		_, err := store.Import(t.Context(), f, strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got the error %v, want %s", text, err, want)
		}
	}
	_, err := store.Import(t.Context(), f, failingReader{})
	f.is(err, errRead)
}
