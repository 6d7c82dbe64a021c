package read

import (
	"math"

	"github.com/sessionspan/sessionspan/store"
)

// What is derived by prices stands in answers beside what was sent, under keys of its own:
// cost_derived is how much of a cost was derived, cost_unknown_models what there is no
// price for. Costs in several currencies are in costs, by currency; cost is then the one
// in the currency of the prices.

// Costs are what something costs. What is not known is left out.
type Costs struct {
	Cost     *float64 `json:"cost,omitempty"`
	Currency string   `json:"cost_currency,omitempty"`
	Derived  float64  `json:"cost_derived,omitempty"`
	// Where there are several currencies, or another one than that of the prices, these
	// are all, by currency.
	Costs        map[string]float64 `json:"costs,omitempty"`
	CostsDerived map[string]float64 `json:"costs_derived,omitempty"`
	Unknown      []string           `json:"cost_unknown_models,omitempty"`
}

// CostsIn returns costs, of which the one in a currency stands for itself.
func CostsIn(list []store.Cost, currency string, unpriced []string) Costs {
	out := Costs{Unknown: unpriced}
	for _, c := range list {
		if math.IsInf(c.Amount, 0) || math.IsNaN(c.Amount) {
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
