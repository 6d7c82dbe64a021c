package page

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// drawTree makes a tree of events at whole milliseconds: children may begin before their
// parent, end after it, take no time, or have no end.
func drawTree(t *rapid.T) *tree {
	session := honeyhive.UUID{15: 1}
	n := rapid.IntRange(1, 12).Draw(t, "events")
	rows := make([]store.EventRow, n)
	for i := range rows {
		rows[i] = store.EventRow{ID: honeyhive.UUID{14: 1, 15: byte(i)}, Session: session, Parent: session, Seq: int64(i)}
		if parent := rapid.IntRange(-1, i-1).Draw(t, "parent"); parent >= 0 {
			rows[i].Parent = rows[parent].ID
		}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0: // nothing is known of its time
		case 1:
			rows[i].Start = honeyhive.Some(float64(rapid.IntRange(0, 40).Draw(t, "start")))
		default:
			rows[i].Start = honeyhive.Some(float64(rapid.IntRange(0, 40).Draw(t, "start")))
			rows[i].Duration = honeyhive.Some(float64(rapid.IntRange(0, 30).Draw(t, "took")))
		}
	}
	return buildTree(session, rows)
}

// waitsFor is the critical path by its definition: at each step back the child that had
// ended last is looked for among all.
func (t *tree) waitsFor(i int, from, to float64, add func(i int, from, to float64)) {
	for now := to; now > from; {
		last, begins, ends := -1, 0.0, 0.0
		for _, c := range t.children(i) {
			p, _ := t.period(&t.nodes[c])
			a, b := max(p.From, from), min(p.To, to)
			if a >= b || b > now {
				continue
			}
			if last >= 0 {
				if q, _ := t.period(&t.nodes[last]); p.To <= q.To {
					continue
				}
			}
			last, begins, ends = c, a, b
		}
		if last < 0 {
			add(i, from, now)
			return
		}
		if ends < now {
			add(i, ends, now)
		}
		t.waitsFor(last, begins, ends, add)
		now = begins
	}
}

func TestCriticalPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		if math.IsNaN(tree.start) {
			return
		}
		type part struct {
			node int
			segment
		}
		var got, want []part
		for _, s := range tree.gaps {
			got = append(got, part{-1, s})
		}
		for i := range tree.nodes {
			for _, s := range tree.nodes[i].Path {
				got = append(got, part{i, s})
			}
		}
		span := tree.end - tree.start
		tree.waitsFor(-1, 0, span, func(i int, from, to float64) { want = append(want, part{i, segment{from, to}}) })
		order := func(a, b part) int { return int(a.From - b.From) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if !slices.Equal(got, want) {
			t.Fatalf("the path is\n%v, want\n%v", got, want)
		}
		// Each moment is on it once, in an event that runs.
		at := 0.0
		for _, p := range got {
			if p.From != at || p.To <= p.From {
				t.Fatalf("%v does not go on at %v: %v", p, at, got)
			}
			at = p.To
			if p.node < 0 {
				continue
			}
			if runs, _ := tree.period(&tree.nodes[p.node]); p.From < runs.From || p.To > runs.To {
				t.Fatalf("%v is on the path outside of %v", p, runs)
			}
		}
		if at != span {
			t.Fatalf("the path ends at %v of %v: %v", at, span, got)
		}
	})
}

func TestOwnTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		for i := range tree.nodes {
			n := &tree.nodes[i]
			p, ok := tree.period(n)
			self, isKnown := n.Self.Get()
			if ok != isKnown {
				t.Fatalf("event %d with the time %v has the own time %v", i, ok, isKnown)
			}
			want := 0.0
			for at := p.From; at < p.To; at++ {
				if !slices.ContainsFunc(tree.children(i), func(c int) bool {
					q, ok := tree.period(&tree.nodes[c])
					return ok && q.From <= at && at < q.To
				}) {
					want++
				}
			}
			if ok && self != want {
				t.Fatalf("event %d has %v of its own, want %v", i, self, want)
			}
		}
	})
}

// TestMergedSegments are few, in order, and hold all that they are made of.
func TestMergedSegments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []segment
		at := 0.0
		for range rapid.IntRange(0, 60).Draw(t, "segments") {
			at += float64(rapid.IntRange(0, 5).Draw(t, "gap"))
			to := at + float64(rapid.IntRange(1, 5).Draw(t, "length"))
			list = append(list, segment{at, to})
			at = to
		}
		most := rapid.IntRange(1, 10).Draw(t, "most")
		got := merged(slices.Clone(list), most)
		if len(got) > most || length(got) < length(list) {
			t.Fatalf("%v becomes %v", list, got)
		}
		for _, s := range list {
			if !slices.ContainsFunc(got, func(g segment) bool { return g.From <= s.From && s.To <= g.To }) {
				t.Fatalf("%v is not in %v", s, got)
			}
		}
	})
}

