package page

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// costs shows what something costs, and how that is known.
type costs struct {
	Text  string
	Title string // "" where there is nothing to add
	// Derived is set where some of it was derived by prices, Unpriced where there is no
	// price for some of it.
	Derived, Unpriced bool
}

// derivedMark stands before an amount that was derived, or a part of which was.
const derivedMark = "≈ "

// noPrice says that something has no price.
const noPrice = "no price"

// money shows costs by a table of prices.
type money struct{ table *prices.Table }

// amount shows an amount, with its currency unless that is US dollars.
func (m money) amount(c store.Cost) string {
	text := cost(c.Amount)
	if c.Derived > 0 {
		text = derivedMark + text
	}
	if c.Currency != "" && c.Currency != "USD" {
		text += " " + line(c.Currency, 16)
	}
	return text
}

// show shows amounts in different currencies, and what has no price.
func (m money) show(list []store.Cost, unpriced []string) (out costs) {
	var parts, titles []string
	for _, c := range list {
		parts = append(parts, m.amount(c))
		if c.Derived <= 0 {
			continue
		}
		out.Derived = true
		how := "derived from tokens by " + m.name()
		if sent := c.Amount - c.Derived; sent > c.Amount*1e-9 {
			how = cost(c.Derived) + " " + c.Currency + " of it " + how + ", the rest as it was sent"
		}
		titles = append(titles, how)
	}
	if len(unpriced) > 0 {
		out.Unpriced = true
		names := make([]string, 0, len(unpriced))
		for _, name := range unpriced[:min(len(unpriced), 5)] {
			names = append(names, line(name, 100))
		}
		if more := len(unpriced) - len(names); more > 0 {
			names = append(names, "others")
		}
		titles = append(titles, noPrice+" for "+strings.Join(names, ", ")+" by "+m.name())
		parts = append(parts, noPrice)
	}
	out.Text, out.Title = strings.Join(parts, " + "), strings.Join(titles, "; ")
	if out.Text == "" {
		out.Text = none
	}
	return out
}

// name names the table of prices.
func (m money) name() string {
	if m.table == nil {
		return "prices"
	}
	return cmp.Or(line(m.table.Name(), 80), "prices") + " of " + m.table.Date()
}

// costsOf lists an amount that may be known, with others.
func costsOf(amount honeyhive.Optional[float64], derived float64, currency string, others []store.Cost) []store.Cost {
	v, ok := amount.Get()
	if !ok || !isFinite(v) {
		return others
	}
	return append([]store.Cost{{Currency: currency, Amount: v, Derived: derived}}, others...)
}

// rowCosts lists what a session costs, that in the currency of the prices first.
func rowCosts(row *store.SessionRow) []store.Cost {
	return costsOf(row.Cost, row.CostDerived, row.Currency, row.OtherCosts)
}

// session shows what a session costs.
func (m money) session(row store.SessionRow) costs { return m.show(rowCosts(&row), row.Unpriced) }

// sum shows what sessions or calls cost together. Zero means that none of them told.
func (m money) sum(s store.Summary) costs {
	var list []store.Cost
	if s.Cost != 0 {
		list = costsOf(honeyhive.Some(s.Cost), s.CostDerived, s.Currency, s.OtherCosts)
	} else {
		list = s.OtherCosts
	}
	out := m.show(list, nil)
	if s.Unpriced > 0 {
		out.Unpriced = true
		text := noPrice + " for tokens of " + grouped(s.Unpriced) + " by " + m.name()
		out.Title = strings.TrimPrefix(out.Title+"; "+text, "; ")
		if out.Text == none {
			out.Text = noPrice
		}
	}
	return out
}

// own shows what an event costs by its own word, or else by prices, without those below.
func (m money) own(row store.EventRow) costs {
	var list []store.Cost
	if v, ok := row.Derived.Get(); ok {
		list = []store.Cost{{Currency: row.DerivedCurrency, Amount: v, Derived: v}}
	}
	out := m.show(costsOf(sound(row.Measures).Cost, 0, row.Currency, list), unpricedIn(&row))
	if isKnown(row.Derived) && !out.Derived { // it is free
		out.Title = "derived from tokens by " + m.name()
	}
	return out
}

// unpricedIn names what has no price in an event.
func unpricedIn(row *store.EventRow) []string {
	if !row.Unpriced {
		return nil
	}
	return []string{prices.Call{Provider: row.Provider, Model: cmp.Or(row.Model, row.ResponseModel), ServiceTier: row.ServiceTier}.String()}
}

// charge counts what an event costs: the larger of what it says and of what the events
// below it come to, in each currency, and what it adds by prices. SumCosts are those of
// the events below.
func (n *node) charge() {
	if v, ok := n.Cost.Get(); ok {
		at := slices.IndexFunc(n.SumCosts, func(c store.Cost) bool { return c.Currency == n.Currency })
		switch {
		case at < 0:
			n.SumCosts = store.AddCosts(n.SumCosts, store.Cost{Currency: n.Currency, Amount: v})
		case v >= n.SumCosts[at].Amount:
			n.SumCosts[at] = store.Cost{Currency: n.Currency, Amount: v}
		}
	}
	if v, ok := n.Derived.Get(); ok {
		n.SumCosts = store.AddCosts(n.SumCosts, store.Cost{Currency: n.DerivedCurrency, Amount: v, Derived: v})
	}
	n.SumUnpriced = addNames(n.SumUnpriced, unpricedIn(&n.EventRow)...)
}

// mostNames bounds the names that are kept of what has no price.
const mostNames = 32

func addNames(list []string, more ...string) []string {
	for _, name := range more {
		if at, known := slices.BinarySearch(list, name); !known && len(list) < mostNames {
			list = slices.Insert(list, at, name)
		}
	}
	return list
}

// largerCosts returns the larger of both in each currency.
func largerCosts(a, b []store.Cost) []store.Cost {
	out := slices.Clone(a)
	for _, c := range b {
		at := slices.IndexFunc(out, func(o store.Cost) bool { return o.Currency == c.Currency })
		switch {
		case at < 0:
			out = append(out, c)
		case c.Amount > out[at].Amount:
			out[at] = c
		}
	}
	return out
}
