package exporter_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// shutdownSoon ends a tracer whose server does not answer, when the spools of some
// exporters have what was recorded.
func shutdownSoon(t *testing.T, tracer *sessionspan.Tracer, spooled ...*exporter.Exporter) error {
	t.Helper()
	for _, e := range spooled {
		waitFor(t, func() bool { s := e.Stats(); return s.Spooled >= s.Created })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	return tracer.Shutdown(ctx)
}

func away(_ int, w http.ResponseWriter, _ request) {
	http.Error(w, "away", http.StatusServiceUnavailable)
}

// payloadsOf lists what a server was sent, in words.
func payloadsOf(t *testing.T, requests []request) (sessions []honeyhive.SessionStartRequest, events []honeyhive.Event, updates []honeyhive.Update) {
	t.Helper()
	for _, r := range requests {
		var body struct {
			Session *honeyhive.SessionStartRequest
			Events  []honeyhive.Event
		}
		if r.method == http.MethodPut {
			var u honeyhive.Update
			if err := json.Unmarshal(r.body, &u); err != nil {
				t.Errorf("%s: %v", r.body, err)
			}
			updates = append(updates, u)
			continue
		}
		if err := json.Unmarshal(r.body, &body); err != nil {
			t.Errorf("%s: %v", r.body, err)
		}
		if body.Session != nil {
			sessions = append(sessions, *body.Session)
		}
		events = append(events, body.Events...)
	}
	return sessions, events, updates
}

// TestSpool ends a process while its server is away; the next one delivers.
func TestSpool(t *testing.T) {
	for _, v1 := range []bool{false, true} {
		dir := t.TempDir()
		srv := newServer(t, away)
		cfg := exporter.HTTPConfig{URL: srv.URL, V1: v1, Key: canary}
		e, err := newHTTP(cfg, exporter.WithSpool(dir))
		tracer := tracerFor(t, e, err)
		ended := run(tracer, "ended", "a", "b")
		ctx, open := tracer.StartSession(t.Context(), "open", sessionspan.WithInputs(map[string]any{"q": "open"}), sessionspan.WithMetrics(map[string]any{"m": 1}))
		_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "c")
		ev.End()
		if err := shutdownSoon(t, tracer, e); err == nil || !strings.Contains(err.Error(), "wait in the spool at "+dir) {
			t.Errorf("Shutdown returned %v", err)
		}
		srv.Close()

		healthy := newServer(t, ok)
		cfg.URL, cfg.Transport = srv.URL, redirected{healthy.Listener.Addr().String()} // the same address as before
		e, err = newHTTP(cfg, exporter.WithSpool(dir))
		if err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { s := e.Stats(); return s.Adopted > 0 && s.Delivered == s.Adopted })
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		checkAccount(t, e)
		sessions, events, updates := payloadsOf(t, v1Sessions(t, healthy.seen()))
		if len(sessions) != 2 || len(events) != 3 || v1 != (len(updates) == 2) {
			t.Errorf("v1 %t: %d sessions, %d events, %d updates: %v", v1, len(sessions), len(events), len(updates), healthy.routes())
		}
		for _, s := range sessions {
			incomplete := s.Metadata.Has(exporter.MetadataIncomplete)
			switch s.SessionID.Or("") {
			case ended.ID():
				if incomplete || s.Inputs.String() != `{"q":"ended"}` {
					t.Errorf("%s", s.AppendJSON(nil))
				}
			case open.ID():
				if !incomplete || s.Inputs.String() != `{"q":"open"}` {
					t.Errorf("%s", s.AppendJSON(nil))
				}
			default:
				t.Errorf("session %v", s.SessionID)
			}
		}
		checkSpool(t, dir, nil)
	}
}

// v1Sessions puts the bodies of /v1/sessions into the form of /session/start.
func v1Sessions(t *testing.T, requests []request) []request {
	t.Helper()
	for i, r := range requests {
		if r.path == "/v1/sessions" {
			requests[i].body = slices.Concat([]byte(`{"session":`), r.body, []byte("}"))
		}
	}
	return requests
}

// redirected sends all requests to one address.
type redirected struct{ to string }

func (r redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = r.to
	return http.DefaultTransport.RoundTrip(req)
}

// waitFor waits for something that other goroutines do.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not happen")
		}
	}
}

// checkSpool looks at the modes of all that was written, for the key, and for
// other texts that must not be there.
func checkSpool(t *testing.T, dir string, not []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		text := name
		if !d.IsDir() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text += string(b)
		}
		for _, s := range append(not, canary) {
			if strings.Contains(text, s) {
				t.Errorf("%s shows %q", name, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSpoolHoldsNoSecret writes to a spool through a redactor, and looks at it
// while it holds everything.
func TestSpoolHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	srv := newServer(t, away)
	redact := exporter.WithRedactor(func(_, text string) string { return strings.ReplaceAll(text, "secret", "-") })
	e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL, Key: canary}, exporter.WithSpool(dir), redact)
	if err != nil {
		t.Fatal(err)
	}
	col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL, Key: canary, Headers: map[string]string{"x-key": "another " + canary}}, exporter.WithSpool(dir), redact)
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(col))
	spill(tracer, "secret")
	ctx, _ := tracer.StartSession(t.Context(), "open", sessionspan.WithInputs("secret"))
	_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "held", sessionspan.WithInputs("secret"))
	ev.End()
	_ = shutdownSoon(t, tracer, e, col)
	if e.Stats().WaitingOnDisk == 0 || col.Stats().WaitingOnDisk == 0 {
		t.Errorf("%+v %+v", e.Stats(), col.Stats())
	}
	checkSpool(t, dir, []string{"secret"})
}

