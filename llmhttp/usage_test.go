package llmhttp

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// TestUsage holds what is known of tokens after objects were read in turn.
func TestUsage(t *testing.T) {
	const no = unknown
	type counts [6]int64 // input, output, total, read from a cache, written to one, reasoning
	for name, c := range map[string]struct {
		table []tokenField
		said  string // objects, one a line
		want  counts
	}{
		"all":               {openAITokens, `{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":2}}`, counts{9, 3, 12, 5, no, 2}},
		"later, empty":      {openAITokens, `{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}` + "\n{}\nnull\n[]\n7", counts{9, 3, 12, no, no, no}},
		"later, zeros":      {openAITokens, `{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}` + "\n" + `{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`, counts{9, 3, 12, no, no, no}},
		"later, less":       {openAITokens, `{"prompt_tokens":9,"completion_tokens":3}` + "\n" + `{"completion_tokens":1,"total_tokens":12}`, counts{9, 3, 12, no, no, no}},
		"in parts":          {openAITokens, `{"prompt_tokens":9}` + "\n" + `{"completion_tokens":3}`, counts{9, 3, no, no, no, no}},
		"one alone":         {openAITokens, `{"completion_tokens":3}`, counts{no, 3, no, no, no, no}},
		"null":              {openAITokens, `{"prompt_tokens":null,"completion_tokens":3,"prompt_tokens_details":null}`, counts{no, 3, no, no, no, no}},
		"no numbers":        {openAITokens, `{"prompt_tokens":"9","completion_tokens":true,"total_tokens":{"a":1},"prompt_tokens_details":{"cached_tokens":[1]}}`, counts{no, no, no, no, no, no}},
		"bad numbers":       {openAITokens, `{"prompt_tokens":-9,"completion_tokens":1.7e308,"total_tokens":99999999999999999999}`, counts{no, no, no, no, no, no}},
		"a whole float":     {openAITokens, `{"prompt_tokens":9.0,"completion_tokens":3e0}`, counts{9, 3, no, no, no, no}},
		"reasoning beside":  {openAITokens, `{"prompt_tokens":9,"completion_tokens":3,"total_tokens":14,"completion_tokens_details":{"reasoning_tokens":2}}`, counts{9, 5, 14, no, no, 2}},
		"two names":         {openAITokens, `{"prompt_tokens_details":{"cached_tokens":5},"prompt_cache_hit_tokens":4}`, counts{no, no, no, 5, no, no}},
		"beside the cache":  {anthropicTokens, `{"input_tokens":1,"cache_read_input_tokens":20,"cache_creation_input_tokens":300,"output_tokens":1}` + "\n" + `{"output_tokens":7}`, counts{321, 7, no, 20, 300, no}},
		"cache, then input": {anthropicTokens, `{"cache_read_input_tokens":20}` + "\n" + `{"input_tokens":1}`, counts{21, no, no, 20, no, no}},
		"thoughts":          {geminiTokens, `{"promptTokenCount":4,"toolUsePromptTokenCount":10,"candidatesTokenCount":2,"thoughtsTokenCount":30,"totalTokenCount":46}`, counts{14, 32, 46, no, no, 30}},
		"thoughts alone":    {geminiTokens, `{"thoughtsTokenCount":30}`, counts{no, 30, no, no, no, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			var u usage
			for line := range strings.SplitSeq(c.said, "\n") {
				body, err := rawjson.Parse(line)
				if err != nil {
					t.Fatal(err)
				}
				u.read(body, c.table)
			}
			n := u.counts()
			if got := (counts{n.InputTokens, n.OutputTokens, n.TotalTokens, n.CacheReadTokens, n.CacheWriteTokens, n.ReasoningTokens}); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestUsageInAnyOrder holds that the objects in which counts come, their order and
// what is repeated of them change nothing.
func TestUsageInAnyOrder(t *testing.T) {
	tables := [][]tokenField{openAITokens, anthropicTokens, geminiTokens, ollamaTokens, bedrockTokens}
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SampledFrom(tables).Draw(t, "table")
		object := func(f tokenField, n int64) string {
			text := strconv.FormatInt(n, 10)
			parts := strings.Split(f.path, ".")
			for _, part := range slices.Backward(parts) {
				text = `{"` + part + `":` + text + `}`
			}
			return text
		}
		var said []string
		var want usage
		for _, f := range table {
			if rapid.Bool().Draw(t, f.path) {
				n := rapid.Int64Range(1, 1e9).Draw(t, "count")
				want.add(f.kind, n)
				said = append(said, object(f, n), object(f, rapid.Int64Range(0, n).Draw(t, "less")))
			}
		}
		var got usage
		for _, text := range rapid.Permutation(append(said, "{}", "null", `{"other":5}`)).Draw(t, "order") {
			got.read(text, table)
		}
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
