package sqlite

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// costID returns the n-th id of the tests of costs.
func costID(n int) honeyhive.UUID {
	return honeyhive.UUID{0: 0xc0, 6: 0x40, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}
}

// costTables are two tables of whole dollars for each token, and none.
func costTables(t testing.TB) []*prices.Table {
	t.Helper()
	list := []*prices.Table{nil}
	for _, text := range []string{
		`{"date":"2026-11-30","sources":["test"],"providers":[{"name":"p","models":[
			{"name":"a","input":1000000,"output":1000000,"cache_read":250000,"cache_write":500000,"reasoning":750000},{"name":"b","input":500000,"output":1000000}]},
			{"name":"q","currency":"EUR","models":[{"name":"c","input":1000000,"output":500000}]}]}`,
		`{"date":"2026-12-01","currency":"EUR","sources":["test"],"providers":[{"name":"p","models":[
			{"name":"a","input":500000,"output":250000},{"name":"c","input":1000000,"output":1000000}]}]}`,
	} {
		table, err := prices.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, table)
	}
	return list
}

// costEvent is an event of a tree whose cost is looked at.
type costEvent struct {
	parent                                 int // -1: the session
	kind                                   string
	model                                  string
	input, output, read, written, thoughts int64 // -1: not said
	cost                                   int64 // -1: not said
	currency                               string
}

func (e *costEvent) payload(session, id honeyhive.UUID, parent honeyhive.UUID) *honeyhive.Event {
	metadata := make(map[string]any)
	for key, v := range map[string]int64{"prompt_tokens": e.input, "completion_tokens": e.output, "cache_read_input_tokens": e.read, "cache_write_input_tokens": e.written, "reasoning_tokens": e.thoughts, "cost": e.cost} {
		if v >= 0 {
			metadata[key] = v
		}
	}
	if e.currency != "" {
		metadata["cost_currency"] = e.currency
	}
	config := make(map[string]any)
	if e.model != "" {
		config["model"] = e.model
	}
	out := &honeyhive.Event{EventID: honeyhive.Some(id.String()), SessionID: honeyhive.Some(session.String()), ParentID: honeyhive.Some(parent.String()), EventType: honeyhive.Some(e.kind), EventName: honeyhive.Some("e"), StartTime: honeyhive.Some(1.0), Project: honeyhive.Some(session.String())}
	out.Metadata, _ = honeyhive.ObjectOf(metadata)
	out.Config, _ = honeyhive.ObjectOf(config)
	return out
}

// costState is what a tree comes to.
type costState struct {
	Total, Derived map[string]float64            // by currency
	Models         map[string]map[string]float64 // what calls of models add, by model
	Unpriced       []string
	Events         []string // what each says
}

// pricesOf is the tables above as a test sees them: input, output, from a cache, to a
// cache, reasoning.
func pricesOf(table, model string) (rates [5]float64, currency string) {
	switch table + " " + model {
	case "1 a":
		return [5]float64{1, 1, 0.25, 0.5, 0.75}, "USD"
	case "1 b":
		return [5]float64{0.5, 1, 0.5, 0.5, 1}, "USD"
	case "1 c":
		return [5]float64{1, 0.5, 1, 1, 0.5}, "EUR"
	case "2 a":
		return [5]float64{0.5, 0.25, 0.5, 0.5, 0.25}, "EUR"
	case "2 c":
		return [5]float64{1, 1, 1, 1, 1}, "EUR"
	}
	return rates, ""
}

