package sessionspan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/metrictest"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// step is an event of a random pipeline, and what is done to it.
type step struct {
	kind    sessionspan.Kind
	options []sessionspan.FieldOption
	change  []func(*sessionspan.Event)
	below   []step
	wait    time.Duration

	streamed bool
}

func (s *step) run(ctx context.Context) {
	ctx, e := sessionspan.StartEvent(ctx, s.kind, "e", s.options...)
	defer e.End()
	time.Sleep(s.wait)
	for i := range s.below {
		s.below[i].run(ctx)
	}
	for _, change := range s.change {
		change(e)
	}
	if s.streamed { // which ends it
		for range sessionspan.Stream(e, pieces(nil, "x", "y")) { //nolint:errcheck // there is none
		}
	}
}

func drawStep(t *rapid.T, depth int) step {
	s := step{kind: rapid.SampledFrom([]sessionspan.Kind{sessionspan.Model, sessionspan.Tool, sessionspan.Chain, sessionspan.Retriever, sessionspan.Reranker, sessionspan.Embedding, sessionspan.Agent}).Draw(t, "kind")}
	s.wait = time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond
	word := rapid.SampledFrom([]string{"", "a", "b\xff"})
	count := rapid.SampledFrom([]int64{0, 0, 1, 7, 100, 70_000_000})
	add := func(f func(*sessionspan.Event)) { s.change = append(s.change, f) }
	for range rapid.IntRange(0, 5).Draw(t, "changes") {
		switch rapid.IntRange(0, 13).Draw(t, "change") {
		case 0:
			s.options = append(s.options, sessionspan.WithModel(word.Draw(t, "provider"), word.Draw(t, "model")))
		case 1:
			provider, model := word.Draw(t, "provider"), word.Draw(t, "model")
			add(func(e *sessionspan.Event) { e.SetModel(provider, model) })
		case 2:
			model := word.Draw(t, "model")
			add(func(e *sessionspan.Event) { e.SetConfig(map[string]any{"model": model, "temperature": 1}) })
		case 3, 4, 5:
			u := sessionspan.Usage{InputTokens: count.Draw(t, "input"), OutputTokens: count.Draw(t, "output"), Known: sessionspan.UsageCounts(rapid.IntRange(0, 3).Draw(t, "known"))}
			add(func(e *sessionspan.Event) { e.SetUsage(u) })
		case 6:
			add(func(e *sessionspan.Event) { e.RecordError(fmt.Errorf("ask: %w", io.ErrUnexpectedEOF)) })
		case 7:
			add(func(e *sessionspan.Event) { e.SetError("went wrong") })
		case 8:
			model := word.Draw(t, "response model")
			add(func(e *sessionspan.Event) {
				e.SetAttributes(attribute.String("gen_ai.response.model", model), attribute.String("gen_ai.request.model", "asked"), attribute.String("server.address", "api.internal"))
			})
		case 9:
			d := time.Duration(rapid.IntRange(0, 100_000).Draw(t, "duration")) * time.Millisecond
			s.options = append(s.options, sessionspan.WithDuration(d))
		case 10:
			add((*sessionspan.Event).MarkFirstToken)
		case 11:
			s.streamed = true
		case 12:
			add(func(e *sessionspan.Event) {
				e.SetAttributes(attribute.String("gen_ai.operation.name", "generate_content"), attribute.String("gen_ai.provider.name", "gcp"))
			})
		case 13:
			add(func(e *sessionspan.Event) { e.SetMetadata(map[string]any{"prompt_tokens": 12, "more": "x"}) })
		}
	}
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(t, "below") {
			s.below = append(s.below, drawStep(t, depth-1))
		}
	}
	return s
}

