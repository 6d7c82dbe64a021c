package clienttest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"pgregory.net/rapid"
)

// TestOracleOpenAIResponses compares responses, also those whose streams break.
func TestOracleOpenAIResponses(t *testing.T) {
	o := newOpenAIOracle(t)
	rapid.Check(t, func(t *rapid.T) {
		whole, events := responseAtRandom(t)
		p := responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: param.NewOpt(user)}}
		var read *responses.Response
		first := o.record(t, wholeJSON, whole, func(ctx context.Context) (err error) {
			read, err = o.client.Responses.New(ctx, p)
			return err
		})
		outputs, metadata := responseRead(read)
		holdsRead(t, "whole", outputs, metadata, first)

		streamed := func(events []string) (record, *responses.ResponseAccumulator) {
			sum := new(responses.ResponseAccumulator)
			r := o.record(t, eventStream, strings.Join(events, ""), func(ctx context.Context) error {
				s := o.client.Responses.NewStreaming(ctx, p)
				for s.Next() {
					var e responses.ResponsesServerEventUnion
					if err := json.Unmarshal([]byte(s.Current().RawJSON()), &e); err != nil {
						return err
					}
					if err := sum.AddEvent(e); err != nil {
						return err
					}
				}
				_ = s.Close()
				return s.Err()
			})
			return r, sum
		}
		second, sum := streamed(events)
		again, err := sum.ReconstructedResponse()
		if err != nil {
			t.Fatal(err)
		}
		outputs, metadata = responseRead(again)
		holdsRead(t, "streamed", outputs, metadata, second)
		sameRecord(t, first, second)

		broken, sum := streamed(events[:rapid.IntRange(1, len(events)-1).Draw(t, "cut")])
		if broken.Metadata["error_type"] != "stream_interrupted" {
			t.Fatalf("a stream that breaks is %v: %s", broken.Metadata["error_type"], broken.Error)
		}
		text, calls := snapshotRead(sum.Snapshot())
		lines := strings.NewReplacer("\n", "") // which join texts that stand apart
		if diff := cmp.Diff(lines.Replace(text), lines.Replace(outputText(broken.Outputs))); diff != "" {
			t.Fatalf("broken: text (-sdk +recorded)\n%s", diff)
		}
		if diff := cmp.Diff(decode(encode(calls)), decode(encode(member(broken.Outputs, "tool_calls")))); diff != "" {
			t.Fatalf("broken: calls (-sdk +recorded)\n%s", diff)
		}
	})
}

// responseAtRandom returns an answer whole and as the events of a stream.
func responseAtRandom(t *rapid.T) (whole string, events []string) {
	var output list
	send := func(kind string, more object) {
		more["type"], more["sequence_number"] = kind, len(events)
		events = append(events, event(kind, more))
	}
	base := func(status string) object {
		r := object{
			"id": answerID, "object": "response", "created_at": 1, "model": answeredModel, "status": status, "error": nil, "incomplete_details": nil,
			"output": list{}, "parallel_tool_calls": true, "tools": list{}, "metadata": object{}, "service_tier": "default",
		}
		return r
	}
	send("response.created", object{"response": base("in_progress")})
	for i := range rapid.IntRange(1, 5).Draw(t, "items") {
		output = append(output, itemAtRandom(t, i, send))
	}
	status := rapid.SampledFrom([]string{"completed", "incomplete"}).Draw(t, "status")
	r := base(status)
	r["output"] = output
	if status == "incomplete" {
		r["incomplete_details"] = object{"reason": rapid.SampledFrom([]string{"max_output_tokens", "content_filter"}).Draw(t, "reason")}
	}
	if rapid.Bool().Draw(t, "usage") {
		r["usage"] = usageAtRandom(t, "input", "output")
	}
	send("response."+status, object{"response": r})
	return encode(r), events
}