func TestTimelineShowsTheCriticalPath(t *testing.T) {
	s := newSite(t, agent(t)...)
	page := s.get("/s/" + agentID + "?view=timeline")
	page.id("critical").has(t, "what the 1.00 s are made of", "answer 50 % 500 ms", "plan 20 % 200 ms", "agent 20 % 200 ms")
	rows := page.id("rows").all(func(n element) bool { return n.attr("data-event") != "" })
	for i, want := range []int{5, 1, 1, 1, 1, 1} { // the agent runs before, between and behind the others
		if marks := rows[i].all(is("rect", "path")); len(marks) != want {
			t.Errorf("row %d has %d marks", i, len(marks))
		}
	}
}

// TestZoom goes by the links of the page into a part of the time line and along it.
func TestZoom(t *testing.T) {
	s := newSite(t, agent(t)...)
	path := "/s/" + agentID + "?view=timeline&event=" + testID(13)
	page := s.get(path)
	if page.id("zoom-all").Data != "" || page.id("zoom-out").Data != "" {
		t.Error("there is a way out of the whole")
	}
	bar := func(page element, row int) string {
		rows := page.id("rows").all(func(n element) bool { return n.attr("data-event") != "" })
		bars := rows[row].all(is("rect", "bar"))
		if len(bars) == 0 {
			return "none"
		}
		return bars[0].attr("x") + "+" + bars[0].attr("width")
	}
	to := page.id("zoom-event").attr("href")
	if !strings.Contains(to, "zoom=60-260") {
		t.Fatalf("to the event: %s", to)
	}
	page = s.get(to)
	for row, want := range []string{"0+1000", "none", "0+1000", "none", "none", "none"} {
		if got := bar(page, row); got != want {
			t.Errorf("row %d is drawn at %s, want %s", row, got, want)
		}
	}
	page.id("rows").has(t, "60 ms", "110 ms", "260 ms")
	for id, want := range map[string]string{"zoom-in": "zoom=110-210", "zoom-out": "zoom=0-360", "zoom-earlier": "zoom=0-200", "zoom-later": "zoom=160-360"} {
		if to := page.id(id).attr("href"); !strings.Contains(to, want+"&") && !strings.HasSuffix(to, want) {
			t.Errorf("%s leads to %s, want %s", id, to, want)
		}
	}
	if to := page.id("zoom-all").attr("href"); strings.Contains(to, "zoom") {
		t.Errorf("all leads to %s", to)
	}
	for _, nonsense := range []string{"", "-", "5-1", "NaN-2", "1-Inf", "-1-4", "1e300-1e301", "2-2", "5000-6000"} {
		page := s.get("/s/" + agentID + "?view=timeline&zoom=" + nonsense)
		if got := bar(page, 2); got != "60+200" {
			t.Errorf("zoom %q draws at %s", nonsense, got)
		}
	}
}

// TestPathOfManyEvents bounds what the path of a session costs.
func TestPathOfManyEvents(t *testing.T) {
	const count = 100_000
	session := honeyhive.UUID{15: 1}
	rows := make([]store.EventRow, count)
	for i := range rows {
		rows[i] = store.EventRow{ID: honeyhive.UUID{12: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, Session: session, Parent: session, Seq: int64(i)}
		rows[i].Start, rows[i].Duration = honeyhive.Some(float64(i)), honeyhive.Some(float64(2*count-2*i))
		if i > 0 { // a chain half as deep as there are events, each with a leaf beside the next
			rows[i].Parent = rows[max(i-2+i%2, 0)].ID
		}
	}
	tree := buildTree(session, rows)
	segments := len(tree.gaps)
	for i := range tree.nodes {
		segments += len(tree.nodes[i].Path)
	}
	if segments > 2*count+1 {
		t.Errorf("the path has %d segments", segments)
	}
	v := &sessionView{ID: session.String(), View: "timeline"}
	if parts := v.pathParts(tree); len(parts) > pathParts {
		t.Errorf("%d parts: %v", len(parts), fmt.Sprint(parts))
	}
}
