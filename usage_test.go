package sessionspan_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

func uses(in, out int64) sessionspan.Usage {
	return sessionspan.Usage{InputTokens: in, OutputTokens: out}
}

func assertTokens(t *testing.T, s *sessiontest.Session, want map[string]string) {
	t.Helper()
	for _, key := range []string{"prompt_tokens", "completion_tokens", "total_tokens", "cache_read_input_tokens", "reasoning_tokens"} {
		if v, _ := s.Metadata.Get(key); string(v) != want[key] {
			t.Errorf("%v: metadata.%s is %q, want %q", s.SessionName, key, v, want[key])
		}
	}
}

// TestUsageOfTheSession adds up what events used, each once, in each order in which an
// agent and the calls below it may say theirs: the larger of both counts.
func TestUsageOfTheSession(t *testing.T) {
	p := sessiontest.New(t)
	agent := func(name string, says int64, before, after bool) {
		ctx, s := p.Tracer.StartSession(t.Context(), name)
		actx, a := sessionspan.StartEvent(ctx, sessionspan.Agent, "agent")
		if before {
			a.SetUsage(uses(says, says))
		}
		cctx, c := sessionspan.StartEvent(actx, sessionspan.Chain, "step")
		for range 2 {
			_, m := sessionspan.StartEvent(cctx, sessionspan.Model, "call")
			m.SetUsage(uses(900, 900)) // the later counts
			u := uses(10, 5)
			u.CacheReadTokens, u.ReasoningTokens = 4, 2
			m.SetUsage(u)
			m.End()
		}
		c.End()
		if after {
			a.SetUsage(uses(says, says))
		}
		a.End()
		_, e := sessionspan.StartEvent(ctx, sessionspan.Embedding, "embed")
		e.SetUsage(uses(3, -7))
		e.End()
		s.End()
		in, out, total := int64(20), int64(10), int64(30)
		if before || after {
			in, out, total = max(in, says), max(out, says), max(total, 2*says)
		}
		assertTokens(t, p.Session(name), map[string]string{
			"prompt_tokens": fmt.Sprint(in + 3), "completion_tokens": fmt.Sprint(out), "total_tokens": fmt.Sprint(total + 3), "cache_read_input_tokens": "8", "reasoning_tokens": "4",
		})
	}
	agent("calls alone", 0, false, false)
	for _, says := range []int64{1000, 15, 7} { // more than its calls, of one count, less
		agent(fmt.Sprint("agent first ", says), says, true, false)
		agent(fmt.Sprint("agent last ", says), says, false, true)
		agent(fmt.Sprint("both ", says), says, true, true)
	}
}

func TestUsageThatTheUserSets(t *testing.T) {
	p := sessiontest.New(t)
	run := func(name string, set func(*sessionspan.Session)) {
		ctx, s := p.Tracer.StartSession(t.Context(), name)
		_, m := sessionspan.StartEvent(ctx, sessionspan.Model, "call")
		m.SetUsage(uses(10, 5))
		m.End()
		set(s)
		s.End()
	}
	run("usage", func(s *sessionspan.Session) { s.SetUsage(uses(1, 2)) })
	run("metadata", func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"total_tokens": 7}) })
	run("nothing", func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"a": 1}) })
	assertTokens(t, p.Session("usage"), map[string]string{"prompt_tokens": "1", "completion_tokens": "2", "total_tokens": "3"})
	assertTokens(t, p.Session("metadata"), map[string]string{"total_tokens": "7"})
	assertTokens(t, p.Session("nothing"), map[string]string{"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15"})

	ctx, s := p.Tracer.StartSession(t.Context(), "none")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "tool")
	e.End()
	s.End()
	assertTokens(t, p.Session("none"), nil)

	ctx, s = p.Tracer.StartSession(t.Context(), "too many")
	for range 2 {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "call")
		e.SetUsage(sessionspan.Usage{InputTokens: math.MaxInt64})
		e.End()
	}
	s.End()
	most := "9223372036854775807"
	assertTokens(t, p.Session("too many"), map[string]string{"prompt_tokens": most, "total_tokens": most})
}

