package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/store"
)

// endless has a page of sessions after each other, until it fails; none is held. Where
// fail is 0 it fails at once.
type endless struct {
	store.Store
	pages, fail int
}

var errDisk = errors.New("the disk is gone")

func (e *endless) Sessions(context.Context, store.SessionQuery) (store.SessionPage, error) {
	if e.pages == e.fail {
		return store.SessionPage{}, errDisk
	}
	e.pages++
	page := store.SessionPage{Next: "more"}
	for range 100 {
		page.Sessions = append(page.Sessions, store.SessionRow{ID: honeyhive.NewUUID(), Name: strings.Repeat("x", 100)})
	}
	return page, nil
}

// TestExportBreaksOff: an export that fails before its first bytes is refused, and one
// that fails later breaks the connection; what was sent by then was sent while it was
// made.
func TestExportBreaksOff(t *testing.T) {
	for _, c := range []struct {
		fail   int
		status int
	}{{0, http.StatusServiceUnavailable}, {500, http.StatusOK}} {
		kept := &endless{fail: c.fail}
		a := &API{Store: kept, Rejected: new(reject.Record), ReadTime: time.Minute, Query: func(url.Values, ...string) (store.SessionQuery, error) { return store.SessionQuery{}, nil }}
		mux := http.NewServeMux()
		a.Register(mux)
		server := httptest.NewServer(mux)
		res, err := server.Client().Get(server.URL + "/api/export.csv")
		if err != nil {
			t.Fatalf("fails after %d pages: %v", c.fail, err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		server.Close()
		if res.StatusCode != c.status || (c.status == http.StatusOK) != errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("fails after %d pages: %d, %d bytes, %v", c.fail, res.StatusCode, n, err)
		}
		if c.status == http.StatusOK && n < 5_000_000 {
			t.Errorf("%d bytes of 50,000 sessions came", n)
		}
	}
}

// TestReadsAreBounded: of the answers that read very much, eight are made at once, and
// the next is refused.
func TestReadsAreBounded(t *testing.T) {
	a := &API{Rejected: new(reject.Record), ReadTime: time.Minute, Query: func(url.Values, ...string) (store.SessionQuery, error) { return store.SessionQuery{}, nil }}
	mux := http.NewServeMux()
	a.Register(mux)
	for range manyReads {
		done, err := a.begin()
		if err != nil {
			t.Fatal(err)
		}
		defer done()
	}
	for _, path := range []string{"/api/export.csv", "/api/export.jsonl", "/api/cases.jsonl", "/api/backup"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
