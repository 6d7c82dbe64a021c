package sessionspan_test

import (
	"fmt"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestSessionSampler samples a part of many sessions in two processes: each is
// whole or absent, in every trace, and both decide alike.
func TestSessionSampler(t *testing.T) {
	const sessions = 400
	newProcess := func() *sessiontest.Pipeline {
		return sessiontest.New(t, sessionspan.WithTracerProvider(sdktrace.NewTracerProvider(
			sdktrace.WithSampler(sessionspan.SessionSampler(sdktrace.TraceIDRatioBased(0.25))))))
	}
	here, there := newProcess(), newProcess()
	for i := range sessions {
		ctx, s := here.Tracer.StartSession(t.Context(), fmt.Sprint(i))
		for range 3 {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			e.End()
		}
		s.End()
		cctx, _ := there.Tracer.ContinueSession(t.Context(), s.ID()) // another trace
		_, e := sessionspan.StartEvent(cctx, sessionspan.Tool, "e")
		e.End()
	}
	sampled := map[string]bool{}
	for _, s := range here.Sessions() {
		if len(s.Events) != 3 {
			t.Errorf("session %s has %d events", s.SessionName.Or(""), len(s.Events))
		}
		sampled[s.SessionID.Or("")] = true
	}
	if n := len(sampled); n < sessions/8 || n > sessions*3/8 {
		t.Errorf("%d of %d sessions are sampled", n, sessions)
	}
	orphans := there.Orphans()
	if len(orphans) != len(sampled) {
		t.Errorf("%d sessions here, %d there", len(sampled), len(orphans))
	}
	for _, o := range orphans {
		if !sampled[o.SessionID.Or("")] {
			t.Error("the other process decided otherwise")
		}
	}
}

// TestSessionSamplerKeepsToTheSession starts a session below a request that is
// not sampled, and spans outside of sessions.
func TestSessionSamplerKeepsToTheSession(t *testing.T) {
	sampler := sessionspan.SessionSampler(sdktrace.ParentBased(nameSampler{}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
	p := sessiontest.New(t, sessionspan.WithTracerProvider(provider))
	plain := provider.Tracer("plain")
	ctx, request := plain.Start(t.Context(), "drop")
	if request.SpanContext().IsSampled() {
		t.Fatal("the request is sampled")
	}
	ctx, s := p.Tracer.StartSession(ctx, "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	p.Session("s").AssertTree("session s\n  tool e\n")
	if d := sampler.Description(); !strings.HasPrefix(d, "SessionSampler{ParentBased") {
		t.Error(d)
	}
	if sessionspan.SessionSampler(nil).Description() == "" {
		t.Error("no sampler")
	}
}

func TestSamplerOfTheEnvironment(t *testing.T) {
	for name, want := range map[string]bool{
		"": true, "always_on": true, "always_off": false, "traceidratio": false, "parentbased_always_on": true,
		"parentbased_always_off": false, "parentbased_traceidratio": false,
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", name)
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", "0")
		var out strings.Builder
		tracer := newTracer(t, sessionspan.WithWriter(&out))
		_, s := tracer.StartSession(t.Context(), "s", sessionspan.WithSessionID(honeyhive.NewUUID().String()))
		s.End()
		flush(t, tracer)
		if got := out.Len() > 0; got != want {
			t.Errorf("%q: delivered %v", name, got)
		}
	}
}
