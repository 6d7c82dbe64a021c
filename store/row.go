package store

import (
	"cmp"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
)

// Status is how a session went.
type Status string

// The states of a session, in the order in which they are decided. An error is
// the session's own: events that failed are counted by SessionRow.Errors.
const (
	StatusOrphan     Status = "orphan"     // only events of it are known
	StatusError      Status = "error"      // its error, or metadata.error, is not empty
	StatusIncomplete Status = "incomplete" // metadata.incomplete is true: its program ended before it
	StatusRunning    Status = "running"    // it has neither an end_time nor a duration
	StatusOK         Status = "ok"
)

// Measures are what is read from a payload beside its names.
//
// Tokens are metadata.prompt_tokens and completion_tokens (or input_tokens and
// output_tokens), cost is metadata.cost (or total_cost), rounded to 1e-9; each is looked
// for in metrics where metadata has none. The time to first token is metadata.time_to_first_chunk_ms (or
// time_to_first_token_ms, or ttft_ms). The rating is feedback.rating: a number, or
// 1 for true, -1 for false.
type Measures struct {
	Start    honeyhive.Optional[float64] // Unix milliseconds
	End      honeyhive.Optional[float64] // Unix milliseconds
	Duration honeyhive.Optional[float64] // milliseconds; end minus start where it is not given

	TokensIn, TokensOut honeyhive.Optional[int64]
	Cost                honeyhive.Optional[float64]
	FirstToken          honeyhive.Optional[float64] // milliseconds after the start
	Rating              honeyhive.Optional[float64]
	Feedback            bool // there is feedback of any kind
	// Backwards is set where the end is before the start, or the duration below
	// zero: then the duration is not known.
	Backwards bool
}

// A Cost is an amount in one currency.
type Cost struct {
	Currency string
	Amount   float64
	Derived  float64 // of the amount: what was derived from tokens by prices
}

// AddCosts adds amounts to those of each currency, which are in the order of these.
// It may change list. A sum ends at the largest number.
func AddCosts(list []Cost, more ...Cost) []Cost {
	for _, c := range more {
		at, known := slices.BinarySearchFunc(list, c, func(a, b Cost) int { return cmp.Compare(a.Currency, b.Currency) })
		if known {
			list[at].Amount, list[at].Derived = min(list[at].Amount+c.Amount, math.MaxFloat64), min(list[at].Derived+c.Derived, math.MaxFloat64)
		} else {
			list = slices.Insert(list, at, c)
		}
	}
	return list
}

// Costs returns what a session costs, by currency, in the order of these.
func (r *SessionRow) Costs() []Cost {
	list := slices.Clone(r.OtherCosts)
	if v, ok := r.Cost.Get(); ok {
		list = AddCosts(list, Cost{Currency: r.Currency, Amount: v, Derived: r.CostDerived})
	}
	return list
}

// A SessionRow is a session in a list.
//
// Its tokens and its cost are what it and its events count; see the package
// documentation. Cost is what is known in the currency of the store's prices, by which
// sessions are ordered and filtered too. Other measures are its own where it has them; else they come from
// its events: start and end the first and the last of them,
// duration between both, the rating the mean, the time to first token that of the
// model event that started first. Feedback is that of the session or any event.
type SessionRow struct {
	ID      honeyhive.UUID
	Seq     int64
	Project string // of one of its events where only these are known; so is Source
	Source  string
	Name    string   // session_name, or metadata.session_name where that is empty or "unknown"
	User    string   // user_properties: user_id, id, user, email, user_email, name or user_name
	Models  []string // of its events, sorted
	Status  Status
	Error   string // its beginning; the same goes for Question and Answer
	// Question is the last message of a user in the inputs, or what else looks
	// like a question there; Answer is its counterpart in the outputs.
	Question, Answer string
	Measures
	Received float64 // Unix milliseconds: the earliest Write.At of it or its events
	Events   int64   // of all types
	// ModelEvents, ToolEvents and ChainEvents are Events by type.
	ModelEvents, ToolEvents, ChainEvents int64
	// Currency is that of Cost, where this is known, and CostDerived what of Cost was
	// derived by prices. OtherCosts are in other currencies, in their order.
	Currency    string
	CostDerived float64
	OtherCosts  []Cost
	// Unpriced is what there is no price for: models, with their provider where it is
	// known, of events that say how many tokens they took and not what they cost. At most
	// 32 are listed.
	Unpriced []string
	// Calls are the calls of models, each counted once.
	Calls  int64
	Errors int64 // events with an error
	// Stale is set while what is computed of it lags behind what was written.
	Stale bool
	// Rootless is set for a trace whose root span has not come.
	Rootless bool
	Bytes    int64 // payloads, with those of its events
}

// Session is a session with its payload.
type Session struct {
	SessionRow
	// Payload is what is known of it. Of an orphan it holds the session_id, and
	// what updates brought.
	Payload honeyhive.SessionStartRequest
}

// An EventRow is an event in a tree or on a time line.
type EventRow struct {
	ID      honeyhive.UUID
	Session honeyhive.UUID
	Parent  honeyhive.UUID // the nil UUID where it has none; it need not be known
	Seq     int64
	Name    string
	Type    string // model, tool or chain
	Kind    string // metadata.event_kind where it says more: retriever, embedding, reranker, agent, guardrail, evaluator or turn
	Error   string // its beginning
	Model   string // config.model, or metadata.response_model
	Measures
	// Currency is that of the cost that the event says: metadata.cost_currency, or US dollars
	// where it names none. Empty without a cost.
	Currency string
	// Derived is what the event, without those below it, costs by the store's prices, in
	// DerivedCurrency: of an event that takes tokens and says no cost. Unpriced is set
	// where there is no price for it.
	Derived         honeyhive.Optional[float64]
	DerivedCurrency string
	Unpriced        bool
	// What a price is looked up by, of events that say tokens or a cost. Provider is config.provider; ResponseModel is
	// metadata.response_model, and goes before Model; ServiceTier is
	// metadata.response_service_tier, or what was asked for, or "audio" where tokens are
	// of sound. Billed are the tokens, those of caches and of reasoning included in input
	// and output, however they were sent.
	Provider, ResponseModel, ServiceTier string
	Billed                               prices.Usage
	Bytes                                int64 // of its payload
}

// Event is an event with its payload.
type Event struct {
	EventRow
	Payload honeyhive.Event
}
