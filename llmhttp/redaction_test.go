package llmhttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/samples"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/redact"
)

// TestRedactionOfPieces has a provider send the arguments of a tool and the answer in
// pieces of every size: what is redacted is what they come to.
func TestRedactionOfPieces(t *testing.T) {
	policy, err := redact.New()
	if err != nil {
		t.Fatal(err)
	}
	r := samples.Rand(9)
	for n, kind := range samples.Kinds() {
		m := samples.Of(r, kind)
		for _, size := range []int{1, 2 + n, 4096} {
			t.Run(fmt.Sprint(kind, " in pieces of ", size), func(t *testing.T) {
				var chunks []string
				pieces := func(text string, chunk func(piece string) string) {
					for text != "" {
						piece := text[:min(size, len(text))]
						text = text[len(piece):]
						chunks = append(chunks, `{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":`+chunk(samples.JSON(piece))+`}]}`)
					}
				}
				pieces("It is "+m.Text+" here.", func(piece string) string { return `{"content":` + piece + `}` })
				pieces(samples.JSON(map[string]any{"to": m.Text, "n": 1}), func(piece string) string {
					return `{"tool_calls":[{"index":0,"id":"call","type":"function","function":{"name":"send","arguments":` + piece + `}}]}`
				})
				chunks = append(chunks, `{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, "[DONE]")
				if out := recordStream(t, policy, data(chunks...)); samples.Leaks(out, m.Secret) || strings.Contains(out, strings.Trim(samples.JSON(m.Secret), `"`)) || !strings.Contains(out, "[redacted:") || !strings.Contains(out, "send") {
					t.Errorf("%q left the program: %s", m.Secret, out)
				}
			})
		}
	}
}

// recordStream returns what is recorded of a call whose answer is a stream.
func recordStream(t *testing.T, policy *redact.Policy, chunks []string) string {
	t.Helper()
	server := httptest.NewServer(stream(chunks...))
	defer server.Close()
	var out bytes.Buffer
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&out), sessionspan.WithRedaction(policy), sessionspan.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := tracer.StartSession(t.Context(), "s")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"go"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: llmhttp.Transport(transport)}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.End()
	end, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tracer.Shutdown(end); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
