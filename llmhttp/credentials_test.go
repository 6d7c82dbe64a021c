package llmhttp

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// TestWithoutSecrets holds what is left of values that are recorded, and what of
// them is looked for in errors.
func TestWithoutSecrets(t *testing.T) {
	for json, c := range map[string]struct {
		want  string
		known []string
	}{
		`{"api_key":"a-key","x":1}`:                                                  {`{"x":1}`, []string{"a-key"}},
		`{"Authorization":"Bearer a-token","x":[{"clientSecret":"b-key"}]}`:          {`{"x":[{}]}`, []string{"a-token", "b-key"}},
		`{"headers":{"X":"a-header"},"auth":{"type":"t","value":"a-value"}}`:         {`{}`, []string{"a-header", "a-value"}},
		`{"keys":["a-key-1",7],"pin_token":123456}`:                                  {`{}`, []string{"a-key-1", "123456"}},
		`{"env":[{"name":"API_KEY","value":"a-key"},{"name":"A","value":"b"}]}`:      {`{"env":[{"name":"API_KEY"},{"name":"A","value":"b"}]}`, []string{"a-key"}},
		`{"filters":{"type":"eq","key":"region","value":"US"}}`:                      {`{"filters":{"type":"eq","key":"region","value":"US"}}`, nil},
		`{"properties":{"password":{"type":"string"},"token":{"type":"number"}}}`:    {`{"properties":{"password":{"type":"string"},"token":{"type":"number"}}}`, nil},
		`{"max_tokens":5,"tokenizer":"o200k","author":"ann","prompt_cache_key":"k"}`: {`{"max_tokens":5,"tokenizer":"o200k","author":"ann","prompt_cache_key":"k"}`, nil},
		`{"url":"https://h.test/sse?api_key=a-key&x=1"}`:                             {`{"url":"https://h.test/sse?api_key=[key]&x=1"}`, []string{"a-key"}},
		`{"url":"https://a-user:a-pass@h.test/"}`:                                    {`{"url":"https://[key]@h.test/"}`, []string{"a-user", "a-pass"}},
		`{"url":"https://h.test/?q=1","doc":"see https://h.test/?q"}`:                {`{"url":"https://h.test/?q=1","doc":"see https://h.test/?q"}`, nil},
		`"text"`: {`"text"`, nil},
		`[]`:     {`[]`, nil},
		`{}`:     {`{}`, nil},
		`null`:   {`null`, nil},
	} {
		var x exchange
		if diff := cmp.Diff(c.want, x.withoutSecrets(json)); diff != "" {
			t.Errorf("%s: %s", json, diff)
		}
		for _, key := range c.known {
			if !slices.Contains(x.credentials, key) {
				t.Errorf("%s: %q is not among %q", json, key, x.credentials)
			}
		}
		if c.known == nil && x.credentials != nil {
			t.Errorf("%s: %q", json, x.credentials)
		}
		var body exchange
		if rawjson.KindOf(json) == rawjson.Object {
			body.learnBody(json)
			for _, key := range c.known {
				if !slices.Contains(body.credentials, key) && !strings.Contains(json, `"text"`) {
					t.Errorf("%s: the body holds %q, not %q", json, body.credentials, key)
				}
			}
		}
	}
}

func FuzzWithoutSecrets(f *testing.F) {
	f.Add(`{"a":[{"api_key":"k","name":"token","value":{"x":"https://u@h.test?key=1"}}],"headers":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		json, err := rawjson.Parse(text)
		if err != nil {
			t.Skip()
		}
		var x exchange
		clean := x.withoutSecrets(json)
		if _, err := rawjson.Parse(clean); err != nil {
			t.Fatalf("%q became %q: %v", json, clean, err)
		}
		if len(clean) > 2*len(json)+16 {
			t.Errorf("%q became %q", json, clean)
		}
		x.learnBody(json)
	})
}
