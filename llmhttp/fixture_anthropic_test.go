package llmhttp_test

var (
	anthropicHeader = []string{"Anthropic-Version", "2023-06-01"}
	anthropicWhole  = `{"id":"m1","type":"message","role":"assistant","model":"m-1","content":[{"type":"thinking","thinking":"A tool may know.","signature":"s"},{"type":"text","text":"Look it up."},{"type":"tool_use","id":"t1","name":"find","input":{"q":"a"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":7}}`
	anthropicChunks = []piece{
		{"message_start", `{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}}`},
		{"content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`},
		{"ping", `{"type":"ping"}`},
		{"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"A tool"}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":" may know."}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}`},
		{"content_block_stop", `{"type":"content_block_stop","index":0}`},
		{"content_block_start", `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Look it"}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" up."}}`},
		{"content_block_stop", `{"type":"content_block_stop","index":1}`},
		{"content_block_start", `{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"find","input":{}}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`},
		{"content_block_delta", `{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"a\"}"}}`},
		{"content_block_stop", `{"type":"content_block_stop","index":2}`},
		{"message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":7}}`},
		{"message_stop", `{"type":"message_stop"}`},
	}
	anthropicOutputs  = `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"tool_use","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a"}}}]}`
	anthropicMetadata = map[string]string{"response_id": `"m1"`, "response_model": `"m-1"`, "finish_reasons": `["tool_use"]`, "prompt_tokens": "11", "completion_tokens": "7", "cache_read_input_tokens": "4", "cache_write_input_tokens": "2"}
)

var anthropicFixtures = []fixture{{
	name: "messages", header: anthropicHeader,
	url: "https://api.anthropic.com/v1/messages", request: `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
	whole:     anthropicWhole,
	streamURL: "https://api.anthropic.com/v1/messages", streamRequest: `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`,
	wire: events, chunks: anthropicChunks,
	outputs: anthropicOutputs, metadata: anthropicMetadata,
}}
