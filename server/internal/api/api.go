// Package api serves the HTTP API of the contract, and OTLP/HTTP, on a store:
// what clients of HoneyHive and of OpenTelemetry send, and what they read back.
package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/erasure"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/traces"
	"github.com/sessionspan/sessionspan/server/internal/unused"
	"github.com/sessionspan/sessionspan/store"
)

// API holds what the routes work on.
type API struct {
	Store    store.Store
	Spans    *ingest.Ingester
	Bodies   *body.Reader
	Rejected *reject.Record
	Unused   *unused.Record
	Erasure  *erasure.Eraser
	// ReadTime bounds how long a request may take to come.
	ReadTime time.Duration

	// Query reads the parameters of a list of sessions; of those that are the caller's
	// own it is told the names.
	Query func(given url.Values, own ...string) (store.SessionQuery, error)
	// FileID is an id of the file of the sessions, by which a program finds out whether
	// the server has the file that it means.
	FileID string
	// Backup returns a copy of the file, to be closed, and how many bytes it has.
	Backup func(context.Context) (io.ReadCloser, int64, error)

	reads chan struct{} // the answers that are made of many records
}

// manyReads is how many answers that are made of many records are made at once.
const manyReads = 8

// Routes is what routes are added to.
type Routes interface {
	Handle(pattern string, handler http.Handler)
}

// Register adds the routes, but for that of [API.OTLP].
func (a *API) Register(mux Routes) {
	a.reads = make(chan struct{}, manyReads)
	for pattern, handler := range map[string]handler{
		"POST /session/start":                 a.json(a.startSession),
		"POST /v1/sessions":                   a.json(a.startSession),
		"POST /events":                        a.json(a.createEvent),
		"POST /v1/events":                     a.json(a.createEvent),
		"POST /events/batch":                  a.json(a.createEvents),
		"POST /v1/events/batch":               a.json(a.createEvents),
		"POST /v1/sessions/{id}/events/batch": a.json(a.createEvents),
		"POST /events/model":                  a.json(a.createModelEvent),
		"POST /events/model/batch":            a.json(a.createModelEvents),
		"PUT /events":                         a.json(a.update),
		"PUT /v1/events/{id}":                 a.json(a.update),
		"POST /events/export":                 a.json(a.export),
		"POST /v1/events/export":              a.json(a.export),

		"POST /api/erase": a.json(a.erase),

		"GET /events":              a.query,
		"GET /v1/events":           a.query,
		"GET /session/{id}":        a.getSession,
		"GET /v1/sessions/{id}":    a.getTree,
		"GET /v1/events/{id}":      a.getTree,
		"DELETE /v1/sessions/{id}": a.deleteSession,

		"GET /api/sessions":      a.listSessions,
		"GET /api/sessions/{id}": a.showSession,
		"GET /api/events/{id}":   a.showEvent,
		"GET /api/info":          a.info,
		"GET /api/export.jsonl":  a.exportLines,
		"GET /api/export.csv":    a.exportTable,
		"GET /api/cases.jsonl":   a.exportCases,
		"GET /api/backup":        a.backup,

		"GET /api/runs":      a.getRuns,
		"GET /api/run":       a.getRun,
		"GET /api/run/cases": a.getCases,
	} {
		mux.Handle(pattern, a.serve(handler))
	}
}

// handler answers a request, or returns why it does not.
type handler func(w http.ResponseWriter, r *http.Request) error

func (a *API) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.ReadTime))
		if err := h(w, r); err != nil {
			a.Reject(w, r, err)
		}
	})
}

// spans returns what takes the spans of the caller in a context.
func (a *API) spans(ctx context.Context) *ingest.Ingester {
	return a.Spans.For(caller.From(ctx).Project)
}

// Reject answers with the reason, and keeps it.
func (a *API) Reject(w http.ResponseWriter, r *http.Request, err error) {
	reason := reject.As(err)
	a.Rejected.Add(r, reason)
	Answer(w, r, reason)
}

// Answer writes why a request is turned down, in the form of its route.
func Answer(w http.ResponseWriter, r *http.Request, e *reject.Error) {
	reason := reject.Bounded(e.Reason)
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if e.Status == http.StatusRequestTimeout || e.Status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	}
	mediaType := contentType(r)
	switch {
	case isGRPC(r):
		answerGRPC(w, nil, e)
	case signalOf(r) == nil:
		body := append(append([]byte(`{"success":false,"error":`), honeyhive.StringValue(reason)...), '}')
		write(w, e.Status, jsonType, body)
	case mediaType == jsonType:
		write(w, e.Status, jsonType, traces.JSONStatus(grpcCode(e.Status), reason))
	case mediaType == protoType || mediaType == protoType2:
		write(w, e.Status, protoType, traces.ProtoStatus(grpcCode(e.Status), reason))
	default:
		write(w, e.Status, "text/plain; charset=utf-8", []byte(reason+"\n"))
	}
}

// grpcCode returns the code of gRPC that a status stands for.
func grpcCode(status int) int {
	switch status {
	case http.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case http.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case http.StatusRequestTimeout:
		return 4 // DEADLINE_EXCEEDED
	case http.StatusRequestEntityTooLarge:
		return 8 // RESOURCE_EXHAUSTED
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return 14 // UNAVAILABLE
	case http.StatusInternalServerError:
		return 13 // INTERNAL
	}
	return 3 // INVALID_ARGUMENT
}

// Media types of requests.
const (
	jsonType   = "application/json"
	protoType  = "application/x-protobuf"
	protoType2 = "application/protobuf"
)

// contentType returns the media type of the body, "" where there is none.
func contentType(r *http.Request) string {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return mediaType
}

// unsupported says that the body has the wrong type.
func unsupported(r *http.Request, want string) error {
	return reject.Errorf(http.StatusUnsupportedMediaType, "content type %.64q: send %s", r.Header.Get("Content-Type"), want)
}

// json reads the body of a request that must be JSON.
func (a *API) json(h func(w http.ResponseWriter, r *http.Request, body string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if contentType(r) != jsonType {
			return unsupported(r, jsonType)
		}
		b, err := a.Bodies.Read(r)
		if err != nil {
			return err
		}
		defer b.Release()
		text := b.Text()
		b.Bytes = nil // what is made of it does not need it any more
		return h(w, r, text)
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// unavailable is what a store that does not work comes to: its client should
// try again.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return reject.Errorf(http.StatusServiceUnavailable, "the request ended before it was stored")
	}
	return reject.Errorf(http.StatusServiceUnavailable, "the store does not take it: %v", err)
}

// stored turns an error of the store about one record into what its client is
// told.
func stored(ctx context.Context, err error) error {
	var batch *store.BatchError
	var conflict *store.ConflictError
	var large *store.TooLargeError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return reject.Errorf(http.StatusBadRequest, "no session or event has this event_id: send it before it is updated")
	case is[*reject.Error](err):
		return err
	case errors.As(err, &conflict):
		return reject.Errorf(http.StatusBadRequest, "%v", conflict)
	case errors.As(err, &large):
		return reject.Errorf(http.StatusRequestEntityTooLarge, "%v", large)
	case errors.As(err, &batch):
		return reject.Errorf(http.StatusBadRequest, "%v", err)
	}
	return unavailable(ctx, err)
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = bytes.NewReader(body).WriteTo(w)
}
