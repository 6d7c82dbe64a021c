package clienttest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// This file lets the types and the accumulators of OpenAI's own SDK read answers
// that are made at random, whole and streamed, and compares what is recorded with
// what they hold.

// An openAIOracle is a server that gives one answer after another, and a client
// that is traced.
type openAIOracle struct {
	p      *sessiontest.Pipeline
	client openai.Client
	kind   string // of the next answer
	body   string
	n      int
}

func newOpenAIOracle(t *testing.T) *openAIOracle {
	o := &openAIOracle{p: sessiontest.New(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", o.kind)
		_, _ = io.WriteString(w, o.body)
	}))
	base := &http.Transport{}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		server.Close()
	})
	o.client = openai.NewClient(option.WithAPIKey(key), option.WithBaseURL(server.URL+"/v1/"), option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: llmhttp.Transport(base)}))
	return o
}

// record answers so while call runs, and returns what is recorded.
func (o *openAIOracle) record(t *rapid.T, kind, body string, call func(ctx context.Context) error) record {
	o.kind, o.body = kind, body
	o.n++
	name := fmt.Sprint("s", o.n)
	ctx, s := o.p.Tracer.StartSession(context.Background(), name)
	if err := call(ctx); err != nil {
		t.Fatalf("the SDK says %v of %s", err, body)
	}
	s.End()
	events := o.p.Session(name).Events
	if len(events) != 1 {
		t.Fatalf("%d events", len(events))
	}
	return recordOf(events[0], nil)
}

const (
	eventStream = "text/event-stream"
	wholeJSON   = "application/json"
)

// same compares a record of a stream with that of the answer whole, in all that
// does not say that it streamed.
func sameRecord(t *rapid.T, whole, streamed record) {
	config, _ := streamed.Config.(object)
	delete(config, "stream")
	streamed.FirstToken = false
	if diff := cmp.Diff(whole, streamed); diff != "" {
		t.Fatalf("whole and streamed differ (-whole +streamed)\n%s", diff)
	}
}

// holds compares outputs and members of the metadata with what the SDK read.
func holdsRead(t *rapid.T, what string, outputs, metadata object, got record) {
	if diff := cmp.Diff(decode(encode(outputs)), got.Outputs); diff != "" {
		t.Fatalf("%s: outputs (-sdk +recorded)\n%s", what, diff)
	}
	for name, want := range metadata {
		if diff := cmp.Diff(normal(want), got.Metadata[name]); diff != "" {
			t.Fatalf("%s: metadata.%s (-sdk +recorded)\n%s", what, name, diff)
		}
	}
	if got.Error != "" {
		t.Fatalf("%s: %s", what, got.Error)
	}
}

// Parts of answers.

