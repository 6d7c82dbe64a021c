package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// onSpans are what can be done with the span of an event, past the event and
// besides it. Times are given, so that two runs give the same.
var onSpans = map[string]func(ctx context.Context, e *sessionspan.Event){
	"attributes": func(_ context.Context, e *sessionspan.Event) {
		e.Span().SetAttributes(attribute.String("color", "red"), attribute.Int("n", 1))
	},
	"same attributes": func(_ context.Context, e *sessionspan.Event) {
		e.Span().SetAttributes(attribute.String("color", "green"), attribute.String("gen_ai.request.model", "other"))
	},
	"no attributes": func(_ context.Context, e *sessionspan.Event) { e.Span().SetAttributes() },
	"event": func(_ context.Context, e *sessionspan.Event) {
		e.Span().AddEvent("happened", trace.WithTimestamp(time.Unix(5, 0)), trace.WithAttributes(attribute.Bool("b", true)))
	},
	"link": func(_ context.Context, e *sessionspan.Event) {
		e.Span().AddLink(trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})})
	},
	"ok":       func(_ context.Context, e *sessionspan.Event) { e.Span().SetStatus(codes.Ok, "ignored") },
	"failed":   func(_ context.Context, e *sessionspan.Event) { e.Span().SetStatus(codes.Error, "by status") },
	"error":    func(_ context.Context, e *sessionspan.Event) { e.Span().RecordError(errors.New("on the span")) },
	"no error": func(_ context.Context, e *sessionspan.Event) { e.Span().RecordError(nil) },
	"name":     func(_ context.Context, e *sessionspan.Event) { e.Span().SetName("named") },
	"no name":  func(_ context.Context, e *sessionspan.Event) { e.Span().SetName("") },
	"own name": func(_ context.Context, e *sessionspan.Event) { e.SetName("named by the event") },
	"own attributes": func(_ context.Context, e *sessionspan.Event) {
		e.SetAttributes(attribute.String("color", "blue"))
	},
	"inputs": func(_ context.Context, e *sessionspan.Event) {
		e.SetInputs(map[string]any{"q": strings.Repeat("x", 300)})
	},
	"metadata":  func(_ context.Context, e *sessionspan.Event) { e.SetMetadata(json.RawMessage(`{"a":[1,2]}`)) },
	"model":     func(_ context.Context, e *sessionspan.Event) { e.SetModel("openai", "gpt") },
	"own error": func(_ context.Context, e *sessionspan.Event) { e.SetError("went wrong") },
	"recorded":  func(_ context.Context, e *sessionspan.Event) { e.RecordError(errors.New("an error")) },
	"child": func(ctx context.Context, _ *sessionspan.Event) {
		_, child := sessionspan.StartEvent(ctx, sessionspan.Tool, "child", sessionspan.WithStartTime(time.Unix(4, 0)))
		child.End(sessionspan.WithEndTime(time.Unix(5, 0)))
	},
	"child of another tracer": func(ctx context.Context, _ *sessionspan.Event) {
		_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("other").Start(ctx, "foreign",
			trace.WithTimestamp(time.Unix(4, 0)), trace.WithAttributes(attribute.String("gen_ai.request.model", "gpt")))
		span.End(trace.WithTimestamp(time.Unix(5, 0)))
	},
	"child by hand": func(_ context.Context, e *sessionspan.Event) {
		ctx := trace.ContextWithSpan(context.Background(), e.Span())
		_, span := e.Span().TracerProvider().Tracer("other").Start(ctx, "by hand",
			trace.WithTimestamp(time.Unix(4, 0)), trace.WithAttributes(attribute.String("gen_ai.request.model", "gpt")))
		span.End(trace.WithTimestamp(time.Unix(5, 0)))
	},
}

// shaped is a value whose type has a long name.
type shaped struct{ N int }

// ends are ways to end an event.
var ends = map[string]func(e *sessionspan.Event){
	"end":      func(e *sessionspan.Event) { e.End(sessionspan.WithEndTime(time.Unix(9, 0))) },
	"the span": func(e *sessionspan.Event) { e.Span().End(trace.WithTimestamp(time.Unix(9, 0))) },
	"twice": func(e *sessionspan.Event) {
		e.Span().End(trace.WithTimestamp(time.Unix(9, 0)))
		e.Span().End(trace.WithTimestamp(time.Unix(10, 0)))
		e.End(sessionspan.WithEndTime(time.Unix(11, 0)))
	},
	"a panic": func(e *sessionspan.Event) {
		defer func() { _ = recover() }()
		defer e.Span().End(trace.WithTimestamp(time.Unix(9, 0)))
		panic(shaped{7})
	},
	"a panic with its stack": func(e *sessionspan.Event) {
		defer func() { _ = recover() }()
		defer e.Span().End(trace.WithTimestamp(time.Unix(9, 0)), trace.WithStackTrace(true))
		panic("oh no")
	},
	"a panic after the end": func(e *sessionspan.Event) {
		e.End(sessionspan.WithEndTime(time.Unix(9, 0)))
		defer func() { _ = recover() }()
		defer e.Span().End()
		panic("late")
	},
}

