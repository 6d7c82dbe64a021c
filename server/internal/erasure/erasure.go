// Package erasure erases users and sessions, and keeps a record that it was done.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/store"
)

// Eraser erases. Its methods may be called from many goroutines at once.
type Eraser struct {
	Store store.Eraser
	Audit *audit.Log
	// Open ends with the server.
	Open context.Context //nolint:containedctx // erasure goes on when its request ends
}

// mostTime is how long one erasure may take.
const mostTime = time.Hour

// ErrSubject says that a subject is none.
var ErrSubject = errors.New("name a user or the id of a session, one of both")

// Read returns the subject that a user or a session is, of which one is empty, and how
// the record of its erasure names it.
func Read(user, session string) (s store.Subject, kind, id string, err error) {
	session = strings.TrimSpace(session)
	switch {
	case (user == "") == (session == ""):
		return s, "", "", ErrSubject
	case user != "":
		s.User = user
		return s, audit.User, user, nil
	}
	if s.Session, err = honeyhive.ParseUUID(session); err != nil || s.Session.IsZero() {
		return s, "", "", fmt.Errorf("%w: the session is no UUID", ErrSubject)
	}
	return s, audit.Session, s.Session.String(), nil
}

// Erase erases for the caller in ctx, and adds to the audit log what it came to. It goes
// on when ctx ends, since what was begun must come to its end, but not when the server
// does.
func (e *Eraser) Erase(ctx context.Context, user, session string) (store.Erased, error) {
	s, kind, id, err := Read(user, session)
	if err != nil {
		return store.Erased{}, err
	}
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), mostTime)
	defer cancel()
	defer context.AfterFunc(e.Open, cancel)()
	c := caller.From(ctx)
	entry := audit.Entry{Action: audit.Erase, Caller: c.ID, Name: c.Name, Project: c.Project}
	entry.Of(kind, id)
	begun := entry
	if err := e.Audit.Add(&begun); err != nil { // what cannot be recorded is not done
		return store.Erased{}, err
	}
	done, err := e.Store.Erase(long, s)
	entry.Counts = map[string]int64{"sessions": done.Sessions, "events": done.Events, "updates": done.Updates}
	if err != nil {
		entry.Error = "it did not come to its end"
	}
	return done, errors.Join(err, e.Audit.Add(&entry))
}
