package soak

import (
	"context"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// hanging is a span processor that never ends a flush or a shutdown.
type hanging struct{ release, entered chan struct{} }

func (h *hanging) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (h *hanging) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (h *hanging) ForceFlush(context.Context) error                { return h.wait() }
func (h *hanging) Shutdown(context.Context) error                  { return h.wait() }

func (h *hanging) wait() error {
	h.entered <- struct{}{}
	<-h.release
	return nil
}

// TestStuckProcessor records on a provider of the user's own that has a processor
// which is stuck: our flush and shutdown work all the same, and nothing of ours
// keeps the provider from giving out tracers. (A mutex is no durable wait for
// synctest, so the time is real.)
func TestStuckProcessor(t *testing.T) {
	for _, c := range []struct {
		name   string
		call   func(*sdktrace.TracerProvider, *hanging) // that is stuck while we work
		locked bool                                     // it holds the lock of the provider
	}{
		{"at rest", nil, false},
		{"in ForceFlush", func(p *sdktrace.TracerProvider, _ *hanging) { _ = p.ForceFlush(context.Background()) }, false},
		{"in Shutdown", func(p *sdktrace.TracerProvider, _ *hanging) { _ = p.Shutdown(context.Background()) }, true},
		{"in UnregisterSpanProcessor", func(p *sdktrace.TracerProvider, h *hanging) { p.UnregisterSpanProcessor(h) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &hanging{make(chan struct{}), make(chan struct{}, 10)}
			release := sync.OnceFunc(func() { close(h.release) })
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(h))
			o := newOracle()
			s := newServer(t, o.take)
			tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("soak"), sessionspan.WithErrorHandler(nil),
				sessionspan.WithTracerProvider(provider), sessionspan.WithHTTP(exporter.HTTPConfig{URL: s.url}))
			if err != nil {
				t.Fatal(err)
			}
			var want ids
			want.record(tracer, 3, 100)
			var stuck sync.WaitGroup
			defer stuck.Wait()
			defer release()
			if c.call != nil {
				stuck.Go(func() { c.call(provider, h) })
				<-h.entered
			}
			if !c.locked {
				want.record(tracer, 3, 100)
			}
			const patience = time.Minute // far more than it takes
			within(t, patience, "flush", func(ctx context.Context) error { return tracer.ForceFlush(ctx) })
			most := patience
			if c.locked {
				most = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(context.Background(), most)
			defer cancel()
			ended := make(chan error, 1)
			stuck.Go(func() { ended <- tracer.Shutdown(ctx) })
			if !c.locked {
				within(t, patience, "tracer", func(context.Context) error { provider.Tracer("another"); return nil })
			}
			select {
			case err := <-ended:
				if err != nil && !c.locked {
					t.Errorf("shutdown: %v", err)
				}
			case <-time.After(patience):
				t.Error("shutdown is stuck")
			}
			want.check(t, o, destination{})
			checkDelivered(t, tracer.Stats())
		})
	}
}

// within calls f, which must return in time and without an error.
func within(t *testing.T, most time.Duration, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(most + time.Second):
		t.Errorf("%s is stuck", what)
	}
}
