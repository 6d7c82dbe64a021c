package prices_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/prices"
)

const small = `{"name":"ours","date":"2026-11-30","currency":"EUR","sources":["a contract"],"providers":[
	{"name":"openai","aliases":["openai.chat"],"date":"2026-10-01","models":[
		{"name":"gpt-4.1","aliases":["deployment"],"input":2,"output":8,"cache_read":0.5},
		{"name":"gpt-4.1","service_tier":"flex","input":1,"output":4},
		{"name":"think","input":1,"output":2,"reasoning":3,"cache_write":1.25,"above":[{"input_tokens":100,"input":10,"output":20}]},
		{"name":"embed","input":0.02}]},
	{"name":"aws.bedrock","currency":"usd","models":[
		{"name":"gpt-4.1","input":2.2,"output":8.8},
		{"name":"free","input":0,"output":0}]}]}`

func table(t *testing.T, text string) *prices.Table {
	t.Helper()
	p, err := prices.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDerive(t *testing.T) {
	p := table(t, small)
	for name, c := range map[string]struct {
		call prices.Call
		want string
	}{
		"input and output":            {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6, Output: 1e6}}, "10 EUR 2026-10-01"},
		"by an alias":                 {prices.Call{Provider: "OpenAI.Chat", Model: "Deployment", Usage: prices.Usage{Input: 1e6}}, "2 EUR 2026-10-01"},
		"from a cache, once":          {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6, CacheRead: 5e5}}, "1.25 EUR 2026-10-01"},
		"no price to write to caches": {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6, CacheWrite: 5e5}}, "2 EUR 2026-10-01"},
		"all kinds":                   {prices.Call{Model: "think", Usage: prices.Usage{Input: 100, CacheRead: 20, CacheWrite: 40, Output: 10, Reasoning: 4}}, "0.000134 EUR 2026-10-01"},
		"above a number":              {prices.Call{Model: "think", Usage: prices.Usage{Input: 101, Output: 10, Reasoning: 4}}, "0.00121 EUR 2026-10-01"},
		"several below it":            {prices.Call{Model: "think", Several: true, Usage: prices.Usage{Input: 100}}, "0.0001 EUR 2026-10-01"},
		"several above it":            {prices.Call{Model: "think", Several: true, Usage: prices.Usage{Input: 101}}, "no price for several requests to think together, which depends on the tokens of each"},
		"more cached than read":       {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: 10, CacheRead: 1e6, CacheWrite: math.MaxInt64}}, "5e-06 EUR 2026-10-01"},
		"below zero":                  {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: -5, Output: -1, CacheRead: -7, Reasoning: -9}}, "0 EUR 2026-10-01"},
		"very many":                   {prices.Call{Provider: "openai", Model: "gpt-4.1", Usage: prices.Usage{Input: math.MaxInt64, Output: math.MaxInt64}}, "92233720368547.77 EUR 2026-10-01"},
		"an embedding":                {prices.Call{Model: "embed", Usage: prices.Usage{Input: 1e6}}, "0.02 EUR 2026-10-01"},
		"an embedding that writes":    {prices.Call{Model: "embed", Usage: prices.Usage{Input: 1, Output: 1}}, "no price for what embed writes"},
		"a tier":                      {prices.Call{Provider: "openai", Model: "gpt-4.1", ServiceTier: "flex", Usage: prices.Usage{Input: 1e6}}, "1 EUR 2026-10-01"},
		"the usual tier":              {prices.Call{Provider: "openai", Model: "gpt-4.1", ServiceTier: "Default", Usage: prices.Usage{Input: 1e6}}, "2 EUR 2026-10-01"},
		"a tier without a price":      {prices.Call{Provider: "openai", Model: "gpt-4.1", ServiceTier: "priority", Usage: prices.Usage{Input: 1e6}}, "no price for gpt-4.1 (openai, priority)"},
		"another provider":            {prices.Call{Provider: "aws.bedrock", Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6}}, "2.2 USD 2026-11-30"},
		"a provider in the name":      {prices.Call{Model: "aws.bedrock/gpt-4.1", Usage: prices.Usage{Input: 1e6}}, "2.2 USD 2026-11-30"},
		"two providers, two prices":   {prices.Call{Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6}}, "no price for gpt-4.1"},
		"a provider that is unknown":  {prices.Call{Provider: "gateway", Model: "gpt-4.1", Usage: prices.Usage{Input: 1e6}}, "no price for gpt-4.1 (gateway)"},
		"a model of another provider": {prices.Call{Provider: "openai", Model: "aws.bedrock/gpt-4.1"}, "no price for aws.bedrock/gpt-4.1 (openai)"},
		"free":                        {prices.Call{Model: "free", Usage: prices.Usage{Input: 1e6, Output: 1e6}}, "0 USD 2026-11-30"},
		"no model":                    {prices.Call{Usage: prices.Usage{Input: 1}}, "no price for tokens of no model"},
	} {
		var got string
		if cost, err := p.Derive(c.call); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprintf("%.16g %s %s", cost.Amount, cost.Currency, cost.Date)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	var none *prices.Table
	if _, err := none.Derive(prices.Call{Model: "gpt-4.1"}); err == nil {
		t.Error("a nil table has a price")
	}
	if none.Currency() != "USD" || none.Date() != "" || none.Name() != "" || none.Text() != "" {
		t.Error("a nil table says something")
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		``:                                "EOF",
		`{"date":"x"}`:                    `its date "x" is no date`,
		`{"date":"2026-1-1"}`:             `its date "2026-1-1" is no date`,
		`{"date":"2026-11-30","price":1}`: `unknown field "price"`,
		`{"date":"2026-11-30"} {}`:        "something follows",
		`{"date":"2026-11-30","currency":"dollars"}`:                                                                                                                             `"dollars" is no code`,
		`{"date":"2026-11-30","providers":[{"name":"a"}]}`:                                                                                                                       "a: it has no source",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a"},{"name":"b","aliases":["A"]}]}`:                                                                          `the provider "a" stands twice`,
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":" "}]}`:                                                                                                       "provider 1 has an empty name",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","date":"now"}]}`:                                                                                          `a: its date "now" is no date`,
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","currency":"€"}]}`:                                                                                        `is no code`,
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"name":"m","output":1}]}]}`:                                                                    "a/m: it has no price of input",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"input":1}]}]}`:                                                                                "a: model 1 has an empty name",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"name":"m","input":-1}]}]}`:                                                                    "a/m: input is -1",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"name":"m","input":1,"cache_read":1.7e308}]}]}`:                                                "a/m: cache_read is 1.7e+308",
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"name":"m","input":1},{"name":"M","input":1}]}]}`:                                              `the model "M" stands twice`,
		`{"date":"2026-11-30","sources":["s"],"providers":[{"name":"a","models":[{"name":"m","input":1,"above":[{"input_tokens":5,"input":1},{"input_tokens":5,"input":1}]}]}]}`: "prices above 5 tokens do not follow",
	} {
		if p, err := prices.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || p != nil {
			t.Errorf("%s: the error is %v, want %q in it", text, err, want)
		}
	}
	if got := table(t, small).Text(); got != small {
		t.Errorf("the text is %s", got)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	if _, err := prices.Read(path); err == nil || !strings.HasPrefix(err.Error(), "read prices: ") {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := prices.Read(path)
	if err != nil || p.Name() != "ours" || p.Date() != "2026-11-30" || p.Currency() != "EUR" {
		t.Errorf("%v, %v", p, err)
	}
	if err := os.WriteFile(path, make([]byte, 16<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := prices.Read(path); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a file that is too long: %v", err)
	}
}

// FuzzParse reads any text: never a panic, and what a table says is a number.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small), "gpt-4.1", int64(5))
	f.Fuzz(func(t *testing.T, text []byte, model string, n int64) {
		p, err := prices.Parse(text)
		if err != nil {
			return
		}
		if cost, err := p.Derive(prices.Call{Model: model, Usage: prices.Usage{Input: n, Output: n, CacheRead: n, CacheWrite: n, Reasoning: n}}); err == nil && !(cost.Amount >= 0 && cost.Amount < math.MaxFloat64) {
			t.Errorf("%+v", cost)
		}
	})
}
