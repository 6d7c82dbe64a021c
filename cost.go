package sessionspan

import (
	"fmt"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/money"
)

// WithCost says what an event or a session cost, in a currency named by its code of
// three letters, such as "EUR" (ISO 4217); an empty one is "USD". It lands in the
// metadata, as cost and cost_currency, in place of an earlier one. Of an event it
// stands for all that the event did, with what the events below it did.
//
// An amount below zero, above 1e9 or that is no number, and what is no code of a currency,
// set nothing: that is reported, or is the error of [Update].
//
// HoneyHive's API knows no currency: it shows metadata.cost, which viewers take for US
// dollars, and keeps metadata.cost_currency. The GenAI conventions of OpenTelemetry
// have no attribute for costs; a collector gets the metadata.
func WithCost(amount float64, currency string) FieldOption {
	return FieldOption{field: fieldCost, number: amount, text: currency}
}

// SetCost says what the event cost, with what the events below it did; [WithCost]
// says how. Without it, a server with a table of prices may derive the cost of a call
// from its model and tokens.
func (e *Event) SetCost(amount float64, currency string) { e.recording().setCost(amount, currency) }

// SetCost says what the whole session cost; [WithCost] says how. Where it is not said, the
// session ends with the sum of what its events of this process cost: those whose cost
// was set, and spans of other tracers that say theirs. An event that says its own while
// events below it do, such as an agent, is counted once, with the larger of both. Where
// events name several currencies, which are never added together, the sums stand in
// metadata.costs, an object by currency.
func (s *Session) SetCost(amount float64, currency string) { s.recording().setCost(amount, currency) }

func (r *recording) setCost(amount float64, currency string) {
	if !r.active() {
		return
	}
	a, err := money.New(amount, currency)
	if err != nil {
		r.reporter().reports.Report("cost", fmt.Errorf("sessionspan: set cost: %w", err))
		return
	}
	if s := r.node.Session; s != nil && s.Recorded() {
		r.node.Charge(a)
	}
	r.add(fields.Object(convert.Metadata, string(money.Append(nil, []money.Amount{a}))))
}
