package clienttest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	cohereclient "github.com/cohere-ai/cohere-go/v2/client"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// A cohereMessage is what the client read of an answer of version 2.
type cohereMessage struct {
	content   []said
	plan      string
	calls     []call
	citations list
	finish    string
	usage     *cohere.Usage
	id        string
}

func (m *cohereMessage) reading() reading {
	parts := m.content
	if m.plan != "" {
		parts = append(parts, said{text: m.plan, thought: true})
	}
	for _, c := range m.calls {
		parts = append(parts, said{call: &c})
	}
	r := reading{outputs: outputsWith(parts, m.citations, m.finish), id: m.id}
	if m.usage != nil && m.usage.Tokens != nil {
		r.tokens = tokens{input: new(int64(*m.usage.Tokens.InputTokens)), output: new(int64(*m.usage.Tokens.OutputTokens))}
		if n, ok := m.usage.GetExtraProperties()["cached_tokens"].(float64); ok {
			r.tokens.read = new(int64(n))
		}
	}
	return r
}

func newCohereOracle(o *oracle) *cohereclient.Client {
	return cohereclient.NewClient(cohereclient.WithBaseURL(o.url), cohereclient.WithToken(key), cohereclient.WithHTTPClient(o.client), cohereclient.WithMaxAttempts(1))
}

// cohereCitation makes a citation up.
func cohereCitation(rt *rapid.T) object {
	return object{"start": rapid.IntRange(0, 9).Draw(rt, "start"), "end": rapid.IntRange(10, 20).Draw(rt, "end"), "text": aText.Draw(rt, "cited"), "sources": list{object{"type": "document", "id": aWord.Draw(rt, "source")}}}
}