// itemAtRandom returns an item whole and sends the events of its pieces.
func itemAtRandom(t *rapid.T, i int, send func(kind string, more object)) object {
	id := fmt.Sprint("item_", i)
	added := func(item object) { send("response.output_item.added", object{"output_index": i, "item": item}) }
	done := func(item object) object {
		send("response.output_item.done", object{"output_index": i, "item": item})
		return item
	}
	switch rapid.SampledFrom([]string{"message", "function_call", "custom_tool_call", "reasoning", "web_search_call"}).Draw(t, "item") {
	case "function_call":
		input, call := openAIInputs.Draw(t, "input"), fmt.Sprint("call_", i)
		item := func(input string) object {
			return object{"type": "function_call", "id": id, "call_id": call, "name": toolName, "arguments": input, "status": "completed"}
		}
		added(item(""))
		for _, s := range openAIPieces(t, input) {
			send("response.function_call_arguments.delta", object{"item_id": id, "output_index": i, "delta": s})
		}
		send("response.function_call_arguments.done", object{"item_id": id, "output_index": i, "name": toolName, "arguments": input})
		return done(item(input))
	case "custom_tool_call":
		input, call := openAIInputs.Draw(t, "input"), fmt.Sprint("call_", i)
		item := func(input string) object {
			return object{"type": "custom_tool_call", "id": id, "call_id": call, "name": toolName, "input": input}
		}
		added(item(""))
		for _, s := range openAIPieces(t, input) {
			send("response.custom_tool_call_input.delta", object{"item_id": id, "output_index": i, "delta": s})
		}
		send("response.custom_tool_call_input.done", object{"item_id": id, "output_index": i, "input": input})
		return done(item(input))
	case "reasoning":
		var summary list
		added(object{"type": "reasoning", "id": id, "summary": list{}})
		for j := range rapid.IntRange(0, 2).Draw(t, "summaries") {
			text := someTexts(t, "summary")
			for _, s := range text {
				send("response.reasoning_summary_text.delta", object{"item_id": id, "output_index": i, "summary_index": j, "delta": s})
			}
			summary = append(summary, object{"type": "summary_text", "text": strings.Join(text, "")})
		}
		if summary == nil {
			summary = list{}
		}
		return done(object{"type": "reasoning", "id": id, "summary": summary, "encrypted_content": "eA=="})
	case "web_search_call":
		added(object{"type": "web_search_call", "id": id, "status": "in_progress"})
		return done(object{"type": "web_search_call", "id": id, "status": "completed", "action": object{"type": "search", "query": "Bern"}})
	}
	var content list
	added(object{"type": "message", "id": id, "role": "assistant", "status": "in_progress", "content": list{}})
	for j := range rapid.IntRange(1, 2).Draw(t, "contents") {
		at := object{"item_id": id, "output_index": i, "content_index": j}
		with := func(more object) object {
			maps.Copy(more, at)
			return more
		}
		text := someTexts(t, "text")
		if rapid.IntRange(0, 4).Draw(t, "refusal") == 0 {
			send("response.content_part.added", with(object{"part": object{"type": "refusal", "refusal": ""}}))
			for _, s := range text {
				send("response.refusal.delta", with(object{"delta": s}))
			}
			content = append(content, object{"type": "refusal", "refusal": strings.Join(text, "")})
			continue
		}
		cites := list{}
		send("response.content_part.added", with(object{"part": object{"type": "output_text", "text": "", "annotations": list{}}}))
		for _, s := range text {
			send("response.output_text.delta", with(object{"delta": s, "logprobs": list{}}))
		}
		for k := range rapid.IntRange(0, 2).Draw(t, "citations") {
			cite := object{"type": "url_citation", "url": source, "title": "Weather", "start_index": 0, "end_index": k / 2}
			cites = append(cites, cite)
			send("response.output_text.annotation.added", with(object{"annotation_index": k, "annotation": cite}))
		}
		send("response.output_text.done", with(object{"text": strings.Join(text, ""), "logprobs": list{}}))
		content = append(content, object{"type": "output_text", "text": strings.Join(text, ""), "annotations": cites})
	}
	return done(object{"type": "message", "id": id, "role": "assistant", "status": "completed", "content": content})
}

