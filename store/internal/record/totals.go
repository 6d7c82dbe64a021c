package record

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Totals are what the events of a session come to. They are kept up with each
// change, since a session may have very many events. What is counted and summed
// is exact in any order: cost and ratings are sums of integers. The extremes
// cannot be taken back; see Remove.
type Totals struct {
	Events, ModelEvents, ToolEvents, ChainEvents int64
	Errors, Feedback                             int64
	TokensIn, TokensOut, Cost, Ratings           Sum
	Bytes                                        int64
	Models                                       map[string]int64 `json:",omitempty"` // events that called it
	Extremes
}

// Extremes are the values of a session that one of its events has.
type Extremes struct {
	Start, End      *float64    `json:",omitempty"` // the first and the last
	Received        int64       // the earliest, Unix nanoseconds
	Project, Source string      // the smallest that are not empty
	First           *FirstToken `json:",omitempty"`
}

// NoStart stands for a start that is not known: later than any other.
const NoStart = math.MaxFloat64

// FirstToken is of the model event that started first.
type FirstToken struct {
	Start float64 // or NoStart
	ID    honeyhive.UUID
	Value float64
}

// Counted is an event as the totals of its session see it.
type Counted struct {
	store.EventRow
	Project, Source string
	Received        int64 // Unix nanoseconds
	Labels          Labels
}

// End returns when an event was last heard of, in Unix milliseconds.
func (c *Counted) lastSign() (float64, bool) {
	if v, ok := c.End.Get(); ok {
		return v, true
	}
	start, ok := c.Start.Get()
	return start + c.Duration.Or(0), ok
}

func (c *Counted) firstToken() *FirstToken {
	v, ok := c.FirstToken.Get()
	if !ok || c.Type != honeyhive.TypeModel {
		return nil
	}
	return &FirstToken{c.Start.Or(NoStart), c.ID, v}
}

func (f *FirstToken) before(g *FirstToken) bool {
	return cmp.Or(cmp.Compare(f.Start, g.Start), bytes.Compare(f.ID[:], g.ID[:])) < 0
}

const ratingUnits = 1e6

// maxModels is how many models of a session are told apart: they stand in its
// row, which is written with each event.
const maxModels = 256

func (t *Totals) count(c *Counted, sign int64) {
	t.Events += sign
	switch c.Type {
	case honeyhive.TypeModel:
		t.ModelEvents += sign
	case honeyhive.TypeTool:
		t.ToolEvents += sign
	case honeyhive.TypeChain:
		t.ChainEvents += sign
	}
	if c.Error != "" {
		t.Errors += sign
	}
	if c.Feedback {
		t.Feedback += sign
	}
	t.TokensIn.add(c.TokensIn, sign)
	t.TokensOut.add(c.TokensOut, sign)
	t.Cost.add(CostUnits(c.Cost), sign)
	if v, ok := c.Rating.Get(); ok {
		t.Ratings.add(honeyhive.Some(int64(math.Round(v*ratingUnits))), sign)
	}
	t.Bytes += sign * c.Bytes
	t.countModel(c.Model, sign)
}

func (t *Totals) countModel(model string, sign int64) {
	n, listed := t.Models[model]
	if model == "" || !listed && (sign < 0 || len(t.Models) >= maxModels) {
		return
	}
	if t.Models == nil {
		t.Models = make(map[string]int64)
	}
	if n += sign; n == 0 {
		delete(t.Models, model)
		return
	}
	t.Models[model] = n
}

// Add counts an event.
func (t *Totals) Add(c *Counted) {
	t.count(c, 1)
	t.Extremes.Add(c)
}

// Remove takes an event back, and reports whether an extreme went with it: then
// the extremes must be made anew.
func (t *Totals) Remove(c *Counted) bool {
	t.count(c, -1)
	return t.loses(c, &Counted{Received: math.MaxInt64})
}

// Replace puts an event in the place of what it was before, and reports whether
// an extreme went with that.
func (t *Totals) Replace(was, is *Counted) bool {
	t.count(was, -1)
	t.count(is, 1)
	lost := t.loses(was, is)
	if first := is.firstToken(); first != nil && t.First != nil && first.ID == t.First.ID {
		t.First = first
	}
	t.Extremes.Add(is)
	return lost
}

// loses reports whether an event was an extreme and, as it is now, is none.
func (x *Extremes) loses(was, is *Counted) bool {
	start, hadStart := was.Start.Get()
	end, hadEnd := was.lastSign()
	isStart, hasStart := is.Start.Get()
	isEnd, hasEnd := is.lastSign()
	first, isFirst := was.firstToken(), is.firstToken()
	return hadStart && x.Start != nil && start <= *x.Start && !(hasStart && isStart <= *x.Start) ||
		hadEnd && x.End != nil && end >= *x.End && !(hasEnd && isEnd >= *x.End) ||
		was.Received <= x.Received && is.Received > x.Received ||
		was.Project != "" && was.Project == x.Project && (is.Project == "" || is.Project > x.Project) ||
		was.Source != "" && was.Source == x.Source && (is.Source == "" || is.Source > x.Source) ||
		first != nil && x.First != nil && first.ID == x.First.ID && (isFirst == nil || x.First.before(isFirst))
}

