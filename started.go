package sessionspan

import (
	"fmt"
	"sync"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/report"
)

// startedSessions remembers the ids that sessions were started with, the newest
// mostStarted of them, to tell who starts one twice.
type startedSessions struct {
	mu    sync.Mutex
	said  map[honeyhive.UUID]bool // whether it was told of an id already
	order []honeyhive.UUID        // a ring, once it is full
	next  int
}

const mostStarted = 16 << 10

// note notes that a session was started, and reports it where that was not the first
// time: of each id once.
func (s *startedSessions) note(id honeyhive.UUID, reports *report.Reporter) {
	s.mu.Lock()
	said, known := s.said[id]
	switch {
	case known:
		s.said[id] = true
	case s.said == nil:
		s.said = map[honeyhive.UUID]bool{id: false}
		s.order = append(s.order, id)
	case len(s.order) < mostStarted:
		s.said[id] = false
		s.order = append(s.order, id)
	default:
		delete(s.said, s.order[s.next])
		s.said[id], s.order[s.next] = false, id
		s.next = (s.next + 1) % mostStarted
	}
	s.mu.Unlock()
	if known && !said {
		reports.Report("started twice", fmt.Errorf("sessionspan: session %s was started twice, so that it has two starts and two ends: "+
			"start the turns of a conversation by StartTurn, and join a session by ContinueSession", id))
	}
}
