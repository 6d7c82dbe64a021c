package sessionspan_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/await"
)

// gate is a server of any protocol, and a SpanExporter, that fails until it is opened,
// and keeps what it takes from then on.
type gate struct {
	isOpen atomic.Bool
	tried  chan struct{} // has an element once somebody has sent something

	mu    sync.Mutex
	taken bytes.Buffer
}

func newGate() *gate { return &gate{tried: make(chan struct{}, 1)} }

func (g *gate) note(text []byte) bool {
	if !g.isOpen.Load() { // before anybody is told that it was tried
		select {
		case g.tried <- struct{}{}:
		default:
		}
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken.Write(text)
	return true
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		from = z
	}
	body, err := io.ReadAll(from)
	if err != nil || !g.note(body) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "application/json" {
		_, _ = io.WriteString(w, `{"success":true}`)
	}
}

// ExportSpans implements [sdktrace.SpanExporter].
func (g *gate) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	var all strings.Builder
	for _, s := range spans {
		all.WriteString(s.Name() + "\n")
		for _, kv := range s.Attributes() {
			all.WriteString(string(kv.Key) + "=" + kv.Value.String() + "\n")
		}
	}
	if !g.note([]byte(all.String())) {
		return errors.New("closed")
	}
	return nil
}

func (g *gate) Shutdown(context.Context) error { return nil }

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken.String()
}

// discardOptions are ways to deliver to a gate.
func discardOptions(t *testing.T, way string, g *gate) []sessionspan.Option {
	t.Helper()
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(func(error) {})}
	name, kind, _ := strings.Cut(way, ", ")
	switch kind {
	case "spool":
		options = append(options, sessionspan.WithSpool(t.TempDir()))
	case "tail":
		options = append(options, sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true}))
	}
	switch name {
	case "HTTP":
		options = append(options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: s.URL, Key: "k"}))
	case "live":
		options = append(options, sessionspan.WithHTTP(exporter.HTTPConfig{URL: s.URL, Key: "k"}, exporter.WithLiveSessions()))
	case "OTLP":
		options = append(options, sessionspan.WithOTLP(exporter.OTLPConfig{URL: s.URL + "/v1/traces"}))
	case "wrapped":
		options = append(options, sessionspan.WithSpanExporter(g))
	}
	return options
}

// account checks that the account of the one destination is exact, and returns how many
// records were discarded.
func account(t *testing.T, tracer *sessionspan.Tracer) int64 {
	t.Helper()
	s := tracer.Stats()[0]
	sum := s.Delivered + s.Waiting + s.WaitingOnDisk + s.SetAside
	for _, n := range s.Dropped {
		sum += n
	}
	if s.Created+s.Adopted != sum {
		t.Errorf("the account: %+v", s)
	}
	return s.Dropped[exporter.Discarded]
}

// until waits for what a worker does by itself.
func until(t *testing.T, is func() bool) {
	t.Helper()
	_ = await.Until(t, is, func(ctx context.Context) error { <-ctx.Done(); return nil })
}

// TestDiscard drops a session while it runs, by each way of delivery: nothing of it
// leaves, whenever it ends or is set, all of another session does, and the account is
// exact.
func TestDiscard(t *testing.T) {
	for _, way := range []string{"HTTP", "live", "OTLP", "wrapped", "HTTP, spool", "OTLP, spool", "HTTP, tail", "OTLP, tail", "wrapped, tail"} {
		t.Run(way, func(t *testing.T) {
			g := newGate()
			tracer, err := sessionspan.New(discardOptions(t, way, g)...)
			if err != nil {
				t.Fatal(err)
			}
			plain := tracer.TracerProvider().Tracer("plain")
			const canary = "CANARY"
			in := map[string]any{"text": canary}
			ctx, s := tracer.StartSession(t.Context(), canary+" session", sessionspan.WithSessionID("user"), sessionspan.WithInputs(in))
			_, done := tracer.StartEvent(ctx, sessionspan.Tool, canary+" done", sessionspan.WithInputs(in))
			done.End()
			done.SetFeedback(in)
			_, left := plain.Start(ctx, canary+" plumbing")
			left.End()
			rctx, running := tracer.StartEvent(ctx, sessionspan.Agent, canary+" running", sessionspan.WithInputs(in))
			octx, other := tracer.StartSession(t.Context(), "OTHER session")
			_, event := tracer.StartEvent(octx, sessionspan.Tool, "OTHER event")
			event.RecordError(errors.New("OTHER error")) // so that tail sampling keeps it
			event.End()
			if way == "OTLP" || way == "wrapped" || way == "live" {
				<-g.tried // some of it has come back
			}

			s.Discard()
			waits := int64(2)
			if way == "live" {
				waits = 4 // two events, a change, and what announced it
			}
			until(t, func() bool { return account(t, tracer) >= waits }) // what was on its way has come back
			g.isOpen.Store(true)
			_, below := tracer.StartEvent(rctx, sessionspan.Tool, canary+" below", sessionspan.WithInputs(in))
			below.RecordError(errors.New(canary))
			below.End()
			_, foreign := plain.Start(rctx, canary+" foreign")
			foreign.End()
			running.SetOutputs(in)
			running.End()
			running.SetOutputs(in)
			s.SetOutputs(in)
			s.End()
			s.SetFeedback(in)
			if err := tracer.Update(t.Context(), "user", sessionspan.WithFeedback(in)); !strings.Contains(way, "OTLP") && !strings.Contains(way, "wrapped") && !errors.Is(err, sessionspan.ErrDiscarded) {
				t.Errorf("an update: %v", err)
			}
			_, joined := tracer.ContinueSession(t.Context(), "user")
			joined.SetMetadata(in)
			s.Discard() // twice
			other.End()
			if err := tracer.ForceFlush(t.Context()); err != nil {
				t.Errorf("a flush: %v", err)
			}
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			got := g.text()
			if strings.Contains(got, canary) {
				t.Errorf("it has left: %.2000s", got)
			}
			if !strings.Contains(got, "OTHER session") || !strings.Contains(got, "OTHER event") {
				t.Errorf("the other session has not: %s", got)
			}
			if n := account(t, tracer); n < 4 {
				t.Errorf("%d were discarded: %+v", n, tracer.Stats()[0])
			}
		})
	}
}

