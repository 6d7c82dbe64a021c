package llmhttp

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// TestErrorIn reads errors as providers and gateways write them. The first line of
// what is wanted is the kind.
func TestErrorIn(t *testing.T) {
	for body, want := range map[string]string{
		// OpenAI, Azure, Groq, OpenRouter, llama.cpp, vLLM, FastAPI
		`{"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}`: "rate_limit_exceeded\nm",
		`{"error":{"message":"m","type":"invalid_request_error","code":null}}`:     "invalid_request_error\nm",
		`{"error":{"code":502,"message":"m"}}`:                                     "502\nm",
		`{"error":{"code":500,"message":"m","type":"server_error"}}`:               "server_error\nm",
		`{"error":"over_capacity"}`:                                                "\nover_capacity",
		`{"error":{"message":{"a":1},"code":"c"}}`:                                 "c\n" + `{"a":1}`,
		`{"object":"error","message":"m","type":"BadRequestError","code":400}`:     "BadRequestError\nm",
		`{"detail":"Not Found"}`:                                                   "\nNot Found",
		`{"detail":[{"loc":["body"],"msg":"m"}]}`:                                  "\n" + `[{"loc":["body"],"msg":"m"}]`,
		`{"message":"m","code":"c"}`:                                               "c\nm",
		`{"error":true,"message":"m","status":503}`:                                "503\nm",
		`{"error":"{\"error\":{\"message\":\"m\",\"code\":\"c\"}}"}`:               "c\nm",
		`{"errors":[{"message":"m","code":7003}]}`:                                 "7003\nm",
		`{"success":false,"errors":["m"]}`:                                         "\nm",
		`{"error":{"error":{"message":"m","type":"t"}}}`:                           "t\nm",
		`{"error":{"why":"x"}}`:                                                    "\n" + `{"why":"x"}`,
		`{"error":"c","error_description":"m"}`:                                    "c\nm",
		`{"error":"c","message":"m","statusCode":401}`:                             "c\nm",
		`{"error":429}`: "429\n",
		// Anthropic, Gemini, Bedrock
		`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`:      "overloaded_error\nm",
		`{"type":"error","code":"c","message":"m","param":null}`:                  "c\nm",
		`{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`:             "UNAVAILABLE\nm",
		`[{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}]`:           "UNAVAILABLE\nm",
		`{"message":"m","__type":"com.amazon.coral.service#ThrottlingException"}`: "ThrottlingException\nm",
		`{"Message":"m"}`: "\nm",
		`{"error":{"code":"` + strings.Repeat("x", 300) + `","message":"m"}}`: "\nm",
	} {
		canonical, err := rawjson.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		var x exchange
		if !x.errorIn(canonical) || x.problem == nil {
			t.Errorf("%s is no error", body)
			continue
		}
		if got := x.problem.kind + "\n" + x.problem.message; got != want {
			t.Errorf("%s is %q, want %q", body, got, want)
		}
	}
	for _, body := range []string{
		`{}`, `[]`, `null`, `"error"`, `7`, `{"error":null}`, `{"error":{}}`, `{"error":""}`, `{"error":" "}`, `{"error":false}`, `{"error":[]}`, `{"errors":[]}`, `{"error":0}`,
		`{"message":{"role":"assistant"}}`, `{"choices":[]}`, `{"type":"message","id":"1"}`, `{"detail":null}`, `[{"a":1}]`,
	} {
		var x exchange
		if x.errorIn(body) || x.problem != nil {
			t.Errorf("%s is an error: %v", body, x.problem)
		}
	}
	var x exchange
	x.fail("a", strings.Repeat("m", 1<<20))
	x.fail("b", "second")
	if x.problem.kind != "a" || len(x.problem.message) != mostMessage {
		t.Errorf("%s: %d bytes", x.problem.kind, len(x.problem.message))
	}
}