// TestUsageOfPlainSpans adds up what spans of other libraries say, under a session
// of ours and under a plain one.
func TestUsageOfPlainSpans(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, s := p.Tracer.StartSession(t.Context(), "ours")
	for _, names := range [][2]string{
		{"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"},
		{"llm.token_count.prompt", "llm.token_count.completion"},
	} {
		_, span := plain.Start(ctx, "call", genAISpan)
		span.SetAttributes(attribute.Int(names[0], 10), attribute.Int(names[1], 5))
		span.End()
	}
	_, span := plain.Start(ctx, "http")
	span.SetAttributes(attribute.Int("http.response.status_code", 200))
	span.End()
	s.End()
	assertTokens(t, p.Session("ours"), map[string]string{"prompt_tokens": "20", "completion_tokens": "10", "total_tokens": "30"})

	ctx, root := plain.Start(t.Context(), "root", trace.WithAttributes(
		attribute.String("honeyhive_event_type", "session")))
	_, span = plain.Start(ctx, "call", genAISpan)
	span.SetAttributes(attribute.Int("gen_ai.usage.input_tokens", 10), attribute.Int("gen_ai.usage.output_tokens", 5))
	span.End()
	root.End()
	assertTokens(t, p.Session("root"), map[string]string{"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15"})
}

// TestUsageInParts sets the usage of an event in parts, as a stream tells it: a later
// call leaves what it does not know, in the metadata, in the attributes for collectors,
// and in the sum of the session.
func TestUsageInParts(t *testing.T) {
	for name, c := range map[string]struct {
		said []sessionspan.Usage
		want map[string]string
	}{
		"input, then output": {[]sessionspan.Usage{{InputTokens: 10, CacheReadTokens: 4}, {OutputTokens: 5}},
			map[string]string{"prompt_tokens": "10", "completion_tokens": "5", "total_tokens": "15", "cache_read_input_tokens": "4"}},
		"output again": {[]sessionspan.Usage{{InputTokens: 10, OutputTokens: 1}, {OutputTokens: 2}, {OutputTokens: 7}},
			map[string]string{"prompt_tokens": "10", "completion_tokens": "7", "total_tokens": "17"}},
		"a total that was said": {[]sessionspan.Usage{{InputTokens: 10, OutputTokens: 1, TotalTokens: 12}, {ReasoningTokens: 1}},
			map[string]string{"prompt_tokens": "10", "completion_tokens": "1", "total_tokens": "12", "reasoning_tokens": "1"}},
		"a total that was said no longer holds": {[]sessionspan.Usage{{InputTokens: 10, TotalTokens: 12}, {InputTokens: 3}},
			map[string]string{"prompt_tokens": "3"}},
		"zero is known": {[]sessionspan.Usage{{InputTokens: 10, OutputTokens: 3}, {Known: sessionspan.OutputCount}},
			map[string]string{"prompt_tokens": "10", "completion_tokens": "0", "total_tokens": "10"}},
		"nothing": {[]sessionspan.Usage{{InputTokens: 10}, {}}, map[string]string{"prompt_tokens": "10"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx, s := sessionspan.StartSession(p.Context(t.Context()), "s")
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e")
			for i, u := range c.said {
				e.SetUsage(u)
				e.SetMetadata(map[string]any{"i": i})
			}
			e.End()
			s.End()
			var metadata map[string]any
			if err := json.Unmarshal([]byte(p.Session("s").Event("e").Metadata.JSONText()), &metadata); err != nil {
				t.Fatal(err)
			}
			got := make(map[string]string)
			for key, value := range metadata {
				if strings.HasSuffix(key, "_tokens") {
					got[key] = fmt.Sprint(value)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error("the event: ", d)
			}
			if _, ok := c.want["total_tokens"]; ok {
				assertTokens(t, p.Session("s"), c.want)
			}
		})
	}
}