var openAIWords = rapid.SampledFrom([]string{"It is", " warm", ".", "\n", "é", "😀", `"quoted"`, `\`, "{", "data: x", "[DONE]", "</s>"})

func someTexts(t *rapid.T, name string) []string {
	return rapid.SliceOfN(openAIWords, 1, 4).Draw(t, name)
}

// pieces cuts a text at random, between characters.
func openAIPieces(t *rapid.T, text string) (list []string) {
	runes := []rune(text)
	for len(runes) > 0 {
		n := rapid.IntRange(1, len(runes)).Draw(t, "cut")
		list = append(list, string(runes[:n]))
		runes = runes[n:]
	}
	return list
}

var openAIInputs = rapid.SampledFrom([]string{`{}`, `{"city":"Bern"}`, `{"a":{"b":[1,2,{"c":"}"}]},"d":"\"é\\"}`, `{"n":1.5e3}`, "not JSON", "42", ""})

// arguments returns what is recorded of arguments that are text.
func readArguments(text string) (any, bool) {
	if strings.TrimSpace(text) == "" {
		return nil, false
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text, true
	}
	return v, true
}

// called returns a call as it is recorded.
func readCall(id, name string, input any, given bool) object {
	f := object{"name": name}
	if given {
		f["arguments"] = input
	}
	return object{"id": id, "type": "function", "function": f}
}

// usageAtRandom returns counts as chat completions or responses have them.
func usageAtRandom(t *rapid.T, in, out string) object {
	n := rapid.IntRange(0, 1000)
	cached, reasoning := n.Draw(t, "cached"), n.Draw(t, "reasoning")
	read, wrote := cached+n.Draw(t, "read"), reasoning+n.Draw(t, "wrote")
	return object{
		in + "_tokens": read, out + "_tokens": wrote, "total_tokens": read + wrote,
		in + "_tokens_details": object{"cached_tokens": cached}, out + "_tokens_details": object{"reasoning_tokens": reasoning},
	}
}

// TestOracleOpenAIChat compares chat completions.
func TestOracleOpenAIChat(t *testing.T) {
	o := newOpenAIOracle(t)
	rapid.Check(t, func(t *rapid.T) {
		whole, stream := chatAtRandom(t)
		p := openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(user)}}
		var read *openai.ChatCompletion
		first := o.record(t, wholeJSON, whole, func(ctx context.Context) (err error) {
			read, err = o.client.Chat.Completions.New(ctx, p)
			return err
		})
		outputs, metadata := chatRead(read, read.JSON.Usage.Valid())
		holdsRead(t, "whole", outputs, metadata, first)

		var sum openai.ChatCompletionAccumulator
		second := o.record(t, eventStream, stream, func(ctx context.Context) error {
			s := o.client.Chat.Completions.NewStreaming(ctx, p)
			for s.Next() {
				if !sum.AddChunk(s.Current()) {
					return fmt.Errorf("no accumulation of %s", s.Current().RawJSON())
				}
			}
			_ = s.Close()
			return s.Err()
		})
		for i := range sum.Choices { // which the accumulator does not know
			sum.Choices[i].Message.Annotations = read.Choices[i].Message.Annotations
		}
		outputs, metadata = chatRead(&sum.ChatCompletion, read.JSON.Usage.Valid())
		holdsRead(t, "streamed", outputs, metadata, second)
		sameRecord(t, first, second)
	})
}

// chatAtRandom returns an answer whole and as a stream.
func chatAtRandom(t *rapid.T) (whole, stream string) {
	base := func(kind string, choices list) object {
		return object{"id": answerID, "object": kind, "created": 1, "model": answeredModel, "service_tier": "default", "system_fingerprint": "fp", "choices": choices}
	}
	var choices list
	var queues [][]object // deltas of each choice, in their order
	n := rapid.IntRange(1, 3).Draw(t, "choices")
	for i := range n {
		m, deltas := chatMessageAtRandom(t)
		finish := rapid.SampledFrom([]string{"stop", "length", "tool_calls", "content_filter"}).Draw(t, "finish")
		choices = append(choices, object{"index": i, "message": m, "logprobs": nil, "finish_reason": finish})
		deltas[len(deltas)-1]["finish_reason"] = finish
		queues = append(queues, deltas)
	}
	var b strings.Builder
	for left := n; left > 0; { // choices stream in turns
		i := rapid.IntRange(0, n-1).Draw(t, "turn")
		if len(queues[i]) == 0 {
			for i = range queues {
				if len(queues[i]) > 0 {
					break
				}
			}
		}
		c := queues[i][0]
		if queues[i] = queues[i][1:]; len(queues[i]) == 0 {
			left--
		}
		c["index"] = i
		b.WriteString(event("", base("chat.completion.chunk", list{c})))
	}
	answer := base("chat.completion", choices)
	if rapid.Bool().Draw(t, "usage") {
		answer["usage"] = usageAtRandom(t, "prompt", "completion")
		last := base("chat.completion.chunk", list{})
		last["usage"] = answer["usage"]
		b.WriteString(event("", last))
	}
	return encode(answer), b.String() + "data: [DONE]\n\n"
}

// chatMessageAtRandom returns a message whole and as the choices of chunks.
func chatMessageAtRandom(t *rapid.T) (m object, chunks []object) {
	m = object{"role": "assistant", "content": nil, "refusal": nil}
	delta := func(d object) {
		chunks = append(chunks, object{"delta": d, "logprobs": nil, "finish_reason": nil})
	}
	delta(object{"role": "assistant", "content": "", "refusal": nil})
	for _, name := range []string{"content", "refusal"} {
		if !rapid.Bool().Draw(t, name) {
			continue
		}
		text := someTexts(t, name)
		m[name] = strings.Join(text, "")
		for _, s := range text {
			delta(object{name: s})
		}
	}
	if m["content"] != nil && rapid.Bool().Draw(t, "cited") {
		var cites list
		for i := range rapid.IntRange(1, 3).Draw(t, "citations") {
			cites = append(cites, object{"type": "url_citation", "url_citation": object{"url": fmt.Sprint(source, i), "title": "Weather", "start_index": 0, "end_index": i}})
			delta(object{"annotations": cites[i:]})
		}
		m["annotations"] = cites
	}
	var calls list
	for i := range rapid.IntRange(0, 3).Draw(t, "calls") {
		input, id := openAIInputs.Draw(t, "input"), fmt.Sprint("call_", i)
		f, name := "function", "arguments"
		call := object{"id": id, "type": f, f: object{"name": toolName, name: input}}
		calls = append(calls, call)
		delta(object{"tool_calls": list{object{"index": i, "id": id, "type": f, f: object{"name": toolName, name: ""}}}})
		for _, s := range openAIPieces(t, input) {
			delta(object{"tool_calls": list{object{"index": i, f: object{name: s}}}})
		}
	}
	if calls != nil {
		m["tool_calls"] = calls
	}
	delta(object{})
	return m, chunks
}

// chatRead returns what is to be recorded of what the SDK read.
func chatRead(c *openai.ChatCompletion, usage bool) (outputs, metadata object) {
	var all, finishes list
	for i := range c.Choices {
		m := &c.Choices[i].Message
		o := object{"role": "assistant", "finish_reason": c.Choices[i].FinishReason}
		finishes = append(finishes, c.Choices[i].FinishReason)
		var calls list
		for _, call := range m.ToolCalls {
			input, given := readArguments(call.Function.Arguments)
			calls = append(calls, readCall(call.ID, call.Function.Name, input, given))
		}
		if calls != nil {
			o["tool_calls"] = calls
		}
		if m.Refusal != "" {
			o["refusal"] = m.Refusal
		}
		if m.Content != "" || calls == nil && m.Refusal == "" {
			o["content"] = m.Content
		}
		var cites list
		for _, a := range m.Annotations {
			cites = append(cites, decode(a.RawJSON()))
		}
		if cites != nil {
			o["annotations"] = cites
		}
		all = append(all, o)
	}
	outputs = object{}
	maps.Copy(outputs, all[0].(object))
	if len(all) > 1 {
		outputs["choices"] = all
	}
	metadata = object{
		"response_id": c.ID, "response_model": c.Model, "response_service_tier": string(c.ServiceTier), "system_fingerprint": c.SystemFingerprint, "finish_reasons": finishes, //nolint:staticcheck // servers still say it
		"prompt_tokens": nil, "completion_tokens": nil, "total_tokens": nil, "cache_read_input_tokens": nil, "reasoning_tokens": nil,
	}
	if u := c.Usage; usage {
		metadata["prompt_tokens"], metadata["completion_tokens"], metadata["total_tokens"] = u.PromptTokens, u.CompletionTokens, u.TotalTokens
		metadata["cache_read_input_tokens"], metadata["reasoning_tokens"] = u.PromptTokensDetails.CachedTokens, u.CompletionTokensDetails.ReasoningTokens
	}
	return outputs, metadata
}
