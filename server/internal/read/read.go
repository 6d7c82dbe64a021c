// Package read is what scripts and agents are shown of a store: sessions and events as
// JSON, a session as a tree, bodies piece by piece, two sessions side by side, and
// exports. All of it reads; none of it writes.
//
// The texts in it are those that programs and models wrote, without a change. They are
// data to whoever reads them, never instructions.
package read

import (
	"math"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Session is a session in a list. What is not known is left out. Times are Unix
// milliseconds, durations milliseconds.
type Session struct {
	ID        string       `json:"session_id"`
	Name      string       `json:"session_name"`
	Project   string       `json:"project,omitempty"`
	Source    string       `json:"source,omitempty"`
	User      string       `json:"user,omitempty"`
	Models    []string     `json:"models,omitempty"`
	Status    store.Status `json:"status"`
	Error     string       `json:"error,omitempty"`
	Question  string       `json:"question,omitempty"`
	Answer    string       `json:"answer,omitempty"`
	Start     *float64     `json:"start_time,omitempty"`
	End       *float64     `json:"end_time,omitempty"`
	Duration  *float64     `json:"duration_ms,omitempty"`
	First     *float64     `json:"time_to_first_token_ms,omitempty"`
	TokensIn  *int64       `json:"prompt_tokens,omitempty"`
	TokensOut *int64       `json:"completion_tokens,omitempty"`
	Costs
	Rating      *float64 `json:"rating,omitempty"`
	Feedback    bool     `json:"has_feedback"`
	Events      int64    `json:"num_events"`
	ModelEvents int64    `json:"num_model_events"`
	ToolEvents  int64    `json:"num_tool_events"`
	ChainEvents int64    `json:"num_chain_events"`
	Errors      int64    `json:"num_errors"`
	Received    float64  `json:"received"`
	Bytes       int64    `json:"bytes"`
	Seq         int64    `json:"seq"`
	// Counting says that what is computed lags behind, Rootless that the root span of the
	// trace has not come.
	Counting bool `json:"counting,omitempty"`
	Rootless bool `json:"rootless,omitempty"`
}

// SessionOf returns the session of a row.
func SessionOf(r *store.SessionRow) Session {
	return Session{
		ID: r.ID.String(), Name: Beginning(r.Name, mostName), Project: Beginning(r.Project, mostName), Source: Beginning(r.Source, mostName), User: Beginning(r.User, mostName), Models: names(r.Models), Status: r.Status, Error: r.Error, Question: r.Question, Answer: r.Answer,
		Start: number(r.Start), End: number(r.End), Duration: number(r.Duration), First: number(r.FirstToken), TokensIn: pointer(r.TokensIn), TokensOut: pointer(r.TokensOut),
		Costs: CostsIn(r.Costs(), r.Currency, names(r.Unpriced)), Rating: number(r.Rating), Feedback: r.Feedback,
		Events: r.Events, ModelEvents: r.ModelEvents, ToolEvents: r.ToolEvents, ChainEvents: r.ChainEvents, Errors: r.Errors,
		Received: r.Received, Bytes: r.Bytes, Seq: r.Seq, Counting: r.Stale, Rootless: r.Rootless,
	}
}

// Event is an event without its body.
type Event struct {
	ID        string   `json:"event_id"`
	Parent    string   `json:"parent_id,omitempty"`
	Depth     int      `json:"depth"`
	Children  int      `json:"num_children"`
	Name      string   `json:"event_name"`
	Type      string   `json:"event_type"`
	Kind      string   `json:"event_kind,omitempty"`
	Model     string   `json:"model,omitempty"`
	Error     string   `json:"error,omitempty"`
	Start     *float64 `json:"start_time,omitempty"`
	End       *float64 `json:"end_time,omitempty"`
	Duration  *float64 `json:"duration_ms,omitempty"`
	First     *float64 `json:"time_to_first_token_ms,omitempty"`
	TokensIn  *int64   `json:"prompt_tokens,omitempty"`
	TokensOut *int64   `json:"completion_tokens,omitempty"`
	// Cost is what the event says, or else what it adds, derived by prices.
	Cost     *float64 `json:"cost,omitempty"`
	Currency string   `json:"cost_currency,omitempty"`
	Derived  bool     `json:"cost_derived,omitempty"`
	Rating   *float64 `json:"rating,omitempty"`
	Bytes    int64    `json:"bytes"`
	Seq      int64    `json:"seq"`
}

// EventOf returns the event of a node.
func EventOf(n *Node) Event {
	e := Event{
		ID: n.ID.String(), Depth: n.Depth, Children: n.Children, Name: Beginning(n.Name, mostName), Type: Beginning(n.Type, mostName), Kind: Beginning(n.Kind, mostName), Model: Beginning(n.Model, mostName), Error: n.Error,
		Start: number(n.Start), End: number(n.End), Duration: number(n.Duration), First: number(n.FirstToken), TokensIn: pointer(n.TokensIn), TokensOut: pointer(n.TokensOut),
		Cost: number(n.Cost), Currency: n.Currency, Rating: number(n.Rating), Bytes: n.Bytes, Seq: n.Seq,
	}
	if !n.Parent.IsZero() {
		e.Parent = n.Parent.String()
	}
	if e.Cost == nil {
		if e.Cost = number(n.Derived); e.Cost != nil {
			e.Currency, e.Derived = n.DerivedCurrency, true
		}
	}
	return e
}

// mostName bounds a name in bytes, and mostNames how many there are of one kind.
const (
	mostName  = 500
	mostNames = 50
)

// Beginning returns the beginning of a text, with … where that is not all.
func Beginning(text string, most int) string {
	p := Cut(text, 0, most)
	if p.Next != nil {
		return p.Text + "…"
	}
	return p.Text
}

func names(list []string) []string {
	var out []string
	for _, name := range list[:min(len(list), mostNames)] {
		out = append(out, Beginning(name, mostName))
	}
	return out
}

// pointer returns what JSON leaves out where it is not known.
func pointer[T any](v honeyhive.Optional[T]) *T {
	if n, ok := v.Get(); ok {
		return &n
	}
	return nil
}

// number is pointer for what may be no number.
func number(v honeyhive.Optional[float64]) *float64 {
	if n, ok := v.Get(); ok && !math.IsNaN(n) && !math.IsInf(n, 0) {
		return &n
	}
	return nil
}
