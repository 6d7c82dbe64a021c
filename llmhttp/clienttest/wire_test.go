package clienttest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// A wire is an API as its servers speak it, and what its records have of its own.
type wire struct {
	name   string
	api    llmhttp.API
	hosted bool // it is told by the host, not by the path

	// isStream reports whether a request asks for a stream. nil: its body says
	// "stream":true.
	isStream   func(r *http.Request, body string) bool
	streamType string
	whole      func(a answer) string
	// stream returns the pieces of a stream: what comes before the first content,
	// the content, and what follows. Each is sent alone.
	stream        func(a answer, request string) (begin, middle, rest []string)
	failure       func(status int) (body string, p problem)
	streamFailure string                  // a piece that says that the provider failed
	failureKind   func(status int) string // for a header, where it is not in the body

	operation, provider string
	finish              map[string]string // its words for stop and tool_call
	streamProblem       problem
	metadata            object // that every answer and error has
	early               object // tokens that a stream tells before its end
	none                string // the count of tokens that the server says is zero
	instructions        bool   // the system's part is no message
	cached              bool   // it tells what came from a cache
	noID                bool   // its answers have no id
	noModel             bool   // nor the name of the model

	// result is the message of a conversation that holds what a tool gave.
	result func(c call, text string) object
}

// A problem is what is recorded of an error.
type problem struct{ text, kind string }

func (w *wire) streamed(r *http.Request, body string) bool {
	if w.isStream != nil {
		return w.isStream(r, body)
	}
	return strings.Contains(strings.ReplaceAll(body, " ", ""), `"stream":true`)
}

func (w *wire) fails(h http.Header, status int) {
	h.Set("Content-Type", "application/json")
	if w.failureKind != nil {
		h.Set("X-Amzn-Errortype", w.failureKind(status))
	}
}

type (
	object = map[string]any
	list   = []any
)

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// decode returns what JSON means.
func decode(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err.Error() + " in " + text)
	}
	return v
}

// event returns a server-sent event.
func event(name string, data any) string {
	if name != "" {
		name = "event: " + name + "\n"
	}
	return name + "data: " + encode(data) + "\n\n"
}
