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

// tracers are headers that tracers write.
var tracers = strings.Fields(`Traceparent Tracestate Baggage B3 X-B3-Traceid X-B3-Spanid X-B3-Parentspanid X-B3-Sampled X-B3-Flags Uber-Trace-Id Uberctx-User
	X-Datadog-Trace-Id X-Datadog-Parent-Id X-Datadog-Sampling-Priority X-Datadog-Tags X-Datadog-Origin Sentry-Trace X-Amzn-Trace-Id X-Cloud-Trace-Context
	Grpc-Trace-Bin Newrelic X-Newrelic-Id Elastic-Apm-Traceparent X-Instana-T X-Dynatrace Sw8 Sw8-Correlation Ot-Tracer-Traceid Ot-Baggage-User X-Ot-Span-Context
	X-Honeycomb-Trace Correlation-Context Jaeger-Debug-Id traceparent TRACESTATE baggage b3 x-b3-traceid x-datadog-trace-id X-DATADOG-ORIGIN`)

// others are headers that look like them and are none.
var others = strings.Fields(`Authorization Content-Type X-Request-Id B3x X-Trace Accept Openai-Organization X-Stainless-Retry-Count Amz-Sdk-Invocation-Id`)

// TestTracersHeaders holds which requests keep the headers of tracers.
func TestTracersHeaders(t *testing.T) {
	never := llmhttp.WithFilter(func(*http.Request) bool { return false })
	for name, c := range map[string]struct {
		method, url string
		options     []llmhttp.Option
		outside     bool // of a session
		keeps       bool
	}{
		"call":                        {method: "POST", url: "https://api.openai.com/v1/chat/completions"},
		"call, no session":            {method: "POST", url: "https://api.openai.com/v1/chat/completions", outside: true},
		"call, filtered":              {method: "POST", url: "https://api.openai.com/v1/chat/completions", options: []llmhttp.Option{never}},
		"call, filtered, other host":  {method: "POST", url: "http://llm.test/v1/chat/completions", options: []llmhttp.Option{never}},
		"call, other host":            {method: "POST", url: "http://llm.test/v1/chat/completions"},
		"trailing slash":              {method: "POST", url: "https://api.openai.com/v1/chat/completions/"},
		"models":                      {method: "GET", url: "https://api.openai.com/v1/models"},
		"files":                       {method: "POST", url: "https://api.openai.com/v1/files"},
		"deletion":                    {method: "DELETE", url: "https://API.Anthropic.com:443/v1/files/f"},
		"counting":                    {method: "POST", url: "https://generativelanguage.googleapis.com/v1beta/models/m:countTokens"},
		"Vertex AI":                   {method: "GET", url: "https://us-central1-aiplatform.googleapis.com/v1/projects/p"},
		"Bedrock":                     {method: "POST", url: "https://bedrock-runtime.eu-west-1.amazonaws.com/guardrail/g/version/1/apply"},
		"Azure":                       {method: "GET", url: "https://x.openai.azure.com/openai/deployments"},
		"a host of the user's":        {method: "GET", url: "http://llm.internal:8080/health", options: []llmhttp.Option{llmhttp.WithHost("llm.internal", llmhttp.OpenAI, "")}},
		"no provider":                 {method: "GET", url: "https://shop.test/v1/models", keeps: true},
		"no provider, POST":           {method: "POST", url: "https://shop.test/v1/orders", keeps: true},
		"no provider by its end":      {method: "GET", url: "https://api.openai.com.shop.test/v1/models", keeps: true},
		"another service of Google's": {method: "GET", url: "https://storage.googleapis.com/b/o", keeps: true},
		"a warehouse of Snowflake":    {method: "GET", url: "https://acct.snowflakecomputing.com/api/v2/statements", keeps: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			if c.outside {
				ctx = t.Context()
			}
			var sent http.Header
			base := roundTrip(func(r *http.Request) (*http.Response, error) {
				sent = r.Header
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
			})
			r := httptest.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(`{"model":"m"}`))
			for _, h := range append(tracers, others...) {
				r.Header[h] = []string{"x"}
			}
			resp, err := llmhttp.Transport(base, c.options...).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			s.End()
			for _, h := range tracers {
				if len(r.Header[h]) != 1 {
					t.Errorf("%s was taken off the caller's request", h)
				}
				if got := len(sent[h]) == 1; got != c.keeps {
					t.Errorf("%s was sent: %v", h, got)
				}
			}
			for _, h := range others {
				if len(sent[h]) != 1 {
					t.Errorf("%s was not sent", h)
				}
			}
		})
	}
}

// TestSignedHeaders holds that a header which a signature of AWS covers stays.
func TestSignedHeaders(t *testing.T) {
	var sent http.Header
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})
	r := httptest.NewRequest(http.MethodPost, "https://bedrock-runtime.eu-west-1.amazonaws.com/model/m/converse", strings.NewReader("{}"))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;traceparent;x-amz-date, Signature=b")
	r.Header.Set("Traceparent", "x")
	r.Header.Set("Tracestate", "x")
	resp, err := llmhttp.Transport(base).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if sent.Get("Traceparent") == "" || sent.Get("Tracestate") != "" {
		t.Errorf("sent %v", sent)
	}
}
