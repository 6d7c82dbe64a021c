package llmhttp_test

import "testing"

// failures are answers with a status of 200 that are errors, whole and as a
// stream, and what is kept of them.
var failures = []struct {
	fixture
	error string
}{
	{fixture: fixture{
		name: "gemini, a malformed call",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent", request: `{}`,
		whole:     `{"candidates":[{"finishReason":"UNEXPECTED_TOOL_CALL","finishMessage":"Unexpected tool call: fly()","index":0}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent?alt=sse", streamRequest: `{}`,
		wire: events, noEnd: true,
		chunks: chunked(
			`{"candidates":[{"content":{"role":"model","parts":[{"thoughtSignature":"AAEC"}]},"index":0}]}`,
			`{"candidates":[{"finishReason":"UNEXPECTED_TOOL_CALL","finishMessage":"Unexpected tool call: fly()","index":0}],"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
		),
		outputs:  `{"role":"assistant","content":"","finish_reason":"UNEXPECTED_TOOL_CALL"}`,
		metadata: map[string]string{"prompt_tokens": "7", "error_type": `"UNEXPECTED_TOOL_CALL"`},
	}, error: "UNEXPECTED_TOOL_CALL: Unexpected tool call: fly()",
	},
	{fixture: fixture{
		name: "gemini, a prompt that is blocked",
		url:  "https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent", request: `{}`,
		whole:     `{"promptFeedback":{"blockReason":"BLOCKLIST","blockReasonMessage":"a word is on the list"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
		streamURL: "https://generativelanguage.googleapis.com/v1beta/models/g-2:streamGenerateContent?alt=sse", streamRequest: `{}`,
		wire: events, noEnd: true,
		chunks: chunked(
			`{"promptFeedback":{"blockReason":"BLOCKLIST","blockReasonMessage":"a word is on the list"},"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}}`,
		),
		outputs: `{"role":"assistant","content":"","finish_reason":"BLOCKLIST"}`,
	}, error: "BLOCKLIST: a word is on the list",
	},
	{fixture: fixture{
		name: "converse, malformed",
		url:  "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse", request: `{}`,
		whole:     `{"output":{"message":{"role":"assistant","content":[{"text":"Le"}]}},"stopReason":"malformed_model_output","usage":{"inputTokens":5,"outputTokens":1,"totalTokens":6}}`,
		streamURL: "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse-stream", streamRequest: `{}`,
		wire: binaryFrames, kind: "application/vnd.amazon.eventstream",
		chunks: []piece{
			{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Le"}}`},
			{"messageStop", `{"stopReason":"malformed_model_output"}`},
			{"metadata", `{"usage":{"inputTokens":5,"outputTokens":1,"totalTokens":6}}`},
		},
		outputs:  `{"role":"assistant","content":"Le","finish_reason":"malformed_model_output"}`,
		metadata: map[string]string{"prompt_tokens": "5", "error_type": `"malformed_model_output"`},
	}, error: "malformed_model_output",
	},
}

func TestFailures(t *testing.T) {
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			streams := []bool{}
			if f.whole != "" {
				s.play(&f.fixture, false, f.wholeAnswer())
				streams = append(streams, false)
			}
			if len(f.chunks) > 0 {
				s.play(&f.fixture, true, f.streamAnswer(f.chunks))
				streams = append(streams, true)
			}
			for i, e := range s.end() {
				o := observe(t, e)
				if o.Error != f.error {
					t.Errorf("stream %v: error is %q, want %q", streams[i], o.Error, f.error)
				}
				o.Error = ""
				f.check(t, o, streams[i])
			}
		})
	}
}
