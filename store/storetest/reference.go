package storetest

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// This file says what the state of a store is, as a plain function of the set of what
// was written: no order, no steps, nothing that is kept up. It reads single payloads
// as a store does (package record), and does all else by itself, slowly.

// State is what a store comes to.
type State struct {
	Sessions map[honeyhive.UUID]*SessionState // those that are shown
	Follows  map[honeyhive.UUID]honeyhive.UUID
}

// SessionState is a session that is shown.
type SessionState struct {
	Name, Project, User, Question, Answer, Error string
	Status                                       store.Status
	Rootless                                     bool
	Start, End                                   float64 // NaN where it is not known
	In, Out                                      int64   // -1 where it is not known
	Cost                                         float64
	Calls, Models                                int64
	Parents                                      map[honeyhive.UUID]honeyhive.UUID // of its events
	Rating                                       float64
	Attempts                                     map[string]string   // the scores, by the runs that a part of it names
	BySelf                                       map[string][4]int64 // what model events add: calls, in, out, cost
	ByName                                       map[string][4]int64 // what events of a name add: events, in, out, cost
}

type set struct {
	events   map[honeyhive.UUID]honeyhive.Event
	sessions map[honeyhive.UUID][]record.Layer // records and updates
	received map[honeyhive.UUID]int64
	joins    []store.Join
	up       map[honeyhive.UUID]honeyhive.UUID
	traces   map[honeyhive.UUID]bool // sessions of traces that are said to be
}

// StateOf returns the state that writes come to.
func StateOf(writes []store.Write) (*State, error) {
	s := &set{make(map[honeyhive.UUID]honeyhive.Event), make(map[honeyhive.UUID][]record.Layer), make(map[honeyhive.UUID]int64), nil, make(map[honeyhive.UUID]honeyhive.UUID), make(map[honeyhive.UUID]bool)}
	layers := make(map[honeyhive.UUID][]record.Layer)
	kinds := make(map[honeyhive.UUID]record.Kind)
	for i := range writes {
		in, err := record.Read(&writes[i], time.Time{})
		if err != nil {
			return nil, err
		}
		switch in.Kind {
		case record.Joined:
			s.joins = append(s.joins, *in.Join)
		case record.Edged:
			old, known := s.up[in.Edge.Span]
			if p := in.Edge.Parent; !known || bytes.Compare(p[:], old[:]) < 0 {
				s.up[in.Edge.Span] = p
			}
		default:
			layers[in.ID] = append(layers[in.ID], in.Layer)
			if in.Kind != record.Unknown {
				kinds[in.ID] = in.Kind
			}
			if in.Kind == record.Session && in.Trace == in.ID {
				s.traces[in.ID] = true
			}
		}
	}
	for id, all := range layers {
		if kinds[id] != record.Event {
			s.sessions[id] = record.MergeSession(nil, all...)
			continue
		}
		e, err := record.FoldEvent(record.Merge(nil, all...))
		if err != nil {
			return nil, err
		}
		s.events[id] = e
	}
	return s.state()
}

// target returns the session that one is part of, and the join that says so.
func (s *set) target(origin honeyhive.UUID) (honeyhive.UUID, *store.Join) {
	var mine []store.Join
	for _, j := range s.joins {
		if j.From == origin {
			mine = append(mine, j)
		}
	}
	strong := make(map[string]bool)
	weak := false
	for _, j := range mine {
		if j.To != origin && !j.Weak {
			strong[j.Text] = true
		}
		weak = weak || j.To != origin && j.Weak
	}
	mine = slices.DeleteFunc(mine, func(j store.Join) bool {
		named := j.To != origin
		switch {
		case len(strong) > 1:
			return named
		case len(strong) == 1:
			return !named || j.Weak
		case weak:
			return !named
		}
		return false
	})
	if len(mine) == 0 {
		return origin, nil
	}
	// Of joins that differ in nothing but their span, and in whether it is an event,
	// the first span counts.
	first := make(map[store.Join]store.Join)
	for _, j := range mine {
		key := j
		key.Span, key.Below, key.Start, key.Speaks = honeyhive.UUID{}, false, 0, false
		old, known := first[key]
		if !known || earlier(j, old) {
			first[key] = j
		}
	}
	var list []store.Join
	for _, j := range first {
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b store.Join) int {
		return cmp.Or(cmp.Compare(s.depth(a.Span, nil), s.depth(b.Span, nil)), cmp.Compare(a.Start, b.Start), strings.Compare(a.Text, b.Text), bytes.Compare(a.To[:], b.To[:]),
			bytes.Compare(a.Span[:], b.Span[:]), strings.Compare(a.Name, b.Name), strings.Compare(a.Project, b.Project), strings.Compare(a.Source, b.Source))
	})
	for _, j := range s.joins {
		if j.To == origin && j.From != origin {
			return origin, &list[0] // others are part of it
		}
	}
	return list[0].To, &list[0]
}

