package page

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// tree is the events of a session, parents before their children, siblings in
// the order of their starts.
type tree struct {
	session honeyhive.UUID
	seq     int64
	nodes   []node
	index   map[honeyhive.UUID]int
	// The range of time that the events cover, in Unix milliseconds.
	start, end float64
	gaps       []segment // of the critical path, in which no event runs
	orphans    int       // events whose parent is not known
	whole      node      // holds the sums of all
}

// node is an event at its place.
type node struct {
	store.EventRow
	Depth   int
	Below   int  // events below it
	Orphan  bool // its parent is not known
	Open    bool // it has neither an end nor a duration
	Closing bool // of a turn with calls of models in it: what it put out, behind these
	// What it comes to with all that is below it: tokens and cost are the larger of
	// what it says itself and of what the events below it come to.
	Errors   int64
	SumIn    honeyhive.Optional[int64]
	SumOut   honeyhive.Optional[int64]
	SumCosts []store.Cost // by currency
	// SumUnpriced names what there is no price for.
	SumUnpriced []string
	SelfStart   float64
	Self        honeyhive.Optional[float64] // milliseconds in which nothing directly below it ran
	Path        []segment                   // when it is what the session waits for
	parent      int                         // its place, or -1
}

// buildTree orders the events of a session.
func buildTree(session honeyhive.UUID, rows []store.EventRow) *tree {
	t := &tree{session: session, index: make(map[honeyhive.UUID]int, len(rows)), start: math.NaN(), end: math.NaN()}
	at := make(map[honeyhive.UUID]int, len(rows))
	for i := range rows {
		at[rows[i].ID] = i
	}
	children := make([][]int, len(rows))
	var top []int
	orphan := make([]bool, len(rows))
	for i := range rows {
		parent := rows[i].Parent
		p, ok := at[parent]
		switch {
		case parent.IsZero(), parent == session:
			top = append(top, i)
		case !ok || p == i:
			orphan[i] = true
			top = append(top, i)
		default:
			children[p] = append(children[p], i)
		}
	}
	order := func(a, b int) int {
		return cmp.Or(cmp.Compare(startOf(&rows[a]), startOf(&rows[b])), cmp.Compare(rows[a].Seq, rows[b].Seq))
	}
	slices.SortStableFunc(top, order)
	for i := range children {
		slices.SortStableFunc(children[i], order)
	}
	t.nodes = make([]node, 0, len(rows))
	placed := make([]bool, len(rows))
	for _, i := range top {
		t.place(rows, children, placed, orphan, i)
	}
	// What is left hangs on itself in a circle.
	for i := range rows {
		if !placed[i] {
			orphan[i] = true
			t.place(rows, children, placed, orphan, i)
		}
	}
	t.sum()
	t.own()
	t.trace()
	return t
}

// place adds an event with all that is below it.
func (t *tree) place(rows []store.EventRow, children [][]int, placed, orphan []bool, root int) {
	type step struct{ row, depth, parent int }
	stack := []step{{root, 0, -1}}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if placed[s.row] {
			continue
		}
		placed[s.row] = true
		row := &rows[s.row]
		n := node{EventRow: *row, Depth: s.depth, Orphan: orphan[s.row], parent: s.parent}
		n.Open = !isKnown(row.End) && !isKnown(row.Duration)
		n.Measures = sound(n.Measures)
		n.SelfStart = startOf(&n.EventRow)
		if n.Orphan {
			t.orphans++
		}
		here := len(t.nodes)
		t.index[row.ID] = here
		t.nodes = append(t.nodes, n)
		for _, c := range slices.Backward(children[s.row]) {
			stack = append(stack, step{c, s.depth + 1, here})
		}
	}
}

// sound leaves out times that are none, so that one absurd record neither makes
// the range of all others a point nor a sum that is no number.
func sound(m store.Measures) store.Measures {
	for _, t := range []*honeyhive.Optional[float64]{&m.Start, &m.End, &m.Duration, &m.FirstToken} {
		if v := t.Or(0); !(math.Abs(v) <= farthest) {
			*t = honeyhive.Optional[float64]{}
		}
	}
	if m.FirstToken.Or(0) < 0 {
		m.FirstToken = honeyhive.Optional[float64]{}
	}
	if !isFinite(m.Cost.Or(0)) {
		m.Cost = honeyhive.Optional[float64]{}
	}
	return m
}