// costOf is the state by its definition.
func costOf(events []costEvent, table int) costState {
	s := costState{make(map[string]float64), make(map[string]float64), make(map[string]map[string]float64), nil, make([]string, len(events))}
	said := func(e int) [5]int64 {
		v := &events[e]
		u := [5]int64{max(0, v.input), max(0, v.output), max(0, v.read), max(0, v.written), max(0, v.thoughts)}
		if v.input < 0 && v.output < 0 && v.cost < 0 {
			return [5]int64{}
		}
		if u[2]+u[3] > u[0] {
			u[0] += u[2] + u[3]
		}
		if u[4] > u[1] {
			u[1] += u[4]
		}
		return u
	}
	var tokens func(e int) (sum, self [5]int64)
	tokens = func(e int) (sum, self [5]int64) {
		for child := range events {
			if events[child].parent == e {
				below, _ := tokens(child)
				for i, n := range below {
					sum[i] += n
				}
			}
		}
		for i, n := range said(e) {
			self[i] = max(0, n-sum[i])
			sum[i] = max(n, sum[i])
		}
		return sum, self
	}
	currencies := map[string]bool{}
	// cost returns what an event comes to in a currency, how much of it is derived, and
	// what the event adds.
	var cost func(e int, currency string) (total, derived, self float64, known bool)
	cost = func(e int, currency string) (total, derived, self float64, known bool) {
		for child := range events {
			if events[child].parent == e {
				t, d, _, k := cost(child, currency)
				total, derived, known = total+t, derived+d, known || k
			}
		}
		v := &events[e]
		if v.cost >= 0 {
			in := v.currency
			if in == "" {
				in = "USD"
			}
			currencies[in] = true
			s.Events[e] = in
			if in == currency {
				self, known = max(0, float64(v.cost)-total), true
				if float64(v.cost) >= total {
					total, derived = float64(v.cost), 0
				}
			}
			return total, derived, self, known
		}
		_, u := tokens(e)
		if table == 0 || u[0] == 0 && u[1] == 0 {
			return total, derived, 0, known
		}
		rates, in := pricesOf(fmt.Sprint(table), v.model)
		if in == "" {
			name := v.model
			if name == "" {
				name = "tokens of no model"
			}
			s.Unpriced = append(s.Unpriced, name)
			s.Events[e] = "unpriced"
			return total, derived, 0, known
		}
		currencies[in] = true
		read := min(u[2], u[0])
		written := min(u[3], u[0]-read)
		thoughts := min(u[4], u[1])
		amount := float64(u[0]-read-written)*rates[0] + float64(u[1]-thoughts)*rates[1] + float64(read)*rates[2] + float64(written)*rates[3] + float64(thoughts)*rates[4]
		s.Events[e] = fmt.Sprint("derived ", amount, " ", in)
		if in == currency {
			return total + amount, derived + amount, amount, true
		}
		return total, derived, 0, known
	}
	for e := range events {
		cost(e, "") // which currencies there are
	}
	for currency := range currencies {
		some := false
		for e := range events {
			total, derived, self, known := cost(e, currency)
			if events[e].parent < 0 {
				s.Total[currency] += total
				s.Derived[currency] += derived
				some = some || known
			}
			if events[e].kind == "model" && self > 0 {
				if s.Models[events[e].model] == nil {
					s.Models[events[e].model] = make(map[string]float64)
				}
				s.Models[events[e].model][currency] += self
			}
		}
		if !some {
			delete(s.Total, currency)
		}
		if s.Derived[currency] == 0 {
			delete(s.Derived, currency)
		}
	}
	slices.Sort(s.Unpriced)
	s.Unpriced = slices.Compact(s.Unpriced)
	return s
}

