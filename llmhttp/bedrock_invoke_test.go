package llmhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const profile = "/model/arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile%2Fabc123/invoke"

// TestInvokeByBody calls models whose id says nothing of them: what the call is
// stands in its body.
func TestInvokeByBody(t *testing.T) {
	for name, c := range map[string]struct{ request, answer, inputs, outputs string }{
		"anthropic": {
			`{"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"anthropic_version":"bedrock-2023-05-31"}`, `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"ho"}],"stop_reason":"end_turn"}`,
			`{"chat_history":[{"role":"user","content":"hi"}]}`, `{"role":"assistant","content":"ho","finish_reason":"end_turn"}`,
		},
		"claude 2": {
			`{"prompt":"\n\nHuman: hi\n\nAssistant:","max_tokens_to_sample":5}`, `{"completion":" ho","stop_reason":"max_tokens"}`,
			`{"chat_history":[{"role":"user","content":"\n\nHuman: hi\n\nAssistant:"}]}`, `{"role":"assistant","content":" ho","finish_reason":"max_tokens"}`,
		},
		"nova": {
			`{"messages":[{"role":"user","content":[{"text":"hi"},{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}}]}]}`, `{"output":{"message":{"role":"assistant","content":[{"text":"ho"}]}},"stopReason":"end_turn"}`,
			`{"chat_history":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}]}]}`, `{"role":"assistant","content":"ho","finish_reason":"end_turn"}`,
		},
		"chat completions": {
			`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"max_tokens":5}`, `{"choices":[{"index":0,"message":{"role":"assistant","content":"ho"},"finish_reason":"length"}]}`,
			`{"chat_history":[{"role":"user","content":"hi"}]}`, `{"role":"assistant","content":"ho","finish_reason":"length"}`,
		},
		"llama": {
			`{"prompt":"hi","max_gen_len":5}`, `{"generation":"ho","stop_reason":"length"}`,
			`{"chat_history":[{"role":"user","content":"hi"}]}`, `{"role":"assistant","content":"ho","finish_reason":"length"}`,
		},
		"deepseek": {
			`{"prompt":"hi","max_tokens":5}`, `{"choices":[{"text":"ho","stop_reason":"stop"}]}`,
			`{"chat_history":[{"role":"user","content":"hi"}]}`, `{"role":"assistant","content":"ho","finish_reason":"stop"}`,
		},
		"cohere": {
			`{"message":"hi","preamble":"be brief","p":0.5}`, `{"text":"ho","generation_id":"g","finish_reason":"MAX_TOKENS"}`,
			`{"chat_history":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}]}`, `{"role":"assistant","content":"ho","finish_reason":"MAX_TOKENS"}`,
		},
		"titan embeddings":  {`{"inputText":"hi"}`, `{"embedding":[1,2],"inputTextTokenCount":1}`, `{"texts":["hi"]}`, `{"embeddings":{"count":1,"dimensions":2}}`},
		"cohere embeddings": {`{"input_type":"search_query","texts":["hi","ho"]}`, `{"embeddings":[[1,2],[3,4]]}`, `{"texts":["hi","ho"]}`, `{"embeddings":{"count":2,"dimensions":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer))
			got, err := l.post(profile, c.request)
			if err != nil || got != c.answer || l.got[0] != c.request {
				t.Fatal(err, got, l.got)
			}
			e := l.only()
			e.AssertInputs(c.inputs)
			e.AssertOutputs(c.outputs)
			if want := map[bool]string{true: "tool", false: "model"}[strings.Contains(name, "embeddings")]; e.EventType.Or("") != want || e.Error.Or("") != "" {
				t.Error(e.EventType, e.Error)
			}
		})
	}
}

// TestInvokeOfOthers calls models that make no text or embeddings: they pass.
func TestInvokeOfOthers(t *testing.T) {
	for name, c := range map[string][2]string{
		"images":       {"/model/stability.sd9/invoke", `{"prompt":"a wren"}`},
		"by its body":  {profile, `{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a wren"}}`},
		"quoted":       {profile, `{"textToImageParams":{"text":"say \"messages\", \"prompt\" and \"inputText\""}}`},
		"retired":      {profile, `{"inputText":"hi","textGenerationConfig":{}}`},
		"no body":      {profile, ``},
		"no JSON":      {profile, `messages`},
		"another path": {"/model/x/count-tokens", `{"prompt":"hi"}`},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, `{}`))
			if _, err := l.post(c[0], c[1]); err != nil || l.got[0] != c[1] {
				t.Fatal(err, l.got)
			}
			if events := l.end(); len(events) != 0 {
				t.Error(events)
			}
		})
	}
}

