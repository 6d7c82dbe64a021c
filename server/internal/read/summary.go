package read

import "github.com/sessionspan/sessionspan/store"

// Summary sums up sessions, or the calls of one model.
type Summary struct {
	Key       string `json:"key"`
	Count     int64  `json:"count"`
	Errors    int64  `json:"errors"`
	Running   int64  `json:"running,omitempty"`
	Events    int64  `json:"num_events"`
	TokensIn  int64  `json:"prompt_tokens"`
	TokensOut int64  `json:"completion_tokens"`
	Costs
	Unpriced   int64        `json:"without_price,omitempty"`
	Duration   *Percentiles `json:"duration_ms,omitempty"`
	FirstToken *Percentiles `json:"time_to_first_token_ms,omitempty"`
}

// Percentiles are of the nearest rank.
type Percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// SummaryOf returns the summary of a series.
func SummaryOf(s *store.Series) Summary {
	t := &s.Total
	list := append([]store.Cost(nil), t.OtherCosts...)
	if t.Currency != "" {
		list = store.AddCosts(list, store.Cost{Currency: t.Currency, Amount: t.Cost, Derived: t.CostDerived})
	}
	return Summary{
		Key: Beginning(s.Key, mostName), Count: t.Count, Errors: t.Errors, Running: t.Running, Events: t.Events, TokensIn: t.TokensIn, TokensOut: t.TokensOut,
		Costs: CostsIn(list, t.Currency, nil), Unpriced: t.Unpriced, Duration: percentiles(t.Duration), FirstToken: percentiles(t.FirstToken),
	}
}

func percentiles(p store.Percentiles) *Percentiles {
	if p.Count == 0 {
		return nil
	}
	return &Percentiles{p.Count, p.P50, p.P90, p.P99, p.Max}
}
