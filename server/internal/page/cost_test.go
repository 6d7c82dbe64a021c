package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/prices"
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
