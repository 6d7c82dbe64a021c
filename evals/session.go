package evals

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// A Session is what ran in an attempt, as a server would see it: the payload of the
// session and the tree of its events. Scorers may read it and must not change it.
// The methods of a nil Session find nothing.
type Session struct {
	honeyhive.SessionStartRequest
	// Events are those directly under the session, in the order in which they started.
	Events []*Event
	// Sessions are those that the task itself started in its attempt, in the order in
	// which they started.
	Sessions []*Session
}

// An Event is one step of a session.
type Event struct {
	honeyhive.Event
	// Children are the events directly under this one, in the order in which they
	// started.
	Children []*Event
}

// All walks the events of the session: each before those below it, those of sessions
// that the task started at the end.
func (s *Session) All() iter.Seq[*Event] {
	return func(yield func(*Event) bool) { s.walk(yield) }
}

func (s *Session) walk(yield func(*Event) bool) bool {
	if s == nil {
		return true
	}
	for _, e := range s.Events {
		if !e.walk(yield) {
			return false
		}
	}
	for _, below := range s.Sessions {
		if !below.walk(yield) {
			return false
		}
	}
	return true
}

func (e *Event) walk(yield func(*Event) bool) bool {
	if !yield(e) {
		return false
	}
	for _, c := range e.Children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// Documents returns what the events with the name found, or what all events found
// where the name is empty: best first, one search after the other. Of several
// documents with one id the first counts.
func (s *Session) Documents(event string) []sessionspan.Document {
	var list []sessionspan.Document
	seen := make(map[string]bool)
	for e := range s.All() {
		if event != "" && e.EventName.Or("") != event {
			continue
		}
		for _, d := range e.Documents() {
			if d.ID == "" || !seen[d.ID] {
				seen[d.ID] = true
				list = append(list, d)
			}
		}
	}
	return list
}

// Documents returns what a retriever found, best first; see
// [sessionspan.Event.SetDocuments]. What is no document is left out.
func (e *Event) Documents() []sessionspan.Document {
	raw, ok := e.Outputs.Get("documents")
	if !ok {
		return nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	var list []sessionspan.Document
	for _, element := range elements {
		var d sessionspan.Document
		if json.Unmarshal(element, &d) == nil {
			list = append(list, d)
		}
	}
	return list
}

// tools returns the names of the events that are calls of tools, searches among
// them, in the order in which they started.
func (s *Session) tools() (names []string) {
	for e := range s.All() {
		if operation, _ := e.Metadata.Get("operation_name"); e.EventType.Or("") == honeyhive.TypeTool && string(operation) != `"embeddings"` {
			names = append(names, e.EventName.Or(""))
		}
	}
	return names
}

// A recorder keeps what is recorded of the attempts that run. It takes the lines of
// an exporter.
type recorder struct {
	mu     sync.Mutex
	root   map[string]string // of a session that runs: the session of its attempt
	traces map[string]*trace // by the session of the attempt
	broken error             // a line that could not be read
}

// A trace is what is recorded of one attempt.
type trace struct {
	sessions map[string]*honeyhive.SessionStartRequest
	events   map[string]*honeyhive.Event
	order    []string // of events, as they came
	started  []string // sessions, as they started
}

func newRecorder() *recorder {
	return &recorder{root: make(map[string]string), traces: make(map[string]*trace)}
}

// begin makes the recorder keep what belongs to the session of an attempt.
func (r *recorder) begin(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.root[id] = id
	r.traces[id] = &trace{sessions: make(map[string]*honeyhive.SessionStartRequest), events: make(map[string]*honeyhive.Event), started: []string{id}}
}

// adopt adds a session that was started within an attempt.
func (r *recorder) adopt(id, attempt string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.traces[attempt]; t != nil && r.root[id] == "" {
		r.root[id] = attempt
		t.started = append(t.started, id)
	}
}

// end forgets an attempt.
func (r *recorder) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.traces[id]; t != nil {
		for _, s := range t.started {
			delete(r.root, s)
		}
	}
	delete(r.traces, id)
}

// Write takes whole lines.
func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range bytes.Lines(b) {
		if err := r.take(line); err != nil && r.broken == nil {
			r.broken = fmt.Errorf("read a record: %w", err)
		}
	}
	return len(b), nil
}

