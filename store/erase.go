package store

import (
	"context"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// A Subject is what is erased: all sessions of a user, or one session. Exactly one of
// User and Session is set.
type Subject struct {
	// User is [SessionRow.User], all of it.
	User string
	// Session is the id of a session, or of one that is part of another, which goes as a
	// whole.
	Session honeyhive.UUID
	// Project leaves out what is not of it; "" leaves nothing out.
	Project string
}

// Erased is what was erased.
type Erased struct {
	Sessions int64 // updates that waited for one are of none
	Events   int64
	Updates  int64 // that waited for what is not known
}

// Eraser erases.
type Eraser interface {
	// Erase deletes the sessions of a subject, with their events, and the updates of a
	// user that wait for something. When it returns nil, nothing of them is left in the
	// files of the store, as [Store.Scrub] has it, and it takes as long. From then on the
	// ids of these sessions and events are not taken again: what arrives for them is
	// answered as if it were stored, and is not. Their hashes are kept for that. Other
	// sessions of a user are taken as before.
	//
	// A subject that is not known is no error. Where Erase ends with an error, what is
	// told to be erased is out of sight, and may not be gone from the disk: Erase can be
	// called again.
	Erase(ctx context.Context, s Subject) (Erased, error)
}
