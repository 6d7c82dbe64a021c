package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
)

// NewLines returns an exporter that writes payloads to w as JSON lines, each an
// object with one key: {"session": …}, {"event": …} or {"update": …}. A session
// comes before its events, and everything before its updates. Each turn of a
// conversation is a session with its start and inputs, an event, and an update of what
// the session came to.
//
// Writes come from one goroutine at a time, each of whole lines. An error of w
// is tried again, as for a server that cannot be reached; the lines that a
// short write left unfinished are then written again. The writer is not closed.
func NewLines(w io.Writer, options ...Option) (*Exporter, error) {
	c := newConfig("lines", options)
	if w == nil {
		c.problems = append(c.problems, errors.New("the writer is nil"))
	}
	dir := c.directory()
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("export JSON lines: %w", errors.Join(c.problems...))
	}
	limits := c.engine()
	limits.InFlight = 1
	e := newPayloads(c, limits, &lineTransport{w: w}, "", "")
	if err := c.keep(e.engine, dir); err != nil {
		return nil, fmt.Errorf("export JSON lines: %w", err)
	}
	return e, nil
}

type lineTransport struct{ w io.Writer }

func (t *lineTransport) appendSession(dst []byte, s *honeyhive.SessionStartRequest) ([]byte, *honeyhive.Update) {
	return s.AppendJSON(dst), nil
}

func (t *lineTransport) appendTurn(dst []byte, s *honeyhive.SessionStartRequest) []byte {
	return s.AppendJSON(dst)
}

func (t *lineTransport) appendEvent(dst []byte, e *honeyhive.Event) []byte { return e.AppendJSON(dst) }

// Send writes the lines of a batch in one write.
func (t *lineTransport) Send(_ context.Context, batch []*delivery.Record) delivery.Result {
	var b []byte
	for _, r := range batch {
		switch r.Kind {
		case delivery.Opener:
			b = append(b, `{"session":`...)
		case delivery.Update:
			b = append(b, `{"update":`...)
		default:
			b = append(b, `{"event":`...)
		}
		b = append(append(b, r.Body...), "}\n"...)
	}
	if _, err := t.w.Write(b); err != nil {
		return delivery.Result{Outcome: delivery.Retry, Err: fmt.Errorf("write lines: %w", err)}
	}
	return delivery.Result{Outcome: delivery.Delivered, Released: true}
}
