package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/server/internal/datafile"
	"github.com/sessionspan/sessionspan/server/internal/page"
	"github.com/sessionspan/sessionspan/server/internal/read"
	"github.com/sessionspan/sessionspan/server/internal/redacted"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// source is where sessions are read from: a file that no process has open, or a server.
type source struct {
	client
	data  string
	store store.Store // nil where a server is asked
}

func (s *source) flags(flags *flag.FlagSet) {
	s.client.flags(flags)
	flags.StringVar(&s.data, "data", "", dataUsage)
}

// open opens the file, or, where a server has it open or one is named, turns to that. A
// server that has another file is not asked instead.
func (s *source) open(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.given && s.data != "" {
		return errors.New("-data and -server name two places: leave one out")
	}
	if s.named && s.data == "" {
		return nil
	}
	var err error
	if s.store, _, err = datafile.Open(ctx, s.data, sqlite.WithPrices(prices.Default())); !errors.Is(err, store.ErrInUse) {
		return err
	}
	return s.turn(ctx)
}

// turn turns to the server that has the file open.
func (s *source) turn(ctx context.Context) (err error) {
	file := s.data
	if file == "" {
		if file, err = sqlite.DefaultPath(); err != nil {
			return err
		}
	}
	var info struct {
		File string `json:"file_id"`
	}
	if asked := s.json(ctx, "/api/info", nil, &info); asked != nil || info.File != datafile.ID(file) {
		return fmt.Errorf("%s: %w, and that is not the server at %s: name the address of that server with -server", file, store.ErrInUse, s.url)
	}
	return nil
}

func (s *source) close() error {
	s.client.close()
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

const exportUsage = `usage: sessionspan export [flags] [file]

export writes sessions to a new file, or to the standard output: as JSON lines, which
import reads, as CSV with a line for each session, or as cases for evaluations. It reads
the file of the sessions, or asks the server that has it open.

`

// exportTo writes sessions, or cases that are made of them, to a file or to the standard
// output. A file is new, and is removed where not all of it could be written.
func exportTo(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var s source
	var f filters
	var cases bool
	var keys store.CaseKeys
	var text string
	format := "jsonl"
	flags := newFlags("export", exportUsage, stderr)
	s.flags(flags)
	f.flags(flags)
	flags.Func("format", "`format`: jsonl or csv (default jsonl)", func(v string) error {
		if v != "jsonl" && v != "csv" {
			return errors.New("is neither jsonl nor csv")
		}
		format = v
		return nil
	})
	flags.BoolVar(&cases, "cases", false, "write lines that evals.Load reads, one for each session with inputs")
	flags.StringVar(&keys.Input, "input", "", "with -cases: `member` of the inputs that is the input (default: all of them)")
	flags.StringVar(&keys.Expected, "expected", "", "with -cases: `member` of the outputs that is expected where no ground truth is known (default: all of them)")
	flags.StringVar(&text, "text", "", "the same as -q")
	if err := flags.Parse(args); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("export: %w", trimmed(err))
		}
	}()
	switch {
	case flags.NArg() > 1:
		return errors.New("one file at most")
	case !cases && keys != (store.CaseKeys{}):
		return errors.New("-input and -expected go with -cases")
	case cases && format != "jsonl":
		return errors.New("cases are JSON lines")
	}
	q := f.query()
	if text != "" {
		q.Set("q", text)
	}
	query, err := page.ParseQuery(q)
	if err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.store != nil { // filters ask for what is computed in the background
		if err := s.store.Sync(ctx); err != nil {
			return err
		}
	}
	out, finish, err := output(flags.Arg(0), stdout)
	if err != nil {
		return err
	}
	defer func() { err = finish(err) }()
	switch {
	case s.store == nil:
		return s.fetch(ctx, q, keys, cases, format, out, stderr)
	case cases:
		n, without, err := store.ExportCases(ctx, s.store, query.Filter, keys, out)
		if err == nil {
			_, _ = fmt.Fprintf(stderr, "%d cases exported, %d sessions have no such input\n", n, without)
		}
		return err
	}
	var n int64
	if format == "csv" {
		n, err = read.WriteCSV(ctx, s.store, query, out)
	} else {
		n, err = store.Export(ctx, s.store, query.Filter, out)
	}
	if err == nil {
		_, _ = fmt.Fprintf(stderr, "%d sessions exported\n", n)
	}
	return err
}

// trimmed leaves out a name of the operation that stands there already.
func trimmed(err error) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "export: ") {
		return inner
	}
	return err
}

// fetch asks the server for an export.
func (s *source) fetch(ctx context.Context, q url.Values, keys store.CaseKeys, cases bool, format string, out, stderr io.Writer) error {
	path, what := "/api/export."+format, "lines"
	if cases {
		path, what = "/api/cases.jsonl", "cases"
		if keys.Input != "" {
			q.Set("input", keys.Input)
		}
		if keys.Expected != "" {
			q.Set("expected", keys.Expected)
		}
	}
	res, err := s.get(ctx, path, q)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var n lineCount
	if _, err := io.Copy(io.MultiWriter(out, &n), res.Body); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stderr, "%d %s exported from the server at %s\n", n, what, s.url)
	return nil
}

// lineCount counts lines.
type lineCount int64

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

// output opens a new file, or takes the standard output where none is named. What it
// returns closes the file, and removes it after an error.
func output(path string, stdout io.Writer) (io.Writer, func(error) error, error) {
	if path == "" {
		return stdout, func(err error) error { return err }, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}, nil
}

const backupUsage = `usage: sessionspan backup [flags] file

backup writes a copy of all sessions into a new file, which -data opens, and reads that
through. It copies the file of the sessions, or asks the server that has it open, which
goes on taking sessions meanwhile.

`

// backup copies the file of the sessions.
func backup(ctx context.Context, args []string, stderr io.Writer) (err error) {
	var s source
	flags := newFlags("backup", backupUsage, stderr)
	s.flags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup: %w", err)
		}
	}()
	if flags.NArg() != 1 {
		return errors.New("name one new file")
	}
	path := flags.Arg(0)
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.store == nil {
		err = s.download(ctx, path)
	} else {
		err = s.store.(*sqlite.Store).Backup(ctx, path)
	}
	if err != nil {
		return err
	}
	if err := sqlite.Check(ctx, path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	info, err := os.Stat(path)
	if err == nil {
		_, _ = fmt.Fprintf(stderr, "%d bytes written to %s, and read through\n", info.Size(), path)
	}
	return err
}

// download writes the copy that a server makes into a new file.
func (s *source) download(ctx context.Context, path string) (err error) {
	out, finish, err := output(path, nil)
	if err != nil {
		return err
	}
	defer func() { err = finish(err) }()
	res, err := s.get(ctx, "/api/backup", nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(out, res.Body)
	return err
}

// load reads sessions from a file, or from the standard input.
func load(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) (err error) {
	flags := newFlags("import", "usage: sessionspan import [flags] [file]\n\n", stderr)
	data := flags.String("data", "", dataUsage)
	policy := redaction(flags, "in what is read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 1 {
		return errors.New("import: one file at most")
	}
	s, _, err := datafile.Open(ctx, *data, sqlite.WithPrices(prices.Default()))
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	redacts, err := policy()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	in := stdin
	if flags.NArg() == 1 {
		f, err := os.Open(flags.Arg(0))
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	n, err := store.Import(ctx, redacted.New(s, redacts), in)
	_, _ = fmt.Fprintf(stderr, "%d sessions, %d events and %d updates imported\n", n.Sessions, n.Events, n.Updates)
	return err
}
