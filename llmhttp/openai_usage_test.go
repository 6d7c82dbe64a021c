package llmhttp_test

import (
	"maps"
	"testing"
)

// TestUsageInItsPlaces reads counts of tokens under the names and in the places
// of servers that speak OpenAI's API.
func TestUsageInItsPlaces(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct {
		usage string
		want  map[string]string
	}{
		"OpenAI":           {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"prompt_tokens_details":{"cached_tokens":40,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":7}}`, map[string]string{"cache_read_input_tokens": "40", "reasoning_tokens": "7"}},
		"Mistral":          {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"num_cached_tokens":40}`, map[string]string{"cache_read_input_tokens": "40"}},
		"Mistral, details": {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"num_cached_tokens":0,"prompt_token_details":{"cached_tokens":40}}`, map[string]string{"cache_read_input_tokens": "40"}},
		"Moonshot":         {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"cached_tokens":40}`, map[string]string{"cache_read_input_tokens": "40"}},
		"DeepSeek":         {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"prompt_cache_hit_tokens":40,"prompt_cache_miss_tokens":10}`, map[string]string{"cache_read_input_tokens": "40"}},
		"LiteLLM":          {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"cache_read_input_tokens":40,"cache_creation_input_tokens":5}`, map[string]string{"cache_read_input_tokens": "40", "cache_write_input_tokens": "5"}},
		"LiteLLM, details": {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"prompt_tokens_details":{"cached_tokens":40,"cache_creation_tokens":5}}`, map[string]string{"cache_read_input_tokens": "40", "cache_write_input_tokens": "5"}},
		"OpenRouter":       {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"cost":0.25,"cost_details":{"upstream_inference_cost":0.2},"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":5}}`, map[string]string{"cost": "0.25", "cost_currency": `"USD"`, "cost_details": `{"upstream_inference_cost":0.2}`, "cache_write_input_tokens": "5"}},
		"Alibaba":          {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"prompt_tokens_details":{"cached_tokens":40,"cache_creation_input_tokens":5}}`, map[string]string{"cache_read_input_tokens": "40", "cache_write_input_tokens": "5"}},
		"SGLang":           {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"reasoning_tokens":7,"prompt_tokens_details":null}`, map[string]string{"reasoning_tokens": "7", "cache_read_input_tokens": none}},
		"Perplexity":       {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"reasoning_tokens":700,"citation_tokens":3,"cost":{"total_cost":0.5}}`, map[string]string{"reasoning_tokens": "700", "cost": "0.5", "cost_currency": `"USD"`}},
		"a cost in parts":  {`{"prompt_tokens":50,"completion_tokens":9,"total_tokens":59,"cost":{"request_cost":0.5}}`, map[string]string{"cost": none, "cost_details": `{"request_cost":0.5}`}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]string{"prompt_tokens": "50", "completion_tokens": "9", "total_tokens": "59"}
			maps.Copy(want, c.want)
			const end = `{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]`
			for form, a := range map[string]answered{
				"whole":               {whole: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":` + c.usage + `}`},
				"stream":              {chunks: []string{end + `}`, `{"choices":[],"usage":` + c.usage + `}`}},
				"on the choice":       {chunks: []string{`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","usage":` + c.usage + `}]}`}},
				"on the whole choice": {whole: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop","usage":` + c.usage + `}]}`},
				"Groq's":              {chunks: []string{end + `,"x_groq":{"id":"r","usage":` + c.usage + `}}`}},
				"then empty":          {chunks: []string{end + `,"usage":` + c.usage + `}`, `{"choices":[],"usage":{}}`, `{"choices":[],"usage":null}`}},
				"then zeros":          {chunks: []string{end + `,"usage":` + c.usage + `}`, `{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}`}},
				"after less":          {chunks: []string{`{"choices":[],"usage":{"prompt_tokens":50,"completion_tokens":1,"total_tokens":51}}`, end + `,"usage":` + c.usage + `}`}},
			} {
				t.Run(form, func(t *testing.T) {
					a.metadata = want
					handler := whole(200, a.whole)
					if a.chunks != nil {
						handler = stream(data(append(a.chunks, "[DONE]")...)...)
					}
					a.check(t, a.event(t, handler, `{"model":"m","stream":true}`))
				})
			}
		})
	}
}

// TestUsageUnknown says nothing of tokens where the server does not.
func TestUsageUnknown(t *testing.T) {
	for _, usage := range []string{`{}`, `null`, `{"prompt_tokens":null}`, `{"prompt_tokens_details":{}}`, `[]`, `"7"`} {
		a := answered{
			metadata: map[string]string{"prompt_tokens": "", "completion_tokens": "", "total_tokens": "", "reasoning_tokens": ""},
		}
		a.check(t, a.event(t, stream(data(`{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":`+usage+`}`, "[DONE]")...), ask))
	}
	a := answered{metadata: map[string]string{"prompt_tokens": "", "completion_tokens": "4", "total_tokens": ""}}
	a.check(t, a.event(t, whole(200, `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"completion_tokens":4}}`), `{"model":"m"}`))
}