func TestOracleCohere(t *testing.T) {
	o := newOracle(t, llmhttp.Cohere)
	c := newCohereOracle(o)
	messages := cohere.ChatMessages{cohereText("user", user)}
	rapid.Check(t, func(rt *rapid.T) {
		var thinking, text, plan string
		var content, calls, citations list
		if chance(rt, 3) {
			thinking = aText.Draw(rt, "thinking")
			content = append(content, object{"type": "thinking", "thinking": thinking})
		}
		tools := chance(rt, 2)
		if !tools {
			text = aText.Draw(rt, "text")
			content = append(content, object{"type": "text", "text": text})
		} else {
			plan = aText.Draw(rt, "plan")
			for range rapid.IntRange(1, 2).Draw(rt, "calls") {
				calls = append(calls, object{"id": aWord.Draw(rt, "id"), "type": "function", "function": object{"name": aWord.Draw(rt, "name"), "arguments": anInput(rt)}})
			}
		}
		for range rapid.IntRange(0, 3).Draw(rt, "citations") {
			citations = append(citations, cohereCitation(rt))
		}
		usage := object{"billed_units": object{"input_tokens": 1, "output_tokens": 2}, "tokens": object{"input_tokens": aCount.Draw(rt, "input"), "output_tokens": aCount.Draw(rt, "output")}, "cached_tokens": aCount.Draw(rt, "cached")}
		finish := rapid.SampledFrom([]string{"COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL"}).Draw(rt, "finish")
		m := object{"role": "assistant"}
		for name, v := range map[string]list{"content": content, "tool_calls": calls, "citations": citations} {
			if v != nil {
				m[name] = v
			}
		}
		if plan != "" {
			m["tool_plan"] = plan
		}
		whole := object{"id": answerID, "finish_reason": finish, "message": m, "usage": usage}

		var events []string
		send := func(kind string, index int, message object) {
			events = append(events, event(kind, object{"type": kind, "index": index, "delta": object{"message": message}}))
		}
		events = append(events, event("message-start", object{"type": "message-start", "id": answerID, "delta": object{"message": object{"role": "assistant"}}}))
		left := citations
		for i, v := range content {
			p, _ := v.(object)
			kind, _ := p["type"].(string)
			send("content-start", i, object{"content": object{"type": kind, kind: ""}})
			for _, piece := range cut(rt, p[kind].(string)) {
				send("content-delta", i, object{"content": object{kind: piece}})
				if kind == "text" && len(left) > 0 && chance(rt, 2) {
					send("citation-start", len(citations)-len(left), object{"citations": left[0]})
					left = left[1:]
				}
			}
			events = append(events, event("content-end", object{"type": "content-end", "index": i}))
		}
		for i, c := range left {
			send("citation-start", i, object{"citations": c})
		}
		for _, piece := range cut(rt, plan) {
			events = append(events, event("tool-plan-delta", object{"type": "tool-plan-delta", "delta": object{"message": object{"tool_plan": piece}}}))
		}
		for i, v := range calls {
			c, _ := v.(object)
			f, _ := c["function"].(object)
			send("tool-call-start", i, object{"tool_calls": object{"id": c["id"], "type": "function", "function": object{"name": f["name"], "arguments": ""}}})
			for _, piece := range cut(rt, f["arguments"].(string)) {
				send("tool-call-delta", i, object{"tool_calls": object{"function": object{"arguments": piece}}})
			}
			events = append(events, event("tool-call-end", object{"type": "tool-call-end", "index": i}))
		}
		events = append(events, event("message-end", object{"type": "message-end", "delta": object{"finish_reason": finish, "usage": usage}}))

		o.play(rt, sends("application/json", nil, encode(whole)), func(ctx context.Context) reading {
			r, err := c.V2.Chat(ctx, &cohere.V2ChatRequest{Model: model, Messages: messages})
			if err != nil {
				rt.Fatal(err)
			}
			m := cohereMessage{id: r.Id, finish: string(r.FinishReason), usage: r.Usage}
			for _, p := range r.Message.Content {
				if p.Thinking != nil {
					m.content = append(m.content, said{text: p.Thinking.Thinking, thought: true})
				} else {
					m.content = append(m.content, said{text: p.Text.Text})
				}
			}
			if r.Message.ToolPlan != nil {
				m.plan = *r.Message.ToolPlan
			}
			for _, c := range r.Message.ToolCalls {
				m.calls = append(m.calls, call{*c.Id, *c.Function.Name, *c.Function.Arguments})
			}
			for _, c := range r.Message.Citations {
				m.citations = append(m.citations, decode(encode(c)))
			}
			return m.reading()
		})
		o.play(rt, sends("text/event-stream", nil, events...), func(ctx context.Context) reading {
			// The client's reader of streams takes a piece of an event for all of it.
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+"/v2/chat", strings.NewReader(encode(object{"model": model, "stream": true, "messages": list{}})))
			if err != nil {
				rt.Fatal(err)
			}
			resp, err := o.client.Do(r)
			if err != nil {
				rt.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				rt.Fatal(err)
			}
			var m cohereMessage
			for line := range strings.Lines(string(body)) {
				if data, ok := strings.CutPrefix(line, "data: "); ok {
					var e cohere.V2ChatStreamResponse
					if err := json.Unmarshal([]byte(data), &e); err != nil {
						rt.Fatal(err)
					}
					m.add(&e)
				}
			}
			return m.reading()
		})
	})
}

// add adds what an event of a stream says.
func (m *cohereMessage) add(e *cohere.V2ChatStreamResponse) {
	switch {
	case e.MessageStart != nil:
		m.id = *e.MessageStart.Id
	case e.ContentStart != nil:
		m.content = append(m.content, said{thought: *e.ContentStart.Delta.Message.Content.Type == cohere.ChatContentStartEventDeltaMessageContentTypeThinking})
	case e.ContentDelta != nil:
		c := e.ContentDelta.Delta.Message.Content
		p := &m.content[*e.ContentDelta.Index]
		if c.Text != nil {
			p.text += *c.Text
		}
		if c.Thinking != nil {
			p.text += *c.Thinking
		}
	case e.ToolPlanDelta != nil:
		m.plan += *e.ToolPlanDelta.Delta.Message.ToolPlan
	case e.ToolCallStart != nil:
		c := e.ToolCallStart.Delta.Message.ToolCalls
		m.calls = append(m.calls, call{*c.Id, *c.Function.Name, *c.Function.Arguments})
	case e.ToolCallDelta != nil:
		m.calls[*e.ToolCallDelta.Index].Arguments += *e.ToolCallDelta.Delta.Message.ToolCalls.Function.Arguments
	case e.CitationStart != nil:
		m.citations = append(m.citations, decode(encode(e.CitationStart.Delta.Message.Citations)))
	case e.MessageEnd != nil:
		m.finish, m.usage = string(*e.MessageEnd.Delta.FinishReason), e.MessageEnd.Delta.Usage
	}
}