// sum adds up what is below each event, the range of time along with it.
func (t *tree) sum() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		n.SumIn, n.SumOut = larger(n.TokensIn, n.SumIn), larger(n.TokensOut, n.SumOut)
		n.charge()
		if n.Error != "" {
			n.Errors++
		}
		if s, ok := n.Start.Get(); ok && !(t.start <= s) {
			t.start = s
		}
		if e := n.SelfStart + n.Duration.Or(0); isKnown(n.Start) && !(t.end >= e) {
			t.end = e
		}
		p := &t.whole
		if n.parent >= 0 {
			p = &t.nodes[n.parent]
		}
		p.Below += n.Below + 1
		p.Errors += n.Errors
		p.SumIn, p.SumOut = plus(p.SumIn, n.SumIn, addWhole), plus(p.SumOut, n.SumOut, addWhole)
		p.SumCosts, p.SumUnpriced = store.AddCosts(p.SumCosts, n.SumCosts...), addNames(p.SumUnpriced, n.SumUnpriced...)
	}
}

// larger returns the larger of what an event says itself and of what those below
// it come to.
func larger[T int64 | float64](own, below honeyhive.Optional[T]) honeyhive.Optional[T] {
	a, known := own.Get()
	if b, ok := below.Get(); ok && (!known || b > a) {
		return below
	}
	return own
}

func plus[T int64 | float64](a, b honeyhive.Optional[T], add func(a, b T) T) honeyhive.Optional[T] {
	v, ok := b.Get()
	if !ok {
		return a
	}
	return honeyhive.Some(add(a.Or(0), v))
}

// addWhole stays at the end of the range where a sum leaves it.
func addWhole(a, b int64) int64 {
	switch sum := a + b; {
	case b > 0 && sum < a:
		return math.MaxInt64
	case b < 0 && sum > a:
		return math.MinInt64
	default:
		return sum
	}
}

func startOf(row *store.EventRow) float64 {
	if s, ok := row.Start.Get(); ok {
		return s
	}
	if e, ok := row.End.Get(); ok {
		return e - row.Duration.Or(0)
	}
	return math.Inf(1)
}

// Orphans is how many events have a parent that is not known.
func (t *tree) Orphans() int { return t.orphans }

// Nodes is how many events there are.
func (t *tree) Nodes() int { return len(t.nodes) }

// offset is where an event starts and how long it takes, in milliseconds of the
// range; an event that is not ended takes until its end.
func (t *tree) offset(n *node) (start, length float64) {
	if math.IsInf(n.SelfStart, 0) || math.IsNaN(t.start) {
		return 0, 0
	}
	start = max(n.SelfStart-t.start, 0)
	if n.Open {
		return start, max(t.span()-start, 0)
	}
	return start, max(n.Duration.Or(0), 0)
}

// span is the length of the range in milliseconds, never zero.
func (t *tree) span() float64 {
	if d := t.end - t.start; d > 0 {
		return d
	}
	return 1
}

// trees keeps the trees that were looked at last: each page of rows of a large
// session would otherwise read all of it.
type trees struct {
	mu   sync.Mutex
	last []*tree
}

// keptEvents bounds how many events are kept in all.
const keptEvents = 300_000

// get returns the tree of a session, which is at least as new as seq.
func (c *trees) get(ctx context.Context, s store.Store, id honeyhive.UUID, seq int64) (*tree, error) {
	if t := c.find(id, seq); t != nil {
		return t, nil
	}
	var rows []store.EventRow
	for row, err := range s.Events(ctx, id, store.EventQuery{}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	t := buildTree(id, rows)
	t.seq = seq
	c.keep(t)
	return t, nil
}

// has reports whether a tree need not be read.
func (c *trees) has(id honeyhive.UUID, seq int64) bool { return c.find(id, seq) != nil }

// find returns a tree that is kept, as the one that was looked at last.
func (c *trees) find(id honeyhive.UUID, seq int64) *tree {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, t := range c.last {
		if t.session == id && t.seq >= seq {
			c.last = append(append(slices.Clone(c.last[:i]), c.last[i+1:]...), t)
			return t
		}
	}
	return nil
}

func (c *trees) keep(t *tree) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := []*tree{t}
	total := len(t.nodes)
	for _, old := range slices.Backward(c.last) {
		if total += len(old.nodes); old.session == t.session || total > keptEvents {
			continue
		}
		kept = append(kept, old)
	}
	slices.Reverse(kept)
	c.last = kept
}
