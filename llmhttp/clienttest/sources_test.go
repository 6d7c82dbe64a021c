package clienttest

import (
	"strings"
	"testing"
)

// What stands in answers that say where they are from, and what a tool gave that
// ran at the provider.
const (
	source = "https://source.test/weather"
	ran    = "21 degrees, says the station"
)

// A sourced answer is one with sources and with what a tool of the provider gave,
// whole and as the pieces of a stream.
type sourced struct {
	whole  string
	stream []string
}

// sourcedAnswers are those of the APIs that have such.
var sourcedAnswers = map[*wire]sourced{
	openAIWire:    sourcedChat(),
	responsesWire: sourcedResponse(),
	anthropicWire: sourcedMessage(),
	geminiWire:    sourcedGemini(),
	bedrockWire:   sourcedConverse(),
	cohereWire:    sourcedCohere(),
}

// sourcedChat has annotations as OpenAI's models that search have them, and tools
// as Groq's compound systems do: https://console.groq.com/docs/compound.
func sourcedChat() sourced {
	cites := list{object{"type": "url_citation", "url_citation": object{"url": source, "title": "Weather", "start_index": 0, "end_index": 5}}}
	tools := list{object{"index": 0, "type": "search", "arguments": "{}", "output": ran}}
	chunk := func(delta object, reason any) string {
		return event("", object{"id": answerID, "object": "chat.completion.chunk", "model": answeredModel, "choices": list{object{"index": 0, "delta": delta, "finish_reason": reason}}})
	}
	return sourced{
		encode(object{"id": answerID, "object": "chat.completion", "model": answeredModel, "choices": list{object{
			"index": 0, "finish_reason": "stop", "message": object{"role": "assistant", "content": warm.text(), "annotations": cites, "executed_tools": tools},
		}}}),
		[]string{
			chunk(object{"role": "assistant", "content": "", "executed_tools": tools}, nil), chunk(object{"content": warm.text()}, nil),
			chunk(object{"annotations": cites}, nil), chunk(object{}, "stop"), "data: [DONE]\n\n",
		},
	}
}

