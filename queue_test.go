package sessionspan_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// stuckWriter takes nothing until it is let go.
type stuckWriter struct{ let chan struct{} }

func (w stuckWriter) Write(p []byte) (int, error) { <-w.let; return len(p), nil }

// TestEndWaitsOnce has four destinations that are stuck: the end of a span waits
// for all of them together, not for each in turn.
func TestEndWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
			sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueBytes: 20_000}))}
		for range 4 {
			options = append(options, sessionspan.WithWriter(stuckWriter{let}))
		}
		tracer, err := sessionspan.New(options...)
		if err != nil {
			t.Fatal(err)
		}
		ctx, s := tracer.StartSession(t.Context(), "s")
		start := time.Now()
		var longest time.Duration
		for range 50 {
			_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(strings.Repeat("x", 1000)))
			at := time.Now()
			ev.End()
			longest = max(longest, time.Since(at))
			synctest.Wait()
		}
		if longest != 100*time.Millisecond || time.Since(start) > 200*time.Millisecond {
			t.Errorf("End waited up to %s, and %s in all", longest, time.Since(start))
		}
		s.End()
		close(let)
		_ = tracer.Shutdown(context.Background())
	})
}

// holdingExporter keeps its first batch until it is let go.
type holdingExporter struct{ let chan struct{} }

func (e holdingExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	<-e.let
	return nil
}
func (e holdingExporter) Shutdown(context.Context) error { return nil }

// TestQueueCountsWhatItHolds fills queues of 4 MiB with values of 1 MiB, also
// those that a limit of the provider keeps off the span.
func TestQueueCountsWhatItHolds(t *testing.T) {
	const most, each, events = 4 << 20, 1 << 20, 20
	value := strings.Repeat("x", each)
	limits := sdktrace.NewSpanLimits()
	limits.AttributeValueLengthLimit = 100
	for name, end := range map[string]func(ctx context.Context, tracer *sessionspan.Tracer){
		"a bucket": func(ctx context.Context, _ *sessionspan.Tracer) {
			_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(value))
			ev.End()
		},
		"a list": func(ctx context.Context, tracer *sessionspan.Tracer) {
			_, span := tracer.TracerProvider().Tracer("t").Start(ctx, "e", trace.WithAttributes(
				attribute.StringSlice("gen_ai.list", []string{value[:each/2], value[each/2:]})))
			span.End()
		},
		"an event of a span": func(ctx context.Context, tracer *sessionspan.Tracer) {
			_, span := tracer.TracerProvider().Tracer("t").Start(ctx, "e")
			span.AddEvent("e", trace.WithAttributes(attribute.ByteSlice("bytes", []byte(value))))
			span.End()
		},
	} {
		for _, limited := range []bool{false, true} {
			if limited && name != "a bucket" {
				continue // what the SDK has cut of a foreign span is gone
			}
			t.Run(fmt.Sprint(name, " limited ", limited), func(t *testing.T) {
				let := make(chan struct{})
				options := []sessionspan.Option{
					sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
					sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueBytes: most, QueueWait: -1})),
					sessionspan.WithWriter(stuckWriter{let}), sessionspan.WithSpanExporter(holdingExporter{let}),
				}
				if limited {
					options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithRawSpanLimits(limits))))
				}
				tracer, err := sessionspan.New(options...)
				if err != nil {
					t.Fatal(err)
				}
				ctx, s := tracer.StartSession(t.Context(), "s")
				for range events {
					end(ctx, tracer)
				}
				for i, st := range tracer.Stats() {
					if i == 0 && name == "an event of a span" {
						continue // not part of the session
					}
					if dropped := st.Dropped[exporter.QueueFull]; st.WaitingBytes > most*11/10 || st.Waiting > most/each+1 || dropped < events-most/each-1 {
						t.Errorf("%s: %d records with %d bytes, %d dropped", st.Destination, st.Waiting, st.WaitingBytes, dropped)
					}
				}
				s.End()
				close(let)
				_ = tracer.Shutdown(t.Context())
			})
		}
	}
}

// TestEndPastTheHandle ends the span of an event by itself.
func TestEndPastTheHandle(t *testing.T) {
	var b bytes.Buffer // read after Shutdown
	var reports []string
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(&b),
		sessionspan.WithErrorHandler(func(err error) { reports = append(reports, err.Error()) }))
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(map[string]any{"q": 1}))
	ev.Span().End()
	ev.End()
	s.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.String(), `"inputs":{"q":1}`) {
		t.Errorf("%s", b.String())
	}
	if len(reports) != 1 || !strings.Contains(reports[0], "ended by the End of its span") {
		t.Errorf("%q", reports)
	}
}
