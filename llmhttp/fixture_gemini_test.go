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
	{
		name: "gemini, enumerations as numbers",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent", request: `{}`,
		whole:     `{"candidates":[{"content":{"role":"model","parts":[{"text":"Sun"},{"executableCode":{"language":1,"code":"1+1"}},{"codeExecutionResult":{"outcome":1,"output":"2"}}]},"finishReason":2}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8}}`,
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent?alt=sse", streamRequest: `{}`,
		wire: events, noEnd: true,
		chunks: chunked(
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"Su"}]}}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}`,
			`{"candidates":[{"content":{"parts":[{"text":"n"},{"executableCode":{"language":1,"code":"1+1"}}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"codeExecutionResult":{"outcome":1,"output":"2"}}]},"finishReason":2}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":3,"totalTokenCount":8}}`,
		),
		outputs:  `{"role":"assistant","finish_reason":"MAX_TOKENS","content":[{"type":"text","text":"Sun"},{"type":"executableCode","executableCode":{"language":"PYTHON","code":"1+1"}},{"type":"codeExecutionResult","codeExecutionResult":{"outcome":"OUTCOME_OK","output":"2"}}]}`,
		metadata: map[string]string{"prompt_tokens": "5", "completion_tokens": "3", "total_tokens": "8"},
	},
	{
		name: "gemini, an image with sources and no text",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent", request: `{}`,
		whole:     `{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.test"}},{"web":{"uri":"https://b.test"}}]}}],"usageMetadata":{"promptTokenCount":4,"cachedContentTokenCount":2,"candidatesTokenCount":9,"thoughtsTokenCount":3,"toolUsePromptTokenCount":6,"totalTokenCount":22}}`,
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent?alt=sse", streamRequest: `{}`,
		wire: events, noEnd: true,
		chunks: chunked(
			`{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"aGVsbG8="}}]}}],"usageMetadata":{"promptTokenCount":4,"cachedContentTokenCount":2,"candidatesTokenCount":9,"thoughtsTokenCount":3,"toolUsePromptTokenCount":6,"totalTokenCount":22}}`,
			`{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"AAEC"}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.test"}},{"web":{"uri":"https://b.test"}}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`,
		),
		outputs:  `{"role":"assistant","finish_reason":"STOP","content":[{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `,"citations":[{"web":{"uri":"https://a.test"}},{"web":{"uri":"https://b.test"}}]}]}`,
		metadata: map[string]string{"prompt_tokens": "10", "completion_tokens": "12", "reasoning_tokens": "3", "cache_read_input_tokens": "2", "total_tokens": "22"},
	},
	{
		name: "vertex, arguments in pieces",
		url:  "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/g-2:generateContent", request: `{}`,
		whole:     `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"order","args":{"items":[{"what":"red tea","n":2},{"what":"milk"}],"to go":true,"note":null}}},{"functionCall":{"name":"pay","args":{}}}]},"finishReason":1}],"usageMetadata":{"promptTokenCount":4}}`,
		streamURL: "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/g-2:streamGenerateContent?alt=sse", streamRequest: `{}`,
		wire: events, noEnd: true,
		chunks: chunked(
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"order","willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.items[0].what","stringValue":"red","willContinue":true}],"willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.items[0].what","stringValue":" tea"},{"jsonPath":"$.items[0].n","numberValue":2}],"willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.items[1].what","stringValue":"milk"}],"willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$['to go']","boolValue":true},{"jsonPath":"$.note","nullValue":null}],"willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"pay","willContinue":true}}]}}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{}}]},"finishReason":1}],"usageMetadata":{"promptTokenCount":4}}`,
		),
		outputs: `{"role":"assistant","finish_reason":"STOP","tool_calls":[{"type":"function","function":{"name":"order","arguments":{"items":[{"what":"red tea","n":2},{"what":"milk"}],"to go":true,"note":null}}},{"type":"function","function":{"name":"pay","arguments":{}}}]}`,
	},
}