// costIn is the state that a store has.
func costIn(t testing.TB, s store.Store, session honeyhive.UUID, events []costEvent) costState {
	t.Helper()
	alone := store.Filter{Project: session.String()}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := s.Session(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := s.Sessions(t.Context(), store.SessionQuery{Filter: alone, Sort: store.SortCost}); err != nil || len(page.Sessions) != 1 || !cmp.Equal(page.Sessions[0], row.SessionRow) {
		t.Fatalf("the list has %+v, %v, want %+v", page, err, row.SessionRow)
	}
	out := costState{make(map[string]float64), make(map[string]float64), make(map[string]map[string]float64), row.Unpriced, make([]string, len(events))}
	put := func(total, derived map[string]float64, cost float64, of float64, currency string, others []store.Cost) {
		if currency != "" {
			others = append(slices.Clone(others), store.Cost{Currency: currency, Amount: cost, Derived: of})
		} else if cost != 0 || of != 0 {
			t.Fatalf("a cost of %v in no currency", cost)
		}
		for _, c := range others {
			total[c.Currency] += c.Amount
			if c.Derived != 0 {
				derived[c.Currency] += c.Derived
			}
		}
	}
	put(out.Total, out.Derived, row.Cost.Or(0), row.CostDerived, row.Currency, row.OtherCosts)
	series, err := s.Aggregate(t.Context(), alone, store.Grouping{})
	if err != nil {
		t.Fatal(err)
	}
	total, derived := make(map[string]float64), make(map[string]float64)
	sum := series[0].Total
	put(total, derived, sum.Cost, sum.CostDerived, sum.Currency, sum.OtherCosts)
	if diff := cmp.Diff([]any{out.Total, out.Derived, min(len(out.Unpriced), 1)}, []any{total, derived, int(sum.Unpriced)}); diff != "" {
		t.Fatalf("the sum over sessions (-session +sum):\n%s", diff)
	}
	series, err = s.Aggregate(t.Context(), alone, store.Grouping{By: store.ByModel})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range series {
		total := make(map[string]float64)
		put(total, derived, m.Total.Cost, m.Total.CostDerived, m.Total.Currency, m.Total.OtherCosts)
		maps.DeleteFunc(total, func(_ string, v float64) bool { return v == 0 })
		if len(total) > 0 {
			out.Models[m.Key] = total
		}
	}
	for e, err := range s.Events(t.Context(), session, store.EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		at := int(e.ID[14])<<8 + int(e.ID[15]) - 1
		switch v, ok := e.Derived.Get(); {
		case ok:
			out.Events[at] = fmt.Sprint("derived ", v, " ", e.DerivedCurrency)
		case e.Unpriced:
			out.Events[at] = "unpriced"
		default:
			out.Events[at] = e.Currency
		}
	}
	return out
}

// TestCostDerived writes any tree of events in any order, some of them twice and with
// other values first, to a store with and without prices: costs are those of the
// definition, and so after the store was opened with another table.
func TestCostDerived(t *testing.T) {
	defer func(events int64) { smallEvents = events }(smallEvents)
	smallEvents = 3 // so that some sessions are computed at once and some in the background
	tables := costTables(t)
	path := filepath.Join(t.TempDir(), "sessions.db")
	table, run := 1, byte(0)
	s, err := Open(t.Context(), path, WithPrices(tables[table]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	rapid.Check(t, func(r *rapid.T) {
		number := rapid.Custom(func(t *rapid.T) int64 { return rapid.SampledFrom([]int64{-1, 0, 4, 8, 100}).Draw(t, "n") })
		one := rapid.Custom(func(t *rapid.T) costEvent {
			e := costEvent{
				kind: rapid.SampledFrom([]string{"model", "model", "chain", "tool"}).Draw(t, "kind"), model: rapid.SampledFrom([]string{"a", "b", "c", "d", ""}).Draw(t, "model"),
				input: number.Draw(t, "input"), output: number.Draw(t, "output"), read: number.Draw(t, "read"), written: number.Draw(t, "written"), thoughts: number.Draw(t, "thoughts"), cost: -1,
			}
			if rapid.IntRange(0, 3).Draw(t, "says") == 0 {
				e.cost = rapid.Int64Range(0, 50).Draw(t, "cost")
				e.currency = rapid.SampledFrom([]string{"", "USD", "EUR", "CHF"}).Draw(t, "currency")
			}
			return e
		})
		events := rapid.SliceOfN(one, 1, 6).Draw(r, "events")
		for i := range events {
			events[i].parent = rapid.IntRange(-1, i-1).Draw(r, "parent")
		}
		run++ // a session of its own; what was there of 256 runs before is deleted
		idOf := func(e int) honeyhive.UUID {
			id := costID(e + 1)
			id[1] = run
			return id
		}
		session := idOf(-1)
		if err := s.Delete(t.Context(), session); err != nil {
			r.Fatal(err)
		}
		var writes []store.Write
		for i := range events {
			writes = append(writes, store.Write{Event: events[i].payload(session, idOf(i), idOf(events[i].parent))})
		}
		writes = append(writes, store.Write{Session: &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(session.String()), EndTime: honeyhive.Some(2.0)}})
		if again := rapid.IntRange(0, 2*len(events)).Draw(r, "again"); again < len(events) { // what came first says otherwise
			first := events[again]
			first.input, first.model, first.cost, first.currency = first.input+1, "b", 70-first.cost, ""
			before := first.payload(session, idOf(again), idOf(events[again].parent))
			before.Metadata, _ = before.Metadata.With("cost", 70)
			for key := range before.Metadata.All() {
				if !writes[again].Event.Metadata.Has(key) {
					before.Metadata = before.Metadata.Without(key)
				}
			}
			if events[again].model == "" {
				before.Config = honeyhive.Object{}
			}
			before.EndTime = honeyhive.Optional[float64]{}
			if err := s.Write(t.Context(), []store.Write{{Event: before, At: time.Unix(1, 0)}}); err != nil {
				r.Fatal(err)
			}
		}
		for len(writes) > 0 {
			at := rapid.IntRange(0, len(writes)-1).Draw(r, "next")
			batch := []store.Write{writes[at]}
			writes = slices.Delete(writes, at, at+1)
			if rapid.Bool().Draw(r, "with all that follows") {
				batch, writes = append(batch, writes...), nil
			}
			if err := s.Write(t.Context(), batch); err != nil {
				r.Fatal(err)
			}
		}
		check := func() {
			if diff := cmp.Diff(costOf(events, table), costIn(t, s, session, events)); diff != "" {
				r.Fatalf("with table %d (-want +got):\n%s", table, diff)
			}
		}
		check()
		if next := rapid.IntRange(0, 39).Draw(r, "next table"); next <= len(tables) {
			if err := s.Close(); err != nil {
				r.Fatal(err)
			}
			var options []Option // none: the table stays
			if next < len(tables) {
				table, options = next, append(options, WithPrices(tables[next]))
			}
			if s, err = Open(t.Context(), path, options...); err != nil {
				r.Fatal(err)
			}
			check()
		}
	})
}

// TestCostOfVersion3 opens a file whose rows say nothing of what prices ask for: they
// are read anew from payloads, in the background, and also where an event is written
// meanwhile.
func TestCostOfVersion3(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	unpackFile(t, filepath.Join("testdata", "version3.db.gz"), path)
	table, err := prices.Parse([]byte(`{"date":"2026-11-30","sources":["test"],"providers":[{"name":"p","models":[{"name":"n","input":1000000,"output":1000000},{"name":"m","input":1,"output":1}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []*prices.Table{nil, table, nil, table} {
		s, err := Open(t.Context(), path, WithPrices(with))
		if err != nil {
			t.Fatal(err)
		}
		if with != nil {
			late := &honeyhive.Event{
				EventID: honeyhive.Some(costID(9).String()), SessionID: honeyhive.Some(version3ID(1, 4).String()), EventType: honeyhive.Some("model"),
			}
			late.Metadata, _ = honeyhive.ObjectOf(map[string]any{"prompt_tokens": 10})
			late.Config, _ = honeyhive.ObjectOf(map[string]any{"model": "n"})
			if err := s.Write(t.Context(), []store.Write{{Event: late}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := s.Session(t.Context(), version3ID(1, 4))
		if err != nil {
			t.Fatal(err)
		}
		// 400 calls of n that say their cost, and the late one.
		want := [2]float64{4, 0}
		if with != nil {
			want = [2]float64{14, 10}
		}
		if is := [2]float64{got.Cost.Or(0), got.CostDerived}; is != want || got.Currency != "USD" || len(got.Unpriced) > 0 {
			t.Errorf("with %v: %v, %v, want %v", with.Date(), is, got.Unpriced, want)
		}
		var unbilled int
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM stale`).Scan(&unbilled); err != nil || unbilled != 0 {
			t.Errorf("%d sessions are stale, %v", unbilled, err)
		}
		checkTables(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCostNames has what has no price say what it is.
func TestCostNames(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), WithPrices(costTables(t)[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var writes []store.Write
	for i := range 40 {
		e := costEvent{kind: "model", model: fmt.Sprintf("m%02d", i), input: 1, output: 1, read: -1, written: -1, thoughts: -1, cost: -1}
		p := e.payload(costID(0), costID(i+1), costID(0))
		p.Config, _ = p.Config.With("provider", "p")
		p.Config, _ = p.Config.With("service_tier", "flex")
		writes = append(writes, store.Write{Event: p})
	}
	if err := s.Write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := s.Session(t.Context(), costID(0))
	if err != nil || len(row.Unpriced) != 32 || row.Unpriced[0] != "m00 (p, flex)" || !row.Cost.IsZero() {
		t.Errorf("%v, %v, %v", row.Unpriced, row.Cost, err)
	}
}

// TestCostFields reads what prices ask for wherever clients write it.
func TestCostFields(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"), WithPrices(costTables(t)[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	n := 0
	for name, c := range map[string]struct{ config, metadata, want string }{
		"of a cache":                 {`{"model":"a"}`, `{"prompt_tokens":8,"cache_read_input_tokens":4}`, "5 USD"},
		"as OpenAI's API has it":     {`{"model":"a"}`, `{"prompt_tokens":8,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":4}}`, "8 USD"},
		"as its responses":           {`{"model":"a"}`, `{"input_tokens":8,"output_tokens":4,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":4}}`, "8 USD"},
		"as Anthropic's API":         {`{"model":"a"}`, `{"input_tokens":8,"output_tokens":4,"cache_read_input_tokens":4,"cache_creation_input_tokens":2}`, "14 USD"},
		"as that, nothing written":   {`{"model":"a"}`, `{"input_tokens":8,"cache_read_input_tokens":4,"cache_creation_input_tokens":0}`, "9 USD"},
		"more cached than read":      {`{"model":"a"}`, `{"prompt_tokens":1,"cache_read_input_tokens":4}`, "2 USD"},
		"in the metrics":             {`{"model":"a"}`, `{"cost":7,"cost_currency":"chf"}`, "7 CHF"},
		"thoughts beside the output": {`{"model":"a"}`, `{"prompt_tokens":0,"completion_tokens":4,"reasoning_tokens":8}`, "10 USD"},
		"the model that answered":    {`{"model":"alias"}`, `{"prompt_tokens":8,"response_model":"b"}`, "4 USD"},
		"the model that was asked":   {`{"model":"b"}`, `{"prompt_tokens":8,"response_model":"build-7"}`, "4 USD"},
		"a tier":                     {`{"model":"b"}`, `{"prompt_tokens":8,"response_service_tier":"flex"}`, "none"},
		"the usual tier":             {`{"model":"b","service_tier":"auto"}`, `{"prompt_tokens":8,"response_service_tier":"default"}`, "4 USD"},
		"sound":                      {`{"model":"b"}`, `{"prompt_tokens":8,"audio_input_tokens":3}`, "none"},
		"another provider":           {`{"model":"b","provider":"q"}`, `{"prompt_tokens":8}`, "none"},
		"a cost of zero":             {`{"model":"b"}`, `{"prompt_tokens":8,"cost":0}`, "0 USD"},
		"a cost that is none":        {`{"model":"b"}`, `{"prompt_tokens":8,"cost":-1}`, "4 USD"},
		"a currency that is none":    {`{"model":"b"}`, `{"prompt_tokens":8,"cost":2,"cost_currency":" Doubloons of gold "}`, "2 DOUBLOONS OF GOL"},
		"no tokens":                  {`{"model":"unknown"}`, `{}`, ""},
		"zero tokens":                {`{"model":"unknown"}`, `{"prompt_tokens":0}`, ""},
	} {
		n += 2
		session, event := costID(n), costID(n+1)
		e := &honeyhive.Event{EventID: honeyhive.Some(event.String()), SessionID: honeyhive.Some(session.String()), EventType: honeyhive.Some("model")}
		e.Metadata, _ = honeyhive.ParseObject(c.metadata)
		e.Config, _ = honeyhive.ParseObject(c.config)
		if name == "in the metrics" {
			e.Metrics, e.Metadata = e.Metadata, honeyhive.Object{}
		}
		if err := s.Write(t.Context(), []store.Write{{Event: e}}); err != nil {
			t.Fatal(err)
		}
		row, err := s.Session(t.Context(), session) // small, so it is right at once
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if v, ok := row.Cost.Get(); ok {
			got = append(got, fmt.Sprint(v, " ", row.Currency))
		}
		for _, o := range row.OtherCosts {
			got = append(got, fmt.Sprint(o.Amount, " ", o.Currency))
		}
		if len(row.Unpriced) > 0 {
			got = append(got, "none")
		}
		if is := strings.Join(got, ", "); is != c.want || row.Stale {
			t.Errorf("%s: %s, want %s (stale: %v)", name, is, c.want, row.Stale)
		}
	}
}

// TestCostOfTurns adds up what the turns of a conversation cost by their own word, each
// currency by itself.
func TestCostOfTurns(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for n, c := range []struct {
		turns []string
		want  string
		other []store.Cost
	}{
		{[]string{`{"cost":1,"cost_currency":"EUR"}`, `{"cost":2,"cost_currency":"EUR"}`}, `{"cost":3,"cost_currency":"EUR"}`, []store.Cost{{Currency: "EUR", Amount: 3}}},
		{[]string{`{"cost":1,"cost_currency":"EUR"}`, `{"cost":2,"cost_currency":"USD"}`, `{"cost":4,"cost_currency":"EUR"}`}, `{"costs":{"EUR":5,"USD":2}}`, []store.Cost{{Currency: "EUR", Amount: 5}}},
		{[]string{`{"costs":{"EUR":1,"CHF":2}}`, `{"cost":2,"cost_currency":"CHF"}`}, `{"costs":{"CHF":4,"EUR":1}}`, []store.Cost{{Currency: "CHF", Amount: 4}, {Currency: "EUR", Amount: 1}}},
		{[]string{`{"cost":1}`, `{"cost":2}`}, `{"cost":3}`, nil},
		{[]string{`{"cost":1}`, `{"cost":2,"cost_currency":"CHF"}`}, `{"costs":{"CHF":2,"USD":1}}`, []store.Cost{{Currency: "CHF", Amount: 2}}},
	} {
		id := costID(100 + n)
		for i, text := range c.turns {
			p := &honeyhive.SessionStartRequest{SessionID: honeyhive.Some(id.String()), StartTime: honeyhive.Some(float64(i + 1)), EndTime: honeyhive.Some(float64(i + 2))}
			p.Metadata, _ = honeyhive.ParseObject(text)
			if err := s.Write(t.Context(), []store.Write{{Session: p}}); err != nil {
				t.Fatal(err)
			}
		}
		row, err := s.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := row.Payload.Metadata.String(); got != c.want {
			t.Errorf("%v: metadata %s, want %s", c.turns, got, c.want)
		}
		if diff := cmp.Diff(c.other, row.OtherCosts); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.turns, diff)
		}
	}
}

// TestCostConcurrent writes from several goroutines while sessions are counted.
func TestCostConcurrent(t *testing.T) {
	defer func(events int64) { smallEvents = events }(smallEvents)
	smallEvents = 8
	path := filepath.Join(t.TempDir(), "sessions.db")
	tables := costTables(t)
	s, err := Open(t.Context(), path, WithPrices(tables[1]))
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 4, 50
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				e := costEvent{kind: "model", model: "a", input: 8, output: -1, read: 4, written: -1, thoughts: -1, cost: -1}
				if i%2 == 1 {
					e.cost, e.currency = 3, "EUR"
				}
				if err := s.Write(t.Context(), []store.Write{{Event: e.payload(costID(0), costID(1+w*each+i), costID(0))}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	check := func(want ...store.Cost) {
		t.Helper()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		row, err := s.Session(t.Context(), costID(0))
		if err != nil {
			t.Fatal(err)
		}
		got := append([]store.Cost{{Currency: row.Currency, Amount: row.Cost.Or(0), Derived: row.CostDerived}}, row.OtherCosts...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	check(store.Cost{Currency: "USD", Amount: 500, Derived: 500}, store.Cost{Currency: "EUR", Amount: 300})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path, WithPrices(tables[2])); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	check(store.Cost{Currency: "EUR", Amount: 700, Derived: 400})
}
