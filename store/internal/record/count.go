package record

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// An event counts the larger of what it says itself and of what the events below
// it count together: c(e) = max(own, Σ c(children)). What it adds to sums is what it
// counts beyond those below: self(e) = max(0, own − Σ c(children)).

// Fields that are counted. Costs are counted in each currency by themselves (cost.go):
// of FieldCost there is only what an event adds in that of the prices.
const (
	FieldIn = iota
	FieldOut
	FieldCost
	FieldCalls
	FieldInput // as it is billed; so are the others
	FieldOutput
	FieldCacheRead
	FieldCacheWrite
	FieldReasoning
	Fields
)

// Node is an event in the tree of its session, as far as it is counted.
type Node struct {
	ID, Parent honeyhive.UUID // Parent as [Edges.Resolve] has it
	Own        [Fields]int64
	Known      [Fields]bool
	// Start is NoStart and End -NoStart where the event says none.
	Start, End float64
	// Cost is what the event says that it costs, if it does (Known of FieldCost is whether
	// it adds anything in the currency of the prices), Call and Response (another
	// name of the model, or "") what a price is looked up by.
	Cost     Amount
	HasCost  bool
	Call     prices.Call
	Response string

	// The others are filled in by [Once]. Self is what the event adds to sums, SelfDerived
	// what of its cost was derived, and Others are what it adds in other currencies.
	Self        [Fields]int64
	SelfDerived int64
	Others      []Amount
	// Derived is what the event adds by prices, if there is one; Unpriced is set where
	// there is none for its tokens.
	Derived    Amount
	HasDerived bool
	Unpriced   bool
}

// NewNode returns the node of an event, whose own calls are one for that of a model.
func NewNode(r *store.EventRow) Node {
	n := Node{ID: r.ID, Parent: r.Parent, Start: r.Start.Or(NoStart), End: r.End.Or(r.Start.Or(-NoStart))}
	n.Own[FieldIn], n.Known[FieldIn] = r.TokensIn.Get()
	n.Own[FieldOut], n.Known[FieldOut] = r.TokensOut.Get()
	if v, ok := CostUnits(r.Cost).Get(); ok {
		n.Cost, n.HasCost = Amount{Currency: cmp.Or(r.Currency, prices.DefaultCurrency), Units: v}, true
	}
	u := &r.Billed
	n.Own[FieldInput], n.Own[FieldOutput] = u.Input, u.Output
	n.Own[FieldCacheRead], n.Own[FieldCacheWrite], n.Own[FieldReasoning] = u.CacheRead, u.CacheWrite, u.Reasoning
	n.Call = prices.Call{Provider: r.Provider, Model: r.Model, ServiceTier: r.ServiceTier, Several: r.Kind == kindAgent || r.Type == honeyhive.TypeChain}
	n.Response = r.ResponseModel
	if r.Type == honeyhive.TypeModel {
		n.Own[FieldCalls], n.Known[FieldCalls] = 1, true
	}
	return n
}

// Counts is what the events of a session come to, each counted once.
type Counts struct {
	Sum   [Fields]int64
	Known [Fields]bool
	// Nested is set where an event adds less than it says.
	Nested bool
	// Costs are the sums of what events cost, by currency, and Unpriced names what has no
	// price.
	Costs    []Amount `json:",omitempty"`
	Unpriced []string `json:",omitempty"`
}

// Get returns a sum that is within bounds.
func (c *Counts) Get(field int) honeyhive.Optional[int64] {
	if !c.Known[field] {
		return honeyhive.Optional[int64]{}
	}
	return BoundedSum(honeyhive.Some(c.Sum[field]))
}

