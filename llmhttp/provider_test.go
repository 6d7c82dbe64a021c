package llmhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestHosts looks at what an address says of the provider; "" is no call.
func TestHosts(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	tr := llmhttp.Transport(roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}), llmhttp.WithHost("*.internal", llmhttp.OpenAI, "vllm"), llmhttp.WithHost("proxy:8080", llmhttp.Anthropic, ""), llmhttp.WithHost("API.x.ai", llmhttp.OpenAI, "mine"))
	var want []string
	for _, c := range [][2]string{
		{"https://api.openai.com/v1/chat/completions", "openai"}, {"https://eu.api.openai.com/v1/responses", "openai"}, {"https://API.OpenAI.com:443/v1/embeddings", "openai"},
		{"https://mine.openai.azure.com/openai/v1/responses", "azure.ai.openai"}, {"https://mine.services.ai.azure.com/models/embeddings", "azure.ai.inference"},
		{"https://api.groq.com/openai/v1/chat/completions", "groq"}, {"https://api.mistral.ai/v1/fim/completions", "mistral_ai"}, {"https://openrouter.ai/api/v1/chat/completions", "openrouter"},
		{"https://api.deepseek.com/chat/completions", "deepseek"}, {"https://api.x.ai/v1/chat/completions", "mine"}, {"http://localhost:11434/v1/chat/completions", "ollama"},
		{"http://localhost:11434/api/chat", "ollama"}, {"http://localhost:8000/v1/chat/completions", "openai"}, {"http://localhost:8000/v1/embeddings", "openai"},
		{"https://api.anthropic.com/v1/messages", "anthropic"}, {"https://api.anthropic.com/v1/messages/count_tokens", ""}, {"http://proxy:8080/a/v1/messages", "anthropic"}, {"http://proxy:8080/v1/chat/completions", ""},
		{"https://generativelanguage.googleapis.com/v1beta/models/g:generateContent", "gcp.gemini"}, {"https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gcp.gemini"},
		{"https://us-aiplatform.googleapis.com/v1/projects/p/locations/us/publishers/google/models/g:generateContent", "gcp.vertex_ai"}, {"https://us-aiplatform.googleapis.com/v1/projects/p/locations/us/endpoints/openapi/chat/completions", "gcp.vertex_ai"},
		{"https://generativelanguage.googleapis.com/v1beta/models/g:countTokens", ""}, {"https://us-aiplatform.googleapis.com/v1/projects/p/locations/us/publishers/anthropic/models/claude-x@1:streamRawPredict", "gcp.vertex_ai"}, {"https://us-aiplatform.googleapis.com/v1/projects/p/locations/us/publishers/x/models/m:rawPredict", ""},
		{"https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-x/converse", "aws.bedrock"}, {"https://bedrock-runtime.us-east-1.amazonaws.com/model/meta.llama-x/invoke", ""}, {"https://bedrock-runtime.us-east-1.amazonaws.com/converse", ""},
		{"https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/chat/completions", "aws.bedrock"}, {"https://bedrock-mantle.us-west-2.api.aws/v1/responses", "aws.bedrock"}, {"https://bedrock-mantle.us-west-2.api.aws/anthropic/v1/messages", "aws.bedrock"},
		{"http://localhost:4566/bedrock/model/arn:aws:bedrock:us:1:prompt%2Fp/converse-stream", "aws.bedrock"}, {"http://localhost:4566/model//converse", ""},
		{"https://api.together.ai/v1/chat/completions", "together_ai"}, {"https://api.together.xyz/v1/completions", "together_ai"}, {"https://ollama.com/v1/chat/completions", "ollama"}, {"https://ollama.com/api/chat", "ollama"},
		{"https://api.githubcopilot.com/chat/completions", "github_copilot"}, {"https://api.githubcopilot.com/responses", "github_copilot"}, {"https://api.business.githubcopilot.com/embeddings", "github_copilot"},
		{"https://acct.snowflakecomputing.com/api/v2/cortex/v1/chat/completions", "snowflake"}, {"https://api.writer.com/v1/chat", "writer"}, {"https://api.writer.com/v1/completions", "writer"}, {"https://api.openai.com/v1/chat", ""},
		{"https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions", "alibaba"}, {"https://api.voyageai.com/v1/embeddings", "voyage"}, {"https://router.huggingface.co/v1/chat/completions", "huggingface"},
		{"https://dbc-1.cloud.databricks.com/serving-endpoints/chat/completions", "databricks"}, {"https://eu.api.x.ai/v1/responses", "x_ai"}, {"https://chatgpt.com/backend-api/codex/responses", "openai"},
		{"https://gateway.test/x/openai/responses", "openai"}, {"https://gateway.test/x/openai/embeddings", "openai"}, {"https://gateway.test/openai/completions", "openai"}, {"https://apim.test/team/openai/deployments/d/embeddings?api-version=1", "openai"},
		{"https://gateway.test/x/responses", ""}, {"https://gateway.test/x/embeddings", ""}, {"https://gateway.test/x/completions", ""}, {"https://gateway.test/notopenai/responses", ""}, {"https://gateway.test/v1/responses/compact", "openai"},
		{"https://api.openai.com/v1/responses/compact", "openai"}, {"https://api.openai.com/v1/responses/input_tokens", ""}, {"https://api.openai.com/v1/responses/resp_1/cancel", ""}, {"https://mine.openai.azure.com/openai/responses?api-version=1", "azure.ai.openai"},
		{"https://api.openai.com/v1/conversations/conv_1/cancel", ""}, {"https://api.openai.com/v1/threads/compact", ""},
		{"http://a.internal/v9/responses", "vllm"}, {"http://internal/v9/responses", ""}, {"http://[::1]:8000/v1/responses", "openai"},
	} {
		resp, err := tr.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodPost, c[0], http.NoBody))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if c[1] != "" {
			want = append(want, c[0]+" "+c[1])
		}
	}
	s.End()
	events := p.Session("s").Events
	if len(events) != len(want) {
		t.Errorf("%d events, want %d", len(events), len(want))
	}
	for i, e := range events {
		if i >= len(want) {
			break
		}
		v, _ := e.Config.Get("provider")
		if url, provider, _ := strings.Cut(want[i], " "); string(v) != `"`+provider+`"` {
			t.Errorf("%s: provider %s, want %s", url, v, provider)
		}
	}
}
