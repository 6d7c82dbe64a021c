package llmhttp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRequestsOfOthers reads what requests say in words and forms that few use.
func TestRequestsOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		path, body     string
		inputs, config string // members that must be there
		absent         []string
	}{
		"seed of Mistral":       {"/v1/chat/completions", `{"random_seed":5}`, ``, `{"seed":5}`, nil},
		"effort of OpenRouter":  {"/v1/chat/completions", `{"reasoning":{"effort":"low","max_tokens":100,"exclude":false}}`, ``, `{"reasoning_effort":"low","reasoning_max_tokens":100}`, nil},
		"effort of responses":   {"/v1/responses", `{"reasoning":{"effort":"low","summary":"auto"},"text":{"verbosity":"high"},"input":"a"}`, `{"chat_history":[{"role":"user","content":"a"}]}`, `{"reasoning_effort":"low","verbosity":"high"}`, nil},
		"a prompt of tokens":    {"/v1/completions", `{"prompt":[1,2,3]}`, ``, `{"inputs":1,"input_token_ids":3}`, []string{"chat_history"}},
		"prompts of tokens":     {"/v1/completions", `{"prompt":[[1,2,3],[4]]}`, ``, `{"inputs":2,"input_token_ids":4}`, []string{"chat_history"}},
		"prompts":               {"/v1/completions", `{"prompt":["a","b"]}`, `{"chat_history":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`, ``, nil},
		"a suffix":              {"/v1/fim/completions", `{"prompt":"a","suffix":"c"}`, `{"chat_history":[{"role":"user","content":"a"}],"suffix":"c"}`, ``, nil},
		"embeddings of a text":  {"/v1/embeddings", `{"input":"a"}`, `{"texts":["a"]}`, `{"inputs":1}`, []string{"input_token_ids"}},
		"embeddings of tokens":  {"/v1/embeddings", `{"input":[1,2,3]}`, ``, `{"inputs":1,"input_token_ids":3}`, []string{"texts"}},
		"embeddings of lists":   {"/v1/embeddings", `{"input":[[1,2],[3]]}`, ``, `{"inputs":2,"input_token_ids":3}`, []string{"texts"}},
		"embeddings of objects": {"/v1/embeddings", `{"input":[{"text":"a"},{"image":"https://a.test/b.png"},"c"]}`, `{"texts":["a","c"]}`, `{"inputs":3}`, nil},
		"embeddings of nothing": {"/v1/embeddings", `{"input":[]}`, ``, `{"inputs":0}`, []string{"texts"}},
		"a stored prompt": {
			"/v1/responses", `{"prompt":{"id":"pmpt_1","version":"2","variables":{"what":"which is tall?","it":{"type":"input_text","text":"a fir"},"look":{"type":"input_image","image_url":"data:image/png;base64,aGVsbG8="}}}}`,
			`{"prompt_variables":{"what":"which is tall?","it":{"type":"text","text":"a fir"},"look":{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}}}`, `{"prompt_id":"pmpt_1","prompt_version":"2"}`, nil,
		},
		"thinking of Mistral": {
			"/v1/chat/completions", `{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"one "},{"type":"text","text":"and one"}]},{"type":"text","text":"two"}]}]}`,
			`{"chat_history":[{"role":"assistant","reasoning":"one and one","content":"two"}]}`, ``, nil,
		},
		"media of others": {
			"/v1/chat/completions", `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://a.test/b.png"},{"type":"document_url","document_url":"https://a.test/c.pdf","document_name":"c"},{"type":"audio_url","audio_url":{"url":"https://a.test/d.wav"}},{"type":"video_url","video_url":{"url":"https://a.test/e.mp4"}}]}]}`,
			`{"chat_history":[{"role":"user","content":[{"type":"uri","modality":"image","uri":"https://a.test/b.png"},{"type":"uri","modality":"document","uri":"https://a.test/c.pdf","name":"c"},{"type":"uri","modality":"audio","uri":"https://a.test/d.wav"},{"type":"uri","modality":"video","uri":"https://a.test/e.mp4"}]}]}`, ``, nil,
		},
		"a result that is an error": {
			"/v1/chat/completions", `{"messages":[{"role":"tool","tool_call_id":"a","content":"no","is_error":true}]}`,
			`{"chat_history":[{"role":"tool","tool_call_id":"a","content":"no","is_error":true}]}`, ``, nil,
		},
		"results of the provider's tools": {
			"/v1/responses", `{"input":[{"role":"user","content":"a"},{"type":"tool_search_call","call_id":"s","arguments":{"q":"b"}},{"type":"tool_search_output","call_id":"s","tools":[{"type":"function","name":"dig"}]},
				{"type":"shell_call_output","call_id":"t","output":[{"stdout":"c","stderr":"","outcome":{"type":"exit","exit_code":0}}]},{"type":"apply_patch_call_output","call_id":"u","status":"failed","output":"d"},
				{"type":"computer_call_output","call_id":"v","output":{"type":"computer_screenshot","image_url":"data:image/png;base64,aGVsbG8="}},{"type":"mcp_approval_response","approval_request_id":"w","approve":true}]}`,
			`{"chat_history":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_search_call","call_id":"s","arguments":{"q":"b"}}]},
				{"role":"tool","tool_call_id":"s","content":{"tools":[{"type":"function","name":"dig"}]}},{"role":"tool","tool_call_id":"t","content":[{"stdout":"c","stderr":"","outcome":{"type":"exit","exit_code":0}}]},
				{"role":"tool","tool_call_id":"u","content":"d","is_error":true},{"role":"tool","tool_call_id":"v","content":{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}},
				{"role":"user","content":[{"type":"mcp_approval_response","approval_request_id":"w","approve":true}]}]}`, ``, nil,
		},
		"instructions of a prompt": {
			"/v1/responses", `{"instructions":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"be brief"}]}],"input":"a"}`,
			`{"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":"a"}]}`, ``, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{}`))
			if _, err := l.post(c.path, c.body); err != nil {
				t.Fatal(err)
			}
			e := l.only()
			for _, bucket := range []struct{ want, got string }{{c.inputs, e.Inputs.String()}, {c.config, e.Config.String()}} {
				if bucket.want == "" {
					continue
				}
				want, got := parsed(t, bucket.want).(map[string]any), parsed(t, bucket.got).(map[string]any)
				for key, w := range want {
					if diff := cmp.Diff(w, got[key]); diff != "" {
						t.Errorf("%s: %s", key, diff)
					}
				}
			}
			for _, key := range c.absent {
				if e.Inputs.Has(key) || e.Config.Has(key) {
					t.Errorf("%s is there: %s %s", key, e.Inputs, e.Config)
				}
			}
		})
	}
}