// sourcedResponse has a search and a run of code.
func sourcedResponse() sourced {
	items := []object{
		{"type": "web_search_call", "id": "ws_1", "status": "completed", "action": object{"type": "search", "query": "Bern"}},
		{"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "container_id": "c", "code": "print(t)", "outputs": list{object{"type": "logs", "logs": ran}}},
		{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list{object{
			"type": "output_text", "text": warm.text(), "annotations": list{object{"type": "url_citation", "url": source, "title": "Weather", "start_index": 0, "end_index": 5}},
		}}},
	}
	whole := object{"id": answerID, "object": "response", "model": answeredModel, "status": "completed", "output": items}
	var stream []string
	for i, item := range items {
		stream = append(stream, event("response.output_item.done", object{"type": "response.output_item.done", "output_index": i, "item": item}))
		if item["type"] == "message" {
			stream = append(stream, event("response.output_text.delta", object{"type": "response.output_text.delta", "output_index": i, "content_index": 0, "delta": ""}))
		}
	}
	return sourced{encode(whole), append(stream, event("response.completed", object{"type": "response.completed", "response": whole}))}
}

// sourcedMessage has a search.
func sourcedMessage() sourced {
	use := object{"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": object{"query": "Bern"}}
	result := object{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": list{object{"type": "web_search_result", "title": ran, "url": source, "encrypted_content": "eA=="}}}
	cite := object{"type": "web_search_result_location", "url": source, "title": "Weather", "cited_text": "warm", "encrypted_index": "eA=="}
	message := anthropicMessage(list{use, result, object{"type": "text", "text": warm.text(), "citations": list{cite}}}, "end_turn", outputTokens)
	send := func(kind string, more object) string {
		more["type"] = kind
		return event(kind, more)
	}
	block := func(i int, b object) string {
		return send("content_block_start", object{"index": i, "content_block": b})
	}
	stop := func(i int) string { return send("content_block_stop", object{"index": i}) }
	delta := func(i int, d object) string { return send("content_block_delta", object{"index": i, "delta": d}) }
	return sourced{encode(message), []string{
		send("message_start", object{"message": anthropicMessage(list{}, nil, 1)}),
		block(0, use), stop(0), block(1, result), stop(1), block(2, object{"type": "text", "text": "", "citations": list{}}),
		delta(2, object{"type": "text_delta", "text": warm.text()}), delta(2, object{"type": "citations_delta", "citation": cite}), stop(2),
		send("message_delta", object{"delta": object{"stop_reason": "end_turn", "stop_sequence": nil}, "usage": object{"output_tokens": outputTokens}}), send("message_stop", object{}),
	}}
}

// sourcedGemini has a search and a run of code.
func sourcedGemini() sourced {
	parts := list{
		object{"executableCode": object{"language": "PYTHON", "code": "print(t)"}}, object{"codeExecutionResult": object{"outcome": "OUTCOME_OK", "output": ran}},
		object{"text": warm.text()},
	}
	a := geminiAnswer(parts, "STOP", outputTokens)
	a["candidates"].(list)[0].(object)["groundingMetadata"] = object{"groundingChunks": list{object{"web": object{"uri": source, "title": "Weather"}}}, "webSearchQueries": list{"Bern"}}
	return sourced{encode(a), []string{geminiEvent(a)}}
}

// sourcedConverse has a tool of the provider's, and sources of a text.
func sourcedConverse() sourced {
	cite := object{"title": "Weather", "location": object{"web": object{"url": source, "domain": "source.test"}}, "sourceContent": list{object{"text": "warm"}}}
	whole := encode(object{
		"output": object{"message": object{"role": "assistant", "content": list{
			object{"toolUse": object{"toolUseId": "u", "name": "station", "input": object{}, "type": "server_tool_use"}},
			object{"toolResult": object{"toolUseId": "u", "content": list{object{"text": ran}}, "status": "success", "type": "nova_code_interpreter_result"}},
			object{"citationsContent": object{"content": list{object{"text": warm.text()}}, "citations": list{cite}}},
		}}},
		"stopReason": "end_turn", "usage": bedrockUsage(), "metrics": object{"latencyMs": 5},
	})
	send := func(kind string, i int, more object) string {
		more["contentBlockIndex"] = i
		return frame("event", kind, more)
	}
	return sourced{whole, []string{
		frame("event", "messageStart", object{"role": "assistant"}),
		send("contentBlockStart", 0, object{"start": object{"toolUse": object{"toolUseId": "u", "name": "station", "type": "server_tool_use"}}}),
		send("contentBlockDelta", 0, object{"delta": object{"toolUse": object{"input": "{}"}}}), send("contentBlockStop", 0, object{}),
		send("contentBlockStart", 1, object{"start": object{"toolResult": object{"toolUseId": "u", "status": "success", "type": "nova_code_interpreter_result"}}}),
		send("contentBlockDelta", 1, object{"delta": object{"toolResult": list{object{"text": ran}}}}), send("contentBlockStop", 1, object{}),
		send("contentBlockDelta", 2, object{"delta": object{"text": warm.text()}}), send("contentBlockDelta", 2, object{"delta": object{"citation": cite}}), send("contentBlockStop", 2, object{}),
		frame("event", "messageStop", object{"stopReason": "end_turn"}), frame("event", "metadata", object{"usage": bedrockUsage(), "metrics": object{"latencyMs": 5}}),
	}}
}

// sourcedCohere has sources, and no tools: the API runs none.
func sourcedCohere() sourced {
	cite := object{"start": 0, "end": 5, "text": "warm", "type": "TEXT_CONTENT", "sources": list{object{"type": "document", "id": source, "document": object{"title": "Weather"}}}}
	usage := object{"tokens": object{"input_tokens": inputTokens, "output_tokens": outputTokens}}
	whole := object{"id": answerID, "finish_reason": "COMPLETE", "usage": usage, "message": object{
		"role": "assistant", "content": list{object{"type": "text", "text": warm.text()}}, "citations": list{cite},
	}}
	send := func(kind string, more object) string {
		more["type"] = kind
		return event("", more)
	}
	message := func(m object) object { return object{"index": 0, "delta": object{"message": m}} }
	return sourced{encode(whole), []string{
		send("message-start", object{"id": answerID, "delta": object{"message": object{"role": "assistant"}}}),
		send("content-start", message(object{"content": object{"type": "text", "text": ""}})),
		send("content-delta", message(object{"content": object{"text": warm.text()}})),
		send("citation-start", message(object{"citations": cite})), send("citation-end", object{"index": 0}), send("content-end", object{"index": 0}),
		send("message-end", object{"id": answerID, "delta": object{"finish_reason": "COMPLETE", "usage": usage}}),
	}}
}

// testSources asks every client a question whose answer has sources, and one that
// is answered by a page of a gateway.
func testSources(t *testing.T, results *table) {
	const page = "<!doctype html><html><head><title>No entry</title></head><body>The gateway lets nobody pass.</body></html>"
	for _, c := range clients {
		for _, streamed := range []bool{false, true} {
			operation, form := c.wire.name, "whole"
			if streamed {
				operation, form = operation+", streamed", "streamed"
			}
			play := func(t *testing.T, r reply) record {
				l := newLab(t, c.wire, r)
				var each func(string) bool
				if streamed {
					each = func(string) bool { return true }
				}
				_, err := c.open(t, l)(l.ctx, question{}, each)
				t.Logf("the client returned %v", err)
				got := recordOf(l.events(1)[0], l.attributes()[0])
				results.add(c, operation, got)
				return got
			}
			t.Run(c.name+"/"+form, func(t *testing.T) {
				if a, ok := sourcedAnswers[c.wire]; ok {
					r := reply{body: a.whole}
					if streamed {
						r = reply{pieces: a.stream}
					}
					got := play(t, r)
					// What is there of the sources and of the tools the table says.
					if outputs := encode(got.Outputs); got.Error != "" || !strings.Contains(outputs, warm.text()) {
						t.Errorf("%s: %s", got.Error, outputs)
					}
				}
				got := play(t, reply{body: page, kind: "text/html"})
				if got.Metadata["error_type"] != "unreadable_answer" || !strings.Contains(got.Error, "text/html") {
					t.Errorf("%v: %s", got.Metadata["error_type"], got.Error)
				}
			})
		}
	}
}
