package sessiontest

import (
	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// again takes in another record of the session: the whole of a run, or, without an end,
// what a further turn says.
func (s *Session) again(r *honeyhive.SessionStartRequest) {
	if !r.EndTime.IsZero() {
		s.SessionStartRequest = *r
		return
	}
	s.Metadata, s.UserProperties = s.Metadata.Merge(r.Metadata), s.UserProperties.Merge(r.UserProperties)
}

func isTurn(e *Event) bool {
	kind, _ := e.Metadata.Get("event_kind")
	return honeyhive.Value(kind).Text() == convert.KindTurn
}

// turn makes the session what it is with a turn, as the local server has it. The turns
// come in any order.
func (s *Session) turn(e *Event) {
	at := e.StartTime.Or(0)
	if s.turns == nil {
		s.turns = new(turns)
	}
	t := s.turns
	if !e.Inputs.IsEmpty() && (!t.asked || at < t.first) {
		t.asked, t.first, s.Inputs = true, at, e.Inputs
	}
	if !e.Outputs.IsEmpty() && (!t.answered || at >= t.answer) {
		t.answered, t.answer, s.Outputs = true, at, e.Outputs
	}
	if at >= t.last {
		t.last, s.Error = at, e.Error
	}
	if s.StartTime.IsZero() || at < s.StartTime.Or(0) {
		s.StartTime = e.StartTime
	}
	if end, ok := e.EndTime.Get(); ok && end > s.EndTime.Or(0) {
		s.EndTime = e.EndTime
	}
}

// turns is which turns a session has the fields of, by their starts.
type turns struct {
	first, answer, last float64
	asked, answered     bool
}
