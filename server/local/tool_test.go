package local

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestResultsUnderTheirCalls has tools run for two calls that are alike but for their
// ids, the second first: on the page each result stands under its call, whether the
// events came by HTTP or by OTLP, and whether Do was given the call or its id.
func TestResultsUnderTheirCalls(t *testing.T) {
	calls := []sessionspan.ToolCall{{ID: "call_a", Name: "roll", Arguments: `{"sides":6}`}, {ID: "call_b", Name: "roll", Arguments: `{"sides":6}`}}
	run := func(ctx context.Context, call sessionspan.ToolCall) {
		_, _ = sessionspan.Do(ctx, sessionspan.Tool, "roll", call, func(_ context.Context, c sessionspan.ToolCall) (string, error) { return "rolled for " + c.ID, nil })
	}
	runByID := func(ctx context.Context, call sessionspan.ToolCall) {
		_, _ = sessionspan.Do(ctx, sessionspan.Tool, "another name", map[string]any{"sides": 6}, func(context.Context, map[string]any) (string, error) { return "rolled for " + call.ID, nil },
			sessionspan.WithToolCallID(call.ID))
	}
	for name, run := range map[string]func(context.Context, sessionspan.ToolCall){"the call": run, "its id": runByID} {
		for way, to := range map[string]func(*Server) sessionspan.Option{
			"HTTP": func(s *Server) sessionspan.Option { return sessionspan.WithHTTP(exporter.HTTPConfig{URL: s.URL()}) },
			"OTLP": func(s *Server) sessionspan.Option {
				return sessionspan.WithOTLP(exporter.OTLPConfig{URL: s.URL() + "/v1/traces"})
			},
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				s := start(t)
				tracer, err := sessionspan.New(sessionspan.WithProject("p"), sessionspan.WithoutEnvironment(), to(s))
				if err != nil {
					t.Fatal(err)
				}
				ctx, session := tracer.StartSession(t.Context(), "dice")
				_, model := sessionspan.StartEvent(ctx, sessionspan.Model, "ask", sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "roll twice"}))
				model.SetReply(sessionspan.Message{Role: "assistant", ToolCalls: calls})
				model.End()
				run(ctx, calls[1])
				run(ctx, calls[0])
				session.End()
				if err := tracer.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				status, html := send(t, http.MethodGet, s.SessionURL(session.ID()), "", nil)
				if status != http.StatusOK {
					t.Fatalf("%d %s", status, html)
				}
				shown := strings.Split(html, `<div class="call-head">`)[1:]
				if len(shown) != len(calls) {
					t.Fatalf("%d calls are shown: %s", len(shown), html)
				}
				for i, call := range calls {
					shown[i], _, _ = strings.Cut(shown[i], "</article>")
					if !strings.Contains(shown[i], "rolled for "+call.ID) || strings.Contains(shown[i], "rolled for "+calls[1-i].ID) {
						t.Errorf("call %d shows %s", i, shown[i])
					}
				}
			})
		}
	}
}