// TestMetricsEqualEvents runs random pipelines: what the SDK's reader has is what the
// delivered records come to, and is the same where nothing is sampled, where there is
// no destination, where content stays off, and on a provider of the user's.
func TestMetricsEqualEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var steps []step
		for range rapid.IntRange(1, 3).Draw(rt, "events") {
			steps = append(steps, drawStep(rt, 2))
		}
		inSession := rapid.IntRange(0, 3).Draw(rt, "in a session") > 0
		run := func(tracer *sessionspan.Tracer) {
			ctx, s := context.Background(), (*sessionspan.Session)(nil)
			if ctx = sessionspan.ContextWithTracer(ctx, tracer); inSession {
				ctx, s = tracer.StartSession(ctx, "s")
			}
			for i := range steps {
				steps[i].run(ctx)
			}
			s.End()
		}
		synctest.Test(t, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			p := sessiontest.New(t, sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))), sessionspan.WithErrorHandler(nil))
			run(p.Tracer)
			got := metrictest.Collect(t, reader)
			if inSession {
				if diff := cmp.Diff(metrictest.OfRecords(p.Session("s").Events), got, metrictest.Almost); diff != "" {
					t.Errorf("(- records, + metrics): %s", diff)
				}
			}
			for name, options := range map[string][]sessionspan.Option{
				"not sampled":           {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))), sessionspan.WithWriter(io.Discard)},
				"recorded, not sampled": {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(recordOnly{}))), sessionspan.WithWriter(io.Discard)},
				"no destination":        nil,
				"no content":            {sessionspan.WithWriter(io.Discard), sessionspan.WithoutContent(), sessionspan.WithContentOffSpans()},
				"provider of the user":  {sessionspan.WithTracerProvider(sdktrace.NewTracerProvider()), sessionspan.WithWriter(io.Discard)},
			} {
				reader := sdkmetric.NewManualReader()
				tracer := newTracer(t, append(options, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
					sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))...)
				run(tracer)
				if diff := cmp.Diff(got, metrictest.Collect(t, reader), metrictest.Almost); diff != "" {
					t.Errorf("%s (- recorded, + %s): %s", name, name, diff)
				}
			}
		})
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// recordOnly records spans that it does not sample.
type recordOnly struct{}

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}
func (recordOnly) Description() string { return "recordOnly" }

// TestMetricsOfAnAgent has an agent that says the sum of its calls, and a call more
// that it did not tell of: tokens are there once.
func TestMetricsOfAnAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		p := sessiontest.New(t, sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		ctx, s := p.Tracer.StartSession(t.Context(), "s")
		agentCtx, agent := sessionspan.StartEvent(ctx, sessionspan.Agent, "agent")
		stepCtx, chain := sessionspan.StartEvent(agentCtx, sessionspan.Chain, "step")
		for i := range 2 {
			_, call := sessionspan.StartEvent(stepCtx, sessionspan.Model, "call", sessionspan.WithModel("openai", "gpt-x"))
			time.Sleep(50 * time.Millisecond)
			call.MarkFirstToken()
			time.Sleep(250 * time.Millisecond)
			call.SetUsage(sessionspan.Usage{InputTokens: 100, OutputTokens: 10})
			if i == 1 {
				call.RecordError(context.DeadlineExceeded)
			}
			call.End()
			call.End()
		}
		chain.End()
		agent.SetUsage(sessionspan.Usage{InputTokens: 230, OutputTokens: 20})
		agent.End()
		_, late := sessionspan.StartEvent(stepCtx, sessionspan.Model, "late", sessionspan.WithModel("openai", "gpt-x"))
		late.End()
		late.SetUsage(sessionspan.Usage{InputTokens: 50})
		late.SetUsage(sessionspan.Usage{InputTokens: 60})
		_, open := sessionspan.StartEvent(ctx, sessionspan.Model, "open", sessionspan.WithModel("openai", "gpt-x"))
		open.SetUsage(sessionspan.Usage{InputTokens: 1})
		s.End()
		const chat = " operation.name=chat provider.name=openai request.model=gpt-x"
		want := map[string]metrictest.Histogram{
			"operation.duration s" + chat:                                      {Values: 2, Sum: .3, In: "0 5"},
			"operation.duration s error.type=timeout" + chat:                   {Values: 1, Sum: .3, In: "5"},
			"operation.duration s operation.name=invoke_agent":                 {Values: 1, Sum: .6, In: "6"},
			"operation.time_to_first_chunk s" + chat:                           {Values: 2, Sum: .1, In: "3 3"},
			"token.usage {token}" + chat + " token.type=input":                 {Values: 4, Sum: 230, In: "1 4 4 5"},
			"token.usage {token}" + chat + " token.type=output":                {Values: 2, Sum: 20, In: "2 2"},
			"token.usage {token} operation.name=invoke_agent token.type=input": {Values: 1, Sum: 30, In: "3"},
		}
		// Of the 60 tokens of the late call the agent told 30: 20 are new of the first
		// 50, and 10 of the next.
		delete(want, "token.usage {token}"+chat+" token.type=input")
		got := metrictest.Collect(t, reader)
		tokens := got["token.usage {token}"+chat+" token.type=input"]
		delete(got, "token.usage {token}"+chat+" token.type=input")
		if diff := cmp.Diff(want, got, metrictest.Almost); diff != "" {
			t.Errorf("(- want, + got): %s", diff)
		}
		if tokens.Sum != 230 || tokens.Values != 4 {
			t.Errorf("tokens %+v, want 230 of 4 values", tokens)
		}
	})
}

