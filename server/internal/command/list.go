package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/sessionspan/sessionspan/server/internal/read"
)

const (
	listUsage = `usage: sessionspan list [flags]

list prints the sessions of a server that runs, the newest first.

`
	showUsage = `usage: sessionspan show [flags] SESSION

show prints a session and the tree of its events, or with -event the body of one of
these as JSON.

`
	tailUsage = `usage: sessionspan tail [flags]

tail prints each session that comes or changes, until it is interrupted.

`
)

// parsed reads the flags of a command that asks a server.
func parsed(name, usage string, args []string, stderr io.Writer, more func(*flag.FlagSet)) (*client, []string, error) {
	flags := newFlags(name, usage, stderr)
	c := new(client)
	c.flags(flags)
	more(flags)
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if err := c.begin(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return c, flags.Args(), nil
}

// listing is a page of a list.
type listing struct {
	Sessions []read.Session `json:"sessions"`
	Next     string         `json:"next"`
	Seq      int64          `json:"seq"`
}

// list prints sessions.
func list(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f filters
	var sort string
	var ascending, asJSON bool
	var limit *int
	c, rest, err := parsed("list", listUsage, args, stderr, func(flags *flag.FlagSet) {
		f.flags(flags)
		flags.StringVar(&sort, "sort", "start", "`order`: start, change, duration, tokens, cost, errors or name")
		flags.BoolVar(&ascending, "asc", false, "the least first")
		flags.BoolVar(&asJSON, "json", false, "print a JSON object a line: see docs/api.md")
		limit = number(flags, "n", "`number` of sessions at most", 20, 1_000_000)
	})
	if err != nil {
		return err
	}
	defer c.close()
	if len(rest) > 0 {
		return fmt.Errorf("list: %.64q is no flag; words to look for go with -q", rest[0])
	}
	q := f.query()
	q.Set("sort", sort)
	if ascending {
		q.Set("dir", "asc")
	}
	out := newPrinter(stdout, asJSON)
	for left := *limit; left > 0; {
		q.Set("limit", strconv.Itoa(min(left, 1000)))
		var p listing
		if err := c.json(ctx, "/api/sessions", q, &p); err != nil {
			return errors.Join(fmt.Errorf("list: %w", err), out.flush())
		}
		for i := range p.Sessions {
			if err := out.session(&p.Sessions[i]); err != nil {
				return fmt.Errorf("list: %w", err)
			}
		}
		left -= len(p.Sessions)
		if p.Next == "" {
			break
		}
		q.Set("after", p.Next)
	}
	return out.flush()
}

// printer prints sessions as a table or as JSON.
type printer struct {
	json  *json.Encoder
	table *tabwriter.Writer
	head  bool
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return &printer{json: e}
	}
	return &printer{table: tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)}
}

func (p *printer) session(s *read.Session) error {
	if p.json != nil {
		return p.json.Encode(s)
	}
	if !p.head {
		p.head = true
		if _, err := fmt.Fprintln(p.table, "STARTED\tSTATUS\tSESSION\tNAME\tQUESTION\tTOOK\tTOKENS\tCOST\tERRORS"); err != nil {
			return err
		}
	}
	text := s.Question
	if s.Error != "" {
		text = "! " + s.Error
	}
	_, err := fmt.Fprintf(p.table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", when(s.Start), plain(string(s.Status), 20), plain(s.ID, 36), plain(s.Name, 30), plain(text, 50),
		duration(s.Duration), tokens(s.TokensIn, s.TokensOut), cost(s.Cost, s.Currency, s.Derived > 0), s.Errors)
	return err
}

func (p *printer) flush() error {
	if p.table == nil {
		return nil
	}
	return p.table.Flush()
}

// shown is a session with a part of its tree.
type shown struct {
	Session read.Session `json:"session"`
	Events  []read.Event `json:"events"`
	Total   int          `json:"total"`
	Next    int          `json:"next_offset"`
}

// show prints a session, or the body of an event.
func show(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var asJSON, bodies bool
	var event string
	var limit *int
	c, rest, err := parsed("show", showUsage, args, stderr, func(flags *flag.FlagSet) {
		flags.BoolVar(&asJSON, "json", false, "print a JSON object: the session and its events")
		flags.BoolVar(&bodies, "bodies", false, "print the session as JSON with all bodies, as GET /v1/sessions/{id} answers")
		flags.StringVar(&event, "event", "", "`id` of an event whose body is printed")
		limit = number(flags, "n", "`number` of events at most", 1000, 1_000_000)
	})
	if err != nil {
		return err
	}
	defer c.close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("show: %w", err)
		}
	}()
	switch {
	case event != "" && len(rest) == 0:
		return c.copy(ctx, "/api/events/"+url.PathEscape(event), stdout)
	case len(rest) != 1 || event != "":
		return errors.New("name one session, or an -event")
	case bodies:
		return c.copy(ctx, "/v1/sessions/"+url.PathEscape(rest[0]), stdout)
	}
	var all shown
	for {
		var part shown
		q := url.Values{"offset": {strconv.Itoa(all.Next)}, "limit": {strconv.Itoa(min(*limit-len(all.Events), 10_000))}}
		if err := c.json(ctx, "/api/sessions/"+url.PathEscape(rest[0]), q, &part); err != nil {
			return err
		}
		part.Events = append(all.Events, part.Events...)
		if all = part; all.Next == 0 || len(all.Events) >= *limit {
			break
		}
	}
	if asJSON {
		return newPrinter(stdout, true).json.Encode(all)
	}
	return tree(stdout, &all)
}

// copy prints an answer as it is.
func (c *client) copy(ctx context.Context, path string, w io.Writer) error {
	res, err := c.get(ctx, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(w, res.Body); err != nil {
		return err
	}
	_, err = io.WriteString(w, "\n")
	return err
}

// tree prints a session and the tree of its events.
func tree(w io.Writer, all *shown) error {
	out := bufio.NewWriter(w)
	s := &all.Session
	line := func(name, value string) {
		if value != "" && value != unknown {
			_, _ = fmt.Fprintf(out, "%-10s%s\n", name, value)
		}
	}
	line("session", plain(s.ID, 36)+"  "+plain(s.Name, 100))
	line("status", plain(string(s.Status), 20))
	line("error", plain(s.Error, 500))
	line("started", when(s.Start))
	line("took", duration(s.Duration))
	line("project", plain(s.Project, 100))
	line("source", plain(s.Source, 100))
	line("user", plain(s.User, 100))
	line("models", plain(strings.Join(s.Models, ", "), 200))
	line("tokens", tokens(s.TokensIn, s.TokensOut))
	line("cost", cost(s.Cost, s.Currency, s.Derived > 0))
	line("question", plain(s.Question, 500))
	line("answer", plain(s.Answer, 500))
	table := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "\nEVENT\tKIND\tMODEL\tTOOK\tTOKENS\tCOST\tID\n")
	for i := range all.Events {
		e := &all.Events[i]
		kind := e.Kind
		if kind == "" {
			kind = e.Type
		}
		name := strings.Repeat("  ", min(e.Depth, 40)) + plain(e.Name, 60)
		if e.Error != "" {
			name += "  ! " + plain(e.Error, 80)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, plain(kind, 20), plain(e.Model, 40), duration(e.Duration), tokens(e.TokensIn, e.TokensOut), cost(e.Cost, e.Currency, e.Derived), plain(e.ID, 36))
	}
	_ = table.Flush()
	if n := all.Total - len(all.Events); n > 0 {
		_, _ = fmt.Fprintf(out, "and %d more events: see -n\n", n)
	}
	return out.Flush() // with the first error
}
