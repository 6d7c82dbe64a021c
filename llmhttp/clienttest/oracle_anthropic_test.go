package clienttest

import (
	"context"
	"maps"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// anthropicBlock makes a block of an answer up.
func anthropicBlock(rt *rapid.T) object {
	switch rapid.IntRange(0, 5).Draw(rt, "block") {
	case 0:
		return object{"type": "thinking", "thinking": aText.Draw(rt, "thinking"), "signature": aWord.Draw(rt, "signature")}
	case 1:
		return object{"type": "redacted_thinking", "data": aWord.Draw(rt, "data")}
	case 2:
		return object{"type": "tool_use", "id": aWord.Draw(rt, "id"), "name": aWord.Draw(rt, "name"), "input": decode(anInput(rt))}
	case 3:
		return object{"type": "server_tool_use", "id": aWord.Draw(rt, "id"), "name": "web_search", "input": decode(anInput(rt))}
	case 4:
		return object{"type": "web_search_tool_result", "tool_use_id": aWord.Draw(rt, "id"), "content": list{object{"type": "web_search_result", "title": aText.Draw(rt, "title"), "url": "https://w.test"}}}
	}
	b := object{"type": "text", "text": aText.Draw(rt, "text")}
	var citations list
	for range rapid.IntRange(0, 2).Draw(rt, "citations") {
		citations = append(citations, object{"type": "char_location", "cited_text": aText.Draw(rt, "cited"), "document_index": rapid.IntRange(0, 3).Draw(rt, "document")})
	}
	if citations != nil {
		b["citations"] = citations
	}
	return b
}

// anthropicEvents writes a message as a stream, with all that may come in pieces
// in pieces.
func anthropicEvents(rt *rapid.T, m object) (events []string) {
	send := func(kind string, more object) {
		more["type"] = kind
		events = append(events, event(kind, more))
	}
	start := object{"stop_reason": nil, "content": list{}}
	for k, v := range m {
		if start[k] == nil && k != "stop_reason" {
			start[k] = v
		}
	}
	usage, _ := m["usage"].(object)
	first, last := object{}, object{}
	for _, k := range []string{"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens", "output_tokens_details"} {
		v := usage[k]
		if k == "output_tokens" || k == "output_tokens_details" || chance(rt, 4) {
			last[k] = v
		}
		if last[k] == nil || chance(rt, 3) {
			first[k] = v
		}
	}
	if chance(rt, 2) {
		first["output_tokens"] = 1
	}
	start["usage"] = first
	send("message_start", object{"message": start})
	for i, v := range m["content"].(list) {
		b, _ := v.(object)
		at := func(d object) { send("content_block_delta", object{"index": i, "delta": d}) }
		begin := object{}
		maps.Copy(begin, b)
		switch b["type"] {
		case "text":
			begin["text"] = ""
			delete(begin, "citations")
			send("content_block_start", object{"index": i, "content_block": begin})
			citations, _ := b["citations"].(list)
			for _, piece := range cut(rt, b["text"].(string)) {
				at(object{"type": "text_delta", "text": piece})
				if len(citations) > 0 && chance(rt, 2) {
					at(object{"type": "citations_delta", "citation": citations[0]})
					citations = citations[1:]
				}
			}
			for _, c := range citations {
				at(object{"type": "citations_delta", "citation": c})
			}
		case "thinking":
			begin["thinking"], begin["signature"] = "", ""
			send("content_block_start", object{"index": i, "content_block": begin})
			for _, piece := range cut(rt, b["thinking"].(string)) {
				at(object{"type": "thinking_delta", "thinking": piece})
			}
			at(object{"type": "signature_delta", "signature": b["signature"]})
		case "tool_use", "server_tool_use":
			begin["input"] = object{}
			send("content_block_start", object{"index": i, "content_block": begin})
			at(object{"type": "input_json_delta", "partial_json": ""})
			if in := encode(b["input"]); in != "{}" || chance(rt, 2) {
				for _, piece := range cut(rt, in) {
					at(object{"type": "input_json_delta", "partial_json": piece})
				}
			}
		default:
			send("content_block_start", object{"index": i, "content_block": begin})
		}
		send("content_block_stop", object{"index": i})
		if chance(rt, 4) {
			send("ping", object{})
		}
	}
	send("message_delta", object{"delta": object{"stop_reason": m["stop_reason"], "stop_sequence": nil}, "usage": last})
	send("message_stop", object{})
	return events
}

// anthropicReading returns what the client read of a message.
func anthropicReading(m *anthropic.Message) reading {
	var parts []said
	for _, b := range m.Content {
		switch v := b.AsAny().(type) {
		case anthropic.TextBlock:
			p := said{text: v.Text}
			for _, c := range v.Citations {
				p.citations = append(p.citations, decode(c.RawJSON()))
			}
			parts = append(parts, p)
		case anthropic.ThinkingBlock:
			parts = append(parts, said{text: v.Thinking, thought: true})
		case anthropic.ToolUseBlock:
			parts = append(parts, said{call: &call{v.ID, v.Name, string(v.Input)}})
		default:
			other, _ := decode(b.RawJSON()).(object)
			parts = append(parts, said{other: other})
		}
	}
	u := &m.Usage
	return reading{
		outputs: outputsOf(parts, string(m.StopReason)), id: m.ID, model: m.Model,
		tokens: tokens{new(u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens), &u.OutputTokens, &u.CacheReadInputTokens, &u.CacheCreationInputTokens, &u.OutputTokensDetails.ThinkingTokens},
	}
}

func TestOracleAnthropic(t *testing.T) {
	o := newOracle(t, llmhttp.Anthropic)
	c := anthropic.NewClient(option.WithAPIKey(key), option.WithBaseURL(o.url), option.WithHTTPClient(o.client), option.WithMaxRetries(0))
	params := anthropic.MessageNewParams{Model: model, MaxTokens: maxTokens, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(user))}}
	rapid.Check(t, func(rt *rapid.T) {
		content := list{}
		for range rapid.IntRange(1, 5).Draw(rt, "blocks") {
			content = append(content, anthropicBlock(rt))
		}
		output := aCount.Draw(rt, "output") + 1
		m := object{
			"id": aWord.Draw(rt, "id"), "type": "message", "role": "assistant", "model": answeredModel, "content": content,
			"stop_reason": rapid.SampledFrom([]string{"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"}).Draw(rt, "reason"),
			"usage": object{
				"input_tokens": aCount.Draw(rt, "input"), "cache_read_input_tokens": aCount.Draw(rt, "read"), "cache_creation_input_tokens": aCount.Draw(rt, "written"),
				"output_tokens": output, "output_tokens_details": object{"thinking_tokens": rapid.Int64Range(0, output).Draw(rt, "thinking")},
			},
		}
		o.play(rt, sends("application/json", nil, encode(m)), func(ctx context.Context) reading {
			m, err := c.Messages.New(ctx, params)
			if err != nil {
				rt.Fatal(err)
			}
			return anthropicReading(m)
		})
		o.play(rt, sends("text/event-stream", nil, anthropicEvents(rt, m)...), func(ctx context.Context) reading {
			stream := c.Messages.NewStreaming(ctx, params)
			defer func() { _ = stream.Close() }()
			var m anthropic.Message
			for stream.Next() {
				if err := m.Accumulate(stream.Current()); err != nil {
					rt.Fatal(err)
				}
			}
			if err := stream.Err(); err != nil {
				rt.Fatal(err)
			}
			return anthropicReading(&m)
		})
	})
}