// TestSpoolForOTLP delivers by way of a spool what the plain route delivers.
func TestSpoolForOTLP(t *testing.T) {
	dir := t.TempDir()
	plain, gone := newServer(t, accept), newServer(t, away)
	p, err := newOTLP(exporter.OTLPConfig{URL: plain.URL})
	if err != nil {
		t.Fatal(err)
	}
	cfg := exporter.OTLPConfig{URL: gone.URL, Headers: map[string]string{"x-team": "red"}}
	e, err := newOTLP(cfg, exporter.WithSpool(dir))
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(p))
	spill(tracer, "text")
	if err := p.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
	_ = shutdownSoon(t, tracer, e)

	healthy := newServer(t, accept)
	cfg.Transport = redirected{healthy.Listener.Addr().String()}
	e, err = newOTLP(cfg, exporter.WithSpool(dir))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { s := e.Stats(); return s.Adopted == 3 && s.Delivered == 3 })
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	want, got := collected(t, plain), collected(t, healthy)
	if len(want) != 3 || len(got) != 3 {
		t.Fatalf("%d and %d spans", len(want), len(got))
	}
	for i := range want {
		if want[i].String() != got[i].String() {
			t.Errorf("the plain route sends\n%v\nand the spool\n%v", want[i], got[i])
		}
	}
	for _, r := range healthy.seen() {
		if r.path != "/v1/traces" || r.header.Get("X-Team") != "red" || r.header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %v", r.path, r.header)
		}
	}
	checkSpool(t, dir, nil)
}

// TestSpoolForOTLPSetsAside refuses one span of a batch.
func TestSpoolForOTLPSetsAside(t *testing.T) {
	dir := t.TempDir()
	srv := newServer(t, func(n int, w http.ResponseWriter, r request) {
		if strings.Contains(string(r.body), "bad span") {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		accept(n, w, r)
	})
	e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, exporter.WithSpool(dir))
	tracer := tracerFor(t, e, err)
	run(tracer, "s", "a", "bad span", "b")
	flush(t, tracer)
	if s := e.Stats(); s.Delivered != 3 || s.SetAside != 1 {
		t.Errorf("%+v", s)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "refused.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), `"name":"bad span"`) {
		t.Errorf("%s %v", text, err)
	}
}

func TestSpoolConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]exporter.Option{
		"a file":            exporter.WithSpool(file),
		"open to all":       exporter.WithSpool(open),
		"a negative bound":  exporter.WithSpool(t.TempDir(), exporter.SpoolMaxBytes(-1)),
		"below a file":      exporter.WithSpool(filepath.Join(file, "x")),
		"a negative margin": exporter.WithSpool(t.TempDir(), exporter.SpoolMinFree(-1)),
	} {
		if _, err := newHTTP(exporter.HTTPConfig{URL: "http://127.0.0.1:1"}, option); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := newOTLP(exporter.OTLPConfig{URL: "http://127.0.0.1:1"}, option); err == nil {
			t.Errorf("OTLP, %s: no error", name)
		}
	}
	if _, err := exporter.Wrap(new(foreign), exporter.WithSpool(t.TempDir())); err == nil {
		t.Error("Wrap took a spool")
	}
	if _, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithSpool("")); err == nil {
		t.Error("an empty directory was taken")
	}
}

// TestRetryAfterHoldsForAll answers one of several requests in flight with a
// time to wait, and the others with success.
func TestRetryAfterHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &slowFake{}
		e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: "http://127.0.0.1:1", Project: "p", Transport: f},
			exporter.WithErrorHandler(nil), exporter.WithLimits(exporter.Limits{BatchRecords: 1, BatchWait: time.Millisecond}))
		tracer := tracerFor(t, e, err)
		run(tracer, "s", slices.Repeat([]string{"e"}, 40)...)
		flush(t, tracer)
		asked := f.asked()
		for _, at := range f.started() {
			if at.After(asked) && at.Before(asked.Add(3*time.Second)) {
				t.Errorf("a request %s after the server asked for 3 s", at.Sub(asked))
			}
		}
		if s := e.Stats(); s.Delivered != 41 {
			t.Errorf("%+v", s)
		}
	})
}

// slowFake answers after a while, each request after another one; the third
// batch is told to come back.
type slowFake struct {
	mu     sync.Mutex
	starts []time.Time
	told   time.Time
}

func (f *slowFake) started() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.starts)
}
func (f *slowFake) asked() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.told }

func (f *slowFake) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	n := len(f.starts)
	f.starts = append(f.starts, time.Now())
	f.mu.Unlock()
	time.Sleep(time.Duration(10+7*n%40) * time.Millisecond)
	w := httptest.NewRecorder()
	if n == 3 {
		f.mu.Lock()
		f.told = time.Now()
		f.mu.Unlock()
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	return w.Result(), r.Context().Err()
}
