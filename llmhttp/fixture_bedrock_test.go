package llmhttp_test

const bedrockHost = "https://bedrock-runtime.us-east-1.amazonaws.com/model/"

var bedrockFixtures = []fixture{
	{
		name: "converse",
		url:  bedrockHost + "m/converse", request: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
		whole:     `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"A tool may know.","signature":"s"}}},{"text":"Look it up."},{"toolUse":{"toolUseId":"t1","name":"find","input":{"q":"a"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":7,"totalTokens":18,"cacheReadInputTokens":4,"cacheWriteInputTokens":2},"metrics":{"latencyMs":12}}`,
		streamURL: bedrockHost + "m/converse-stream", streamRequest: `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
		wire: binaryFrames, kind: "application/vnd.amazon.eventstream",
		chunks: []piece{
			{"messageStart", `{"role":"assistant"}`},
			{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"A tool may know."}}}`},
			{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}`},
			{"contentBlockStop", `{"contentBlockIndex":0}`},
			{"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":"Look it"}}`},
			{"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":" up."}}`},
			{"contentBlockStop", `{"contentBlockIndex":1}`},
			{"contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"find"}}}`},
			{"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"q\":"}}}`},
			{"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"toolUse":{"input":"\"a\"}"}}}`},
			{"contentBlockStop", `{"contentBlockIndex":2}`},
			{"messageStop", `{"stopReason":"tool_use"}`},
			{"metadata", `{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":18,"cacheReadInputTokens":4,"cacheWriteInputTokens":2},"metrics":{"latencyMs":12}}`},
		},
		outputs:  `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"tool_use","tool_calls":[{"id":"t1","type":"function","function":{"name":"find","arguments":{"q":"a"}}}]}`,
		metadata: map[string]string{"finish_reasons": `["tool_use"]`, "prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "cache_read_input_tokens": "4", "cache_write_input_tokens": "2", "latency_ms": "12"},
	},
	{
		name: "bedrock anthropic",
		url:  bedrockHost + "anthropic.m/invoke", request: `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
		whole:     anthropicWhole,
		streamURL: bedrockHost + "anthropic.m/invoke-with-response-stream", streamRequest: `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`,
		wire: binaryChunks, chunks: anthropicChunks, kind: "application/vnd.amazon.eventstream",
		outputs: anthropicOutputs, metadata: anthropicMetadata,
	},
	{
		name: "bedrock embeddings",
		url:  bedrockHost + "amazon.titan-embed-text-v2:0/invoke", request: `{"inputText":"hi"}`,
		whole:    `{"embedding":[0.1,0.2,0.3],"inputTextTokenCount":2}`,
		outputs:  `{"embeddings":{"count":1,"dimensions":3}}`,
		metadata: map[string]string{"prompt_tokens": "2"},
	},
}
