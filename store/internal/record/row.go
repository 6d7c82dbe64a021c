package record

import (
	"cmp"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

// EventRow reads the row of an event, but for its sequence number.
func EventRow(e *honeyhive.Event) store.EventRow {
	row := store.EventRow{
		Name: e.EventName.Or(""), Type: e.EventType.Or(honeyhive.TypeTool), Error: beginning(e.Error.Or("")),
		Kind: kind(e), Model: Model(e),
		Measures: buckets{
			e.Metadata, e.Metrics, e.Feedback, e.StartTime, e.EndTime, e.Duration,
		}.measures(),
	}
	row.ID, _ = honeyhive.ParseUUID(e.EventID.Or(""))
	row.Session, _ = honeyhive.ParseUUID(e.SessionID.Or(""))
	row.Parent, _ = honeyhive.ParseUUID(e.ParentID.Or(""))
	buckets{metadata: e.Metadata, metrics: e.Metrics}.bill(&row, e.Config)
	return row
}

const kindAgent = "agent"

// kinds are those that an event may be of beside its type.
var kinds = []string{"retriever", "embedding", "reranker", kindAgent, "guardrail", "evaluator", store.KindTurn}

func kind(e *honeyhive.Event) string {
	if i := slices.Index(kinds, text(e.Metadata, "event_kind")); i >= 0 {
		return kinds[i]
	}
	return ""
}

// Model returns the model that an event calls.
func Model(e *honeyhive.Event) string {
	return beginning(cmp.Or(text(e.Config, "model"), text(e.Metadata, "response_model")))
}

// Own is what a session says of itself.
type Own struct {
	Known                          bool // there is a record of it, not only updates
	Project, Source, Name, User    string
	Error, Question, Answer        string
	Failed, Incomplete, Unfinished bool
	HasInputs, HasOutputs          bool `json:",omitempty"`
	store.Measures                 `json:"-"`
	Attempt                        *store.Attempt `json:"-"` // where it is one: what its payload says of it
	Costs                          []Amount       `json:",omitempty"`
	Bytes                          int64
	Received                       int64 // Unix nanoseconds; 0 while nothing but events is known
}

// amounts returns what the session costs by its own word, also by that of an earlier
// version, which knew no currencies.
func (o *Own) amounts() []Amount {
	if v, ok := CostUnits(o.Cost).Get(); ok && len(o.Costs) == 0 {
		return []Amount{{Currency: prices.DefaultCurrency, Units: v}}
	}
	return o.Costs
}

// SessionOwn reads what a session says of itself.
func SessionOwn(s *honeyhive.SessionStartRequest, known bool) Own {
	b := buckets{s.Metadata, s.Metrics, s.Feedback, s.StartTime, s.EndTime, s.Duration}
	m := b.measures()
	failure := cmp.Or(s.Error.Or(""), text(s.Metadata, "error"))
	own := Own{
		Known: known, Project: s.Project.Or(""), Source: s.Source.Or(""), Name: s.SessionName.Or(""),
		User:  firstText(s.UserProperties, userKeys),
		Error: beginning(failure), Failed: failure != "",
		Question: Question(s.Inputs), Answer: Answer(s.Outputs), HasInputs: !s.Inputs.IsEmpty(), HasOutputs: !s.Outputs.IsEmpty(),
		Incomplete: isTrue(s.Metadata, "incomplete"), Unfinished: rank(s.EndTime, s.Duration) == Announced,
		Measures: m,
	}
	own.Costs = b.amounts()
	if own.Name == "" || own.Name == "unknown" {
		own.Name = cmp.Or(text(s.Metadata, "session_name"), own.Name)
	}
	own.Attempt = attempt(s)
	return own
}

// Status returns how a session went.
func (o *Own) Status() store.Status {
	switch {
	case !o.Known:
		return store.StatusOrphan
	case o.Failed:
		return store.StatusError
	case o.Incomplete:
		return store.StatusIncomplete
	case o.Unfinished:
		return store.StatusRunning
	}
	return store.StatusOK
}
