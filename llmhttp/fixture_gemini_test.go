package llmhttp_test

var (
	geminiWhole  = `{"candidates":[{"content":{"role":"model","parts":[{"text":"A tool may know.","thought":true},{"text":"Look it up."},{"functionCall":{"name":"find","args":{"q":"a"}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":18,"cachedContentTokenCount":4},"modelVersion":"m-1","responseId":"g1"}`
	geminiChunks = chunked(
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"A tool may know.","thought":true}]},"index":0}],"usageMetadata":{"promptTokenCount":11},"modelVersion":"m-1","responseId":"g1"}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":"Look it"}]},"index":0}],"modelVersion":"m-1","responseId":"g1"}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"text":" up."}]},"index":0}],"modelVersion":"m-1","responseId":"g1"}`,
		`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"find","args":{"q":"a"}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":5,"thoughtsTokenCount":2,"totalTokenCount":18,"cachedContentTokenCount":4},"modelVersion":"m-1","responseId":"g1"}`,
	)
	geminiSays     = `{"role":"assistant","content":"Look it up.","reasoning":"A tool may know.","finish_reason":"STOP","tool_calls":[{"type":"function","function":{"name":"find","arguments":{"q":"a"}}}]}`
	geminiMetadata = map[string]string{"response_id": `"g1"`, "response_model": `"m-1"`, "finish_reasons": `["STOP"]`, "prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "cache_read_input_tokens": "4", "reasoning_tokens": "2"}
)

var geminiFixtures = []fixture{
	{
		name: "gemini",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent", request: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		whole:     geminiWhole,
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse", streamRequest: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		wire: events, chunks: geminiChunks, noEnd: true,
		outputs: geminiSays, metadata: geminiMetadata,
	},
	{
		name:      "gemini, a list",
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent", streamRequest: `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
		wire: jsonArray, chunks: geminiChunks, kind: "application/json",
		outputs: geminiSays, metadata: geminiMetadata,
	},
	{
		name: "gemini embeddings",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/m:embedContent", request: `{"content":{"parts":[{"text":"hi"}]}}`,
		whole:   `{"embedding":{"values":[0.1,0.2,0.3]}}`,
		outputs: `{"embeddings":{"count":1,"dimensions":3}}`,
	},
}
