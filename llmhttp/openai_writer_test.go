package llmhttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestWriter reads Writer's completions, whose streams are texts without an end,
// and its chat completions, whose path is its own.
func TestWriter(t *testing.T) {
	texts := strings.Join(data(`{"value":"An"}`, `{"value":" oak"}`, `{"value":"."}`), "")
	for name, c := range map[string]struct {
		path, kind, answer string
		err                error // of reading
		outputs, want      string
	}{
		"stream":        {"completions", "text/event-stream", texts, nil, `{"role":"assistant","content":"An oak."}`, ""},
		"broken stream": {"completions", "text/event-stream", texts, io.ErrUnexpectedEOF, `{"role":"assistant","content":"An oak.","finish_reason":"error"}`, "unexpected EOF"},
		"failed stream": {"completions", "text/event-stream", strings.Join(data(`{"value":"An"}`, `{"error":{"code":"late","message":"gone"}}`), ""), nil, `{"role":"assistant","content":"An","finish_reason":"error"}`, "late: gone"},
		"whole":         {"completions", "application/json", `{"choices":[{"text":"An oak."}],"model":"m-1"}`, nil, `{"role":"assistant","content":"An oak."}`, ""},
		"chat":          {"chat", "application/json", chosen(`{"role":"assistant","content":"An oak."}`, "stop"), nil, `{"role":"assistant","content":"An oak.","finish_reason":"stop"}`, ""},
		"chat stream":   {"chat", "text/event-stream", strings.Join(data(delta(`{"content":"An oak."}`), ends, "[DONE]"), ""), nil, `{"role":"assistant","content":"An oak.","finish_reason":"stop"}`, ""},
		"chat cut":      {"chat", "text/event-stream", strings.Join(data(delta(`{"content":"An oak."}`)), ""), nil, `{"role":"assistant","content":"An oak.","finish_reason":"error"}`, "the stream ended before the answer was complete"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
				body := io.Reader(strings.NewReader(c.answer))
				if c.err != nil {
					body = io.MultiReader(body, failing{c.err})
				}
				return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(body)}, nil
			}))
			request := `{"model":"m","prompt":"name a tree","stream":` + map[bool]string{true: "true", false: "false"}[c.kind != "application/json"] + `}`
			r, err := http.NewRequestWithContext(l.ctx, http.MethodPost, "https://api.writer.com/v1/"+c.path, strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := tr.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			e := l.only()
			e.AssertOutputs(c.outputs)
			if e.Error.Or("") != c.want {
				t.Errorf("error %q, want %q", e.Error.Or(""), c.want)
			}
		})
	}
}
