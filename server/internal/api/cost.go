package api

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// What is derived by prices stands in answers beside what was sent, under keys of its own:
// cost_derived is how much of a cost was derived, cost_unknown_models what there is no
// price for. Costs in several currencies are in costs, by currency; cost is then the one
// in the currency of the prices.

// addCosts adds to the summary of a session what it costs.
func addCosts(summary map[string]any, row *store.SessionRow) {
	amount, known := finite(row.Cost).Get()
	if known {
		summary["cost"], summary["cost_currency"] = amount, row.Currency
		if row.CostDerived > 0 {
			summary["cost_derived"] = row.CostDerived
		}
	}
	if len(row.OtherCosts) > 0 {
		all, derived := make(map[string]float64), make(map[string]float64)
		for _, c := range append([]store.Cost{{Currency: row.Currency, Amount: amount, Derived: row.CostDerived}}, row.OtherCosts...) {
			if c.Currency == "" {
				continue
			}
			if all[c.Currency] = c.Amount; c.Derived > 0 {
				derived[c.Currency] = c.Derived
			}
		}
		summary["costs"] = all
		if len(derived) > 0 {
			summary["costs_derived"] = derived
		}
	}
	if len(row.Unpriced) > 0 {
		summary["cost_unknown_models"] = row.Unpriced
	}
}

// priced returns the payload of an event with what prices say of it.
func priced(e *store.Event) *honeyhive.Event {
	metadata := e.Payload.Metadata
	if v, ok := e.Derived.Get(); ok {
		metadata, _ = metadata.With("cost_derived", v) // a number and texts always have a form
		metadata, _ = metadata.With("cost_derived_currency", e.DerivedCurrency)
	}
	if e.Unpriced {
		metadata, _ = metadata.With("cost_unknown", true)
	}
	out := e.Payload
	out.Metadata = metadata
	return &out
}