// TestWithoutMeterProvider makes no metrics of events where none are asked for.
func TestWithoutMeterProvider(t *testing.T) {
	var nothing *sessionspan.Event
	if nothing.IsMeasured() || new(sessionspan.Event).IsMeasured() {
		t.Error("an event that is none is measured")
	}
	for name, option := range map[string]sessionspan.Option{"none": sessionspan.WithMeterProvider(nil), "switched off": sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider())} {
		if name == "switched off" {
			t.Setenv("OTEL_SDK_DISABLED", "true")
		}
		tracer := newTracer(t, sessionspan.WithProject("p"), sessionspan.WithWriter(io.Discard), option)
		ctx, s := tracer.StartSession(t.Context(), "s")
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
		if e.IsMeasured() {
			t.Errorf("%s: an event is measured", name)
		}
		e.End()
		s.End()
	}
}

// TestMetricsFromOutside names models without end, and some that are very long: the
// number of points is bounded, and so is what each keeps.
func TestMetricsFromOutside(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	const calls = 3000
	for i := range calls {
		_, e := tracer.StartEvent(t.Context(), sessionspan.Model, "e", sessionspan.WithModel("p", "m"+strconv.Itoa(i)))
		e.End()
	}
	_, e := tracer.StartEvent(t.Context(), sessionspan.Embedding, "e", sessionspan.WithModel("p", strings.Repeat("m", 1<<20)))
	e.End()
	got, all := metrictest.Collect(t, reader), 0
	for key, h := range got {
		if all += h.Values; len(key) > 500 {
			t.Errorf("%.100s… has %d bytes", key, len(key))
		}
	}
	if all != calls+1 || len(got) > 2000 {
		t.Errorf("%d points of %d values", len(got), all)
	}
	if got["operation.duration s otel.metric.overflow=true"].Values == 0 {
		t.Error("nothing is beyond the limit")
	}
}

// panickyMeters panic when they record, or make nothing.
type panickyMeters struct {
	metricnoop.MeterProvider
	err error
}

func (b panickyMeters) Meter(string, ...metric.MeterOption) metric.Meter {
	return panickyMeter{err: b.err}
}

type panickyMeter struct {
	metricnoop.Meter
	err error
}

func (b panickyMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return panickyHistogram{}, b.err
}

type panickyHistogram struct{ metricnoop.Float64Histogram }

func (panickyHistogram) Record(context.Context, float64, ...metric.RecordOption) { panic("of a meter") }

// TestBrokenMeterProvider records events by a meter provider that panics: they are
// delivered all the same, and New says what a provider does not make.
func TestBrokenMeterProvider(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithMeterProvider(panickyMeters{}))
	p.ExpectReport("measure event: panic: of a meter")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
	e.End()
	s.End()
	p.Session("s").Event("e")
	if _, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), sessionspan.WithMeterProvider(panickyMeters{err: errors.New("no histograms")})); err == nil || !strings.Contains(err.Error(), "no histograms") {
		t.Errorf("New: %v", err)
	}
}
