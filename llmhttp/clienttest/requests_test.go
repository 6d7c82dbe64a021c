package clienttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3/option"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// propagated are headers that instrumentation adds, and that no provider gets.
var propagated = http.Header{
	"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"vendor=CANARY"}, "Baggage": {"user=CANARY"},
}

// TestNoSecrets checks, for answers, errors and servers that are away, that the
// key is in nothing that was recorded, and that what belongs to the trace goes to
// no provider.
func TestNoSecrets(t *testing.T) {
	for _, c := range clients {
		for name, r := range map[string]*reply{"answer": {answer: warm}, "error": {status: 400}, "no server": nil} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				l := newLab(t, c.wire)
				n := 1
				if r == nil {
					l.server.Close()
				} else {
					l = newLab(t, c.wire, *r)
				}
				l.headers = propagated
				_, err := c.open(t, l)(l.ctx, question{}, nil)
				if (err != nil) != (name != "answer") {
					t.Errorf("the client returned %v", err)
				}
				if r == nil && c.again {
					n = 2
				}
				events := l.events(n)
				for i, sent := range l.requests {
					for name := range propagated {
						if sent.Header.Get(name) != "" {
							t.Errorf("%s went to the provider", name)
						}
					}
					if all := fmt.Sprint(sent.Header, sent.URL); c.sends != "-" && !strings.Contains(all, cmp.Or(c.sends, key)) {
						t.Errorf("request %d has no key: %s", i+1, all)
					}
				}
				recorded := fmt.Sprintf("%+v", l.spans.GetSpans())
				for _, e := range events {
					if e.Error.Or("") == "" && name != "answer" {
						t.Error("the event has no error")
					}
					recorded += string(e.AppendJSON(nil))
				}
				for _, secret := range []string{key, "CANARY"} {
					if i := strings.Index(recorded, secret); i >= 0 {
						t.Errorf("a key was recorded: %s", recorded[max(0, i-100):i+len(secret)])
					}
				}
			})
		}
	}
}

// TestRequestsUnchanged compares what the server gets with what it gets of a
// client that is not traced.
func TestRequestsUnchanged(t *testing.T) {
	for _, c := range clients {
		for _, streamed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/streamed %t", c.name, streamed), func(t *testing.T) {
				var seen [2]string
				for i, keep := range []bool{true, false} {
					l := newLab(t, c.wire, reply{answer: warm})
					l.trace(llmhttp.WithFilter(func(*http.Request) bool { return keep }))
					var each func(string) bool
					if streamed {
						each = func(string) bool { return true }
					}
					if _, err := c.open(t, l)(l.ctx, question{tools: true}, each); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						l.events(1)
					} else if n := len(l.spans.GetSpans()); n != 0 {
						t.Errorf("%d spans", n)
					}
					r := l.requests[0]
					for _, name := range c.varies {
						r.Header.Del(name)
					}
					seen[i] = fmt.Sprintf("%s %s %d\n%v\n%s", r.Method, r.URL, r.ContentLength, r.Header, l.texts[0])
				}
				if diff := gocmp.Diff(seen[1], seen[0]); diff != "" {
					t.Errorf("the traced request differs (-untraced +traced)\n%s", diff)
				}
			})
		}
	}
}

// TestSharedBody sends a body whose GetBody gives the same reader again, as
// openai-go does for bodies that the program made itself.
func TestSharedBody(t *testing.T) {
	for name, c := range map[string]func(l *lab) *http.Client{"transport": func(l *lab) *http.Client { return l.traced }, "middleware": func(l *lab) *http.Client { return l.plain }} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, openAIWire, slow, reply{answer: warm})
			var options []option.RequestOption
			if name == "middleware" {
				options = append(options, option.WithMiddleware(llmhttp.Middleware()))
			}
			client := newOpenAI(l, c(l), options...)
			body := encode(object{"model": model, "messages": list{object{"role": "user", "content": user}}})
			var answered json.RawMessage
			if err := client.Post(l.ctx, "chat/completions", bytes.NewReader([]byte(body)), &answered); err != nil {
				t.Fatal(err)
			}
			for _, e := range l.events(2) {
				if !strings.Contains(e.Inputs.String(), user) {
					t.Errorf("inputs %s", e.Inputs)
				}
			}
			for _, got := range l.texts {
				if got != body {
					t.Errorf("the server got %q, want %q", got, body)
				}
			}
		})
	}
}
