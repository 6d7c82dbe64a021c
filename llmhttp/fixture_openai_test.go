package llmhttp_test

import (
	"fmt"
	"strings"
)

// itemPieces are the events by which a stream says that each item is whole.
func itemPieces() (list []piece) {
	for i, item := range everyItem {
		list = append(list, piece{"response.output_item.done", fmt.Sprintf(`{"type":"response.output_item.done","output_index":%d,"item":%s}`, i, item)})
	}
	return list
}

// openAIFixtures are answers of the kinds of calls that OpenAI's API has.
var openAIFixtures = []fixture{
	{
		name: "chat",
		url:  "https://api.openai.com/v1/chat/completions", request: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		whole: `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","service_tier":"default","choices":[{"index":0,"message":{"role":"assistant","content":"Look it up.","reasoning_content":"A tool may know.","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":"{\"q\": \"a \\\"b\\\"\"}"}},{"id":"t2","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":"No.","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`,

		streamURL: "https://api.openai.com/v1/chat/completions", streamRequest: `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}`,
		wire: eventsDone,
		chunks: chunked(
			`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"A tool "},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"may know."},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"Look"},"finish_reason":null},{"index":1,"delta":{"content":"No."},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":" it"},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":" up."},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"find","arguments":""}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"q\": "}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"a \\\"b\\\"\"}"}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t2","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}`,
			`{"id":"c1","model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`,
		),
		outputs: `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"tool_calls",
			"tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a \"b\""}}},{"id":"t2","type":"function","function":{"name":"now","arguments":{}}}],
			"choices":[{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"tool_calls","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a \"b\""}}},{"id":"t2","type":"function","function":{"name":"now","arguments":{}}}]},
				{"role":"assistant","content":"No.","finish_reason":"stop"}]}`,
		metadata: map[string]string{"response_id": `"c1"`, "response_model": `"m-1"`, "finish_reasons": `["tool_calls","stop"]`, "prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "cache_read_input_tokens": "4", "reasoning_tokens": "2", "response_service_tier": `"default"`},
	},
	{
		name: "completions",
		url:  "https://api.openai.com/v1/completions", request: `{"model":"m","prompt":"hi"}`,
		whole: `{"id":"c1","object":"text_completion","model":"m-1","choices":[{"text":"Hello there","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,

		streamURL: "https://api.openai.com/v1/completions", streamRequest: `{"model":"m","stream":true,"prompt":"hi"}`,
		wire: eventsDone,
		chunks: chunked(
			`{"id":"c1","object":"text_completion","model":"m-1","choices":[{"text":"Hello","index":0,"logprobs":null,"finish_reason":null}]}`,
			`{"id":"c1","object":"text_completion","model":"m-1","choices":[{"text":" there","index":0,"logprobs":null,"finish_reason":"stop"}]}`,
			`{"id":"c1","object":"text_completion","model":"m-1","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		),
		outputs:  `{"role":"assistant","content":"Hello there","finish_reason":"stop"}`,
		metadata: map[string]string{"response_id": `"c1"`, "prompt_tokens": "1", "completion_tokens": "2", "total_tokens": "3"},
	},
	{
		name: "responses",
		url:  "https://api.openai.com/v1/responses", request: `{"model":"m","input":"hi"}`,
		whole: `{"id":"r1","object":"response","status":"completed","model":"m-1","error":null,"output":[{"type":"reasoning","id":"rs1","summary":[{"type":"summary_text","text":"A tool may know."}]},{"type":"message","id":"i1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Look it up.","annotations":[]}]},{"type":"function_call","id":"i2","call_id":"t1","name":"find","arguments":"{\"q\":\"a\"}","status":"completed"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":18}}`,

		streamURL: "https://api.openai.com/v1/responses", streamRequest: `{"model":"m","stream":true,"input":"hi"}`,
		wire: events,
		chunks: []piece{
			{"response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"r1","status":"in_progress","model":"m-1","output":[],"error":null}}`},
			{"response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs1","summary":[]}}`},
			{"response.reasoning_summary_text.delta", `{"type":"response.reasoning_summary_text.delta","item_id":"rs1","output_index":0,"summary_index":0,"delta":"A tool may know."}`},
			{"response.output_item.added", `{"type":"response.output_item.added","output_index":1,"item":{"type":"message","id":"i1","status":"in_progress","role":"assistant","content":[]}}`},
			{"response.output_text.delta", `{"type":"response.output_text.delta","item_id":"i1","output_index":1,"content_index":0,"delta":"Look it"}`},
			{"response.output_text.delta", `{"type":"response.output_text.delta","item_id":"i1","output_index":1,"content_index":0,"delta":" up."}`},
			{"response.output_item.added", `{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"i2","call_id":"t1","name":"find","arguments":"","status":"in_progress"}}`},
			{"response.function_call_arguments.delta", `{"type":"response.function_call_arguments.delta","item_id":"i2","output_index":2,"delta":"{\"q\":\"a\"}"}`},
			{"response.completed", `{"type":"response.completed","response":{"id":"r1","status":"completed","model":"m-1","error":null,"output":[{"type":"reasoning","id":"rs1","summary":[{"type":"summary_text","text":"A tool may know."}]},{"type":"message","id":"i1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Look it up.","annotations":[]}]},{"type":"function_call","id":"i2","call_id":"t1","name":"find","arguments":"{\"q\":\"a\"}","status":"completed"}],"usage":{"input_tokens":11,"input_tokens_details":{"cached_tokens":4},"output_tokens":7,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":18}}}`},
		},
		outputs:  `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"tool_calls","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a"}}}]}`,
		metadata: map[string]string{"response_id": `"r1"`, "response_model": `"m-1"`, "finish_reasons": `["tool_calls"]`, "prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "cache_read_input_tokens": "4", "reasoning_tokens": "2"},
	},
	{
		name: "chat, sources beside",
		url:  "https://api.perplexity.ai/chat/completions", request: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		whole: `{"id":"c1","model":"m-1","citations":["https://a.test","https://b.test"],"search_results":[{"title":"a","url":"https://a.test"}],"choices":[{"index":0,"message":{"role":"assistant","content":"Look[1] up[2]."},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"reasoning_tokens":30,"cost":{"request_cost":0.005,"total_cost":0.25}}}`,

		streamURL: "https://api.perplexity.ai/chat/completions", streamRequest: `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		wire: eventsDone,
		chunks: chunked(
			`{"id":"c1","model":"m-1","citations":["https://a.test"],"choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Look"},"delta":{"role":"assistant","content":"Look"}}],"usage":{"prompt_tokens":11,"completion_tokens":1,"total_tokens":12}}`,
			`{"id":"c1","model":"m-1","citations":["https://a.test","https://b.test"],"choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Look[1] up"},"delta":{"content":"[1] up"}}],"usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15}}`,
			`{"id":"c1","model":"m-1","citations":["https://a.test","https://b.test"],"search_results":[{"title":"a","url":"https://a.test"}],"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Look[1] up[2]."},"delta":{"content":"[2]."}}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"reasoning_tokens":30,"cost":{"request_cost":0.005,"total_cost":0.25}}}`,
		),
		outputs:  `{"role":"assistant","content":"Look[1] up[2].","citations":["https://a.test","https://b.test"],"search_results":[{"title":"a","url":"https://a.test"}],"finish_reason":"stop"}`,
		metadata: map[string]string{"prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "reasoning_tokens": "30", "cost": "0.25"},
	},
	{
		name: "chat, content in parts",
		url:  "https://api.mistral.ai/v1/chat/completions", request: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		whole: `{"id":"c1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"A tool may know."}]},{"type":"text","text":"Look it up"},{"type":"reference","reference_ids":[3]},{"type":"text","text":"."}],"tool_calls":[{"id":"t1","function":{"name":"find","arguments":"{\"q\":\"a\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"num_cached_tokens":4}}`,

		streamURL: "https://api.mistral.ai/v1/chat/completions", streamRequest: `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		wire: eventsDone,
		chunks: chunked(
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"A tool "}]}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"may know."}]}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"Look"}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":" it up"},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":[{"type":"reference","reference_ids":[3]}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"."},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"id":"t1","function":{"name":"find","arguments":"{\"q\":\"a\"}"},"index":0}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"num_cached_tokens":4}}`,
		),
		outputs: `{"role":"assistant","reasoning":"A tool may know.","content":[{"type":"text","text":"Look it up"},{"type":"reference","reference_ids":[3]},{"type":"text","text":"."}],
			"tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a"}}}],"finish_reason":"tool_calls"}`,
		metadata: map[string]string{"prompt_tokens": "11", "completion_tokens": "7", "cache_read_input_tokens": "4"},
	},
	{
		name: "chat, all that stands in a message",
		url:  "https://openrouter.ai/api/v1/chat/completions", request: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		whole: `{"id":"c1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Look","refusal":null,"reasoning_details":[{"type":"reasoning.summary","summary":"A tool","index":0},{"type":"reasoning.text","text":"may know.","index":1}],"annotations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}},{"type":"url_citation","url_citation":{"url":"https://b.test"}}],"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}],"tool_calls":[{"id":"t1","type":"custom","custom":{"name":"sql","input":"7"}},{"id":"t2","type":"function","function":{"name":"now","arguments":""}}]},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"cost":0.25}}`,

		streamURL: "https://openrouter.ai/api/v1/chat/completions", streamRequest: `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`,
		wire: eventsDone,
		chunks: chunked(
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_details":[{"type":"reasoning.summary","summary":"A ","index":0}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.summary","summary":"tool","index":0},{"type":"reasoning.text","text":"may ","index":1}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"know.","index":1}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"content":"Look","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"images":[{"type":"image_url","index":0,"image_url":{"url":"data:image/png;base64,aGVsbG8="}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://b.test"}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"custom","custom":{"name":"sql","input":""}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"7"}},{"index":1,"id":"t2","type":"function","function":{"name":"now"}}]},"finish_reason":null}]}`,
			`{"id":"c1","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}`,
			`{"id":"c1","model":"m-1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"cost":0.25}}`,
		),
		outputs: `{"role":"assistant","reasoning":"A tool\nmay know.","content":[{"type":"text","text":"Look","citations":[{"type":"url_citation","url_citation":{"url":"https://a.test"}},{"type":"url_citation","url_citation":{"url":"https://b.test"}}]},
			{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}],
			"tool_calls":[{"id":"t1","type":"function","function":{"name":"sql","arguments":"7"}},{"id":"t2","type":"function","function":{"name":"now"}}],"finish_reason":"tool_calls"}`,
		metadata: map[string]string{"prompt_tokens": "11", "completion_tokens": "7", "cost": "0.25"},
	},
	{
		name: "responses, tools of the provider",
		url:  "https://api.openai.com/v1/responses", request: `{"model":"m","input":"hi"}`,
		whole: `{"id":"r1","object":"response","status":"completed","model":"m-1","output":[` + strings.Join(everyItem, ",") + `],"usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}}`,

		streamURL: "https://api.openai.com/v1/responses", streamRequest: `{"model":"m","stream":true,"input":"hi"}`,
		wire: events,
		chunks: append([]piece{{"response.created", `{"type":"response.created","response":{"id":"r1","status":"in_progress","model":"m-1","output":[]}}`}},
			append(itemPieces(), piece{"response.completed", `{"type":"response.completed","response":{"id":"r1","status":"completed","model":"m-1","output":[` + strings.Join(everyItem, ",") + `],"usage":{"input_tokens":11,"output_tokens":7,"total_tokens":18}}}`})...),
		outputs:  everyOutputs + `"tool_calls"}`,
		metadata: map[string]string{"response_id": `"r1"`, "prompt_tokens": "11", "completion_tokens": "7"},
	},
	{
		name: "embeddings",
		url:  "https://api.openai.com/v1/embeddings", request: `{"model":"m","input":["hi","ho"]}`,
		whole:    `{"object":"list","model":"m-1","data":[{"object":"embedding","index":0,"embedding":[0.1,0.2,0.3]},{"object":"embedding","index":1,"embedding":[0.4,0.5,0.6]}],"usage":{"prompt_tokens":2,"total_tokens":2}}`,
		outputs:  `{"embeddings":{"count":2,"dimensions":3}}`,
		metadata: map[string]string{"response_model": `"m-1"`, "prompt_tokens": "2", "completion_tokens": "null"},
	},
}