// TestDiscardTurn drops a conversation in the midst of a turn.
func TestDiscardTurn(t *testing.T) {
	for _, way := range []string{"HTTP", "HTTP, spool", "OTLP", "HTTP, tail"} {
		t.Run(way, func(t *testing.T) {
			g := newGate()
			tracer, err := sessionspan.New(discardOptions(t, way, g)...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, turn := tracer.StartTurn(t.Context(), "conversation", "CANARY turn", sessionspan.WithInputs(map[string]any{"q": "CANARY"}))
			_, e := tracer.StartEvent(ctx, sessionspan.Tool, "CANARY event")
			e.End()
			_, s := tracer.ContinueSession(ctx, "conversation")
			s.Discard()
			until(t, func() bool { return account(t, tracer) >= 1 })
			g.isOpen.Store(true)
			turn.SetOutputs(map[string]any{"a": "CANARY"})
			turn.End()
			_, next := tracer.StartTurn(t.Context(), "conversation", "CANARY next")
			next.End()
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if got := g.text(); strings.Contains(got, "CANARY") {
				t.Errorf("it has left: %.2000s", got)
			}
			if n := account(t, tracer); n < 3 {
				t.Errorf("%d were discarded", n)
			}
		})
	}
}

// TestDiscardOfTheSpool leaves no byte of the session in the files once the others are
// delivered, and nothing that the next process would send.
func TestDiscardOfTheSpool(t *testing.T) {
	dir := t.TempDir()
	g := newGate()
	s := httptest.NewServer(g)
	defer s.Close()
	start := func() *sessionspan.Tracer {
		t.Helper()
		tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(func(error) {}), sessionspan.WithSpool(dir), sessionspan.WithProject("p"),
			sessionspan.WithHTTP(exporter.HTTPConfig{URL: s.URL, Key: "k"}))
		if err != nil {
			t.Fatal(err)
		}
		return tracer
	}
	inFiles := func() (found bool) {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				return nil // it went meanwhile
			}
			found = found || bytes.Contains(text, []byte("CANARY"))
			return err
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return found
	}
	tracer := start()
	ctx, session := tracer.StartSession(t.Context(), "CANARY session", sessionspan.WithInputs(map[string]any{"q": "CANARY"}))
	_, e := tracer.StartEvent(ctx, sessionspan.Tool, "CANARY event")
	e.End()
	_, other := tracer.StartSession(t.Context(), "OTHER")
	other.End()
	until(t, func() bool { return tracer.Stats()[0].Spooled >= 2 })
	if !inFiles() {
		t.Fatal("the spool does not hold it: nothing was tested")
	}
	session.Discard()
	session.End()
	g.isOpen.Store(true)
	if err := tracer.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, func() bool { return !inFiles() })
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	account(t, tracer)
	next := start()
	if err := next.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := g.text(); strings.Contains(got, "CANARY") || !strings.Contains(got, "OTHER") {
		t.Errorf("%.1000s", got)
	}
}

// TestDiscardNothing does nothing on what is no session.
func TestDiscardNothing(t *testing.T) {
	var none *sessionspan.Session
	none.Discard()
	new(sessionspan.Session).Discard()
	_, s := sessionspan.StartSession(t.Context(), "nowhere")
	s.Discard()
	s.End()
}
