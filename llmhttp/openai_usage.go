package llmhttp

import (
	"strconv"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// openAITokens are the counts of the usage of OpenAI's API and of what imitates
// it. The input holds the cached tokens, also of gateways to Anthropic.
var openAITokens = []tokenField{
	// https://platform.openai.com/docs/api-reference/chat/object
	{"prompt_tokens", tokensInput},
	{"completion_tokens", tokensOutput},
	{"total_tokens", tokensTotal},
	{"prompt_tokens_details.cached_tokens", tokensCacheRead},
	{"completion_tokens_details.reasoning_tokens", tokensReasoning},
	// https://platform.openai.com/docs/api-reference/responses/object
	{"input_tokens", tokensInput},
	{"output_tokens", tokensOutput},
	{"input_tokens_details.cached_tokens", tokensCacheRead},
	{"output_tokens_details.reasoning_tokens", tokensReasoning},
	// https://openrouter.ai/docs/use-cases/usage-accounting
	{"prompt_tokens_details.cache_write_tokens", tokensCacheWrite},
	{"input_tokens_details.cache_write_tokens", tokensCacheWrite},
	// https://api-docs.deepseek.com/api/create-chat-completion
	{"prompt_cache_hit_tokens", tokensCacheRead},
	// https://docs.mistral.ai/api/#tag/chat
	{"num_cached_tokens", tokensCacheRead},
	{"prompt_token_details.cached_tokens", tokensCacheRead},
	// https://platform.moonshot.ai/docs/api/chat, and Together AI
	{"cached_tokens", tokensCacheRead},
	// https://docs.litellm.ai/docs/completion/prompt_caching, and Databricks
	{"cache_read_input_tokens", tokensCacheRead},
	{"cache_creation_input_tokens", tokensCacheWrite},
	{"prompt_tokens_details.cache_creation_tokens", tokensCacheWrite},
	// https://help.aliyun.com/zh/model-studio/context-cache
	{"prompt_tokens_details.cache_creation_input_tokens", tokensCacheWrite},
	{"input_tokens_details.cache_creation_input_tokens", tokensCacheWrite},
	// https://docs.perplexity.ai/api-reference/chat-completions-post, and SGLang
	{"reasoning_tokens", tokensReasoning},
}

// openAIUsage reads the usage of an answer, or of a chunk.
func (x *exchange) openAIUsage(tokens string) {
	if rawjson.KindOf(tokens) != rawjson.Object {
		return
	}
	x.usage.read(tokens, openAITokens)
	x.openAICost(tokens)
}

// mostCost bounds what a call costs: what is more stays as it was written, and is in no
// sum.
const mostCost = 1e9

// openAICost reads what a call costs, in USD: a number (OpenRouter, Snowflake), or
// an object with the total (Perplexity). The details stand beside.
func (x *exchange) openAICost(tokens string) {
	cost, parts := get(tokens, "cost"), get(tokens, "cost_details")
	if rawjson.KindOf(cost) == rawjson.Object {
		parts, cost = cost, get(cost, "total_cost")
	}
	if rawjson.KindOf(cost) == rawjson.Number {
		x.metadata.json("cost", cost)
		if v, err := strconv.ParseFloat(cost, 64); err == nil && v >= 0 && v <= mostCost {
			x.cost, x.priced = v, true
		}
	}
	if rawjson.KindOf(parts) == rawjson.Object && parts != "{}" {
		x.metadata.json("cost_details", parts)
	}
}
