package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sessionspan/sessionspan/server/internal/datafile"
	"github.com/sessionspan/sessionspan/store"
)

// exportTo writes all sessions, or cases that are made of them, to a file or to the
// standard output. A file is new, and is removed where not all of it could be written.
func exportTo(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var cases bool
	var keys store.CaseKeys
	var filter store.Filter
	s, path, err := openFor(ctx, "export", args, stderr, func(flags *flag.FlagSet) {
		flags.BoolVar(&cases, "cases", false, "write lines that evals.Load reads, one for each session with inputs")
		flags.StringVar(&keys.Input, "input", "", "with -cases: `member` of the inputs that is the input (default: all of them)")
		flags.StringVar(&keys.Expected, "expected", "", "with -cases: `member` of the outputs that is expected where no ground truth is known (default: all of them)")
		flags.StringVar(&filter.Project, "project", "", "with -cases: `name` of the project (default: any)")
		flags.StringVar(&filter.Text, "text", "", "with -cases: `words` that the session or one of its events has (default: any)")
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	out := stdout
	if path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		out = f
		defer func() {
			closing := f.Close()
			if err == nil && closing == nil {
				return
			}
			err = errors.Join(err, closing, os.Remove(path))
		}()
	}
	if cases {
		n, without, err := store.ExportCases(ctx, s, filter, keys, out)
		if err == nil {
			_, _ = fmt.Fprintf(stderr, "%d cases exported, %d sessions have no such input\n", n, without)
		}
		return err
	}
	if keys != (store.CaseKeys{}) || filter != (store.Filter{}) {
		return errors.New("export: -input, -expected, -project and -text go with -cases")
	}
	n, err := store.Export(ctx, s, store.Filter{}, out)
	if err == nil {
		_, _ = fmt.Fprintf(stderr, "%d sessions exported\n", n)
	}
	return err
}

// load reads sessions from a file, or from the standard input.
func load(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) (err error) {
	s, path, err := openFor(ctx, "import", args, stderr, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	in := stdin
	if path != "" {
		f, err := os.Open(path) //nolint:gosec // the user names it
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	n, err := store.Import(ctx, s, in)
	_, _ = fmt.Fprintf(stderr, "%d sessions, %d events and %d updates imported\n", n.Sessions, n.Events, n.Updates)
	return err
}

// openFor opens the store for a command with further flags, and returns the file that
// it names.
func openFor(ctx context.Context, command string, args []string, stderr io.Writer, more func(*flag.FlagSet)) (s store.Store, path string, err error) {
	flags := newFlags(command, "usage: sessionspan "+command+" [flags] [file]\n\n", stderr)
	more(flags)
	data := flags.String("data", "", dataUsage)
	if err := flags.Parse(args); err != nil {
		return nil, "", err
	}
	if flags.NArg() > 1 {
		return nil, "", fmt.Errorf("%s: one file at most", command)
	}
	s, _, err = datafile.Open(ctx, *data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", command, err)
	}
	return s, flags.Arg(0), nil
}
