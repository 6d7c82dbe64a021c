package exporter_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// foreign is a SpanExporter that does what its function says.
type foreign struct {
	export func(ctx context.Context, names []string) error
	mu     sync.Mutex
	got    []string
	active int
	closed bool
}

func (f *foreign) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	var names []string
	for _, s := range spans {
		names = append(names, s.Name())
	}
	f.mu.Lock()
	if f.active++; f.active > 1 {
		panic("called concurrently")
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.active--
		f.mu.Unlock()
	}()
	if err := f.export(ctx, names); err != nil {
		return err
	}
	f.mu.Lock()
	f.got = append(f.got, names...)
	f.mu.Unlock()
	return nil
}

func (f *foreign) Shutdown(context.Context) error { f.closed = true; return nil }

func wrapped(t *testing.T, f *foreign, options ...exporter.Option) (*exporter.Exporter, *sessionspan.Tracer) {
	t.Helper()
	e, err := exporter.Wrap(f, append([]exporter.Option{exporter.WithErrorHandler(nil)}, options...)...)
	return e, tracerFor(t, e, err)
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// TestWrap gives spans to exporters that misbehave: the span at fault is lost,
// its neighbours arrive.
func TestWrap(t *testing.T) {
	for name, tc := range map[string]struct {
		export          func(context.Context, []string) error
		delivered, lost int64
	}{
		"good":    {func(context.Context, []string) error { return nil }, 4, 0},
		"refuses": {func(_ context.Context, names []string) error { return failIf(contains(names, "bad")) }, 3, 1},
		"panics": {func(_ context.Context, names []string) error {
			if contains(names, "bad") {
				panic("export")
			}
			return nil
		}, 3, 1},
		"ends its goroutine": {func(_ context.Context, names []string) error {
			if contains(names, "bad") {
				runtime.Goexit()
			}
			return nil
		}, 3, 1},
		"hangs for a minute": {func() func(context.Context, []string) error {
			var once sync.Once
			return func(ctx context.Context, _ []string) (err error) {
				once.Do(func() { <-ctx.Done(); err = ctx.Err() })
				return err
			}
		}(), 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &foreign{export: tc.export}
				e, tracer := wrapped(t, f)
				run(tracer, "s", "a", "bad", "b")
				time.Sleep(10 * time.Minute)
				if s := e.Stats(); s.Delivered != tc.delivered || s.Dropped[exporter.Refused] != tc.lost {
					t.Errorf("%+v", s)
				}
				if err := tracer.Shutdown(t.Context()); err != nil && tc.lost == 0 {
					t.Error(err)
				}
				if !f.closed {
					t.Error("the exporter was not shut down")
				}
			})
		})
	}
}

func failIf(bad bool) error {
	if bad {
		return errors.New("no")
	}
	return nil
}

// TestWrapAnExporterThatNeverReturns ends all the same, and says so.
func TestWrapAnExporterThatNeverReturns(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(entered) })
	f := &foreign{export: func(context.Context, []string) error { enter(); <-release; return nil }}
	e, err := exporter.Wrap(f, exporter.WithErrorHandler(nil), exporter.WithLimits(exporter.Limits{BatchWait: time.Millisecond}))
	tracer := tracerFor(t, e, err)
	run(tracer, "s")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := tracer.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "did not return and still run") {
		t.Errorf("error %v", err)
	}
	close(release)
}

func TestLines(t *testing.T) {
	var out buffer
	e, err := exporter.NewLines(&out)
	tracer := tracerFor(t, e, err)
	s := run(tracer, "s", "a")
	flush(t, tracer)
	s.SetFeedback(map[string]any{"late": "line\nbreak"})
	flush(t, tracer)
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], `{"session":{`) || !strings.HasPrefix(lines[1], `{"event":{`) || !strings.HasPrefix(lines[2], `{"update":{`) || lines[3] != "" {
		t.Errorf("%q", lines)
	}
}

// failingWriter fails a few times, with and without having written something.
type failingWriter struct {
	buffer
	failures int
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.failures > 0 {
		w.failures--
		n, _ := w.buffer.Write(p[:len(p)/2])
		return n, io.ErrShortWrite
	}
	return w.buffer.Write(p)
}

func TestLinesTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &failingWriter{failures: 3}
		e, err := exporter.NewLines(out, exporter.WithErrorHandler(nil))
		tracer := tracerFor(t, e, err)
		run(tracer, "s", "a")
		time.Sleep(time.Minute)
		if s := e.Stats(); s.Delivered != 2 {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(out.String(), `{"event":{`) {
			t.Errorf("%s", out.String())
		}
	})
}