// Once counts events, and fills in what each adds, with prices from a table, which may
// be nil. Events on a circle are topmost.
func Once(nodes []Node, table *prices.Table) (c Counts) {
	at := make(map[honeyhive.UUID]int32, len(nodes))
	for i := range nodes {
		at[nodes[i].ID] = int32(i)
	}
	parent := make([]int32, len(nodes))
	for i := range nodes {
		parent[i] = -1
		if p, ok := at[nodes[i].Parent]; ok && p != int32(i) {
			parent[i] = p
		}
	}
	order := topDown(parent)
	below := make([][Fields]int64, len(nodes))
	for _, i := range slices.Backward(order) {
		n, sum := &nodes[i], &below[i]
		for f := range Fields {
			n.Self[f] = max(0, n.Own[f]-sum[f])
			c.Nested = c.Nested || n.Self[f] != n.Own[f]
			c.Known[f] = c.Known[f] || n.Known[f]
			sum[f] = max(n.Own[f], sum[f])
			if p := parent[i]; p >= 0 {
				below[p][f] = AddCapped(below[p][f], sum[f])
			} else {
				c.Sum[f] = AddCapped(c.Sum[f], sum[f])
			}
		}
	}
	c.pay(nodes, parent, order, table)
	return c
}

// topDown returns the order in which parents come before their children. Parents of
// events on circles become -1.
func topDown(parent []int32) []int32 {
	const unseen, onPath, done = 0, 1, 2
	state := make([]byte, len(parent))
	var path []int32
	for i := range parent {
		path = path[:0]
		at := int32(i)
		for at >= 0 && state[at] == unseen {
			state[at] = onPath
			path = append(path, at)
			at = parent[at]
		}
		if at >= 0 && state[at] == onPath { // all of the circle is on the path
			for k := slices.Index(path, at); k < len(path); k++ {
				parent[path[k]] = -1
			}
		}
		for _, p := range path {
			state[p] = done
		}
	}
	children := make([]int32, len(parent)) // how many
	for _, p := range parent {
		if p >= 0 {
			children[p]++
		}
	}
	// Leaves first, then reversed: a parent comes when all its children have.
	order := make([]int32, 0, len(parent))
	for i := range parent {
		if children[i] == 0 {
			order = append(order, int32(i))
		}
	}
	for k := 0; k < len(order); k++ {
		if p := parent[order[k]]; p >= 0 {
			if children[p]--; children[p] == 0 {
				order = append(order, p)
			}
		}
	}
	slices.Reverse(order)
	return order
}

// Edges say what hangs on spans that are no events, and which ids are the session.
type Edges struct {
	Session honeyhive.UUID
	Parts   map[honeyhive.UUID]bool // sessions that are part of it, and their traces
	Up      map[honeyhive.UUID]honeyhive.UUID
}

// maxHops bounds how many spans may lie between two events.
const maxHops = 256

// Resolve returns what an event hangs on that names a parent: an event, or the
// session, or the last that is known of where neither is.
func (e *Edges) Resolve(event, parent honeyhive.UUID) honeyhive.UUID {
	for range maxHops {
		if parent == e.Session || e.Parts[parent] {
			return e.Session
		}
		up, ok := e.Up[parent]
		switch {
		case !ok && parent == event:
			return e.Session // nothing is above itself
		case !ok:
			return parent
		case up.IsZero():
			return e.Session
		}
		parent = up
	}
	return e.Session
}

// Topmost returns, of the topmost events of a session, the first to start and the last
// to end. What hangs on nothing that is known is topmost too.
func Topmost(session honeyhive.UUID, nodes []Node) (first, last honeyhive.UUID) {
	known := make(map[honeyhive.UUID]bool, len(nodes))
	for i := range nodes {
		known[nodes[i].ID] = true
	}
	start, end := 0.0, 0.0
	for i := range nodes {
		n := &nodes[i]
		if n.Parent != session && known[n.Parent] && n.Parent != n.ID {
			continue
		}
		if first.IsZero() || cmp.Or(cmp.Compare(n.Start, start), bytes.Compare(n.ID[:], first[:])) < 0 {
			first, start = n.ID, n.Start
		}
		if last.IsZero() || cmp.Or(cmp.Compare(n.End, end), bytes.Compare(n.ID[:], last[:])) > 0 {
			last, end = n.ID, n.End
		}
	}
	return first, last
}
