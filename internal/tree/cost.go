package tree

import (
	"math/big"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/money"
)

// Charge makes an amount the cost of an event, in place of what it said before. Costs
// are counted as tokens are (usage.go), those of each currency by themselves.
func (n *Node) Charge(a money.Amount) {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.charge(n, a)
}

func (s *Session) charge(n *Node, a money.Amount) {
	if n == s.Root {
		return
	}
	if n.tally != nil {
		for currency, t := range n.tally.costs {
			if currency != a.Currency && t.Says() {
				s.setCost(n, currency, nil)
			}
		}
	}
	s.setCost(n, a.Currency, &a)
}

// setCost sets what an event says in one currency, and what those above it count.
func (s *Session) setCost(n *Node, currency string, a *money.Amount) {
	t := n.cost(currency)
	before := t.Count()
	t.Set(a)
	for after := t.Count(); n != s.Root && !same(before, after); {
		above := n.parent
		if above == s.Root {
			s.costs.Of(currency).Replace(before, after)
			return
		}
		t = above.cost(currency)
		wasAbove := t.Count()
		t.Below().Replace(before, after)
		n, before, after = above, wasAbove, t.Count()
	}
}

// cost returns what a node counts in one currency.
func (n *Node) cost(currency string) *money.Tally {
	if n.tally == nil {
		n.tally = new(tally)
	}
	if n.tally.costs == nil {
		n.tally.costs = make(map[string]*money.Tally)
	}
	if n.tally.costs[currency] == nil {
		n.tally.costs[currency] = new(money.Tally)
	}
	return n.tally.costs[currency]
}

func same(a, b *big.Int) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cmp(b) == 0
}

// Costs returns what the node counts, by currency.
func (n *Node) Costs() []money.Amount {
	s := n.Session
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.tally == nil {
		return nil
	}
	var sums money.Sums
	for currency, t := range n.tally.costs {
		sums.Of(currency).Replace(nil, t.Count())
	}
	return sums.Amounts()
}

// Costs returns what the events of the session cost together, by currency.
func (s *Session) Costs() []money.Amount {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.costs.Amounts()
}

// costAttributes are the attributes by which libraries say what a call costs, in US dollars:
// OpenInference, Pydantic Logfire, OpenLIT. The GenAI conventions have none.
var costAttributes = [...]attribute.Key{"llm.cost.total", "operation.cost", "gen_ai.usage.cost"}

// ReadCost returns what attributes of a span say it costs.
func ReadCost(attributes []attribute.KeyValue) (a money.Amount, ok bool) {
	for _, key := range costAttributes {
		for i := range attributes {
			kv := &attributes[i]
			if kv.Key != key {
				continue
			}
			var v float64
			switch kv.Value.Type() {
			case attribute.FLOAT64:
				v = kv.Value.AsFloat64()
			case attribute.INT64:
				v = float64(kv.Value.AsInt64())
			default:
				continue
			}
			if a, err := money.New(v, money.Default); err == nil {
				return a, true
			}
		}
	}
	return a, false
}
