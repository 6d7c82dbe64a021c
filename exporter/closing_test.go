package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// ender is a SpanExporter whose Shutdown does what its function says.
type ender struct {
	shutdown func(context.Context) error
	calls    atomic.Int32
}

func (*ender) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

func (e *ender) Shutdown(ctx context.Context) error {
	e.calls.Add(1)
	return e.shutdown(ctx)
}

// TestShutdownOfForeignExporters has the Shutdown of a foreign exporter do what it
// should not: it is called once, whoever calls Shutdown how often, ends nothing but
// itself, and its error is that of every call.
func TestShutdownOfForeignExporters(t *testing.T) {
	release := make(chan struct{})
	for name, c := range map[string]struct {
		shutdown func(context.Context) error
		want     string // "" for no error
	}{
		"good":   {func(context.Context) error { return nil }, ""},
		"fails":  {func(context.Context) error { return errors.New("no") }, "Shutdown: no"},
		"panics": {func(context.Context) error { panic("on purpose") }, "Shutdown: panic: on purpose"},
		"exits":  {func(context.Context) error { runtime.Goexit(); return nil }, "Shutdown: it ended its goroutine"},
		"slow":   {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "context deadline exceeded"},
		"hangs":  {func(context.Context) error { <-release; return nil }, "Shutdown did not return and still runs"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release = make(chan struct{})
				f := &ender{shutdown: c.shutdown}
				e, err := exporter.Wrap(f, exporter.WithName("foreign"))
				tracer := tracerFor(t, e, err)
				run(tracer, "s")
				check := func(err error) {
					if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "foreign: ")) {
						t.Errorf("error %v, want %q", err, c.want)
					}
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				var wg sync.WaitGroup
				for range 5 {
					wg.Go(func() { check(tracer.Shutdown(ctx)) })
				}
				wg.Wait()
				check(tracer.Shutdown(ctx))
				check(e.Shutdown(ctx))
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("Shutdown took %s", took)
				}
				if n := f.calls.Load(); n != 1 {
					t.Errorf("the exporter was shut down %d times", n)
				}
				if s := e.Stats(); s.Delivered != 1 {
					t.Errorf("%+v", s)
				}
				close(release)
			})
		})
	}
}

// TestRedactorsThatMisbehave holds ForceFlush and Shutdown of a tracer against
// redactors that hang, take their time, or end their goroutine, for each kind of
// destination: both end with their contexts, every record is counted, and no
// content leaves.
func TestRedactorsThatMisbehave(t *testing.T) {
	release := make(chan struct{})
	destinations := map[string]func(*fake, ...exporter.Option) (*exporter.Exporter, error){
		"HTTP": func(f *fake, o ...exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewHTTP(exporter.HTTPConfig{URL: "http://localhost", Transport: f}, o...)
		},
		"OTLP": func(f *fake, o ...exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewOTLP(exporter.OTLPConfig{URL: "http://localhost", Transport: f}, o...)
		},
		"wrapped": func(_ *fake, o ...exporter.Option) (*exporter.Exporter, error) {
			return exporter.Wrap(&ender{shutdown: func(context.Context) error { return nil }}, o...)
		},
	}
	for name, redact := range map[string]exporter.Redactor{
		"hangs": func(_, text string) string { <-release; return text },
		"slow":  func(_, text string) string { time.Sleep(20 * time.Millisecond); return text },
		"exits": func(_, text string) string { runtime.Goexit(); return text },
	} {
		for kind, destination := range destinations {
			t.Run(fmt.Sprint(kind, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release = make(chan struct{})
					f := &fake{answer: ok}
					e, err := destination(f, exporter.WithRedactor(redact), exporter.WithErrorHandler(nil))
					tracer := tracerFor(t, e, err)
					ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": canary}))
					for i := range 300 {
						_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint("e", i), sessionspan.WithInputs(map[string]any{"q": canary}))
						ev.End()
					}
					s.End()
					_ = within(t, "ForceFlush", tracer.ForceFlush)
					if err := within(t, "Shutdown", tracer.Shutdown); name == "hangs" && (err == nil || !strings.Contains(err.Error(), "such as a redactor, did not return and still runs")) {
						t.Errorf("error %v", err)
					}
					s2 := e.Stats()
					if checkAccount(t, e); s2.Waiting != 0 || s2.Created < 301 || name == "exits" && s2.Dropped[exporter.Broken] < 301 || name == "hangs" && s2.Dropped[exporter.Closed] < 301 {
						t.Errorf("%+v", s2)
					}
					close(release)
				})
			})
		}
	}
}

// TestRootsThatCannotBeEncoded: sessions whose roots a redactor costs are let go of.
// Their events are sent at once, under an announcement that tells nothing of what
// could not be redacted; nothing of one record stands in the next; and the end of the
// program does not come back to the sessions.
func TestRootsThatCannotBeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 20
		const poison = "poison"
		var calls atomic.Int64
		redact := func(_, text string) string {
			if calls.Add(1); strings.Contains(text, poison) {
				runtime.Goexit()
			}
			return text
		}
		f := &fake{answer: ok}
		e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: "http://localhost", Transport: f}, exporter.WithRedactor(redact), exporter.WithErrorHandler(nil))
		tracer := tracerFor(t, e, err)
		for range sessions {
			ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": poison}))
			_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "broken", sessionspan.WithInputs(map[string]any{"q": poison}))
			ev.Span().SetAttributes(attribute.String("foreign", "of another"))
			ev.End()
			_, ev = sessionspan.StartEvent(ctx, sessionspan.Tool, "whole")
			ev.End()
			s.End()
		}
		time.Sleep(5 * time.Second)
		if s := e.Stats(); s.Waiting != 0 || s.Dropped[exporter.Broken] != 2*sessions || s.Delivered != 2*sessions {
			t.Errorf("%+v", s)
		}
		for _, r := range f.seen() {
			if body := string(r.body); strings.Contains(body, poison) || strings.Contains(body, "of another") {
				t.Errorf("%s: %s", r.path, body)
			}
		}
		before := calls.Load()
		_ = tracer.Shutdown(t.Context()) // which counts what was dropped
		if n := calls.Load() - before; n != 0 {
			t.Errorf("the redactor was called %d times for sessions that had ended", n)
		}
		checkAccount(t, e)
	})
}

// within calls what must end soon after its context has.
func within(t *testing.T, what string, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	err := call(ctx)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%s took %s", what, took)
	}
	return err
}