func earlier(a, b store.Join) bool {
	if a.Below != b.Below {
		return b.Below
	}
	return cmp.Or(cmp.Compare(a.Start, b.Start), bytes.Compare(a.Span[:], b.Span[:])) < 0
}

// depth is how many spans of a trace are known above one, and itself if it is.
func (s *set) depth(span honeyhive.UUID, seen []honeyhive.UUID) int {
	parent, known := s.up[span]
	if e, ok := s.events[span]; !known && ok {
		parent, _ = honeyhive.ParseUUID(e.ParentID.Or(""))
		known = true
	}
	if !known || len(seen) == 256 {
		return 0
	}
	if parent.IsZero() || parent == span {
		return 1
	}
	return 1 + s.depth(parent, append(seen, span))
}

func (s *set) state() (*State, error) {
	out := &State{make(map[honeyhive.UUID]*SessionState), make(map[honeyhive.UUID]honeyhive.UUID)}
	traceOf := make(map[honeyhive.UUID]honeyhive.UUID) // of each session that came of one
	chosen := make(map[honeyhive.UUID]*store.Join)
	for _, j := range s.joins {
		traceOf[j.From] = j.Trace
	}
	for id := range s.traces {
		if _, known := traceOf[id]; !known {
			traceOf[id] = id
		}
	}
	groups := make(map[honeyhive.UUID]map[honeyhive.UUID]bool)
	part := func(target, id honeyhive.UUID) {
		if groups[target] == nil {
			groups[target] = make(map[honeyhive.UUID]bool)
		}
		groups[target][id] = true
	}
	for id := range traceOf {
		to, j := s.target(id)
		out.Follows[id], chosen[id] = to, j
		part(to, id)
	}
	where := func(id honeyhive.UUID) honeyhive.UUID {
		if to, ok := out.Follows[id]; ok {
			return to
		}
		return id
	}
	for id := range s.sessions {
		part(where(id), id)
	}
	events := make(map[honeyhive.UUID][]honeyhive.UUID)
	for id := range s.events {
		e := s.events[id]
		home, _ := honeyhive.ParseUUID(e.SessionID.Or(""))
		part(where(home), home)
		events[where(home)] = append(events[where(home)], id)
	}
	for target, parts := range groups {
		part(target, target)
		one, err := s.session(target, parts, events[target], traceOf, chosen)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out.Sessions[target] = one
		}
	}
	return out, nil
}

// member is the record of a session that is part of a group.
type member struct {
	id      honeyhive.UUID
	payload honeyhive.SessionStartRequest
	known   bool
	owned   bool
}

// runOf reads the run that a session names.
func runOf(p *honeyhive.SessionStartRequest) string {
	raw, _ := p.Metadata.Get("run_id")
	return strings.Trim(string(raw), `"`)
}

// attempts notes the runs that a session is an attempt of. Of its parts that name one
// the first to start counts.
func attempts(out *SessionState, parts []member) {
	slices.SortFunc(parts, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.payload.StartTime.Or(math.MaxFloat64), b.payload.StartTime.Or(math.MaxFloat64)), bytes.Compare(a.id[:], b.id[:]))
	})
	for i := range parts {
		run := runOf(&parts[i].payload)
		if _, known := out.Attempts[run]; known || run == "" {
			continue
		}
		n, _ := parts[i].payload.Metrics.Get("n")
		out.Attempts[run] = "[{n " + string(n) + " false}]"
	}
}