// responseRead returns what is to be recorded of what the SDK read.
func responseRead(r *responses.Response) (outputs, metadata object) {
	var content, calls, cites list
	var text, plain strings.Builder
	var reasoning, refusals []string
	rich, said, last := false, 0, ""
	for i := range r.Output {
		switch item := r.Output[i].AsAny().(type) {
		case responses.ResponseOutputMessage:
			for _, c := range item.Content {
				if c.Type == "refusal" {
					refusals = append(refusals, c.Refusal)
					last = "refusal"
					continue
				}
				p := object{"type": "text", "text": c.Text}
				var here list
				for _, a := range c.Annotations {
					here = append(here, decode(a.RawJSON()))
				}
				if here != nil {
					p["citations"] = here
				}
				content, cites = append(content, p), append(cites, here...)
				if said++; said > 1 && last != "text" {
					plain.WriteString("\n")
				}
				plain.WriteString(c.Text)
				text.WriteString(c.Text)
				last = "text"
			}
		case responses.ResponseFunctionToolCall:
			input, given := readArguments(item.Arguments)
			calls = append(calls, readCall(item.CallID, item.Name, input, given))
			last = "call"
		case responses.ResponseCustomToolCall:
			calls = append(calls, readCall(item.CallID, item.Name, item.Input, item.Input != ""))
			last = "call"
		case responses.ResponseReasoningItem:
			for _, s := range item.Summary {
				reasoning = append(reasoning, s.Text)
				last = "reasoning"
			}
		default:
			content, rich, last = append(content, decode(r.Output[i].RawJSON())), true, "other"
		}
	}
	outputs = object{"role": "assistant"}
	switch {
	case rich:
		outputs["content"] = content
	case said > 0 || len(calls)+len(reasoning)+len(refusals) == 0:
		outputs["content"] = plain.String()
		if cites != nil {
			outputs["annotations"] = cites
		}
	}
	finish := "stop"
	if calls != nil {
		outputs["tool_calls"], finish = calls, "tool_calls"
	}
	if r.Status == responses.ResponseStatusIncomplete {
		finish = r.IncompleteDetails.Reason
	}
	outputs["finish_reason"] = finish
	if refusals != nil {
		outputs["refusal"] = strings.Join(refusals, "\n")
	}
	if reasoning != nil {
		outputs["reasoning"] = strings.Join(reasoning, "\n")
	}
	metadata = object{
		"response_id": r.ID, "response_model": r.Model, "response_service_tier": string(r.ServiceTier), "finish_reasons": list{finish},
		"prompt_tokens": nil, "completion_tokens": nil, "total_tokens": nil, "cache_read_input_tokens": nil, "reasoning_tokens": nil,
	}
	if u := r.Usage; r.JSON.Usage.Valid() {
		metadata["prompt_tokens"], metadata["completion_tokens"], metadata["total_tokens"] = u.InputTokens, u.OutputTokens, u.TotalTokens
		metadata["cache_read_input_tokens"], metadata["reasoning_tokens"] = u.InputTokensDetails.CachedTokens, u.OutputTokensDetails.ReasoningTokens
	}
	return outputs, metadata
}

// snapshotRead returns the text and the calls of a part of an answer.
func snapshotRead(s responses.ResponseAccumulatorSnapshot) (text string, calls list) {
	for _, item := range s.Output {
		switch item.Type {
		case "function_call":
			input, given := readArguments(item.Arguments)
			calls = append(calls, readCall(item.CallID, item.Name, input, given))
		case "custom_tool_call":
			calls = append(calls, readCall(item.CallID, item.Name, item.Input, item.Input != ""))
		}
	}
	return s.OutputText(), calls
}

// outputText returns the text of outputs.
func outputText(outputs any) string {
	switch content := member(outputs, "content").(type) {
	case string:
		return content
	case list:
		var b strings.Builder
		for _, p := range content {
			if s, ok := member(p, "text").(string); ok && member(p, "type") == "text" {
				b.WriteString(s)
			}
		}
		return b.String()
	}
	return ""
}
