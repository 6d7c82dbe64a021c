package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/read"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what scripts are told at once.
const (
	defaultSessions = 100
	mostSessions    = 1000
	defaultNodes    = 1000
	mostNodes       = 10_000
	mostOffset      = 10_000_000
)

// queryTime is how long a page of sessions is looked for.
const queryTime = 20 * time.Second

// list reads the query for a list of sessions.
func (a *API) list(r *http.Request, own ...string) (store.SessionQuery, error) {
	q, err := a.Query(r.URL.Query(), own...)
	if err != nil {
		return q, reject.Errorf(http.StatusBadRequest, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return q, nil
}

// listSessions answers with a page of the sessions that match.
func (a *API) listSessions(w http.ResponseWriter, r *http.Request) error {
	q, err := a.list(r, "limit")
	if err != nil {
		return err
	}
	if q.Limit, err = count(r.URL.Query(), "limit", defaultSessions, 1, mostSessions); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTime)
	defer cancel()
	seq, err := a.Store.Seq(ctx) // before the rows, so that a reader of the stream misses none
	if err != nil {
		return unavailable(r.Context(), err)
	}
	page, err := a.Store.Sessions(ctx, q)
	if ctx.Err() != nil && r.Context().Err() == nil {
		return reject.Errorf(http.StatusServiceUnavailable, "the query took longer than %v: ask for less", queryTime)
	}
	if err != nil && q.After != "" && r.Context().Err() == nil && !errors.Is(err, store.ErrClosed) {
		return reject.Errorf(http.StatusBadRequest, "after: %v", err)
	}
	if err != nil {
		return unavailable(r.Context(), err)
	}
	out := struct {
		Sessions []read.Session `json:"sessions"`
		Next     string         `json:"next,omitempty"`
		Seq      int64          `json:"seq"`
		// Unindexed is how many records a filter with words or fields does not see yet.
		Unindexed int64 `json:"unindexed,omitempty"`
	}{make([]read.Session, 0, len(page.Sessions)), page.Next, seq, page.Unindexed}
	for i := range page.Sessions {
		out.Sessions = append(out.Sessions, read.SessionOf(&page.Sessions[i]))
	}
	return answerJSON(w, out)
}

// showSession answers with a session and a part of the tree of its events, without
// their bodies.
func (a *API) showSession(w http.ResponseWriter, r *http.Request) error {
	limit, err1 := count(r.URL.Query(), "limit", defaultNodes, 1, mostNodes)
	offset, err2 := count(r.URL.Query(), "offset", 0, 0, mostOffset)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s, err := a.session(r)
	if err != nil {
		return err
	}
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	nodes, total, err := read.Tree(r.Context(), a.Store, s.ID, offset, limit)
	if err != nil {
		return unavailable(r.Context(), err)
	}
	out := struct {
		Session read.Session `json:"session"`
		Events  []read.Event `json:"events"`
		Total   int          `json:"total"`
		Next    int          `json:"next_offset,omitempty"`
	}{read.SessionOf(&s.SessionRow), make([]read.Event, 0, len(nodes)), total, 0}
	for i := range nodes {
		out.Events = append(out.Events, read.EventOf(&nodes[i]))
	}
	if end := offset + len(nodes); end < total {
		out.Next = end
	}
	return answerJSON(w, out)
}

// showEvent answers with an event and its body.
func (a *API) showEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := sessionID(r)
	if err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return reject.Errorf(http.StatusNotFound, "no event has the id %s", id)
	}
	if err != nil {
		return unavailable(r.Context(), err)
	}
	write(w, http.StatusOK, jsonType, node(priced(&e)))
	return nil
}

// info answers with how much the store holds.
func (a *API) info(w http.ResponseWriter, r *http.Request) error {
	i, err := a.Store.Info(r.Context())
	if err != nil {
		return unavailable(r.Context(), err)
	}
	return answerJSON(w, struct {
		File      string `json:"file_id"`
		Sessions  int64  `json:"sessions"`
		Orphans   int64  `json:"orphans"`
		Events    int64  `json:"events"`
		Waiting   int64  `json:"waiting_updates"`
		Bytes     int64  `json:"bytes"`
		Unindexed int64  `json:"unindexed"`
		Stale     int64  `json:"counting"`
		Seq       int64  `json:"seq"`
	}{a.FileID, i.Sessions, i.Orphans, i.Events, i.Waiting, i.Bytes, i.Unindexed, i.Stale, i.Seq})
}

// exportLines answers with the sessions that match and their events as JSON lines, which
// the import reads.
func (a *API) exportLines(w http.ResponseWriter, r *http.Request) error {
	q, err := a.list(r)
	if err != nil {
		return err
	}
	return a.file(w, r, "sessions.jsonl", "application/x-ndjson", func(ctx context.Context, out io.Writer) error {
		_, err := store.Export(ctx, a.Store, q.Filter, out)
		return err
	})
}

// exportTable answers with the sessions that match as CSV.
func (a *API) exportTable(w http.ResponseWriter, r *http.Request) error {
	q, err := a.list(r)
	if err != nil {
		return err
	}
	if q.After != "" {
		return reject.Errorf(http.StatusBadRequest, "after: an export has no pages")
	}
	return a.file(w, r, "sessions.csv", "text/csv; charset=utf-8; header=present", func(ctx context.Context, out io.Writer) error {
		_, err := read.WriteCSV(ctx, a.Store, q, out)
		return err
	})
}

// exportCases answers with cases for evaluations that are made of the sessions that match.
func (a *API) exportCases(w http.ResponseWriter, r *http.Request) error {
	q, err := a.list(r, "input", "expected")
	if err != nil {
		return err
	}
	keys := store.CaseKeys{Input: r.URL.Query().Get("input"), Expected: r.URL.Query().Get("expected")}
	return a.file(w, r, "cases.jsonl", "application/x-ndjson", func(ctx context.Context, out io.Writer) error {
		_, _, err := store.ExportCases(ctx, a.Store, q.Filter, keys, out)
		return err
	})
}

// backup answers with a copy of the file of the sessions.
func (a *API) backup(w http.ResponseWriter, r *http.Request) error {
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	copied, size, err := a.Backup(r.Context())
	if err != nil {
		return unavailable(r.Context(), err)
	}
	defer func() { _ = copied.Close() }()
	attach(w, "sessions.db", "application/vnd.sqlite3")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if _, err := io.Copy(w, copied); err != nil {
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	return nil
}

// file answers with a file that is written while it is sent. What is broken off is
// broken off for the client as well, which must not take a part for the whole.
func (a *API) file(w http.ResponseWriter, r *http.Request, name, contentType string, export func(context.Context, io.Writer) error) error {
	done, err := a.begin()
	if err != nil {
		return err
	}
	defer done()
	begun := &begun{w: w, start: func() { attach(w, name, contentType) }}
	out := bufio.NewWriterSize(begun, streamBuffer)
	err = export(r.Context(), out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		if begun.yet {
			panic(http.ErrAbortHandler)
		}
		return unavailable(r.Context(), err)
	}
	if !begun.yet { // nothing matches
		attach(w, name, contentType)
	}
	return nil
}

// begun is an answer that begins with its first bytes.
type begun struct {
	w     io.Writer
	start func()
	yet   bool
}

func (b *begun) Write(p []byte) (int, error) {
	if !b.yet {
		b.yet = true
		b.start()
	}
	return b.w.Write(p)
}

// attach makes an answer a file to be saved.
func attach(w http.ResponseWriter, name, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