func (s *set) session(id honeyhive.UUID, parts map[honeyhive.UUID]bool, events []honeyhive.UUID, traceOf map[honeyhive.UUID]honeyhive.UUID, chosen map[honeyhive.UUID]*store.Join) (*SessionState, error) {
	var self member
	var members []member
	var choices []store.Join
	trace, shown := false, len(events) > 0
	for p := range parts {
		payload, err := record.FoldSession(p, s.sessions[p])
		if err != nil {
			return nil, err
		}
		m := member{id: p, payload: payload, known: record.Has(s.sessions[p])}
		if t, ok := traceOf[p]; ok {
			trace = true
			j := store.Join{From: p, To: p}
			if chosen[p] != nil {
				j = *chosen[p]
			}
			choices = append(choices, j)
			m.owned = j.Owned && p != id
			shown = shown || m.known && t != p
		} else {
			shown = shown || m.known
		}
		if p == id {
			self = m
		} else {
			members = append(members, m)
		}
	}
	if !shown {
		return nil, nil
	}
	started := func(m *member) float64 { return m.payload.StartTime.Or(math.MaxFloat64) }
	slices.SortFunc(members, func(a, b member) int {
		return cmp.Or(cmp.Compare(started(&a), started(&b)), bytes.Compare(a.id[:], b.id[:]))
	})
	out := &SessionState{Start: math.NaN(), End: math.NaN(), In: -1, Out: -1, Cost: -1, Parents: make(map[honeyhive.UUID]honeyhive.UUID), Rating: math.NaN(), BySelf: make(map[string][4]int64), ByName: make(map[string][4]int64), Attempts: make(map[string]string)}
	attempts(out, append([]member{self}, members...))
	all := append([]member{self}, slices.DeleteFunc(slices.Clone(members), func(m member) bool { return m.owned || !m.known })...)
	var ownIn, ownOut, ownCost int64 = -1, -1, -1
	known := false
	for i := range all {
		p := &all[i].payload
		own := record.SessionOwn(p, true)
		known = known || all[i].known
		if v, ok := own.Start.Get(); ok && !(out.Start <= v) {
			out.Start = v
		}
		if v, ok := own.End.Get(); ok && !(out.End >= v) {
			out.End = v
		}
		ownIn, ownOut, ownCost = sumOf(ownIn, own.TokensIn), sumOf(ownOut, own.TokensOut), sumOf(ownCost, record.CostUnits(own.Cost))
	}
	for i := range all { // the first one with inputs, the session itself before all
		if p := &all[i].payload; !p.Inputs.IsEmpty() {
			out.Question = record.Question(p.Inputs)
			break
		}
	}
	inputs := slices.ContainsFunc(all, func(m member) bool { return !m.payload.Inputs.IsEmpty() })
	outputs := false
	for i := range slices.Backward(all) { // the last one with outputs, the session itself before all
		if i > 0 && !self.payload.Outputs.IsEmpty() || all[i].payload.Outputs.IsEmpty() || outputs {
			continue
		}
		outputs, out.Answer = true, record.Answer(all[i].payload.Outputs)
	}
	own := record.SessionOwn(&self.payload, self.known)
	out.Error, out.Name, out.User, out.Project = own.Error, own.Name, own.User, own.Project
	if own.Error == "" && len(all) > 1 {
		last := record.SessionOwn(&all[len(all)-1].payload, true)
		out.Error = last.Error
	}
	ended := !self.payload.EndTime.IsZero() || !self.payload.Duration.IsZero()
	for i := range all {
		ended = ended || !all[i].payload.EndTime.IsZero() || !all[i].payload.Duration.IsZero()
	}
	for i := range members {
		o := record.SessionOwn(&members[i].payload, true)
		if own.User == "" && o.User != "" {
			out.User = o.User
		}
		if v, ok := o.Rating.Get(); ok && own.Rating.IsZero() {
			out.Rating = v
		}
	}
	if v, ok := own.Rating.Get(); ok {
		out.Rating = v
	}
	s.called(out, choices)
	announced := slices.ContainsFunc(choices, func(j store.Join) bool { return !j.Unannounced })
	owned := slices.ContainsFunc(choices, func(j store.Join) bool { return j.Owned })
	out.Rootless = trace && announced && !owned && !known0(self, members)
	switch {
	case !known && !announced:
		out.Status = store.StatusOrphan
	case out.Error != "":
		out.Status = store.StatusError
	case !ended:
		out.Status = store.StatusRunning
	default:
		out.Status = store.StatusOK
	}
	s.count(out, id, parts, events, traceOf)
	out.In, out.Out, out.Cost = max(out.In, ownIn), max(out.Out, ownOut), max(out.Cost, float64(ownCost))
	if trace && !owned {
		s.fall(out, id, events, inputs, outputs, known || announced)
	}
	if out.Project == "" {
		for _, e := range events {
			event := s.events[e]
			if p := event.Project.Or(""); p != "" && (out.Project == "" || p < out.Project) {
				out.Project = p
			}
		}
	}
	starts, ends := math.IsNaN(out.Start), math.IsNaN(out.End)
	for _, e := range events {
		row := s.row(e)
		start, ok := row.Start.Get()
		if ok && starts && !(out.Start <= start) {
			out.Start = start
		}
		end, ended := row.End.Get()
		if !ended && ok {
			end, ended = start+row.Duration.Or(0), true
		}
		if ended && ends && !(out.End >= end) {
			out.End = end
		}
	}
	return out, nil
}

