package clienttest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// The tests in oracle_PROVIDER_test.go make answers up that a provider's API
// allows, let the provider's own client read them, whole and as a stream, and
// compare what it read with what the event holds. What the answers have in common
// stands here: how they are made up, and what an event is to hold of parts.

// An oracle plays answers to a client and looks at the events.
type oracle struct {
	*sessiontest.Pipeline
	client *http.Client
	url    string
	calls  int

	mu    sync.Mutex
	reply func(http.ResponseWriter)
}

func newOracle(t *testing.T, api llmhttp.API) *oracle {
	o := &oracle{Pipeline: sessiontest.New(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		o.mu.Lock()
		reply := o.reply
		o.mu.Unlock()
		reply(w)
	}))
	base := &http.Transport{}
	o.url = server.URL
	o.client = &http.Client{Transport: llmhttp.Transport(base, llmhttp.WithHost(server.Listener.Addr().String(), api, ""))}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		server.Close()
	})
	return o
}

// sends answers with a content type and a body.
func sends(kind string, header http.Header, body ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.Header().Set("Content-Type", kind)
		for _, piece := range body {
			_, _ = io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
	}
}

// play makes a call that is answered so, by a function that returns what the
// client read, and compares it with the event.
func (o *oracle) play(rt *rapid.T, reply func(http.ResponseWriter), call func(ctx context.Context) reading) {
	rt.Helper()
	o.mu.Lock()
	o.reply = reply
	o.mu.Unlock()
	o.calls++
	name := fmt.Sprint("s", o.calls)
	ctx, s := o.Tracer.StartSession(context.Background(), name)
	want := call(ctx)
	s.End()
	events := o.Session(name).Events
	if len(events) != 1 {
		rt.Fatalf("%d events", len(events))
	}
	e := events[0]
	got := reading{failed: e.Error.Or("")}
	if text := e.Outputs.String(); text != "" && text != "null" {
		got.outputs, _ = decode(text).(object)
	}
	metadata, _ := decode(e.Metadata.String()).(object)
	count := func(key string) *int64 {
		n, ok := metadata[key].(float64)
		if !ok {
			return nil
		}
		return new(int64(n))
	}
	got.id, _ = metadata["response_id"].(string)
	got.model, _ = metadata["response_model"].(string)
	got.tokens = tokens{count("prompt_tokens"), count("completion_tokens"), count("cache_read_input_tokens"), count("cache_write_input_tokens"), count("reasoning_tokens")}
	want.outputs, _ = decode(encode(want.outputs)).(object)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reading{}, tokens{}), cmp.Transformer("count", func(n *int64) int64 {
		if n == nil {
			return 0 // a count of zero may be left out
		}
		return *n
	})); diff != "" {
		rt.Fatalf("what the client read (-) and what the event holds (+):\n%s", diff)
	}
}

// A reading is what a client read of an answer, or what an event holds.
type reading struct {
	outputs   object
	id, model string
	failed    string
	tokens    tokens
}

// tokens are counts as the conventions have them; nil is not known.
type tokens struct{ input, output, read, written, reasoning *int64 }

// A said is a part of an answer.
type said struct {
	text      string
	citations list
	thought   bool
	call      *call  // of the program's tool
	other     object // any other, as an event has it
}

// outputsOf returns what an event holds of parts: texts that follow each other
// are one.
func outputsOf(parts []said, finish string) object {
	o := object{"role": "assistant"}
	if finish != "" {
		o["finish_reason"] = finish
	}
	var content, annotations, calls list
	var thoughts []string
	text, rich, texts := "", false, false
	for i, p := range parts {
		switch {
		case p.call != nil:
			f := object{"name": p.call.Name}
			if p.call.Arguments != "" {
				f["arguments"] = decode(p.call.Arguments)
			}
			c := object{"type": "function", "function": f}
			if p.call.ID != "" {
				c["id"] = p.call.ID
			}
			calls = append(calls, c)
		case p.other != nil:
			rich = true
			content = append(content, p.other)
		case p.thought:
			thoughts = append(thoughts, p.text)
		default:
			if texts && !isText(parts[i-1]) {
				text += "\n"
			}
			texts = true
			text += p.text
			c := object{"type": "text", "text": p.text}
			if len(p.citations) > 0 {
				c["citations"] = p.citations
			}
			content = append(content, c)
			annotations = append(annotations, p.citations...)
		}
	}
	if calls != nil {
		o["tool_calls"] = calls
	}
	if joined := strings.Join(thoughts, "\n"); joined != "" {
		o["reasoning"] = joined
	}
	switch {
	case rich:
		o["content"] = content
	case texts || calls == nil && thoughts == nil:
		o["content"] = text
		if annotations != nil {
			o["annotations"] = annotations
		}
	}
	return o
}

// outputsWith returns what an event holds of parts and of the sources of them all:
// those stand with the last text, or else with the last part that is neither a call
// nor a thought, or else beside the content.
func outputsWith(parts []said, sources list, finish string) object {
	at := -1
	for i, p := range parts {
		if isText(p) || p.other != nil && (at < 0 || !isText(parts[at])) {
			at = i
		}
	}
	switch {
	case sources == nil || at < 0:
	case parts[at].other != nil:
		parts[at].other["citations"] = sources
	default:
		parts[at].citations = append(parts[at].citations, sources...)
	}
	o := outputsOf(parts, finish)
	if sources != nil && at < 0 {
		o["annotations"] = sources
	}
	return o
}

func isText(p said) bool { return p.call == nil && p.other == nil && !p.thought }

// What answers are made up of.

var (
	aText  = rapid.StringOfN(rapid.RuneFrom([]rune("ab \n\t\"\\{}[]:,<é漢\u2028🙂")), 0, 12, -1)
	aWord  = rapid.StringMatching(`[a-z]{1,8}`)
	aCount = rapid.Int64Range(0, 5000)
)

// aValue makes a value of JSON up.
func aValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(rt *rapid.T) any {
		most := 6
		if depth == 0 {
			most = 4
		}
		switch rapid.IntRange(0, most).Draw(rt, "kind") {
		case 0:
			return aText.Draw(rt, "text")
		case 1:
			return rapid.IntRange(-1e6, 1e6).Draw(rt, "number")
		case 2:
			return rapid.Bool().Draw(rt, "bool")
		case 3:
			return float64(rapid.IntRange(-1e3, 1e3).Draw(rt, "half")) / 2
		case 4:
			return nil
		case 5:
			return rapid.SliceOfN(aValue(depth-1), 0, 3).Draw(rt, "list")
		}
		return rapid.MapOfN(aWord, aValue(depth-1), 0, 3).Draw(rt, "object")
	})
}

// anInput makes the input of a tool up, as JSON.
func anInput(rt *rapid.T) string {
	return encode(rapid.MapOfN(aWord, aValue(2), 0, 3).Draw(rt, "input"))
}

// cut cuts a text into pieces, between any of its characters. Some are empty.
func cut(rt *rapid.T, text string) (pieces []string) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := rapid.IntRange(0, len(runes)).Draw(rt, "piece")
		pieces = append(pieces, string(runes[:n]))
		runes = runes[n:]
	}
	return pieces
}

// chance is true in one of n cases.
func chance(rt *rapid.T, n int) bool { return rapid.IntRange(1, n).Draw(rt, "chance") == 1 }
