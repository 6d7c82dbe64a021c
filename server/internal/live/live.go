// Package live tells browsers what changes in a store, by server-sent events.
package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// Stream serves GET /api/stream. Each event is of one of two types:
//
//	session  data {"session":"ID","deleted":false}: the session, or an event of
//	         it, has changed
//	resync   data {}: what changed meanwhile is not known, so read all anew
//
// The id of each is a sequence number of the store. A client that comes back
// with the last of them in Last-Event-ID, or in the query as after, misses
// nothing; one without is told what changes from now on. Changes that follow
// each other closely come together.
type Stream struct {
	Store store.Store
	// Done ends all streams when it is closed.
	Done <-chan struct{}
	// Reject answers a request that is turned down.
	Reject func(http.ResponseWriter, *http.Request, error)

	clients atomic.Int64
}

const (
	maxClients = 100
	together   = 250 * time.Millisecond // changes that close come together
	heartbeat  = 15 * time.Second       // so that proxies and clients see that all is well
	most       = 1000                   // changes in one go
)

func (s *Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.clients.Add(1) > maxClients {
		s.clients.Add(-1)
		s.Reject(w, r, reject.Errorf(http.StatusServiceUnavailable, "%d pages are open already", maxClients))
		return
	}
	defer s.clients.Add(-1)
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-ended }()
	c := client{store: s.Store, w: w, control: http.NewResponseController(w)}
	if err := c.start(ctx, r); err != nil {
		s.Reject(w, r, err)
		return
	}
	for c.step(ctx) == nil {
	}
}

// client is one stream.
type client struct {
	store   store.Store
	w       http.ResponseWriter
	control *http.ResponseController
	after   int64
}

func (c *client) start(ctx context.Context, r *http.Request) error {
	given := r.Header.Get("Last-Event-ID")
	if given == "" {
		given = r.URL.Query().Get("after")
	}
	n, err := strconv.ParseInt(given, 10, 64)
	switch {
	case given == "":
		if c.after, err = c.store.Seq(ctx); err != nil {
			return err
		}
	case err != nil || n < 0:
		return reject.Errorf(http.StatusBadRequest, "%.32q is no id of an event", given)
	default:
		c.after = n
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.w.WriteHeader(http.StatusOK)
	return c.send("retry: 1000\n\n")
}

// step waits for changes and tells of them. Its error ends the stream.
func (c *client) step(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, heartbeat)
	err := c.store.WaitChange(wait, c.after)
	cancel()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return c.send(": all is well\n\n")
	case errors.Is(err, store.ErrCursorExpired):
		return c.resync(ctx)
	case err != nil:
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(together):
	}
	changes, err := c.store.Changes(ctx, c.after, most)
	if errors.Is(err, store.ErrCursorExpired) {
		return c.resync(ctx)
	}
	if err != nil {
		return err
	}
	var out []byte
	for _, change := range changes {
		if change.Session.IsZero() { // the caller may not see it
			out = fmt.Appendf(out, "id: %d\n\n", change.Seq)
			c.after = change.Seq
			continue
		}
		out = fmt.Appendf(out, "id: %d\nevent: session\ndata: {\"session\":%q,\"deleted\":%t}\n\n", change.Seq, change.Session, change.Deleted)
		c.after = change.Seq
	}
	return c.send(string(out))
}

func (c *client) resync(ctx context.Context) error {
	after, err := c.store.Seq(ctx)
	if err != nil {
		return err
	}
	c.after = after
	return c.send(fmt.Sprintf("id: %d\nevent: resync\ndata: {}\n\n", c.after))
}

func (c *client) send(text string) error {
	if _, err := c.w.Write([]byte(text)); err != nil {
		return err
	}
	return c.control.Flush()
}
