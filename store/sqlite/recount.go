package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// change is an event whose sample differs from what it adds to sums, or whose row
// holds a time that goes backwards.
type change struct {
	session, seq int64
	node         record.Node
	billed       *store.EventRow // of an earlier version, read anew; or nil
}

// place is where the row of an event is, and what its sample says.
type place struct {
	session, seq int64
	sample       *sample
	priced       priced          // what its row says
	billed       *store.EventRow // as that of a change
	remake       bool
}

// priced is what prices say in the row of an event.
type priced struct {
	derived  honeyhive.Optional[float64]
	currency string
	unpriced bool
}

func pricedOf(r *store.EventRow) priced {
	return priced{r.Derived, r.DerivedCurrency, r.Unpriced}
}

// counts reports whether a sample says what a node adds.
func (s *sample) counts(n *record.Node) bool {
	is := *s
	is.pay(n)
	return s.in.Or(0) == n.Self[record.FieldIn] && s.out.Or(0) == n.Self[record.FieldOut] && s.wrapped == (n.Own[record.FieldCalls] > 0 && n.Self[record.FieldCalls] == 0) &&
		s.cost == is.cost && s.derived == is.derived && s.unpriced == is.unpriced && slices.Equal(s.others, is.others)
}

// errUnbilled says that rows of an earlier version must be read anew from payloads.
var errUnbilled = errors.New("rows of an earlier version")

// countGroup counts the events of a session once, with prices from a table, and finds its
// topmost ones where it came of traces. It returns the events whose rows or samples say
// otherwise. Unless anew is set, it returns errUnbilled where payloads must be read.
func countGroup(ctx context.Context, q querier, g *group, ofTraces bool, table *prices.Table, anew bool) (*counted, []change, error) {
	edges, err := edgesOf(ctx, q, g)
	if err != nil {
		return nil, nil, err
	}
	var nodes []record.Node
	var places []place
	n := make(names)
	for _, pk := range g.pks {
		rows, err := q.QueryContext(ctx, `SELECT seq, row, sample FROM event WHERE session = ?`, pk)
		if err != nil {
			return nil, nil, err
		}
		err = each(rows, func(found scanner) error {
			var row, packed sql.RawBytes
			p := place{session: pk}
			if err := found.Scan(&p.seq, &row, &packed); err != nil {
				return err
			}
			r, err := unpackRow(row, n)
			if err != nil {
				return err
			}
			forward := r.Measures
			record.Forward(&forward)
			p.remake = forward != r.Measures
			s, err := unpackSample(packed)
			if err != nil {
				return err
			}
			p.sample = &s
			if isUnbilled(row, &r) {
				if !anew {
					return errUnbilled
				}
				was := r
				p.billed = &was
			}
			p.priced = pricedOf(&r)
			if edges != nil && !r.Parent.IsZero() {
				r.Parent = edges.Resolve(r.ID, r.Parent)
			}
			nodes, places = append(nodes, record.NewNode(&r)), append(places, p)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	for i := range places {
		if r := places[i].billed; r != nil { // after the rows, since that is another query
			if err := billed(ctx, q, r); err != nil {
				return nil, nil, err
			}
			parent := nodes[i].Parent
			nodes[i] = record.NewNode(r)
			nodes[i].Parent = parent
		}
	}
	c := &counted{Counts: record.Once(nodes, table)}
	var changes []change
	for i := range nodes {
		p, n := &places[i], &nodes[i]
		var is store.EventRow
		n.Settle(&is)
		if !p.sample.counts(n) || p.priced != pricedOf(&is) || p.billed != nil || p.remake {
			changes = append(changes, change{p.session, p.seq, *n, p.billed})
		}
	}
	if !ofTraces {
		return c, changes, nil
	}
	c.First, c.Last = record.Topmost(g.id, nodes)
	if c.Fallback, err = fallback(ctx, q, c.First); err != nil {
		return nil, nil, err
	}
	last := c.Fallback
	if c.Last != c.First {
		if last, err = fallback(ctx, q, c.Last); err != nil {
			return nil, nil, err
		}
	}
	c.Answer = last.Answer
	return c, changes, nil
}

// recount writes what events add to sums. Those that have changed meanwhile are passed
// over.
func (w *writer) recount(changes []change) error {
	for _, c := range changes {
		var row, packed []byte
		err := w.scan(`SELECT row, sample FROM event WHERE session = ? AND seq = ?`, []any{c.session, c.seq}, &row, &packed)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		r, err := unpackRow(row, names{})
		if err != nil {
			return err
		}
		s, err := unpackSample(packed)
		if err != nil {
			return err
		}
		record.Forward(&r.Measures)
		if b := c.billed; b != nil {
			r.Currency, r.Provider, r.ResponseModel, r.ServiceTier, r.Billed = b.Currency, b.Provider, b.ResponseModel, b.ServiceTier, b.Billed
		}
		c.node.Settle(&r)
		s.duration = r.Duration
		self := &c.node.Self
		s.in, s.out = known(r.TokensIn, self[record.FieldIn]), known(r.TokensOut, self[record.FieldOut])
		s.wrapped = r.Type == honeyhive.TypeModel && self[record.FieldCalls] == 0
		s.pay(&c.node)
		if err := w.exec(`UPDATE event SET duration = ?, sample = ?, row = ? WHERE session = ? AND seq = ?`, value(r.Duration), packSample(&s), packRow(&r), c.session, c.seq); err != nil {
			return err
		}
	}
	return nil
}

// known returns what an event adds to a sum, where it says anything.
func known(own honeyhive.Optional[int64], self int64) honeyhive.Optional[int64] {
	if own.IsZero() {
		return own
	}
	return honeyhive.Some(self)
}

func (w *writer) makeStale(pk int64) error {
	w.addedStale = true // of which the transaction tells when others can see it
	return w.exec(`INSERT OR IGNORE INTO stale VALUES (?)`, pk)
}