// TestOracleCohereV1 is for version 1, whose streams end with the whole answer.
func TestOracleCohereV1(t *testing.T) {
	o := newOracle(t, llmhttp.Cohere)
	c := newCohereOracle(o)
	rapid.Check(t, func(rt *rapid.T) {
		text := aText.Draw(rt, "text")
		response := object{
			"response_id": aWord.Draw(rt, "id"), "generation_id": aWord.Draw(rt, "generation"), "text": text, "finish_reason": rapid.SampledFrom([]string{"COMPLETE", "MAX_TOKENS"}).Draw(rt, "finish"),
			"meta": object{"tokens": object{"input_tokens": aCount.Draw(rt, "input"), "output_tokens": aCount.Draw(rt, "output")}},
		}
		var citations, calls, documents list
		for range rapid.IntRange(0, 2).Draw(rt, "citations") {
			citations = append(citations, object{"start": rapid.IntRange(0, 9).Draw(rt, "start"), "end": 12, "text": aText.Draw(rt, "cited"), "document_ids": list{aWord.Draw(rt, "document")}})
		}
		for range rapid.IntRange(0, 2).Draw(rt, "calls") {
			calls = append(calls, object{"name": aWord.Draw(rt, "name"), "parameters": decode(anInput(rt))})
		}
		for range rapid.IntRange(0, 2).Draw(rt, "documents") {
			documents = append(documents, object{"id": aWord.Draw(rt, "id"), "snippet": aText.Draw(rt, "snippet")})
		}
		for name, v := range map[string]list{"citations": citations, "tool_calls": calls, "documents": documents} {
			if v != nil {
				response[name] = v
			}
		}
		var lines []string
		send := func(kind string, more object) {
			more["event_type"], more["is_finished"] = kind, kind == "stream-end"
			lines = append(lines, encode(more)+"\n")
		}
		send("stream-start", object{"generation_id": response["generation_id"]})
		if documents != nil {
			send("search-results", object{"documents": documents, "search_results": list{}})
		}
		for _, piece := range cut(rt, text) {
			send("text-generation", object{"text": piece})
		}
		for _, c := range citations {
			send("citation-generation", object{"citations": list{c}})
		}
		if calls != nil {
			send("tool-calls-generation", object{"tool_calls": calls})
		}
		send("stream-end", object{"finish_reason": response["finish_reason"], "response": response})

		read := func(r *cohere.NonStreamedChatResponse) reading {
			var parts []said
			if r.Text != "" {
				parts = append(parts, said{text: r.Text})
			}
			for _, c := range r.ToolCalls {
				parts = append(parts, said{call: &call{"", c.Name, encode(c.Parameters)}})
			}
			var citations list
			for _, c := range r.Citations {
				citations = append(citations, decode(encode(c)))
			}
			got := reading{outputs: outputsWith(parts, citations, string(*r.FinishReason)), id: *r.ResponseId}
			if len(r.Documents) > 0 {
				got.outputs["documents"] = r.Documents
			}
			got.tokens.input, got.tokens.output = new(int64(*r.Meta.Tokens.InputTokens)), new(int64(*r.Meta.Tokens.OutputTokens))
			return got
		}
		o.play(rt, sends("application/json", nil, encode(response)), func(ctx context.Context) reading {
			r, err := c.Chat(ctx, &cohere.ChatRequest{Message: user})
			if err != nil {
				rt.Fatal(err)
			}
			return read(r)
		})
		o.play(rt, sends("application/stream+json", nil, lines...), func(ctx context.Context) (got reading) {
			stream, err := c.ChatStream(ctx, &cohere.ChatStreamRequest{Message: user})
			if err != nil {
				rt.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			for {
				e, err := stream.Recv()
				switch {
				case errors.Is(err, io.EOF):
					return got
				case err != nil:
					rt.Fatal(err)
				case e.StreamEnd != nil:
					got = read(e.StreamEnd.Response)
				}
			}
		})
	})
}
