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
	"time"
)

// tail prints sessions as they come and change, until the context ends. It follows the
// stream of changes, and asks for those that match when there is one: so the filters are
// those of the list.
func tail(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f filters
	var asJSON bool
	c, rest, err := parsed("tail", tailUsage, args, stderr, func(flags *flag.FlagSet) {
		f.flags(flags)
		flags.BoolVar(&asJSON, "json", false, "print a JSON object a line, as list does")
	})
	if err != nil {
		return err
	}
	defer c.close()
	if len(rest) > 0 {
		return fmt.Errorf("tail: %.64q is no flag; words to look for go with -q", rest[0])
	}
	q := f.query()
	q.Set("sort", "change")
	var now listing
	if err := c.json(ctx, "/api/sessions", with(q, "limit", "1"), &now); err != nil {
		return fmt.Errorf("tail: %w", err)
	}
	t := &tailer{client: c, query: q, seq: now.Seq, out: stdout, json: asJSON}
	_, _ = fmt.Fprintln(stderr, "sessionspan: waiting for sessions at "+c.url)
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		begun := time.Now()
		err := t.follow(ctx)
		if ctx.Err() != nil {
			return nil // it was interrupted, which is how it ends
		}
		if refused, ok := errors.AsType[*printError](err); ok {
			return fmt.Errorf("tail: %w", refused.err)
		}
		if time.Since(begun) > time.Minute {
			pause = time.Second
		}
		_, _ = fmt.Fprintf(stderr, "sessionspan: the server is away (%v); trying again\n", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

type tailer struct {
	client *client
	query  url.Values
	seq    int64 // what was printed up to
	out    io.Writer
	json   bool
}

// printError says that nobody reads what is printed.
type printError struct{ err error }

func (e *printError) Error() string { return e.err.Error() }

// follow prints what changes until the stream ends.
func (t *tailer) follow(ctx context.Context) error {
	res, err := t.client.get(ctx, "/api/stream", url.Values{"after": {strconv.FormatInt(t.seq, 10)}})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	changed := false
	for kind := ""; ; {
		text, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		text = strings.TrimSpace(text)
		name, value, _ := strings.Cut(text, ":")
		switch value = strings.TrimSpace(value); name {
		case "event":
			kind = value
		case "id":
			n, err := strconv.ParseInt(value, 10, 64)
			if err == nil && n < t.seq { // the store was replaced
				t.seq = n
			}
		case "data":
			var change struct {
				Deleted bool `json:"deleted"`
			}
			changed = changed || json.Unmarshal([]byte(value), &change) == nil && (kind == "resync" || !change.Deleted)
		case "": // the end of an event, of which several come together
			if changed && lines.Buffered() == 0 {
				changed = false
				if err := t.print(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// print prints the sessions that changed since the last time, in the order of their
// changes.
func (t *tailer) print(ctx context.Context) error {
	q := with(t.query, "limit", "100")
	var all listing
	seq := t.seq
	for {
		var p listing
		if err := t.client.json(ctx, "/api/sessions", q, &p); err != nil {
			return err
		}
		older := false
		for i := range p.Sessions {
			if older = p.Sessions[i].Seq <= t.seq; older {
				break
			}
			seq = max(seq, p.Sessions[i].Seq)
			all.Sessions = append(all.Sessions, p.Sessions[i])
		}
		if older || p.Next == "" || len(all.Sessions) >= 10_000 {
			break
		}
		q.Set("after", p.Next)
	}
	for i := len(all.Sessions) - 1; i >= 0; i-- {
		s := &all.Sessions[i]
		var err error
		if t.json {
			err = newPrinter(t.out, true).session(s)
		} else {
			text := s.Question
			if s.Error != "" {
				text = "! " + s.Error
			}
			_, err = fmt.Fprintf(t.out, "%s  %-10s %s  %s  %s  %s  %s\n", when(s.Start), plain(string(s.Status), 20), plain(s.ID, 36), plain(s.Name, 30), duration(s.Duration), tokens(s.TokensIn, s.TokensOut), plain(text, 60))
		}
		if err != nil {
			return &printError{err}
		}
	}
	t.seq = seq
	return nil
}

// with returns parameters with another one.
func with(q url.Values, name, value string) url.Values {
	out := url.Values{name: {value}}
	for n, v := range q {
		if n != name {
			out[n] = v
		}
	}
	return out
}
