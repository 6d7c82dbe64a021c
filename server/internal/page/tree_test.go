package page

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

func row(id, parent int, start float64) store.EventRow {
	r := store.EventRow{ID: honeyhive.UUID{15: byte(id)}, Seq: int64(id), Name: fmt.Sprint(id)}
	if parent != 0 {
		r.Parent = honeyhive.UUID{15: byte(parent)}
	}
	r.Start, r.Duration = honeyhive.Some(start), honeyhive.Some(1.0)
	return r
}

// session is the id of the session of the trees below.
var session = honeyhive.UUID{15: 255}

func shape(t *tree) string {
	var b strings.Builder
	for i := range t.nodes {
		n := &t.nodes[i]
		mark := ""
		if n.Orphan {
			mark = "?"
		}
		fmt.Fprintf(&b, "%s%s%s/%d ", strings.Repeat(">", n.Depth), n.Name, mark, n.Below)
	}
	return strings.TrimSpace(b.String())
}

func TestTreePlacesEveryEvent(t *testing.T) {
	for name, c := range map[string]struct {
		rows []store.EventRow
		want string
	}{
		"none":                   {nil, ""},
		"by start":               {[]store.EventRow{row(1, 255, 5), row(2, 255, 3), row(3, 0, 4)}, "2/0 3/0 1/0"},
		"equal starts":           {[]store.EventRow{row(2, 255, 1), row(1, 255, 1)}, "1/0 2/0"},
		"children before":        {[]store.EventRow{row(3, 2, 1), row(2, 1, 1), row(1, 255, 1)}, "1/2 >2/1 >>3/0"},
		"unknown parent":         {[]store.EventRow{row(1, 255, 1), row(2, 99, 2), row(3, 2, 3)}, "1/0 2?/1 >3/0"},
		"its own parent":         {[]store.EventRow{row(1, 1, 1)}, "1?/0"},
		"a circle":               {[]store.EventRow{row(1, 2, 1), row(2, 3, 1), row(3, 1, 1), row(4, 255, 1)}, "4/0 1?/2 >3/1 >>2/0"},
		"a branch from a circle": {[]store.EventRow{row(1, 2, 1), row(2, 1, 2), row(3, 1, 3)}, "1?/2 >2/0 >3/0"},
	} {
		if got := shape(buildTree(session, c.rows)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTreeHoldsWhateverComes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var rows []store.EventRow
		for n := range random.IntN(30) {
			rows = append(rows, row(n+1, random.IntN(36), float64(random.IntN(5))))
		}
		tree := buildTree(session, rows)
		if len(tree.nodes) != len(rows) || len(tree.index) != len(rows) {
			t.Fatalf("%d of %d events: %s", len(tree.nodes), len(rows), shape(tree))
		}
		for i := range tree.nodes {
			n := &tree.nodes[i]
			for j := i + 1; j < len(tree.nodes); j++ {
				if below := tree.nodes[j].Depth > n.Depth; below != (j <= i+n.Below) {
					t.Fatalf("%d events below %s: %s", n.Below, n.Name, shape(tree))
				} else if !below {
					break
				}
			}
			if n.parent >= 0 && tree.nodes[n.parent].ID != n.Parent {
				t.Fatalf("%s hangs on another: %s", n.Name, shape(tree))
			}
		}
	}
}

func TestTreeSumsWithoutCountingTwice(t *testing.T) {
	total := row(1, 255, 0)
	total.TokensIn = honeyhive.Some(int64(30))
	low, high := row(2, 1, 1), row(3, 1, 2)
	low.TokensIn, low.Cost, low.Error = honeyhive.Some(int64(10)), honeyhive.Some(0.5), "x"
	high.TokensIn, high.Cost = honeyhive.Some(int64(20)), honeyhive.Some(0.25)
	tree := buildTree(session, []store.EventRow{total, low, high})
	top := tree.nodes[0]
	if top.SumIn.Or(0) != 30 || len(top.SumCosts) != 1 || top.SumCosts[0].Amount != 0.75 || top.Errors != 1 || isKnown(top.SumOut) {
		t.Errorf("in %v, costs %v, errors %d", top.SumIn, top.SumCosts, top.Errors)
	}
}

// manyEvents is a session whose page is sent in two parts.
func manyEvents(t *testing.T, count int) []store.Write {
	id := testID(1)
	writes := []store.Write{sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"many","start_time":%s,"end_time":%s}`, id, at(0), at(9000)))}
	for n := range count {
		writes = append(writes, eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"tool","event_name":"e%d","inputs":{},"outputs":{"n":%[4]d},"start_time":%[5]s,"duration":1}`,
			testID(n+2), id, id, n, at(int64(n)))))
	}
	return writes
}

func TestALargeSessionIsPaged(t *testing.T) {
	const count = 3*rowsPage + 10
	s := newSite(t, manyEvents(t, count)...)
	for view, per := range map[string]int{"tree": rowsPage, "timeline": rowsPage, "thread": threadPage} {
		path := sessionURL(testID(1), "view", view)
		seen := make(map[string]bool)
		pages := 0
		for path != "" {
			page := s.get(path)
			pages++
			for _, n := range page.id("view").all(func(n element) bool { return n.attr("data-event") != "" }) {
				seen[n.attr("data-event")] = true
			}
			path = ""
			if next := page.id("view").all(func(n element) bool { return n.attr("rel") == "next" }); len(next) == 1 {
				path = next[0].attr("href")
			}
		}
		if len(seen) != count || pages != (count+per-1)/per {
			t.Errorf("%s: %d events on %d pages", view, len(seen), pages)
		}
	}
	// A link to an event opens the page that holds it.
	last := testID(count + 1)
	for _, view := range []string{"tree", "thread"} {
		page := s.get(sessionURL(testID(1), "view", view, "event", last))
		if len(page.id("view").all(func(n element) bool {
			return n.attr("data-event") == last && strings.Contains(n.attr("class"), "chosen")
		})) != 1 {
			t.Errorf("%s: the chosen event is not in sight", view)
		}
	}
}

func TestAPageInTwoPartsIsTheSame(t *testing.T) {
	s := newSite(t, manyEvents(t, streamedEvents+1)...)
	path := sessionURL(testID(1), "view", "tree", "event", testID(5))
	first, second := s.answer(http.StatusOK, path), s.answer(http.StatusOK, path)
	if !first.Flushed || second.Flushed {
		t.Errorf("flushed: %t, then %t", first.Flushed, second.Flushed)
	}
	if first.Body.String() != second.Body.String() {
		t.Error("the pages differ")
	}
	// What comes later is seen.
	s.write(eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":"tool","event_name":"late","inputs":{},"start_time":%s}`, testID(90_000), testID(1), testID(1), at(-1))))
	s.get(path).id("rows").has(t, "late")
}

func TestTreesThatAreKeptAreBounded(t *testing.T) {
	var kept trees
	for n := range 10 {
		kept.keep(&tree{session: honeyhive.UUID{0: byte(n)}, nodes: make([]node, keptEvents/3), seq: 1})
	}
	if len(kept.last) != 3 || !kept.has(honeyhive.UUID{0: 9}, 1) || kept.has(honeyhive.UUID{0: 9}, 2) || kept.has(honeyhive.UUID{0: 1}, 1) {
		t.Errorf("%d trees are kept", len(kept.last))
	}
}
