package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		name, _, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"HH_", "OTEL_", "OPENAI_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	goleak.VerifyTestMain(m)
}

// TestScript runs the whole command without a model.
func TestScript(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	for _, want := range []string{
		"Question: " + defaultQuestion, "\nIt is 11.5 degrees warmer in Lisbon than in Bern.\n", `session "ask an agent"`, `  chain "turn 3"`,
		`    model "chat scripted"`, ", 24 tokens in, 6 out, the first after", `{"a":16,"b":4.5}: {"difference":11.5}`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// TestSession looks at the session of an answer for which the client had to try
// again.
func TestSession(t *testing.T) {
	var once sync.Once
	p, a := newAgent(t, func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header; h.Get("Baggage")+h.Get("Traceparent") != "" {
			t.Errorf("the provider was sent %v", h)
		}
		first := false
		once.Do(func() { first = true })
		if first {
			w.Header().Set("Retry-After-Ms", "1")
			http.Error(w, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, http.StatusTooManyRequests)
			return
		}
		play(w, r)
	})
	if err := answer(p.Context(t.Context()), a, defaultQuestion); err != nil {
		t.Fatal(err)
	}
	s := p.Session("ask an agent")
	s.AssertTree(`
		session ask an agent
		  chain turn 1
		    model chat m
		    model chat m
		    tool temperature
		    tool temperature
		  chain turn 2
		    model chat m
		    tool subtract
		  chain turn 3
		    model chat m
	`)
	s.AssertInputs(`{"question":"` + defaultQuestion + `"}`)
	s.AssertOutputs(`{"role":"assistant","content":"It is 11.5 degrees warmer in Lisbon than in Bern."}`)
	if e := s.Events[0].Children[0]; e.Error.Or("") != "429 rate_limit_exceeded: slow down" {
		t.Errorf("the first attempt says %q", e.Error.Or(""))
	}
	s.Events[0].Children[1].AssertOutputs(`{"role":"assistant","finish_reason":"tool_calls","tool_calls":[
		{"id":"call_temperature_0","type":"function","function":{"name":"temperature","arguments":{"city":"Lisbon"}}},
		{"id":"call_temperature_1","type":"function","function":{"name":"temperature","arguments":{"city":"Bern"}}}]}`)
	s.Event("turn 2", "subtract").AssertInputs(`{"a":16,"b":4.5}`)
	s.Event("turn 2", "subtract").AssertOutputs(`{"difference":11.5}`)
	m := s.Event("turn 3", "chat m")
	m.AssertOutputs(`{"role":"assistant","content":"It is 11.5 degrees warmer in Lisbon than in Bern.","finish_reason":"stop"}`)
	if tokens, _ := m.Metadata.Get("completion_tokens"); string(tokens) != "10" {
		t.Errorf("metadata %s", m.Metadata)
	}
}

// newAgent returns an agent whose model is a server of the test.
func newAgent(t *testing.T, model http.HandlerFunc) (*sessiontest.Pipeline, *agent) {
	t.Helper()
	p := sessiontest.New(t)
	srv := httptest.NewServer(model)
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return p, &agent{
		client: openai.NewClient(option.WithBaseURL(srv.URL+"/v1/"), option.WithAPIKey("k"), option.WithMiddleware(llmhttp.Middleware())),
		model:  "m", out: io.Discard,
	}
}

func TestModelFails(t *testing.T) {
	for name, tc := range map[string]struct {
		model  http.HandlerFunc
		events int
		want   string
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":{"message":"no such model","code":"model_not_found"}}`, http.StatusNotFound)
		}, 1, "404 Not Found"},
		"empty": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: [DONE]\n\n")
		}, 1, "the model gave no answer"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"fly","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`, "\n\ndata: [DONE]\n\n")
		}, mostTurns, "no answer after 8 turns"},
	} {
		t.Run(name, func(t *testing.T) {
			p, a := newAgent(t, tc.model)
			if err := answer(p.Context(t.Context()), a, "?"); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v", err)
			}
			s := p.Session("ask an agent")
			if len(s.Events) != tc.events || !strings.Contains(s.Error.Or(""), tc.want) {
				t.Errorf("%q in\n%s", s.Error.Or(""), s.Tree())
			}
		})
	}
}

func TestTools(t *testing.T) {
	for _, tc := range []struct{ name, arguments, want, failed string }{
		{"temperature", `{"city":"Oslo"}`, `{"celsius":-3,"city":"Oslo"}`, ""},
		{"temperature", `{"city":"Atlantis"}`, `{"error":"nobody measures in \"Atlantis\""}`, `nobody measures in "Atlantis"`},
		{"subtract", `{"a":1,"b":"x"}`, `{"error":"a and b must be numbers"}`, "a and b must be numbers"},
		{"subtract", `{"a":`, `{"error":"the arguments are no JSON: unexpected end of JSON input"}`, "the arguments are no JSON: unexpected end of JSON input"},
		{"fly", `{}`, `{"error":"there is no tool \"fly\""}`, `there is no tool "fly"`},
	} {
		t.Run(tc.name+tc.arguments, func(t *testing.T) {
			p := sessiontest.New(t)
			if strings.Contains(tc.failed, "no JSON") {
				p.ExpectReport("set inputs: invalid JSON")
			}
			ctx, session := p.Tracer.StartSession(t.Context(), "s")
			if got := use(ctx, tc.name, tc.arguments); got != tc.want {
				t.Errorf("the model is told %s, want %s", got, tc.want)
			}
			session.End()
			if e := p.Session("s").Event(tc.name); e.EventType.Or("") != "tool" || e.Error.Or("") != tc.failed {
				t.Errorf("%s", e.AppendJSON(nil))
			}
		})
	}
}

// TestModelOfTheEnvironment asks the model that the environment names.
func TestModelOfTheEnvironment(t *testing.T) {
	var asked, key string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, key = string(body), r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"x","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"Yes."},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	t.Setenv("OPENAI_BASE_URL", srv.URL)
	t.Setenv("OPENAI_API_KEY", "sk-CANARY")
	t.Setenv("OPENAI_MODEL", "mine")
	var out strings.Builder
	if err := run(t.Context(), []string{"Is", "it warm?"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if !strings.Contains(asked, `"Is it warm?"`) || !strings.Contains(asked, `"model":"mine"`) || key != "Bearer sk-CANARY" {
		t.Errorf("asked %s with %s", asked, key)
	}
	if s := out.String(); !strings.Contains(s, "\nYes.\n") || !strings.Contains(s, `model "chat mine"`) || strings.Contains(s, "CANARY") {
		t.Errorf("printed %s", s)
	}
}

func TestErrors(t *testing.T) {
	for name, args := range map[string][]string{"question without a model": {"why?"}, "unknown flag": {"-x"}} {
		var out strings.Builder
		if err := run(t.Context(), args, &out, io.Discard); err == nil || out.Len() > 0 {
			t.Errorf("%s: error %v, printed %q", name, err, out.String())
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, nil, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
