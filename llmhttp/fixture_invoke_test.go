package llmhttp_test

// invocationMetrics is what Bedrock adds to the last event of a stream.
const invocationMetrics = `"amazon-bedrock-invocationMetrics":{"inputTokenCount":31,"outputTokenCount":8,"invocationLatency":120,"firstByteLatency":40}`

// invokeFixtures are calls of InvokeModel, whose bodies are the model's own.
var invokeFixtures = []fixture{
	{
		name: "nova",
		url:  bedrockHost + "us.amazon.nova-z-v1:0/invoke", request: `{"schemaVersion":"messages-v1","system":[{"text":"Short."}],"messages":[{"role":"user","content":[{"text":"name a bird"}]}],"inferenceConfig":{"max_new_tokens":9,"topK":5}}`,
		whole:     `{"output":{"message":{"role":"assistant","content":[{"text":"Wren"}]}},"stopReason":"end_turn","usage":{"inputTokens":6,"outputTokens":2,"totalTokens":108,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":0}}`,
		streamURL: bedrockHost + "us.amazon.nova-z-v1:0/invoke-with-response-stream", streamRequest: `{"schemaVersion":"messages-v1","system":[{"text":"Short."}],"messages":[{"role":"user","content":[{"text":"name a bird"}]}],"inferenceConfig":{"max_new_tokens":9,"topK":5}}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"messageStart":{"role":"assistant"}}`,
			`{"contentBlockDelta":{"delta":{"text":"Wr"},"contentBlockIndex":0}}`,
			`{"contentBlockDelta":{"delta":{"text":"en"},"contentBlockIndex":0}}`,
			`{"contentBlockStop":{"contentBlockIndex":0}}`,
			`{"messageStop":{"stopReason":"end_turn"}}`,
			`{"metadata":{"usage":{"inputTokens":6,"outputTokens":2,"totalTokens":108,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":0},"metrics":{},"trace":{}},"amazon-bedrock-invocationMetrics":{"inputTokenCount":6,"outputTokenCount":2}}`,
		),
		outputs:  `{"role":"assistant","content":"Wren","finish_reason":"end_turn"}`,
		metadata: map[string]string{"prompt_tokens": "106", "completion_tokens": "2", "cache_read_input_tokens": "100"},
	},
	{
		name: "llama",
		url:  bedrockHost + "meta.llama9-70b/invoke", request: `{"prompt":"<|begin|>name a bird","max_gen_len":9,"temperature":0.5}`,
		whole:     `{"generation":"A wren.","prompt_token_count":30,"generation_token_count":4,"stop_reason":"stop"}`,
		streamURL: bedrockHost + "meta.llama9-70b/invoke-with-response-stream", streamRequest: `{"prompt":"<|begin|>name a bird","max_gen_len":9,"temperature":0.5}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"generation":"A","prompt_token_count":30,"generation_token_count":1,"stop_reason":null}`,
			`{"generation":" wren.","prompt_token_count":null,"generation_token_count":3,"stop_reason":null}`,
			`{"generation":"","prompt_token_count":null,"generation_token_count":4,"stop_reason":"stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":30,"outputTokenCount":4}}`,
		),
		outputs: `{"role":"assistant","content":"A wren.","finish_reason":"stop"}`, metadata: map[string]string{"prompt_tokens": "30", "completion_tokens": "4", "total_tokens": "34"},
	},
	{
		name: "mistral on bedrock, text",
		url:  bedrockHost + "mistral.mixtral/invoke", request: `{"prompt":"<s>[INST]name a bird[/INST]","max_tokens":9}`,
		whole:     `{"outputs":[{"text":" A wren.","stop_reason":"length"}]}`,
		streamURL: bedrockHost + "mistral.mixtral/invoke-with-response-stream", streamRequest: `{"prompt":"<s>[INST]name a bird[/INST]","max_tokens":9}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"outputs":[{"text":" A","stop_reason":null}]}`,
			`{"outputs":[{"text":" wren.","stop_reason":"length"}],`+invocationMetrics+`}`,
		),
		outputs: `{"role":"assistant","content":" A wren.","finish_reason":"length"}`, streamed: map[string]string{"prompt_tokens": "31", "completion_tokens": "8", "total_tokens": "39", "latency_ms": "120"},
	},
	{
		name: "mistral on bedrock, chat",
		url:  bedrockHost + "mistral.large/invoke", request: `{"messages":[{"role":"user","content":"name a bird"}],"max_tokens":9}`,
		whole:     `{"choices":[{"index":0,"message":{"role":"assistant","content":"A wren."},"stop_reason":"stop"}]}`,
		streamURL: bedrockHost + "mistral.large/invoke-with-response-stream", streamRequest: `{"messages":[{"role":"user","content":"name a bird"}],"max_tokens":9}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"choices":[{"index":0,"message":{"role":"assistant","content":"A"},"stop_reason":null}]}`,
			`{"choices":[{"index":0,"message":{"role":"assistant","content":" wren."},"stop_reason":"stop"}],`+invocationMetrics+`}`,
		),
		outputs: `{"role":"assistant","content":"A wren.","finish_reason":"stop"}`, streamed: map[string]string{"prompt_tokens": "31", "completion_tokens": "8", "total_tokens": "39", "latency_ms": "120"},
	},
	{
		name: "claude 2",
		url:  bedrockHost + "anthropic.claude-v2:1/invoke", request: `{"prompt":"\n\nHuman: name a bird\n\nAssistant:","max_tokens_to_sample":9,"anthropic_version":"bedrock-2023-05-31"}`,
		whole:     `{"type":"completion","completion":" A wren.","stop_reason":"stop_sequence","stop":"\n\nHuman:"}`,
		streamURL: bedrockHost + "anthropic.claude-v2:1/invoke-with-response-stream", streamRequest: `{"prompt":"\n\nHuman: name a bird\n\nAssistant:","max_tokens_to_sample":9,"anthropic_version":"bedrock-2023-05-31"}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"type":"completion","completion":" A","stop_reason":null,"stop":null}`,
			`{"type":"completion","completion":" wren.","stop_reason":"stop_sequence","stop":"\n\nHuman:",`+invocationMetrics+`}`,
		),
		outputs: `{"role":"assistant","content":" A wren.","finish_reason":"stop_sequence"}`, streamed: map[string]string{"prompt_tokens": "31", "completion_tokens": "8", "total_tokens": "39", "latency_ms": "120"},
	},
	{
		name: "cohere on bedrock",
		url:  bedrockHost + "cohere.command-r-v1:0/invoke", request: `{"chat_history":[{"role":"USER","message":"hi"}],"message":"name a bird"}`,
		whole:     `{"response_id":"r1","generation_id":"g1","text":"A wren.","chat_history":[],"finish_reason":"COMPLETE"}`,
		streamURL: bedrockHost + "cohere.command-r-v1:0/invoke-with-response-stream", streamRequest: `{"chat_history":[{"role":"USER","message":"hi"}],"message":"name a bird"}`,
		wire: binaryChunks, kind: "application/vnd.amazon.eventstream",
		chunks: chunked(
			`{"event_type":"text-generation","text":"A","is_finished":false}`,
			`{"event_type":"text-generation","text":" wren.","is_finished":false}`,
			`{"event_type":"stream-end","is_finished":true,"finish_reason":"COMPLETE","response":{"response_id":"r1","generation_id":"g1","text":"A wren.","finish_reason":"COMPLETE"},`+invocationMetrics+`}`,
		),
		outputs: `{"role":"assistant","content":"A wren.","finish_reason":"COMPLETE"}`, streamed: map[string]string{"prompt_tokens": "31", "completion_tokens": "8", "total_tokens": "39", "latency_ms": "120", "response_id": `"r1"`},
	},
}
