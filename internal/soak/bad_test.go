package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// panics is a value whose methods panic.
type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("marshal") }

// badValues are what users put into spans by mistake.
func badValues() map[string]any {
	cycle := map[string]any{}
	cycle["again"] = cycle
	deep := any("bottom")
	for range 1000 {
		deep = map[string]any{"d": deep}
	}
	size := 100 << 20
	if raceEnabled {
		size = 10 << 20
	}
	return map[string]any{
		"invalid UTF-8": map[string]any{"text": "a\xff\xc3(b"},
		"NaN":           map[string]any{"n": math.NaN(), "i": math.Inf(-1)},
		"cyclic":        cycle,
		"large":         map[string]any{"text": strings.Repeat("x", size)},
		"deep":          map[string]any{"deep": deep},
		"raw deep":      json.RawMessage(`{"deep":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}"),
		"broken raw":    json.RawMessage(`{"a":`),
		"panics":        panics{},
		"panics inside": map[string]any{"p": panics{}},
		"channel":       map[string]any{"c": make(chan int)},
		"function":      func() {},
	}
}

// TestBadRecords records bad values among good ones: all come, the good ones as
// they are.
func TestBadRecords(t *testing.T) {
	bad := badValues()
	for _, d := range destinations {
		t.Run(d.String(), func(t *testing.T) {
			o := newOracle()
			var requests []request
			s := newServer(t, func(r request) { requests = append(requests, r) })
			tracer := d.tracer(t, s.url, nil, exporter.Limits{})
			var want ids
			ctx, session := tracer.StartSession(context.Background(), "s", sessionspan.WithInputs(payload(100, 1)))
			for _, name := range slices.Sorted(maps.Keys(bad)) {
				want.record(tracer, 2, 200)
				_, e := tracer.StartEvent(ctx, sessionspan.Model, name, sessionspan.WithInputs(payload(100, 1)), sessionspan.WithOutputs(bad[name]))
				if name != "large" {
					e.SetMetadata(bad[name])
				}
				want.events, want.spans = append(want.events, e.ID()), append(want.spans, e.Span().SpanContext().SpanID().String())
				e.End()
			}
			want.sessions, want.spans = append(want.sessions, session.ID()), append(want.spans, session.Span().SpanContext().SpanID().String())
			session.SetOutputs(map[string]any{"done": true})
			session.End()
			_, span := tracer.TracerProvider().Tracer("plain").Start(ctx, "bad \xff name")
			span.SetAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("bad", "\xff"), attribute.String("bad \xfe key", "v"))
			inputs, err := json.Marshal(payload(100, 1))
			if err != nil {
				t.Fatal(err)
			}
			span.SetAttributes(attribute.String("honeyhive_inputs", string(inputs)))
			span.End()
			if d.otlp {
				want.spans = append(want.spans, span.SpanContext().SpanID().String())
			}
			deadline, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := tracer.Shutdown(deadline); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			s.close()
			for _, r := range requests {
				o.take(r)
			}
			if !d.otlp { // the plain span became an event of the session
				o.mu.Lock()
				for id := range o.events {
					if !slices.Contains(want.events, id) && len(o.events) == len(want.events)+1 {
						want.events = append(want.events, id)
					}
				}
				o.mu.Unlock()
			}
			want.check(t, o, d)
			checkDelivered(t, tracer.Stats())
			largest := 0
			for _, r := range requests {
				largest = max(largest, len(r.body))
			}
			most := 9 << 20
			if d.otlp {
				most = 20 << 20 // the GenAI attributes hold it once more
			}
			if largest < 7<<20 || largest > most {
				t.Errorf("the largest request has %d bytes: a large value was not cut, or is gone", largest)
			}
		})
	}
}

// fussy is an exporter that misbehaves when it sees a span of some name.
type fussy struct {
	mu    sync.Mutex
	names map[string]int
	act   func(ctx context.Context) error
}

func (f *fussy) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		if s.Name() == "bad" {
			if err := f.act(ctx); err != nil {
				return err
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range spans {
		f.names[s.Name()]++
	}
	return nil
}

func (*fussy) Shutdown(context.Context) error { return nil }

// TestBadExporter wraps exporters that panic, hang or fail: the neighbours of the
// span at fault come.
func TestBadExporter(t *testing.T) {
	hangs := 0
	for name, c := range map[string]struct {
		act  func(context.Context) error
		lost int64
	}{
		"panics": {func(context.Context) error { panic("bad") }, 1},
		"fails":  {func(context.Context) error { return context.DeadlineExceeded }, 1},
		"hangs once": {func(ctx context.Context) error {
			if hangs++; hangs > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}, 0},
		"hangs without end": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 1},
		"ignores its context for a while": {func(context.Context) error {
			if hangs++; hangs == 1 {
				time.Sleep(2 * time.Minute)
			}
			return nil
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			hangs = 0
			synctest.Test(t, func(t *testing.T) {
				f := &fussy{names: make(map[string]int), act: c.act}
				tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), sessionspan.WithSpanExporter(f))
				if err != nil {
					t.Fatal(err)
				}
				plain := tracer.TracerProvider().Tracer("plain")
				began := time.Now()
				for i := range 100 {
					name := fmt.Sprintf("good %d", i)
					if i == 37 {
						name = "bad"
					}
					_, span := plain.Start(t.Context(), name)
					span.End()
				}
				if waited := time.Since(began); waited > 0 {
					t.Errorf("the calls waited %v", waited)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := tracer.ForceFlush(ctx); (err != nil) != (c.lost > 0) {
					t.Errorf("flush: %v", err)
				}
				if err := tracer.Shutdown(ctx); err != nil {
					t.Errorf("shutdown: %v", err)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				delete(f.names, "bad")
				if len(f.names) != 99 {
					t.Errorf("of 99 good spans %d came", len(f.names))
				}
				stats := tracer.Stats()
				checkAccounts(stats, t.Errorf)
				if s := stats[0]; s.Delivered != 100-c.lost || s.Dropped[exporter.Refused] != c.lost {
					t.Errorf("%+v", s)
				}
				t.Logf("over after %v", time.Since(began))
			})
		})
	}
}