// outcome is what became of a run on one tracer: the spans of all destinations of
// spans, and the lines of payloads.
type outcome struct {
	Spans     tracetest.SpanStubs
	Lines     []any
	Recording []bool
}

// play runs steps on two nested events, on a provider that New made or on one of the
// user's.
func play(t *rapid.T, users bool, steps [2][]string, lasts [2]string) outcome {
	exported := tracetest.NewInMemoryExporter()
	var text strings.Builder
	lines, err := exporter.NewLines(&text)
	if err != nil {
		t.Fatal(err)
	}
	options := []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil),
		sessionspan.WithSpanExporter(exported), sessionspan.WithDestination(lines)}
	if users {
		options = append(options, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()))
	}
	tracer, err := sessionspan.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	var out outcome
	ctx, s := tracer.StartSession(context.Background(), "s", sessionspan.WithSessionID("one"), sessionspan.WithStartTime(time.Unix(1, 0)))
	var events [2]*sessionspan.Event
	for i := range events {
		ctx, events[i] = sessionspan.StartEvent(ctx, sessionspan.Model, fmt.Sprint("event ", i), sessionspan.WithStartTime(time.Unix(int64(2+i), 0)))
		for _, name := range steps[i] {
			onSpans[name](ctx, events[i])
		}
		out.Recording = append(out.Recording, events[i].Span().IsRecording())
	}
	for i, e := range slices.Backward(events[:]) {
		ends[lasts[i]](e)
		out.Recording = append(out.Recording, e.Span().IsRecording())
		e.Span().SetName("too late")
		e.Span().SetAttributes(attribute.Bool("late", true))
		e.Span().SetStatus(codes.Error, "too late")
		e.Span().AddEvent("too late")
	}
	s.End(sessionspan.WithEndTime(time.Unix(12, 0)))
	if err := tracer.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.Spans = exported.GetSpans()
	if err := tracer.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(renamed(uuids, varying.ReplaceAllString(text.String(), `"varies"`))), "\n") {
		var v any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		out.Lines = append(out.Lines, v)
	}
	return out
}

var (
	spanIDs = regexp.MustCompile(`\b[0-9a-f]{16}([0-9a-f]{16})?\b`)
	// varying are the stacks of panics, and the times of what happened in a span.
	varying = regexp.MustCompile(`"goroutine (\\.|[^"])*"|\b1[0-9]{12}(\.[0-9]+)?\b`)
)

// renamed numbers ids in the order in which they come.
func renamed(ids *regexp.Regexp, text string) string {
	seen := make(map[string]string)
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprint("id ", len(seen))
		}
		return seen[id]
	})
}

