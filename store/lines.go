package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Export writes the sessions that match the filter as JSON lines, each an object
// with one key: {"session": …}, {"event": …} or {"update": …}. These are the
// lines of exporter.NewLines. A session comes before its events; updates are
// those of sessions that are not known, and, where the filter is empty, those
// that wait for their target. It returns how many sessions it wrote.
//
// It reads piece by piece. Sessions that arrive meanwhile may be left out, and
// an event that changes may be written twice, the newer one last.
func Export(ctx context.Context, s Store, f Filter, w io.Writer) (sessions int64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	e := exporter{s, out, nil}
	sessions, err = e.sessions(ctx, f)
	if err == nil && f == (Filter{}) {
		err = e.waiting(ctx)
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		err = fmt.Errorf("export: %w", err)
	}
	return sessions, err
}

type exporter struct {
	store Store
	out   *bufio.Writer
	line  []byte
}

// payload is one of the three payloads.
type payload interface{ AppendJSON(dst []byte) []byte }

func (e *exporter) write(key string, p payload) error {
	e.line = append(append(e.line[:0], `{"`...), key...)
	e.line = append(p.AppendJSON(append(e.line, `":`...)), "}\n"...)
	_, err := e.out.Write(e.line)
	return err
}

func (e *exporter) sessions(ctx context.Context, f Filter) (n int64, err error) {
	q := SessionQuery{Filter: f, Ascending: true}
	for {
		page, err := e.store.Sessions(ctx, q)
		if err != nil {
			return n, err
		}
		for i := range page.Sessions {
			err := e.session(ctx, page.Sessions[i].ID)
			if errors.Is(err, ErrNotFound) {
				continue // it was deleted meanwhile
			}
			if err != nil {
				return n, err
			}
			n++
		}
		if page.Next == "" {
			return n, nil
		}
		q.After = page.Next
	}
}

func (e *exporter) session(ctx context.Context, id honeyhive.UUID) error {
	s, err := e.store.Session(ctx, id)
	if err != nil {
		return err
	}
	if s.Status != StatusOrphan {
		err = e.write("session", &s.Payload)
	} else if u := updateOf(&s.Payload); !u.IsEmpty() {
		err = e.write("update", &u)
	}
	if err != nil {
		return err
	}
	for event, err := range e.store.EventBodies(ctx, id, EventQuery{}) {
		if err != nil {
			return err
		}
		if err := e.write("event", &event.Payload); err != nil {
			return err
		}
	}
	return nil
}

// updateOf returns the update that gave an orphan what is known of it.
func updateOf(s *honeyhive.SessionStartRequest) honeyhive.Update {
	return honeyhive.Update{
		EventID: s.SessionID, ChildrenIDs: s.ChildrenIDs, Config: s.Config, Outputs: s.Outputs, Duration: s.Duration,
		EndTime: s.EndTime, Metadata: s.Metadata, Metrics: s.Metrics, Feedback: s.Feedback, UserProperties: s.UserProperties,
	}
}

func (e *exporter) waiting(ctx context.Context) error {
	for u, err := range e.store.Waiting(ctx) {
		if err != nil {
			return err
		}
		if err := e.write("update", &u); err != nil {
			return err
		}
	}
	return nil
}

// MaxLine is the length that one line of an import may have, in bytes.
const MaxLine = 64 << 20

// Bounds of what Import writes at once.
const (
	importWrites = 500
	importBytes  = 4 << 20
)

// Imported is what an import read.
type Imported struct{ Sessions, Events, Updates int64 }

// Import reads JSON lines as [Export] writes them. Empty lines are passed over.
// At the first line that cannot be taken it stops with an error that names it;
// what stood before may be stored. To import the same lines again changes
// nothing.
//
// To a record that the store already has the lines add what it lacks, and
// replace nothing; see [Write.Fill]. Among themselves the later line wins.
func Import(ctx context.Context, s Store, r io.Reader) (Imported, error) {
	in := importer{store: s, lines: bufio.NewReaderSize(r, 64<<10), start: time.Now()}
	err := in.run(ctx)
	if err != nil {
		err = fmt.Errorf("import: %w", err)
	}
	return in.done, err
}

type importer struct {
	store Store
	lines *bufio.Reader
	batch []Write
	at    []int64 // the lines of the batch
	bytes int
	start time.Time
	done  Imported
}

func (in *importer) run(ctx context.Context) error {
	for number := int64(1); ; number++ {
		line, err := in.readLine()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return errors.Join(in.flush(ctx), fmt.Errorf("line %d: %w", number, err))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			w, err := parseLine(line)
			if err != nil {
				return errors.Join(in.flush(ctx), fmt.Errorf("line %d: %w", number, err))
			}
			w.Fill, w.At = true, in.start.Add(time.Duration(number))
			in.batch, in.at, in.bytes = append(in.batch, w), append(in.at, number), in.bytes+len(line)
		}
		if last || len(in.batch) >= importWrites || in.bytes >= importBytes {
			if err := in.flush(ctx); err != nil || last {
				return err
			}
		}
	}
}

// readLine returns the next line, and io.EOF with the last one. The line is not
// used by later calls.
func (in *importer) readLine() ([]byte, error) {
	var line []byte
	for {
		part, err := in.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxLine {
			return nil, fmt.Errorf("longer than %d bytes", MaxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func (in *importer) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	batch, at := in.batch, in.at
	in.batch, in.at, in.bytes = nil, nil, 0
	err := in.store.Write(ctx, batch)
	if refused, ok := errors.AsType[*BatchError](err); ok {
		first := refused.Writes[0]
		return fmt.Errorf("line %d: %w", at[first.Index], first.Err)
	}
	if err != nil {
		return err
	}
	for i := range batch {
		switch w := &batch[i]; {
		case w.Session != nil:
			in.done.Sessions++
		case w.Event != nil:
			in.done.Events++
		default:
			in.done.Updates++
		}
	}
	return nil
}

func parseLine(line []byte) (Write, error) {
	var w Write
	o, err := honeyhive.ParseObject(line)
	if err != nil {
		return w, err
	}
	if o.Len() != 1 {
		return w, errors.New("is not an object with one key")
	}
	for key, value := range o.All() {
		switch key {
		case "session":
			w.Session = new(honeyhive.SessionStartRequest)
			err = w.Session.UnmarshalJSON(value)
		case "event":
			w.Event = new(honeyhive.Event)
			err = w.Event.UnmarshalJSON(value)
		case "update":
			w.Update = new(honeyhive.Update)
			err = w.Update.UnmarshalJSON(value)
		default:
			err = fmt.Errorf("the key is %.40q, not session, event or update", key)
		}
	}
	return w, err
}