// Add widens the extremes.
func (x *Extremes) Add(c *Counted) {
	if v, ok := c.Start.Get(); ok && (x.Start == nil || v < *x.Start) {
		x.Start = &v
	}
	if v, ok := c.lastSign(); ok && (x.End == nil || v > *x.End) {
		x.End = &v
	}
	if x.Received == 0 || c.Received < x.Received {
		x.Received = c.Received
	}
	smaller(&x.Project, c.Project)
	smaller(&x.Source, c.Source)
	if f := c.firstToken(); f != nil && (x.First == nil || f.before(x.First)) {
		x.First = f
	}
}

func smaller(s *string, v string) {
	if v != "" && (*s == "" || v < *s) {
		*s = v
	}
}

// CostUnits returns a cost as a count of CostUnit.
func CostUnits(v honeyhive.Optional[float64]) honeyhive.Optional[int64] {
	if n, ok := v.Get(); ok {
		return honeyhive.Some(ToCostUnits(n))
	}
	return honeyhive.Optional[int64]{}
}

// Merge adds what the events of another session come to.
func (t *Totals) Merge(o *Totals) {
	t.Events, t.ModelEvents, t.ToolEvents, t.ChainEvents = t.Events+o.Events, t.ModelEvents+o.ModelEvents, t.ToolEvents+o.ToolEvents, t.ChainEvents+o.ChainEvents
	t.Errors, t.Feedback, t.Bytes = t.Errors+o.Errors, t.Feedback+o.Feedback, t.Bytes+o.Bytes
	t.TokensIn.merge(o.TokensIn)
	t.TokensOut.merge(o.TokensOut)
	t.Cost.merge(o.Cost)
	t.Ratings.merge(o.Ratings)
	if len(o.Models) > 0 {
		t.Models = maps.Clone(t.Models)
		for _, model := range slices.Sorted(maps.Keys(o.Models)) {
			t.countModel(model, o.Models[model])
		}
	}
	x, y := &t.Extremes, &o.Extremes
	if y.Start != nil && (x.Start == nil || *y.Start < *x.Start) {
		x.Start = y.Start
	}
	if y.End != nil && (x.End == nil || *y.End > *x.End) {
		x.End = y.End
	}
	if y.Received != 0 && (x.Received == 0 || y.Received < x.Received) {
		x.Received = y.Received
	}
	smaller(&x.Project, y.Project)
	smaller(&x.Source, y.Source)
	if y.First != nil && (x.First == nil || y.First.before(x.First)) {
		x.First = y.First
	}
}

// larger gives a field the larger of what it is and of what events count.
func larger(field *honeyhive.Optional[int64], counted honeyhive.Optional[int64]) {
	if n, ok := counted.Get(); ok && n > field.Or(-1) {
		*field = counted
	}
}

// SessionRow returns the row of a session, but for its id and its number, and
// when it was last heard of, in Unix milliseconds. Its events are counted once where
// that was done; else each adds all that it says. Costs are known once they were counted.
// Currency is that of the prices.
func SessionRow(own *Own, t *Totals, counted *Counts, currency string) (row store.SessionRow, lastSign float64) {
	row = store.SessionRow{
		Project: cmp.Or(own.Project, t.Project), Source: cmp.Or(own.Source, t.Source), Name: own.Name, User: own.User,
		Models: slices.Sorted(maps.Keys(t.Models)), Status: own.Status(),
		Error: own.Error, Question: own.Question, Answer: own.Answer,
		Events: t.Events, ModelEvents: t.ModelEvents, ToolEvents: t.ToolEvents, ChainEvents: t.ChainEvents,
		Errors: t.Errors, Bytes: own.Bytes + t.Bytes,
	}
	row.Measures = own.Measures
	m := &row.Measures
	in, out := t.TokensIn.get(), t.TokensOut.get()
	row.Calls = t.ModelEvents
	if counted != nil && counted.Nested {
		in, out, row.Calls = counted.Get(FieldIn), counted.Get(FieldOut), counted.Sum[FieldCalls]
	}
	larger(&m.TokensIn, in)
	larger(&m.TokensOut, out)
	counted.costs(&row, own.amounts(), currency)
	fill(&m.Rating, t.Ratings.mean(ratingUnits))
	if t.First != nil {
		fill(&m.FirstToken, honeyhive.Some(t.First.Value))
	}
	m.Feedback = m.Feedback || t.Feedback > 0
	fill(&m.Start, optional(t.Start))
	fill(&m.End, milliseconds(optional(t.End)))
	fillDuration(m)

	received := own.Received
	if received == 0 || t.Received != 0 && t.Received < received {
		received = t.Received
	}
	row.Received = float64(received) / 1e6
	lastSign = max(m.Start.Or(math.Inf(-1)), m.End.Or(math.Inf(-1)), optional(t.End).Or(math.Inf(-1)))
	if math.IsInf(lastSign, -1) {
		lastSign = row.Received
	}
	return row, lastSign
}

func optional[T any](p *T) honeyhive.Optional[T] {
	if p == nil {
		return honeyhive.Optional[T]{}
	}
	return honeyhive.Some(*p)
}

func fill[T any](field *honeyhive.Optional[T], v honeyhive.Optional[T]) {
	if field.IsZero() {
		*field = v
	}
}