// plain returns what spans say, with ids by number, and without what differs from
// run to run.
func plain(spans tracetest.SpanStubs) []any {
	var list []any
	var text strings.Builder
	for _, s := range spans {
		slices.SortFunc(s.Attributes, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
		for i := range s.Events {
			if s.Events[i].Name == "exception" {
				s.Events[i].Time = time.Time{}
				for j, kv := range s.Events[i].Attributes {
					if kv.Key == "exception.stacktrace" {
						s.Events[i].Attributes[j] = kv.Key.Bool(strings.Contains(kv.Value.AsString(), "goroutine"))
					}
				}
			}
		}
		fmt.Fprintf(&text, "%s %s in %s of %s %v %v, %d children\n", s.Name, s.SpanContext.SpanID(), s.SpanContext.TraceID(), s.Parent.SpanID(),
			s.SpanContext.TraceFlags(), s.SpanKind, s.ChildSpanCount)
		for _, kv := range s.Attributes {
			fmt.Fprintf(&text, "\t%s=%s\n", kv.Key, kv.Value.String())
		}
		list = append(list, s.StartTime.UTC(), s.EndTime.UTC(), fmt.Sprint(s.Events), fmt.Sprint(s.Links), s.Status, fmt.Sprintf("%+v", s.InstrumentationScope), s.Resource.Equal(resource.Default()),
			s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks)
	}
	return append(list, renamed(uuids, renamed(spanIDs, text.String())))
}

// TestSpans holds what destinations get of spans on a provider that New made against
// what they get of those on one of the user's.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var steps [2][]string
		var lasts [2]string
		for i := range steps {
			steps[i] = rapid.SliceOfN(rapid.SampledFrom(sortedKeys(onSpans)), 0, 6).Draw(t, "steps")
			lasts[i] = rapid.SampledFrom(sortedKeys(ends)).Draw(t, "end")
		}
		own, users := play(t, false, steps, lasts), play(t, true, steps, lasts)
		if diff := cmp.Diff(plain(users.Spans), plain(own.Spans)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(users.Lines, own.Lines); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(users.Recording, own.Recording); diff != "" {
			t.Error(diff)
		}
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestSpanIsTheSame asks a span who it is before and after something is set on it,
// below a remote parent, and what was exported.
func TestSpanIsTheSame(t *testing.T) {
	state, err := trace.ParseTraceState("vendor=value")
	if err != nil {
		t.Fatal(err)
	}
	above := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled | 2, TraceState: state, Remote: true,
	})
	for _, remote := range []bool{false, true} {
		exported := tracetest.NewInMemoryExporter()
		tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(exported))
		ctx := t.Context()
		if remote {
			ctx = trace.ContextWithSpanContext(ctx, above)
		}
		ctx, s := tracer.StartSession(ctx, "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
		var before []any
		for i, span := range []trace.Span{s.Span(), e.Span()} {
			look := func() any {
				r := span.(sdktrace.ReadOnlySpan)
				return []any{r.SpanContext(), r.Parent(), r.SpanKind(), r.StartTime(), r.Name(), r.EndTime(), r.Status(), fmt.Sprintf("%+v", r.InstrumentationScope()), r.Resource().String(), span.IsRecording()}
			}
			before = append(before, look())
			span.SetAttributes(attribute.Bool("b", true))
			if diff := cmp.Diff(before[i], look(), cmp.Comparer(trace.SpanContext.Equal), cmp.Comparer(same)); diff != "" {
				t.Error(diff)
			}
		}
		e.End()
		s.End()
		flush(t, tracer)
		spans := exported.GetSpans()
		sessionSpan, eventSpan := spans[1], spans[0]
		want := trace.SpanContext{}
		if remote {
			want = above
		}
		if !sessionSpan.Parent.Equal(want) || !eventSpan.Parent.Equal(s.Span().SpanContext()) {
			t.Errorf("parents %v, %v", sessionSpan.Parent, eventSpan.Parent)
		}
		if sc := sessionSpan.SpanContext; remote && (sc.TraceID() != above.TraceID() || sc.TraceFlags() != above.TraceFlags() || sc.TraceState().String() != "vendor=value") || sc.IsRemote() {
			t.Errorf("the session is %+v", sc)
		}
		for i, span := range []tracetest.SpanStub{sessionSpan, eventSpan} {
			got := []any{span.SpanContext, span.Parent, span.SpanKind, span.StartTime, span.Name}
			if diff := cmp.Diff(before[i].([]any)[:len(got)], got, cmp.Comparer(trace.SpanContext.Equal), cmp.Comparer(same)); diff != "" {
				t.Error(diff)
			}
			if took := span.EndTime.Sub(span.StartTime); took < 0 || took > time.Minute {
				t.Errorf("%s took %v", span.Name, took)
			}
		}
	}
}

// same compares times and their readings of the monotonic clock.
func same(a, b time.Time) bool { return a.String() == b.String() }

// TestSpanReachesDestinations sets on a span, before and after the event's own
// methods, what destinations of every kind are sent.
func TestSpanReachesDestinations(t *testing.T) {
	for _, after := range []bool{false, true} {
		api := newAPI(t)
		exported := tracetest.NewInMemoryExporter()
		var text strings.Builder
		lines, err := exporter.NewLines(&text)
		if err != nil {
			t.Fatal(err)
		}
		tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"),
			sessionspan.WithHTTP(exporter.HTTPConfig{URL: api.URL}, exporter.WithCompression(exporter.NoCompression)),
			sessionspan.WithOTLP(exporter.OTLPConfig{URL: api.URL + "/v1/traces"}, exporter.WithCompression(exporter.NoCompression)),
			sessionspan.WithDestination(lines), sessionspan.WithSpanExporter(exported))
		ctx, s := tracer.StartSession(t.Context(), "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
		set := func() {
			e.SetInputs(map[string]any{"question": "of the event"})
			e.SetMetadata(map[string]any{"note": "of the event"})
		}
		if after {
			set()
		}
		span := e.Span()
		span.SetAttributes(attribute.String("color", "of the span"))
		span.AddEvent("exception", trace.WithAttributes(attribute.String("exception.message", "of the exception")))
		span.AddLink(trace.Link{SpanContext: s.Span().SpanContext(), Attributes: []attribute.KeyValue{attribute.String("why", "of the link")}})
		span.SetStatus(codes.Error, "of the status")
		span.SetName("of the name")
		if !after {
			set()
		}
		e.End()
		s.End()
		flush(t, tracer)
		everywhere := []string{"of the event", "of the span", "of the exception", "of the status", "of the name"}
		for where, got := range map[string]string{
			"HTTP":     strings.Join(api.bodies("POST", "/events/batch"), ""),
			"lines":    text.String(),
			"OTLP":     strings.Join(api.bodies("POST", "/v1/traces"), ""),
			"exporter": fmt.Sprintf("%+v", exported.GetSpans()),
		} {
			for _, want := range everywhere {
				if !strings.Contains(got, want) {
					t.Errorf("after %v, %s: nothing %s in %s", after, where, want, got)
				}
			}
			if (where == "OTLP" || where == "exporter") && !strings.Contains(got, "of the link") {
				t.Errorf("%s: no link", where)
			}
		}
	}
}
