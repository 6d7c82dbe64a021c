package sessionspan_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

var (
	sessionType = attribute.String(honeyhive.AttrEventType, honeyhive.TypeSession)
	modelType   = attribute.String(honeyhive.AttrEventType, honeyhive.TypeModel)
	elsewhere   = attribute.String(honeyhive.AttrSessionID, "caf77ace-3417-4da4-944d-f4a0688f3c23")
	projectKV   = attribute.String(honeyhive.AttrProject, "p")
	sourceKV    = attribute.String(honeyhive.AttrSource, "test")
)

// TestLateEqualsTheExporter makes spans whose attributes say only after their
// start that they are part of a session. The processor delivers what an exporter
// behind a batch processor does.
func TestLateEqualsTheExporter(t *testing.T) {
	for name, spans := range map[string]func(plain trace.Tracer){
		"root": func(plain trace.Tracer) {
			_, root := plain.Start(context.Background(), "root")
			root.SetAttributes(sessionType, projectKV, sourceKV, attribute.String("honeyhive_inputs.q", "hi"))
			root.End()
		},
		"root with an id": func(plain trace.Tracer) {
			_, root := plain.Start(context.Background(), "root")
			root.SetAttributes(sessionType, projectKV, sourceKV, attribute.String(honeyhive.AttrSessionID, "user-42"))
			root.End()
		},
		"root with an id of another dialect": func(plain trace.Tracer) {
			_, root := plain.Start(context.Background(), "root")
			root.SetAttributes(sessionType, projectKV, sourceKV, attribute.String("session.id", "user-42"))
			root.End()
		},
		"root that is said with a dot": func(plain trace.Tracer) {
			_, root := plain.Start(context.Background(), "root")
			root.SetAttributes(attribute.String("honeyhive.event_type", "session"), elsewhere, projectKV, sourceKV)
			root.End()
		},
		"root below another span": func(plain trace.Tracer) {
			ctx, request := plain.Start(context.Background(), "GET /")
			_, root := plain.Start(ctx, "root")
			root.SetAttributes(sessionType, projectKV, sourceKV)
			root.End()
			request.End()
		},
		"root that lists its children": func(plain trace.Tracer) {
			_, root := plain.Start(context.Background(), "root")
			root.SetAttributes(sessionType, projectKV, sourceKV, attribute.StringSlice(honeyhive.AttrChildrenIDs, []string{seedChild}))
			root.End()
		},
		"event of a session elsewhere": func(plain trace.Tracer) {
			_, e := plain.Start(context.Background(), "late", trace.WithAttributes(projectKV, sourceKV))
			e.SetAttributes(elsewhere, modelType)
			e.End()
			_, e = plain.Start(context.Background(), "at the start", trace.WithAttributes(projectKV, sourceKV, elsewhere, modelType))
			e.End()
			_, e = plain.Start(context.Background(), "of a conversation")
			e.SetAttributes(projectKV, sourceKV, attribute.String("gen_ai.conversation.id", "user-42"), attribute.String("gen_ai.operation.name", "chat"))
			e.End()
		},
		"events below one another": func(plain trace.Tracer) {
			ctx, outer := plain.Start(context.Background(), "outer")
			_, inner := plain.Start(ctx, "inner")
			for _, e := range []trace.Span{inner, outer} {
				e.SetAttributes(elsewhere, modelType, projectKV, sourceKV)
				e.End()
			}
		},
		"no part of a session": func(plain trace.Tracer) {
			ctx, outer := plain.Start(context.Background(), "GET /", requestSpan, trace.WithAttributes(elsewhere))
			_, llm := plain.Start(ctx, "llm", genAISpan)
			llm.End()
			outer.End()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var lines bytes.Buffer
			e, err := exporter.NewLines(&lines)
			if err != nil {
				t.Fatal(err)
			}
			provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e), sdktrace.WithIDGenerator(&sameIDs{}))
			spans(fixedTimes{provider.Tracer("plain")})
			if err := provider.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}

			var ours bytes.Buffer
			provider = sdktrace.NewTracerProvider(sdktrace.WithIDGenerator(&sameIDs{}))
			var reports errorList
			tracer := newTracer(t, sessionspan.WithTracerProvider(provider), sessionspan.WithWriter(&ours), sessionspan.WithoutEnvironment(),
				sessionspan.WithProject("another"), sessionspan.WithErrorHandler(reports.add))
			spans(fixedTimes{provider.Tracer("plain")})
			if err := tracer.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			// An exporter alone has to make up sessions whose roots it never sees.
			want := slices.DeleteFunc(strings.SplitAfter(lines.String(), "\n"), func(line string) bool {
				return strings.Contains(line, `"session_name":"unknown"`)
			})
			got := strings.SplitAfter(ours.String(), "\n")
			slices.Sort(want) // lines of different sessions come in any order
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if reports.text() != "" {
				t.Error(reports.text())
			}
		})
	}
}

// sameIDs counts the ids of spans, so that two providers give the same.
type sameIDs struct {
	mu sync.Mutex
	n  byte
}

func (s *sameIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	return trace.TraceID{1}, s.NewSpanID(ctx, trace.TraceID{1})
}

func (s *sameIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return trace.SpanID{7: s.n}
}

// fixedTimes starts and ends all spans at the same time.
type fixedTimes struct{ trace.Tracer }

