package llmhttp_test

var ollamaFixtures = []fixture{
	{
		name: "ollama chat",
		url:  "http://127.0.0.1:11434/api/chat", request: `{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}`,
		whole:     `{"model":"m-1","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Look it up.","thinking":"A tool may know.","tool_calls":[{"function":{"name":"find","arguments":{"q":"a"}}}]},"done":true,"done_reason":"stop","total_duration":9,"prompt_eval_count":11,"eval_count":7}`,
		streamURL: "http://127.0.0.1:11434/api/chat", streamRequest: `{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		wire: jsonLines, kind: "application/x-ndjson",
		chunks: chunked(
			`{"model":"m-1","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"","thinking":"A tool may know."},"done":false}`,
			`{"model":"m-1","created_at":"2026-01-01T00:00:01Z","message":{"role":"assistant","content":"Look it"},"done":false}`,
			`{"model":"m-1","created_at":"2026-01-01T00:00:02Z","message":{"role":"assistant","content":" up."},"done":false}`,
			`{"model":"m-1","created_at":"2026-01-01T00:00:03Z","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"find","arguments":{"q":"a"}}}]},"done":false}`,
			`{"model":"m-1","created_at":"2026-01-01T00:00:04Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,"prompt_eval_count":11,"eval_count":7}`,
		),
		outputs:  `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"stop","tool_calls":[{"type":"function","function":{"name":"find","arguments":{"q":"a"}}}]}`,
		metadata: map[string]string{"response_model": `"m-1"`, "finish_reasons": `["stop"]`, "prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18"},
	},
	{
		name: "ollama generate",
		url:  "http://127.0.0.1:11434/api/generate", request: `{"model":"m","stream":false,"prompt":"hi"}`,
		whole:     `{"model":"m-1","response":"Hello there","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}`,
		streamURL: "http://127.0.0.1:11434/api/generate", streamRequest: `{"model":"m","prompt":"hi"}`,
		wire: jsonLines, kind: "application/x-ndjson",
		chunks:  chunked(`{"model":"m-1","response":"Hello","done":false}`, `{"model":"m-1","response":" there","done":false}`, `{"model":"m-1","response":"","done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}`),
		outputs: `{"role":"assistant","content":"Hello there","finish_reason":"stop"}`,
	},
	{
		name: "ollama embed",
		url:  "http://127.0.0.1:11434/api/embed", request: `{"model":"m","input":["hi"]}`,
		whole:    `{"model":"m-1","embeddings":[[0.1,0.2,0.3]],"prompt_eval_count":2}`,
		outputs:  `{"embeddings":{"count":1,"dimensions":3}}`,
		metadata: map[string]string{"prompt_tokens": "2"},
	},
	{
		name: "ollama",
		url:  "http://127.0.0.1:11434/api/chat", request: `{"stream":false,"model":"q"}`,
		whole:     `{"model":"q","message":{"role":"assistant","content":"Wren","thinking":"hm"},"done":true,"done_reason":"stop","prompt_eval_count":26,"prompt_eval_cached_count":20,"eval_count":3}`,
		streamURL: "http://127.0.0.1:11434/api/chat", streamRequest: `{"model":"q"}`,
		wire: jsonLines, kind: "application/x-ndjson",
		chunks: chunked(
			`{"model":"q","message":{"role":"assistant","thinking":"hm"},"done":false}`,
			`{"model":"q","message":{"role":"assistant","content":"Wren"},"done":false}`,
			`{"model":"q","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":26,"prompt_eval_cached_count":20,"eval_count":3}`,
		),
		outputs: `{"role":"assistant","content":"Wren","reasoning":"hm","finish_reason":"stop"}`, metadata: map[string]string{"prompt_tokens": "26", "completion_tokens": "3", "cache_read_input_tokens": "20"},
	},
	{
		name: "ollama, a prompt that was not counted",
		url:  "http://127.0.0.1:11434/api/generate", request: `{"stream":false,"model":"q"}`,
		whole:     `{"model":"q","response":"Wren","done":true,"done_reason":"stop","eval_count":3}`,
		streamURL: "http://127.0.0.1:11434/api/generate", streamRequest: `{"model":"q"}`,
		wire: jsonLines, kind: "application/x-ndjson",
		chunks: chunked(
			`{"model":"q","response":"Wr","done":false}`,
			`{"model":"q","response":"en","done":false}`,
			`{"model":"q","response":"","done":true,"done_reason":"stop","eval_count":3}`,
		),
		outputs: `{"role":"assistant","content":"Wren","finish_reason":"stop"}`, metadata: map[string]string{"completion_tokens": "3"},
	},
}
