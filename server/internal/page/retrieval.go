package page

import (
	"context"
	"math"
	"strconv"

	"github.com/sessionspan/sessionspan/store"
	lang "github.com/sessionspan/sessionspan/store/query"
)

// retrieval is what searches for documents came to.
type retrieval struct {
	Searches, None int64 // searches whose documents are known, and those that found none
	NoneURL        string
	Questions      []question
	Scores         []scoreBin
	Scored         int64
	Most           int64
}

// question is what was asked in searches that found nothing.
type question struct {
	Text, URL string
	Count     int64
}

// scoreBin is a range of scores; To is not included, but in the last one.
type scoreBin struct {
	From, To   string
	X, Y, W, H float64 // of a field of 640 by 120
	Count      int64
	URL        string
}

const scoreBins = 20

// searching are the events that look for documents.
var (
	searching        = mustParse(`kind:retriever OR kind:reranker`)
	withoutDocuments = mustParse(`documents:0`)
)

func mustParse(text string) *lang.Query {
	q, err := lang.Parse(text)
	if err != nil {
		panic(err) // it is a constant
	}
	return q
}

// retrieval reads what the searches of sessions came to, or nil where there are none.
func (p *page) retrieval(ctx context.Context, v *insightsView) (*retrieval, error) {
	values := func(field string, event *lang.Query, limit int) ([]store.Value, error) {
		return p.Store.Values(ctx, store.ValueQuery{Field: field, Filter: v.filter, Event: event, Limit: limit})
	}
	counts, err := values("documents", searching, 10_000)
	if err != nil || len(counts) == 0 {
		return nil, err
	}
	r := &retrieval{NoneURL: v.And(lang.Event{Expr: lang.All(searching, withoutDocuments).Expr})}
	for _, c := range counts {
		r.Searches += c.Count
		if c.Number == 0 {
			r.None += c.Count
		}
	}
	if r.None > 0 {
		asked, err := values("question", withoutDocuments, mostShares)
		if err != nil {
			return nil, err
		}
		for _, q := range asked {
			r.Questions = append(r.Questions, question{line(q.Text, 160), v.And(lang.Event{Expr: lang.Of(append(terms("question", q.Text), withoutDocuments.Expr)...).Expr}), q.Count})
		}
	}
	scores, err := values("score", searching, 10_000)
	if err != nil {
		return nil, err
	}
	v.bins(r, scores)
	return r, nil
}

// bins divides scores into ranges of the same width. A number past all measure is no score:
// one would put all others into one range.
func (v *insightsView) bins(r *retrieval, all []store.Value) {
	var scores []store.Value
	for _, s := range all {
		if s.IsNumber && math.Abs(s.Number) <= farthest && s.Count > 0 {
			scores = append(scores, s)
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range scores {
		low, high = min(low, s.Number), max(high, s.Number)
	}
	if low > high {
		return
	}
	n := scoreBins
	width := high/float64(n) - low/float64(n)
	if width <= 0 {
		n, width = 1, math.Max(high-low, 0)
	}
	count := make([]int64, n)
	edge := func(i int) float64 {
		if i == n {
			return high
		}
		return low + float64(i)*width
	}
	for _, s := range scores {
		at := 0
		for at+1 < n && s.Number >= edge(at+1) { // as the query compares
			at++
		}
		count[at] += s.Count
		r.Scored += s.Count
		r.Most = max(r.Most, count[at])
	}
	show := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	exact := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	const w, h = 640.0, 120.0
	for i, c := range count {
		b := scoreBin{From: show(edge(i)), To: show(edge(i + 1)), Count: c, X: float64(i) * w / float64(n), W: math.Max(w/float64(n)-3, 1)}
		b.H = h * float64(c) / float64(max(r.Most, 1))
		if c > 0 {
			b.H = math.Max(b.H, 3)
			last := lang.Less
			if i == n-1 {
				last = lang.LessEqual
			}
			from, err1 := lang.NewTerm("score", lang.GreaterEqual, exact(edge(i)))
			to, err2 := lang.NewTerm("score", last, exact(edge(i+1)))
			if err1 == nil && err2 == nil {
				b.URL = v.And(lang.Event{Expr: lang.Of(searching.Expr, from, to).Expr})
			}
		}
		b.Y = h - b.H
		r.Scores = append(r.Scores, b)
	}
}