// onlyReader is a body of which there is no copy, as AWS's client has.
type onlyReader struct {
	io.Reader
	closed *int
}

func (o onlyReader) Close() error {
	*o.closed++
	return nil
}

// TestInvokeBodyOnce calls a model by a request whose body can be read but once,
// which breaks, or which is longer than what is kept.
func TestInvokeBodyOnce(t *testing.T) {
	broken := errors.New("the body broke")
	long := `{"messages":[{"role":"user","content":"` + strings.Repeat("long ", 4000) + `"}]}`
	for name, c := range map[string]struct {
		body   io.Reader
		want   string
		err    error
		events int
	}{
		"whole":   {strings.NewReader(`{"prompt":"hi"}`), `{"prompt":"hi"}`, nil, 1},
		"other":   {strings.NewReader(`{"neither":"hi"}`), `{"neither":"hi"}`, nil, 0},
		"long":    {strings.NewReader(long), long, nil, 1},
		"breaks":  {io.MultiReader(strings.NewReader(`{"prompt":`), failing{broken}), `{"prompt":`, broken, 1},
		"nothing": {failing{broken}, ``, broken, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			closed := 0
			base := roundTrip(func(r *http.Request) (*http.Response, error) {
				got, err := io.ReadAll(r.Body)
				if string(got) != c.want || !errors.Is(err, c.err) {
					t.Errorf("the server got %q, %v", got, err)
				}
				_ = r.Body.Close()
				if err != nil {
					return nil, err
				}
				return &http.Response{StatusCode: 200, Request: r, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"generation":"ho","stop_reason":"stop"}`))}, nil
			})
			r := s.request("https://bedrock-runtime.us-east-1.amazonaws.com"+profile, "")
			r.Body, r.GetBody, r.ContentLength = onlyReader{c.body, &closed}, nil, -1
			resp, err := llmhttp.Transport(base, llmhttp.WithLimit(1000)).RoundTrip(r)
			if !errors.Is(err, c.err) || closed != 1 {
				t.Errorf("%v, closed %d times", err, closed)
			}
			if err == nil {
				if resp.Request != r {
					t.Error("the answer names another request than the one that was made")
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
			if events := s.end(); len(events) != c.events {
				t.Errorf("%d events, want %d", len(events), c.events)
			}
		})
	}
}

// TestInvokeTokens reads the counts that stand in headers, where the model says
// none.
func TestInvokeTokens(t *testing.T) {
	for name, c := range map[string]struct {
		path, request, answer string
		header                []string
		metadata              map[string]string
	}{
		"embeddings of Cohere": {
			"/model/cohere.embed-english-v9/invoke", `{"texts":["a"]}`, `{"embeddings":[[1,2]],"response_type":"embeddings_floats"}`, []string{"X-Amzn-Bedrock-Input-Token-Count", "6"},
			map[string]string{"prompt_tokens": "6", "completion_tokens": ""},
		},
		"embeddings of Nova": {
			"/model/amazon.nova-9-multimodal-embeddings-v1:0/invoke", `{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingDimension":2,"text":{"truncationMode":"END","value":"a"}}}`,
			`{"embeddings":[{"embeddingType":"TEXT","embedding":[1,2]}]}`, []string{"X-Amzn-Bedrock-Input-Token-Count", "3"},
			map[string]string{"prompt_tokens": "3"},
		},
		"with a cache": {
			"/model/mistral.x/invoke", `{"prompt":"a"}`, `{"outputs":[{"text":"b","stop_reason":"stop"}]}`,
			[]string{"X-Amzn-Bedrock-Input-Token-Count", "3", "X-Amzn-Bedrock-Output-Token-Count", "2", "X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "40", "X-Amzn-Bedrock-Cache-Write-Input-Token-Count", "5"},
			map[string]string{"prompt_tokens": "48", "completion_tokens": "2", "cache_read_input_tokens": "40", "cache_write_input_tokens": "5"},
		},
		"the model knows better": {
			"/model/openai.x/invoke", `{"messages":[]}`, `{"choices":[{"index":0,"message":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":20}}}`,
			[]string{"X-Amzn-Bedrock-Input-Token-Count", "10", "X-Amzn-Bedrock-Output-Token-Count", "4", "X-Amzn-Bedrock-Cache-Read-Input-Token-Count", "20"},
			map[string]string{"prompt_tokens": "30", "completion_tokens": "4", "cache_read_input_tokens": "20"},
		},
		"nonsense": {
			"/model/mistral.x/invoke", `{"prompt":"a"}`, `{"outputs":[{"text":"b","stop_reason":"stop"}]}`, []string{"X-Amzn-Bedrock-Input-Token-Count", "-3", "X-Amzn-Bedrock-Output-Token-Count", "many"},
			map[string]string{"prompt_tokens": "", "completion_tokens": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i < len(c.header); i += 2 {
					w.Header().Set(c.header[i], c.header[i+1])
				}
				whole(200, c.answer)(w, r)
			})
			if _, err := l.post(c.path, c.request); err != nil {
				t.Fatal(err)
			}
			metadata(t, l.only(), c.metadata)
		})
	}
}

func TestInvokeEmbeddings(t *testing.T) {
	for name, c := range map[string]struct{ model, request, answer, inputs, outputs, config string }{
		"nova": {
			"amazon.nova-9-multimodal-embeddings-v1:0", `{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingDimension":2,"text":{"value":"a"}}}`, `{"embeddings":[{"embeddingType":"TEXT","embedding":[1,2]}]}`,
			`{"texts":["a"]}`, `{"embeddings":{"count":1,"dimensions":2}}`, `"dimensions":2`,
		},
		"nova, an image": {
			"amazon.nova-9-multimodal-embeddings-v1:0", `{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}}}`, `{"embeddings":[{"embeddingType":"IMAGE","embedding":[1,2,3]}]}`,
			`{"image":{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}}`, `{"embeddings":{"count":1,"dimensions":3}}`, ``,
		},
		"titan, an image": {
			"amazon.titan-embed-image-v1", `{"inputText":"a","inputImage":"aGVsbG8=","embeddingConfig":{"outputEmbeddingLength":4}}`, `{"embedding":[1,2,3,4],"inputTextTokenCount":2}`,
			`{"texts":["a"],"images":[{"type":"uri","modality":"image",` + helloRef + `}]}`, `{"embeddings":{"count":1,"dimensions":4}}`, `"dimensions":4`,
		},
		"titan, by type": {"amazon.titan-embed-text-v9", `{"inputText":"a","embeddingTypes":["binary"]}`, `{"embeddingsByType":{"binary":[1,0,1,1]},"inputTextTokenCount":2}`, `{"texts":["a"]}`, `{"embeddings":{"count":1,"dimensions":4}}`, ``},
		"cohere, texts and images": {
			"cohere.embed-v9:0", `{"inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]}],"output_dimension":2,"input_type":"image"}`, `{"embeddings":{"float":[[1,2]]}}`,
			`{"contents":[[{"type":"text","content":"a"},{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `}]]}`, `{"embeddings":{"count":1,"dimensions":2}}`, `"dimensions":2`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, whole(200, c.answer))
			_, _ = l.post("/model/"+c.model+"/invoke", c.request)
			e := l.only()
			e.AssertInputs(c.inputs)
			e.AssertOutputs(c.outputs)
			if !strings.Contains(e.Config.String(), c.config) {
				t.Error(e.Config)
			}
		})
	}
}

// TestPeekOfTraced checks that a body is not read again where a call is traced
// already.
func TestPeekOfTraced(t *testing.T) {
	s := newStage(t)
	reads := 0
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"generation":"ho","stop_reason":"stop"}`))}, nil
	})
	r := httptest.NewRequestWithContext(context.WithoutCancel(s.request("https://x", "").Context()), http.MethodPost, "https://bedrock-runtime.us-east-1.amazonaws.com"+profile, strings.NewReader(`{"prompt":"hi"}`))
	r.GetBody = func() (io.ReadCloser, error) {
		reads++
		return io.NopCloser(strings.NewReader(`{"prompt":"hi"}`)), nil
	}
	resp, err := llmhttp.Transport(llmhttp.Transport(base)).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if events := s.end(); len(events) != 1 || reads > 4 {
		t.Errorf("%d events, %d copies of the body", len(events), reads)
	}
}