func known0(self member, members []member) bool {
	return self.known || slices.ContainsFunc(members, func(m member) bool { return m.known })
}

// called gives a session the names that joins have for it, each the first there is.
func (s *set) called(out *SessionState, choices []store.Join) {
	slices.SortFunc(choices, func(a, b store.Join) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), strings.Compare(a.Text, b.Text), strings.Compare(a.Name, b.Name), strings.Compare(a.Project, b.Project), strings.Compare(a.Source, b.Source))
	})
	text := ""
	named := false
	for _, j := range choices {
		text, named = cmp.Or(text, j.Text), named || j.From != j.To
		out.Project = cmp.Or(out.Project, j.Project)
	}
	for _, j := range choices {
		out.Name = cmp.Or(out.Name, j.Name)
	}
	if _, err := honeyhive.ParseUUID(text); named && err != nil {
		out.Name = cmp.Or(out.Name, text)
	}
}

func (s *set) row(event honeyhive.UUID) store.EventRow {
	e := s.events[event]
	return record.EventRow(&e)
}

// fall fills in what the topmost events of a trace say and no record does.
func (s *set) fall(out *SessionState, id honeyhive.UUID, events []honeyhive.UUID, inputs, outputs, known bool) {
	var top []honeyhive.UUID
	for _, e := range events {
		if p := out.Parents[e]; p == id || p == e || !slices.Contains(events, p) {
			top = append(top, e)
		}
	}
	if len(top) == 0 {
		return
	}
	start := func(e honeyhive.UUID) float64 { r := s.row(e); return r.Start.Or(math.MaxFloat64) }
	end := func(e honeyhive.UUID) float64 { r := s.row(e); return r.End.Or(r.Start.Or(-math.MaxFloat64)) }
	first := slices.MinFunc(top, func(a, b honeyhive.UUID) int {
		return cmp.Or(cmp.Compare(start(a), start(b)), bytes.Compare(a[:], b[:]))
	})
	last := slices.MaxFunc(top, func(a, b honeyhive.UUID) int { return cmp.Or(cmp.Compare(end(a), end(b)), bytes.Compare(a[:], b[:])) })
	one, other := s.events[first], s.events[last]
	if !inputs {
		out.Question = record.Question(one.Inputs)
	}
	if !outputs {
		out.Answer = record.Answer(other.Outputs)
	}
	user := record.SessionOwn(&honeyhive.SessionStartRequest{UserProperties: one.UserProperties}, true)
	out.User = cmp.Or(out.User, user.User)
	if known {
		out.Name = cmp.Or(out.Name, one.EventName.Or(""))
	}
}
