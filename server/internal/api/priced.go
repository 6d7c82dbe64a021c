package api

import (
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// What is derived by prices stands in answers beside what was sent, under keys of its own:
// cost_derived is how much of a cost was derived, cost_unknown_models what there is no
// price for. Costs in several currencies are in costs, by currency; cost is then the one
// in the currency of the prices.

// costJSON is what something costs. What is not known is left out.
type costJSON struct {
	Cost     *float64 `json:"cost,omitempty"`
	Currency string   `json:"cost_currency,omitempty"`
	Derived  float64  `json:"cost_derived,omitempty"`
	// Where there are several currencies, or another one than that of the prices, these
	// are all, by currency.
	Costs        map[string]float64 `json:"costs,omitempty"`
	CostsDerived map[string]float64 `json:"costs_derived,omitempty"`
	Unknown      []string           `json:"cost_unknown_models,omitempty"`
}

// costsIn returns costs, of which the one in a currency stands for itself.
func costsIn(list []store.Cost, currency string, unpriced []string) costJSON {
	out := costJSON{Unknown: unpriced}
	for _, c := range list {
		if _, ok := finite(honeyhive.Some(c.Amount)).Get(); !ok {
			continue
		}
		if c.Currency == currency {
			out.Cost, out.Currency, out.Derived = &c.Amount, currency, c.Derived
		}
		if len(list) == 1 && c.Currency == currency {
			break
		}
		if out.Costs == nil {
			out.Costs = make(map[string]float64)
		}
		out.Costs[c.Currency] = c.Amount
		if c.Derived > 0 {
			if out.CostsDerived == nil {
				out.CostsDerived = make(map[string]float64)
			}
			out.CostsDerived[c.Currency] = c.Derived
		}
	}
	return out
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
