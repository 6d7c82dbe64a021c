package prices_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/prices"
)

// TestNames finds models of the default table by the names that programs send, and none
// by names that are only alike.
func TestNames(t *testing.T) {
	p := prices.Default()
	for _, c := range []struct{ provider, model, want string }{
		{"openai", "gpt-4.1", "openai gpt-4.1"},
		{"", "gpt-4.1", "openai gpt-4.1"},
		{"openai", "gpt-4.1-2025-04-14", "openai gpt-4.1"},
		{"", "openai/gpt-4.1", "openai gpt-4.1"},
		{"openai", "openai/gpt-4.1-mini", "openai gpt-4.1-mini"},
		{"openai.responses", "GPT-4o-2024-05-13", "openai gpt-4o-2024-05-13"},
		{"openai", "gpt-4o-2024-08-06", "openai gpt-4o"},
		{"openai", "o1-pro", "openai o1-pro"},
		{"azure.ai.openai", "o3-mini-2025-01-31", "azure.ai.openai o3-mini"},
		{"openai", "text-embedding-3-small", "openai text-embedding-3-small"},
		{"anthropic", "claude-sonnet-4-20250514", "anthropic claude-sonnet-4"},
		{"anthropic", "claude-3-5-haiku-latest", "anthropic claude-3-5-haiku"},
		{"gcp.vertex_ai", "claude-sonnet-4@20250514", "gcp.gemini claude-sonnet-4"},
		{"gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "gcp.gemini gemini-2.5-pro"},
		{"gcp.vertex_ai", "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro", "gcp.gemini gemini-2.5-pro"},
		{"gcp.gemini", "models/gemini-2.5-flash", "gcp.gemini gemini-2.5-flash"},
		{"", "models/gemini-embedding-001", "gcp.gemini gemini-embedding-001"},
		{"aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "aws.bedrock anthropic.claude-3-5-sonnet-20241022-v2"},
		{"aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock anthropic.claude-sonnet-4-5-20250929-v1"},
		{"aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock global.anthropic.claude-sonnet-4-5-20250929-v1"},
		{"", "bedrock/eu.amazon.nova-pro-v1:0", "aws.bedrock amazon.nova-pro-v1"},
		{"aws.bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "aws.bedrock amazon.nova-lite-v1"},
		{"aws.bedrock", "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0", "aws.bedrock amazon.nova-lite-v1"},
		{"mistral_ai", "mistral-large-2411", "mistral_ai mistral-large-2407"},
		{"cohere", "command-r-plus-08-2024", "cohere command-r-plus-08-2024"},
		{"deepseek", "deepseek-chat", "deepseek deepseek-chat"},

		{"openai", "gpt-4.1-turbo", ""},
		{"openai", "gpt-4.1-", ""},
		{"openai", "gpt-4.1-preview", ""},
		{"openai", "gpt-4.1-2025", ""},
		{"openai", "gpt-4.1-2025-13-14", ""},
		{"openai", "gpt-4.1-mini-search", ""},
		{"openai", "gpt-4", "openai gpt-4"},
		{"openai", "gpt-", ""},
		{"openai", "ft:gpt-4.1-2025-04-14:org::id", ""},
		{"openai", "gpt-4o-audio-preview-2024-12-17", ""},
		{"openai", "gpt-4.1:free", ""},
		{"openrouter", "openai/gpt-4.1", ""},
		{"", "openrouter/openai/gpt-4.1", ""},
		{"groq", "gpt-4.1", ""},
		{"openai", "anthropic/claude-sonnet-4", ""},
		{"anthropic", "gpt-4.1", ""},
		{"aws.bedrock", "claude-sonnet-4", ""},
		{"aws.bedrock", "amazon.nova-pro-v2:0", ""},
		{"aws.bedrock", "amazon.nova-pro-v1:0:300k", ""},
		{"aws.bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/amazon.nova-lite-v1:0", ""},
		{"gcp.gemini", "tunedModels/gemini-2.5-flash", ""},
		{"gcp.gemini", "gemini-2.5-pro-preview-tts", ""},
		{"mistral_ai", "mistral-large-2402", ""},
		{"", "", ""},
		{"openai", "", ""},
		{"openai", "/", ""},
	} {
		got := ""
		if cost, err := p.Derive(prices.Call{Provider: c.provider, Model: c.model, Usage: prices.Usage{Input: 1}}); err == nil {
			got = cost.Provider + " " + cost.Model
		}
		if got != c.want {
			t.Errorf("%q of %q is priced as %q, want %q", c.model, c.provider, got, c.want)
		}
	}
}

// file is what the test below reads of the default table.
type file struct {
	Providers []struct {
		Name    string
		Aliases []string
		Models  []struct {
			Name    string
			Aliases []string
			Input   float64
		}
	}
}

// TestNoLikeness puts something before or behind the names of all models: the price is
// that of a model with just this name, or there is none, but for a date behind it.
func TestNoLikeness(t *testing.T) {
	text, err := os.ReadFile("default.json")
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		model string
		input float64
	}
	names := make(map[string]map[string]entry) // by provider and name
	var providers []string
	for _, p := range f.Providers {
		providers = append(providers, p.Name)
		names[p.Name] = make(map[string]entry)
		for _, m := range p.Models {
			for _, n := range append(m.Aliases, m.Name) {
				names[p.Name][n] = entry{m.Name, m.Input}
			}
		}
	}
	table := prices.Default()
	rapid.Check(t, func(t *rapid.T) {
		provider := rapid.SampledFrom(providers).Draw(t, "provider")
		var all []string
		for n := range names[provider] {
			all = append(all, n)
		}
		name := rapid.SampledFrom(all).Draw(t, "name")
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			name = name[:rapid.IntRange(0, len(name)).Draw(t, "cut")]
		case 1:
			name += rapid.SampledFrom([]string{"-mini", "-pro", "-preview", "-latest", "-2", "x", "-v2", ":1", "-2024", "-0613", ".1", "-lite", "@", " 2"}).Draw(t, "behind")
		case 2:
			name = rapid.SampledFrom([]string{"x", "ft:", "my-", "other/", "us.", "1"}).Draw(t, "before") + name
		}
		want, known := names[provider][name]
		cost, err := table.Derive(prices.Call{Provider: provider, Model: name, Usage: prices.Usage{Input: 1e6}})
		short := strings.TrimPrefix(name, "us.")
		if e, ok := names[provider][short]; !known && ok && strings.Count(short, ".") > 0 && provider == "aws.bedrock" && short != name {
			want, known = e, true
		}
		switch {
		case known != (err == nil):
			t.Fatalf("%q of %s: %v, %v", name, provider, cost, err)
		case known && cost.Model != want.model:
			t.Fatalf("%q of %s is priced as %s, want %s", name, provider, cost.Model, want.model)
		}
		day := rapid.SampledFrom([]string{"-2031-01-09", "-20310109", "@20310109"}).Draw(t, "day")
		dated, err := table.Derive(prices.Call{Provider: provider, Model: name + day, Usage: prices.Usage{Input: 1e6}})
		if known && (err != nil || dated.Model != want.model) {
			t.Fatalf("%q of %s with a date is priced as %s, want %s: %v", name, provider, dated.Model, want.model, err)
		}
	})
}
