package store

import (
	"context"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Projects tells which project what is known belongs to: whoever may see one project
// alone is asked about by it.
type Projects interface {
	// ProjectsOf returns the project of each id that is known: of a session, of one that
	// is part of another, or of an event, which is of the project of its session. That
	// is "" where the session names none. Ids that are not known are left out.
	ProjectsOf(ctx context.Context, ids ...honeyhive.UUID) (map[honeyhive.UUID]string, error)
}