func (r *recorder) take(line []byte) error {
	var l struct {
		Session *honeyhive.SessionStartRequest `json:"session"`
		Event   *honeyhive.Event               `json:"event"`
		Update  *honeyhive.Update              `json:"update"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	switch {
	case l.Session != nil:
		id := l.Session.SessionID.Or("")
		if t := r.traces[r.root[id]]; t != nil {
			t.sessions[id] = l.Session
		}
	case l.Event != nil:
		if t := r.traces[r.root[l.Event.SessionID.Or("")]]; t != nil {
			id := l.Event.EventID.Or("")
			if t.events[id] == nil {
				t.order = append(t.order, id)
			}
			t.events[id] = l.Event
		}
	case l.Update != nil:
		r.update(l.Update)
	}
	return nil
}

// update changes the session or the event that it names.
func (r *recorder) update(u *honeyhive.Update) {
	id := u.EventID.Or("")
	if t := r.traces[r.root[id]]; t != nil {
		if s := t.sessions[id]; s != nil {
			merge(u, &s.Config, &s.Outputs, &s.Metadata, &s.Metrics, &s.Feedback, &s.UserProperties)
			replace(&s.Duration, u.Duration)
			replace(&s.EndTime, u.EndTime)
			replace(&s.ChildrenIDs, u.ChildrenIDs)
		}
		return
	}
	for _, t := range r.traces {
		if e := t.events[id]; e != nil {
			merge(u, &e.Config, &e.Outputs, &e.Metadata, &e.Metrics, &e.Feedback, &e.UserProperties)
			replace(&e.Duration, u.Duration)
			replace(&e.EndTime, u.EndTime)
			replace(&e.ChildrenIDs, u.ChildrenIDs)
			return
		}
	}
}

func merge(u *honeyhive.Update, config, outputs, metadata, metrics, feedback, user *honeyhive.Object) {
	*config, *outputs, *metadata = config.Merge(u.Config), outputs.Merge(u.Outputs), metadata.Merge(u.Metadata)
	*metrics, *feedback, *user = metrics.Merge(u.Metrics), feedback.Merge(u.Feedback), user.Merge(u.UserProperties)
}

func replace[T any](field *honeyhive.Optional[T], v honeyhive.Optional[T]) {
	if !v.IsZero() {
		*field = v
	}
}

// tree returns what is known of an attempt by now. Nothing changes it later.
func (r *recorder) tree(id string) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.traces[id]
	if t == nil {
		return new(Session)
	}
	sessions := make(map[string]*Session, len(t.started))
	for _, s := range t.started {
		sessions[s] = new(Session)
		if known := t.sessions[s]; known != nil {
			sessions[s].SessionStartRequest = *known
		}
	}
	events := make(map[string]*Event, len(t.order))
	for _, e := range t.order {
		events[e] = &Event{Event: *t.events[e]}
	}
	for _, name := range t.order {
		e := events[name]
		if above := events[e.ParentID.Or("")]; above != nil && above != e {
			above.Children = append(above.Children, e)
		} else if s := sessions[e.SessionID.Or("")]; s != nil { // take knows the session
			s.Events = append(s.Events, e)
		}
	}
	for _, e := range events {
		sortEvents(e.Children, e.ChildrenIDs.Or(nil))
	}
	top := sessions[id]
	for _, s := range t.started {
		sortEvents(sessions[s].Events, sessions[s].ChildrenIDs.Or(nil))
		if s != id {
			top.Sessions = append(top.Sessions, sessions[s])
		}
	}
	return top
}

// sortEvents puts events in the order in which they started. Where that is the same
// millisecond, the order of children_ids says more; a session that runs has none yet,
// and its events stand as they ended.
func sortEvents(events []*Event, ids []string) {
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i - len(ids)
	}
	slices.SortStableFunc(events, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.StartTime.Or(0), b.StartTime.Or(0)), cmp.Compare(place[a.EventID.Or("")], place[b.EventID.Or("")]))
	})
}

// spent returns the tokens and the cost of the events, each with what is known of
// those below it: an event counts itself where nothing below it does.
func spent(events []*Event) (sum spending) {
	for _, e := range events {
		below := spent(e.Children)
		own := spendingOf(e)
		if !below.usage {
			below.input, below.output, below.total, below.usage = own.input, own.output, own.total, own.usage
		}
		if !below.priced {
			below.cost, below.currency, below.priced = own.cost, own.currency, own.priced
		}
		sum.add(below)
	}
	return sum
}

// spending is what calls of models took.
type spending struct {
	input, output, total int64
	cost                 float64
	currency             string // of the cost
	usage, priced        bool   // whether anything says so
	mixed                bool   // costs are in several currencies, so that cost is no sum
}

// paid returns the cost, where that is known and in one currency.
func (s *spending) paid() (cost float64, ok bool) {
	if s.mixed {
		return 0, false
	}
	return s.cost, s.priced
}

func (s *spending) add(o spending) {
	s.input, s.output, s.total, s.cost = s.input+o.input, s.output+o.output, s.total+o.total, s.cost+o.cost
	s.mixed = s.mixed || o.mixed || s.priced && o.priced && s.currency != o.currency
	s.currency = cmp.Or(s.currency, o.currency)
	s.usage, s.priced = s.usage || o.usage, s.priced || o.priced
}

func spendingOf(e *Event) (s spending) {
	input, hasInput := number(e.Metadata, "prompt_tokens", "input_tokens")
	output, hasOutput := number(e.Metadata, "completion_tokens", "output_tokens")
	total, hasTotal := number(e.Metadata, "total_tokens")
	if !hasTotal {
		total = input + output
	}
	s.input, s.output, s.total, s.usage = int64(input), int64(output), int64(total), hasInput || hasOutput || hasTotal
	if s.cost, s.priced = number(e.Metadata, "cost", "total_cost"); s.priced {
		named, _ := e.Metadata.Get("cost_currency")
		s.currency = cmp.Or(strings.ToUpper(honeyhive.Value(string(named)).Text()), "USD")
	}
	return s
}

// number returns the first member that is a number which can be counted.
func number(o honeyhive.Object, keys ...string) (float64, bool) {
	for _, k := range keys {
		raw, ok := o.Get(k)
		if !ok {
			continue
		}
		var v float64
		if json.Unmarshal(raw, &v) == nil && v >= 0 && v <= 1e15 {
			return v, true
		}
	}
	return 0, false
}

// spentBy returns what a session took, together with those that the task started.
func spentBy(s *Session) (sum spending) {
	sum = spent(s.Events)
	for _, below := range s.Sessions {
		sum.add(spentBy(below))
	}
	return sum
}
