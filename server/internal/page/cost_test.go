package page

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// TestCosts shows what was sent, what was derived, and what has no price, in the list, in
// a session, on its rows, in the panel of an event, and in sums.
func TestCosts(t *testing.T) {
	table, err := prices.Parse([]byte(`{"name":"our prices","date":"2026-11-30","sources":["test"],"providers":[{"name":"p","models":[{"name":"m","input":1000000,"output":1000000},{"name":"free","input":0,"output":0}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	call := func(n, parent int, metadata, model string) string {
		return fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"model","event_name":"e%d","config":{"model":%q},"metadata":%s,"start_time":%d,"duration":1}`, testID(n), testID(1), testID(parent), n, model, metadata, n)
	}
	s := newSiteWithPrices(t, table,
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"session_name":"s","start_time":1,"end_time":9}`, testID(1))),
		eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"event_type":"chain","event_name":"agent","metadata":{"prompt_tokens":8},"start_time":1,"duration":1}`, testID(2), testID(1))),
		eventWrite(t, call(3, 2, `{"prompt_tokens":8}`, "m")),
		eventWrite(t, call(4, 1, `{"prompt_tokens":2,"cost":4}`, "m")),
		eventWrite(t, call(5, 1, `{"prompt_tokens":2,"cost":0.5,"cost_currency":"EUR"}`, "m")),
		eventWrite(t, call(6, 1, `{"prompt_tokens":2}`, "<b>new</b>")),
		eventWrite(t, call(7, 1, `{"prompt_tokens":2}`, "free")),
	)
	const text = "≈ 12.00 + 0.5 EUR + no price"
	const title = `8.00 USD of it derived from tokens by our prices of 2026-11-30, the rest as it was sent; no price for <b>new</b> by our prices of 2026-11-30`
	check := func(where string, in element, text, title string) {
		t.Helper()
		for _, e := range in.all(is("span", "cost")) {
			if e.text() == text && e.attr("title") == title {
				return
			}
		}
		var found []string
		for _, e := range in.all(is("span", "cost")) {
			found = append(found, e.text()+": "+e.attr("title"))
		}
		t.Errorf("%s: no %q that says %q, but %q", where, text, title, found)
	}
	check("list", s.get("/").id("s-"+testID(1)), text, title)
	const sums = `8.00 USD of it derived from tokens by our prices of 2026-11-30, the rest as it was sent; no price for tokens of 1 by our prices of 2026-11-30`
	check("sums", s.get("/").id("figures"), "≈ 12.00 + 0.5 EUR", sums)
	insights := s.get("/insights")
	check("insights", insights.id("figures"), "≈ 12.00 + 0.5 EUR", sums)
	check("models", insights.id("by-model"), "≈ 12.00 + 0.5 EUR", "8.00 USD of it derived from tokens by our prices of 2026-11-30, the rest as it was sent")
	check("a model without a price", insights.id("by-model"), noPrice, "no price for tokens of 1 by our prices of 2026-11-30")
	tree := s.get("/s/" + testID(1) + "?view=tree")
	check("session", tree, text, title)
	const derived = "derived from tokens by our prices of 2026-11-30"
	check("a row with those below", tree.id("rows"), "≈ 8.00", derived)
	check("a row without a price", tree.id("rows"), noPrice, "no price for <b>new</b> by our prices of 2026-11-30")
	for n, want := range map[int]string{2: "– with those below: ≈ 8.00", 3: "≈ 8.00", 4: "4.00", 5: "0.5 EUR", 6: "no price", 7: "0"} {
		panel := s.get("/s/" + testID(1) + "?view=tree&event=" + testID(n)).id("detail")
		var got string
		for _, facts := range panel.all(is("dl", "facts")) {
			for _, row := range facts.all(is("div")) {
				if rest, ok := strings.CutPrefix(row.text(), "Cost "); ok {
					got = rest
				}
			}
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("event %d costs %q, want %q", n, got, want)
		}
	}
	var rows rowsJSON
	if err := json.Unmarshal(s.answer(http.StatusOK, "/s/"+testID(1)+"/rows").Body.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	if first := rows.Rows[0]; first[10] != "≈ 8.00" || rows.Names[int(first[15].(float64))] != derived {
		t.Errorf("the row of the agent for scripts: %v, %v", first, rows.Names)
	}
	thread := s.get("/s/" + testID(1) + "?view=thread")
	check("thread", thread, "≈ 8.00", derived)
}

// TestTreeCostsAsTheStore makes trees of events at random: what the rows of a session
// come to is what the store has for it, so that totals are those of the rows below.
func TestTreeCostsAsTheStore(t *testing.T) {
	table, err := prices.Parse([]byte(`{"date":"2026-11-30","sources":["test"],"providers":[{"name":"p","models":[{"name":"a","input":1000000,"output":500000,"cache_read":250000}]},{"name":"q","currency":"EUR","models":[{"name":"b","input":500000,"output":1000000}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteWithPrices(t, table)
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		session, first := testID(1000*n+1), 1000*n+2
		var writes []store.Write
		for i := range 1 + random.IntN(8) {
			parent := session
			if i > 0 && random.IntN(3) > 0 {
				parent = testID(first + random.IntN(i))
			}
			metadata := fmt.Sprintf(`"prompt_tokens":%d,"completion_tokens":%d,"cache_read_input_tokens":%d`, 4*random.IntN(9), 4*random.IntN(9), 4*random.IntN(5))
			if random.IntN(3) == 0 {
				metadata += fmt.Sprintf(`,"cost":%d,"cost_currency":%q`, random.IntN(60), []string{"USD", "EUR", "CHF"}[random.IntN(3)])
			}
			writes = append(writes, eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"model","event_name":"e","config":{"model":%q},"metadata":{%s},"start_time":%d,"duration":1}`,
				testID(first+i), session, parent, []string{"a", "b", "c"}[random.IntN(3)], metadata, i+1)))
		}
		random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
		s.write(writes...)
		id, err := honeyhive.ParseUUID(session)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.store.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		var rows []store.EventRow
		for e, err := range s.store.Events(t.Context(), id, store.EventQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, e)
		}
		whole := buildTree(id, rows).whole
		if diff := cmp.Diff(kept.Costs(), whole.SumCosts); diff != "" {
			t.Fatalf("tree %d (-store +rows):\n%s", n, diff)
		}
		if diff := cmp.Diff(kept.Unpriced, whole.SumUnpriced); diff != "" {
			t.Fatalf("tree %d has no price for (-store +rows):\n%s", n, diff)
		}
	}
}
