package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"

	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/datafile"
	"github.com/sessionspan/sessionspan/server/internal/erasure"
)

// erase erases a user or a session from the file of the sessions.
func erase(ctx context.Context, args []string, stderr io.Writer) (err error) {
	var who, session string
	flags := newFlags("erase", "usage: sessionspan erase [-data file] -user user | -session id\n\n", stderr)
	data := flags.String("data", "", dataUsage)
	flags.StringVar(&who, "user", "", "`user` whose sessions go, as lists show them")
	flags.StringVar(&session, "session", "", "`id` of the session that goes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("erase: there is no place for %q", flags.Arg(0))
	}
	s, file, err := datafile.Open(ctx, *data)
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	log, err := audit.Open(datafile.Beside(file, audit.Suffix))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	by := caller.Caller{ID: "command", Roles: caller.All}
	if u, err := user.Current(); err == nil {
		by.Name = u.Username
	}
	e := erasure.Eraser{Store: s, Audit: log, Open: ctx}
	done, err := e.Erase(caller.With(ctx, by), who, session)
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	_, _ = fmt.Fprintf(stderr, "%d sessions with %d events and %d updates that waited were erased\n", done.Sessions, done.Events, done.Updates)
	return nil
}