func (f fixedTimes) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, s := f.Tracer.Start(ctx, name, append(options, trace.WithTimestamp(seedStart))...)
	return ctx, fixedSpan{s}
}

type fixedSpan struct{ trace.Span }

func (f fixedSpan) End(...trace.SpanEndOption) { f.Span.End(trace.WithTimestamp(seedEnd)) }

// TestLateRoot starts spans below one that says after its start that it is the
// root of a session.
func TestLateRoot(t *testing.T) {
	type pipeline struct {
		*sessiontest.Pipeline
		plain trace.Tracer
	}
	for name, tc := range map[string]struct {
		spans func(p pipeline)
		want  string
	}{
		"said before its children start": {func(p pipeline) {
			ctx, root := p.plain.Start(context.Background(), "s")
			root.SetAttributes(sessionType)
			step, between := p.plain.Start(ctx, "step", requestSpan)
			_, llm := p.plain.Start(step, "llm", genAISpan)
			llm.End()
			_, llm = p.plain.Start(step, "second", genAISpan)
			llm.End()
			between.End()
			root.End()
		}, "session s\n  model llm\n  model second\n"},
		"said before its children end": {func(p pipeline) {
			ctx, root := p.plain.Start(context.Background(), "s")
			chainctx, chain := p.plain.Start(ctx, "step", requestSpan)
			_, llm := p.plain.Start(chainctx, "llm", genAISpan)
			_, gone := p.plain.Start(chainctx, "gone", genAISpan)
			gone.End() // before anybody could know
			root.SetAttributes(sessionType)
			chain.SetAttributes(attribute.String(honeyhive.AttrEventType, honeyhive.TypeChain))
			llm.End()
			chain.End()
			root.End()
		}, "session s\n  chain step\n    model llm\n"},
		"said at its end, with children that run": {func(p pipeline) {
			ctx, root := p.plain.Start(context.Background(), "s")
			chainctx, chain := p.plain.Start(ctx, "http", requestSpan)
			_, llm := p.plain.Start(chainctx, "llm", genAISpan)
			root.SetAttributes(sessionType)
			root.End()
			llm.End()
			chain.End()
		}, "session s\n  model llm\n"},
		"what lies above or beside is no part": {func(p pipeline) {
			ctx, request := p.plain.Start(context.Background(), "GET /", genAISpan)
			_, beside := p.plain.Start(ctx, "beside", genAISpan)
			sctx, root := p.plain.Start(ctx, "s")
			root.SetAttributes(sessionType)
			_, llm := p.plain.Start(sctx, "llm", genAISpan)
			llm.End()
			root.End()
			beside.End()
			request.End()
		}, "session s\n  model llm\n"},
		"a session inside a session": {func(p pipeline) {
			ctx, root := p.plain.Start(context.Background(), "outer")
			ictx, inner := p.plain.Start(ctx, "s")
			_, llm := p.plain.Start(ictx, "llm", genAISpan)
			inner.SetAttributes(sessionType)
			root.SetAttributes(sessionType)
			llm.End()
			inner.End()
			root.End()
		}, "session s\n  model llm\n"},
		"an event of ours in between": {func(p pipeline) {
			ctx, root := p.plain.Start(context.Background(), "s")
			root.SetAttributes(sessionType)
			ectx, e := p.Tracer.StartEvent(ctx, sessionspan.Chain, "outside")
			_, llm := p.plain.Start(ectx, "llm", genAISpan)
			llm.End()
			e.End()
			root.End()
		}, "session s\n  model llm\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t, sessionspan.WithProject("p"))
			if name == "an event of ours in between" {
				p.ExpectReport("was started outside a session")
			}
			tc.spans(pipeline{p, p.Tracer.TracerProvider().Tracer("plain")})
			got := p.Session("s")
			got.AssertTree(tc.want)
			checkTree(t, got)
			if len(p.Orphans()) != 0 {
				t.Errorf("orphans %v", p.Orphans())
			}
			for _, e := range append(got.Events, &sessiontest.Event{Event: honeyhive.Event{Project: got.Project, Source: got.Source}}) {
				if e.Project.Or("") != "p" || e.Source.Or("") == "" {
					t.Errorf("project %q, source %q", e.Project.Or(""), e.Source.Or(""))
				}
			}
			if waiting := p.Tracer.Stats()[0].Waiting; waiting != 0 {
				t.Errorf("%d wait", waiting)
			}
		})
	}
}

// TestLateRaces ends roots and children at once, so that the race detector and
// the account see every order.
func TestLateRaces(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	const n = 200
	for range n {
		ctx, root := plain.Start(context.Background(), "s")
		var wg sync.WaitGroup
		wg.Go(func() { root.SetAttributes(sessionType); root.End() })
		for range 3 {
			wg.Go(func() {
				cctx, between := plain.Start(ctx, "between")
				_, llm := plain.Start(cctx, "llm", genAISpan)
				llm.End()
				between.End()
			})
		}
		wg.Wait()
	}
	sessions := p.Sessions()
	if len(sessions) != n || len(p.Orphans()) != 0 {
		t.Errorf("%d sessions, %d orphans", len(sessions), len(p.Orphans()))
	}
	for _, s := range sessions {
		checkTree(t, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Tracer.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := p.Tracer.Stats()[0]; s.Created != s.Delivered {
		t.Errorf("%+v", s)
	}
}
