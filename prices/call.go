package prices

import (
	"errors"
	"fmt"
)

// A Call is a call of a model, or several of one model together.
type Call struct {
	// Provider is who sells the model, by one of the names that the table has for it,
	// such as those of the GenAI conventions of OpenTelemetry. Where it is empty, the
	// name of the model says it (openai/gpt-4.1), or all providers that have the model
	// must have one price.
	Provider string
	// Model is the name of the model: one of the table's, in small or capital letters,
	// or one followed by a date (gpt-4.1-2025-04-14, claude-sonnet-4@20250514), or with
	// what services put around it (models/gemini-2.5-pro, us.anthropic.claude-…-v1:0).
	Model string
	// ServiceTier is how the request was served. "default", "standard", "auto" and
	// "on_demand" are none.
	ServiceTier string
	// Several is set where the tokens are of an unknown number of requests: then prices
	// that depend on how many there are in one are not known.
	Several bool
	Usage
}

// Usage is tokens, each counted once in Input and Output. What is below zero is none.
type Usage struct {
	Input      int64 // all that was read, with what was read from a cache and written to one
	Output     int64 // all that was written, with the reasoning
	CacheRead  int64 // of the input
	CacheWrite int64 // of the input
	Reasoning  int64 // of the output
}

// A Cost is what a call costs by a table.
type Cost struct {
	Amount   float64
	Currency string
	Provider string   // the price is that of this provider
	Model    string   // and of this model, as the table names them
	Date     string   // when the price was looked up
	Sources  []string // where; they must not be changed
}

// ErrNoPrice says that a table has no price for a call.
var ErrNoPrice = errors.New("no price")

// Derive returns what a call costs. The error says what there is no price for, and
// wraps [ErrNoPrice]; a call without tokens costs nothing wherever its model has a
// price.
func (t *Table) Derive(c Call) (Cost, error) {
	p, m := t.find(c.Provider, c.Model, tierOf(c.ServiceTier))
	if m == nil {
		return Cost{}, fmt.Errorf("%w for %s", ErrNoPrice, c.String())
	}
	r := &m.rates
	input := max(0, c.Input)
	for i := range m.above {
		if input <= m.above[i].tokens {
			break
		}
		if c.Several {
			return Cost{}, fmt.Errorf("%w for several requests to %s together, which depends on the tokens of each", ErrNoPrice, c.Model)
		}
		r = &m.above[i].rates
	}
	output := max(0, c.Output)
	if output > 0 && !r.hasOutput {
		return Cost{}, fmt.Errorf("%w for what %s writes", ErrNoPrice, c.Model)
	}
	read := min(max(0, c.CacheRead), input)
	written := min(max(0, c.CacheWrite), input-read)
	reasoning := min(max(0, c.Reasoning), output)
	const million = 1e6
	amount := (float64(input-read-written)*r.input + float64(read)*r.cacheRead + float64(written)*r.cacheWrite +
		float64(output-reasoning)*r.output + float64(reasoning)*r.reasoning) / million
	if !finite(amount) {
		return Cost{}, fmt.Errorf("%w for so many tokens", ErrNoPrice)
	}
	return Cost{amount, p.currency, p.name, m.name, p.date, p.sources}, nil
}

// String names what a call asks the price of, as in errors: gpt-4.1 (openai, flex).
func (c Call) String() string {
	name, tier := c.Model, tierOf(c.ServiceTier)
	if name == "" {
		name = "tokens of no model"
	}
	switch {
	case c.Provider != "" && tier != "":
		return name + " (" + c.Provider + ", " + tier + ")"
	case c.Provider != "" || tier != "":
		return name + " (" + c.Provider + tier + ")"
	}
	return name
}
