package llmhttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// The key of the tries below, with all characters that are escaped anywhere.
const tryKey = "sk-Try+7f3a/9c8Zkq&12=34<56>7890\"ab=="

// A try is a call by which a key may come into a record.
type try struct {
	name    string
	url     string // of chat completions if empty
	body    string
	request func(r *http.Request)
	// The answer of the provider, or of the transport.
	status int
	header []string
	answer string
	fail   func(r *http.Request) error
	inner  func(r *http.Request) // what another transport changes on the way
	// secret is what must not be recorded; the key of the tries if empty.
	secret string
}

const tryBody = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

func bearer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tryKey) }

func message(text string) string { return `{"error":{"message":` + quoted("no such key: "+text) + `}}` }

func quoted(text string) string { return strings.TrimSpace(fmt.Sprintf("%q", text)) }

// tries returns the table.
func tries() []try {
	list := []try{
		{name: "code", request: bearer, status: 401, answer: `{"error":{"message":"bad","code":` + quoted("unknown "+tryKey) + `}}`},
		{name: "type", request: bearer, status: 401, answer: `{"error":{"message":"bad","type":` + quoted(tryKey) + `}}`},
		{name: "status", request: bearer, status: 401, answer: `{"error":{"message":"bad","status":` + quoted(tryKey) + `}}`},
		{name: "code with a status of 200", request: bearer, answer: `{"error":{"message":"bad","code":` + quoted(tryKey) + `}}`},
		{name: "type of Anthropic", url: "/v1/messages", request: func(r *http.Request) { r.Header.Set("X-Api-Key", tryKey); r.Header.Set("Anthropic-Version", "1") }, status: 401, answer: `{"type":"error","error":{"type":` + quoted(tryKey) + `,"message":"bad"}}`},
		{name: "header of AWS", request: bearer, status: 403, header: []string{"X-Amzn-Errortype", "Unknown-" + tryKey}},
		{name: "content encoding", request: bearer, status: 401, header: []string{"Content-Encoding", tryKey}, answer: "x"},
		{name: "content encoding of 200", request: bearer, header: []string{"Content-Encoding", tryKey}, answer: "x"},
		{name: "content type", request: bearer, header: []string{"Content-Type", "text/" + tryKey}, answer: "x"},
		{name: "id", request: bearer, answer: `{"id":` + quoted(tryKey) + `,"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`},
		{name: "model", request: bearer, answer: `{"model":` + quoted(tryKey) + `,"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`},
		{name: "fingerprint", request: bearer, answer: `{"system_fingerprint":` + quoted(tryKey) + `,"service_tier":` + quoted(tryKey) + `,"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}`},
		{name: "finish reason", request: bearer, answer: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":` + quoted(tryKey) + `}]}`},
		{name: "cost", request: bearer, answer: `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"cost":{"of":` + quoted(tryKey) + `}}}`},
		{name: "detail as a list", request: bearer, status: 422, answer: `{"detail":[{"msg":` + quoted(tryKey) + `}]}`},
		{name: "error as a list", request: bearer, status: 422, answer: `{"errors":[{"message":` + quoted(tryKey) + `}]}`},
		{name: "a page", request: bearer, status: 502, answer: "<html><body>Bad gateway: " + html.EscapeString(tryKey) + "</body></html>"},
		{name: "text with 200", request: bearer, answer: "no such key " + tryKey},
		{name: "broken JSON with 200", request: bearer, answer: `{"error":{"message":` + quoted(tryKey)},
		{name: "half JSON with 401", request: bearer, status: 401, answer: `{"error":{"message":` + quoted(tryKey)},
		{name: "transport, headers", request: bearer, fail: func(r *http.Request) error { return fmt.Errorf("custom: %v", r.Header) }},
		{name: "transport, quoted headers", request: bearer, fail: func(r *http.Request) error { return fmt.Errorf("custom: %q", r.Header) }},
		{name: "transport, dumped", request: bearer, fail: func(r *http.Request) error { return fmt.Errorf("custom: %+v %#v", r.Header, r.Header) }},
		{name: "transport, address", request: func(r *http.Request) { r.URL.RawQuery = "key=" + url.QueryEscape(tryKey) }, fail: func(r *http.Request) error { return fmt.Errorf("custom: cannot reach %s", r.URL) }},
		{name: "transport, joined", request: bearer, fail: func(*http.Request) error {
			return errors.Join(errors.New("a"), fmt.Errorf("b: %w", errors.New(tryKey)))
		}},
		{name: "another transport's header", inner: bearer, status: 401, answer: message(tryKey)},
		{name: "another transport's query", inner: func(r *http.Request) { r.URL.RawQuery = "key=" + url.QueryEscape(tryKey) }, status: 401, answer: message(tryKey)},
		{name: "user and password", request: func(r *http.Request) { r.URL.User = url.UserPassword("somebody", "try-password-1") }, status: 401, answer: message("try-password-1"), secret: "try-password-1"},
		{name: "user alone", request: func(r *http.Request) { r.URL.User = url.User("sk-try-user-12345") }, status: 401, answer: message("sk-try-user-12345"), secret: "sk-try-user-12345"},
		{name: "Basic", request: func(r *http.Request) { r.SetBasicAuth("somebody", "try-password-2") }, status: 401, answer: message("try-password-2"), secret: "try-password-2"},
		{name: "Basic as it is", request: func(r *http.Request) { r.SetBasicAuth("somebody", "try-password-3") }, status: 401, answer: message("Basic " + base64.StdEncoding.EncodeToString([]byte("somebody:try-password-3"))), secret: base64.StdEncoding.EncodeToString([]byte("somebody:try-password-3"))},
		{name: "cookie", request: func(r *http.Request) { r.Header.Set("Cookie", "a=b; sid=try-cookie-value") }, status: 401, answer: message("try-cookie-value"), secret: "try-cookie-value"},
		{name: "signature", request: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATRYTRYTRY/2026/us, SignedHeaders=host, Signature=0123456789abcdef0123")
		}, status: 403, answer: message("0123456789abcdef0123 of AKIATRYTRYTRY/2026/us"), secret: "0123456789abcdef0123"},
		{name: "without its prefix", request: bearer, status: 401, answer: message(tryKey[3:]), secret: tryKey[3:]},
		{name: "the end", request: bearer, status: 401, answer: message("ends in " + tryKey[len(tryKey)-14:]), secret: tryKey[len(tryKey)-14:]},
		{name: "with other things", request: func(r *http.Request) { r.Header.Set("X-Auth", `{"of":"somebody","k":"`+tryKey+`"}`) }, status: 401, answer: message(tryKey)},
		{name: "by the scheme of the value", request: func(r *http.Request) { r.Header.Set("X-Upstream", "Bearer "+tryKey) }, status: 401, answer: message(tryKey)},
		{name: "after a semicolon", request: func(r *http.Request) { r.URL.RawQuery = "a=b;api_key=" + url.QueryEscape(tryKey) }, status: 401, answer: message(tryKey)},
		{name: "a short key", request: func(r *http.Request) { r.Header.Set("X-Api-Key", "q7x2z") }, status: 401, answer: message("q7x2z"), secret: "q7x2z"},
		{name: "the beginning", request: bearer, status: 401, answer: message(tryKey[:20] + "…"), secret: tryKey[:20]},
		{name: "cut at the limit of a text", request: bearer, status: 401, answer: strings.Repeat("x", 1024-len(tryKey)+2) + tryKey + " tail", secret: tryKey[:len(tryKey)-2]},
		{name: "cut early at the limit of a text", request: bearer, status: 401, answer: strings.Repeat("x", 1024-12) + tryKey + " tail", secret: tryKey[:12]},
		{name: "cut at the limit of a message", request: bearer, status: 401, answer: message(strings.Repeat("x", 64<<10-13-20) + tryKey), secret: tryKey[:12]},
		{name: "cut by the server", request: bearer, status: 401, answer: "bad " + tryKey[:9], secret: tryKey[:9]},
	}
	ways := map[string]func(string) string{
		"as it is":           func(s string) string { return s },
		"as a query":         url.QueryEscape,
		"as a path":          url.PathEscape,
		"in lower hex":       func(s string) string { return lowerHex.ReplaceAllStringFunc(url.QueryEscape(s)) },
		"all percent":        func(s string) string { return eachByte(s, "%%%02x") },
		"escaped twice":      func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"in base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"in raw base64":      func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"in base64 for URLs": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"in base64 inside":   func(s string) string { return base64.StdEncoding.EncodeToString([]byte(`{"key":"` + s + `"}`)) },
		"in hexadecimal":     func(s string) string { return hex.EncodeToString([]byte(s)) },
		"with PHP's slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
		"with code points":   func(s string) string { return eachByte(s, `\u%04X`) },
		"quoted":             func(s string) string { return fmt.Sprintf("%q", s) },
		"quoted twice":       func(s string) string { return fmt.Sprintf("%q", fmt.Sprintf("%q", s)) },
		"as HTML":            html.EscapeString,
		"as decimal HTML":    func(s string) string { return eachByte(s, "&#%d;") },
		"as hex HTML":        func(s string) string { return eachByte(s, "&#x%x;") },
		"in upper case":      strings.ToUpper,
		"in lower case":      strings.ToLower,
		"over lines":         func(s string) string { return s[:9] + "\r\n  " + s[9:20] + "\n" + s[20:] },
	}
	for name, way := range ways {
		written := way(tryKey)
		list = append(list,
			try{name: "message, " + name, request: bearer, status: 401, answer: message(written), secret: written},
			try{name: "code, " + name, request: bearer, status: 401, answer: `{"error":{"code":` + quoted(written) + `}}`, secret: written},
			try{name: "text, " + name, request: bearer, status: 401, answer: "bad " + written, secret: written},
			try{name: "transport, " + name, request: bearer, fail: func(*http.Request) error { return errors.New("bad " + written) }, secret: written},
			try{name: "stream, " + name, body: `{"model":"m","stream":true}`, request: bearer, header: []string{"Content-Type", "text/event-stream"}, answer: "data: " + strings.ReplaceAll(message(written), "\n", " ") + "\n\n", secret: written},
			try{name: "stream, a text, " + name, body: `{"model":"m","stream":true}`, request: bearer, header: []string{"Content-Type", "text/event-stream"}, answer: "event: error\ndata: " + strings.ReplaceAll(written, "\n", "") + "\n\n", secret: written},
		)
	}
	for header := range strings.FieldsSeq(`Authorization Proxy-Authorization Api-Key X-Api-Key X-Goog-Api-Key Cookie X-Amz-Security-Token Ocp-Apim-Subscription-Key
		Helicone-Auth X-Portkey-Api-Key Cf-Aig-Authorization X-Auth-Token X-Api-Token X-Litellm-Api-Key X-Csrf-Token X-Access-Token X-Client-Secret X-Signature
		X-Service-Password X-Jwt-Assertion X-Session-Key x_api_key Apikey`) {
		list = append(list, try{name: "header " + header, request: func(r *http.Request) { r.Header[header] = []string{tryKey} }, status: 401, answer: message(tryKey)})
	}
	sentKey := strings.ReplaceAll(url.PathEscape(tryKey), "&", "%26")
	for name := range strings.FieldsSeq("key api_key api-key API_KEY access_token token subscription-key apikey apiKey sig code X-Amz-Signature X-Amz-Credential auth secret password signature") {
		list = append(list,
			try{name: "query " + name, request: func(r *http.Request) { r.URL.RawQuery = "alt=sse&" + name + "=" + url.QueryEscape(tryKey) }, status: 401, answer: message(tryKey)},
			try{name: "query as sent " + name, request: func(r *http.Request) { r.URL.RawQuery = name + "=" + sentKey + "&a=%zz" }, status: 401, answer: message(sentKey), secret: sentKey},
		)
	}
	k := quoted(tryKey)
	for name, c := range map[string][2]string{
		"MCP":                     {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"mcp","server_label":"a","server_url":"https://h.test/","authorization":` + k + `,"headers":{"X":` + k + `}}]}`},
		"MCP, address":            {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"mcp","server_url":"https://h.test/sse?api_key=` + url.QueryEscape(tryKey) + `"}]}`},
		"MCP, escaped address":    {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"mcp","server_url":"https:\/\/h.test\/sse?api_key=` + url.QueryEscape(tryKey) + `"}]}`},
		"value with a scheme":     {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","value":` + quoted("Bearer "+tryKey) + `}]}`},
		"a setting":               {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","env":[` + quoted("OPENAI_API_KEY="+tryKey) + `]}]}`},
		"a header as a text":      {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","extra":` + quoted("Authorization: Bearer "+tryKey) + `}]}`},
		"data source":             {"/v1/chat/completions", `{"model":"m","messages":[],"data_sources":[{"type":"azure_search","parameters":{"endpoint":"https://h.test","authentication":{"type":"api_key","key":` + k + `}}}]}`},
		"several tokens":          {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","access_tokens":[` + k + `]}]}`},
		"MCP, user":               {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"mcp","server_url":"https://` + url.QueryEscape(tryKey) + `@h.test/sse"}]}`},
		"tool, many names":        {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","apiKey":` + k + `,"access_token":` + k + `,"password":` + k + `,"token":` + k + `,"client-secret":` + k + `,"X-Custom-Key":[` + k + `],"nested":[{"credential":` + k + `}]}]}`},
		"tool, pairs":             {"/v1/responses", `{"model":"m","input":"x","tools":[{"type":"t","env":[{"name":"OPENAI_API_KEY","value":` + k + `},{"key":"Authorization","value":` + k + `}]}]}`},
		"metadata":                {"/v1/chat/completions", `{"model":"m","messages":[],"metadata":{"api_key":` + k + `,"note":"n"}}`},
		"Gemini":                  {"/v1beta/models/m:generateContent", `{"contents":[],"tools":[{"retrieval":{"externalApi":{"apiAuth":{"apiKeyConfig":{"apiKeyString":` + k + `}},"authConfig":{"oauthConfig":{"accessToken":` + k + `}}}}}]}`},
		"Gemini, tool config":     {"/v1beta/models/m:generateContent", `{"contents":[],"toolConfig":{"auth":{"value":` + k + `}}}`},
		"Anthropic, MCP servers":  {"/v1/messages", `{"model":"m","messages":[],"mcp_servers":[{"url":"https://h.test","authorization_token":` + k + `}]}`},
		"Bedrock":                 {"/model/m/converse", `{"messages":[],"additionalModelRequestFields":{"api_key":` + k + `,"nested":{"Token":` + k + `}},"requestMetadata":{"secret":` + k + `}}`},
		"a field that is unknown": {"/v1/chat/completions", `{"model":"m","messages":[],"gateway":{"provider_key":` + k + `}}`},
	} {
		anthropic := func(r *http.Request) { r.Header.Set("Anthropic-Version", "1") }
		list = append(list,
			try{name: "body, " + name, url: c[0], body: c[1], request: anthropic, answer: "{}"},
			try{name: "body, quoted, " + name, url: c[0], body: c[1], request: anthropic, status: 400, answer: message(tryKey)},
		)
	}
	return list
}

// lowerHex writes the escapes of a URL in lower case.
var lowerHex escapes

type escapes struct{}

func (escapes) ReplaceAllStringFunc(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(s[i+1:i+3]))
		}
	}
	return string(b)
}

func eachByte(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

// collected is what a server got, and what was reported.
type collected struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *collected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.text.Write(body)
	c.mu.Unlock()
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	if strings.HasSuffix(r.URL.Path, "/v1/traces") {
		return // an empty answer of OTLP
	}
	_, _ = io.WriteString(w, `{"success":true}`)
}

func (c *collected) report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(&c.text, err)
}

// leaked returns the piece of a secret that stands in a text, as it was written or
// as JSON has it: all of a short one, and twelve bytes of a long one.
func leaked(text, secret string) string {
	text = strings.ToLower(text)
	for _, look := range []string{text, strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\u0026`, "&", `\u003c`, "<", `\u003e`, ">", `\r`, "\r", `\n`, "\n").Replace(text)} {
		piece := min(len(secret), 12)
		for i := 0; i+piece <= len(secret); i++ {
			if p := strings.ToLower(secret[i : i+piece]); strings.Contains(look, p) {
				return p
			}
		}
	}
	return ""
}

// TestKeys makes the tries, and looks for the key in what leaves by HTTP, by OTLP
// and as a report.
func TestKeys(t *testing.T) {
	list := tries()
	if len(list) < 200 {
		t.Fatalf("%d tries", len(list))
	}
	for i := range list {
		c := &list[i]
		t.Run(c.name, func(t *testing.T) {
			var got, spans collected
			server, otlp := httptest.NewServer(&got), httptest.NewServer(&spans)
			defer server.Close()
			defer otlp.Close()
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(got.report),
				sessionspan.WithHTTP(exporter.HTTPConfig{URL: server.URL, Transport: transport}, exporter.WithCompression(exporter.NoCompression)),
				sessionspan.WithOTLP(exporter.OTLPConfig{URL: otlp.URL, Transport: transport}, exporter.WithCompression(exporter.NoCompression)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, session := tracer.StartSession(t.Context(), "s")
			c.make(t, ctx)
			session.End()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			if err := tracer.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			secret := c.secret
			if secret == "" {
				secret = tryKey
			}
			for _, place := range []*collected{&got, &spans} { // reports are with the first
				place.mu.Lock()
				text := place.text.String()
				place.mu.Unlock()
				if !strings.Contains(text, "llmhttp-try") {
					t.Fatalf("the event did not arrive: %q", text)
				}
				if piece := leaked(text, secret); piece != "" {
					t.Errorf("%q of %q is in %q", piece, secret, text)
				}
			}
		})
	}
}

// make makes the call of a try.
func (c *try) make(t *testing.T, ctx context.Context) { //nolint:revive // the test comes first
	path, body := c.url, c.body
	if path == "" {
		path = "/v1/chat/completions"
	}
	if body == "" {
		body = tryBody
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://provider.test"+path, strings.NewReader(body))
	r.RequestURI = ""
	if c.request != nil {
		c.request(r)
	}
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		if c.inner != nil {
			r = r.Clone(r.Context())
			c.inner(r)
		}
		if c.fail != nil {
			return nil, c.fail(r)
		}
		header := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(c.header); i += 2 {
			header.Set(c.header[i], c.header[i+1])
		}
		status := c.status
		if status == 0 {
			status = http.StatusOK
		}
		return &http.Response{StatusCode: status, ContentLength: -1, Header: header, Body: io.NopCloser(strings.NewReader(c.answer)), Request: r}, nil
	})
	resp, err := llmhttp.Transport(base, llmhttp.WithName(func(llmhttp.Call) string { return "llmhttp-try" })).RoundTrip(r)
	if err != nil {
		return
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != c.answer {
		t.Errorf("the client got %q, %v", b, err)
	}
	_ = resp.Body.Close()
}

// TestManyCredentials checks that requests with a multitude of what may be
// credentials cost no more than some: those beyond a bound are not looked for, and
// nothing that may quote them is recorded. Documents are content, and have none.
func TestManyCredentials(t *testing.T) {
	list := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"type":"mcp","server_url":"https://h.test/%[1]d","authorization":"the-key-of-%06[1]d"},`, i)
		}
		return "[" + strings.TrimSuffix(b.String(), ",") + "]"
	}
	const answer = `{"id":"r","object":"response","model":"m","status":"completed","service_tier":"KEY","output":[],"usage":{"input_tokens":1,"output_tokens":2,"cost_details":{"a":"KEY"}},"error":{"code":"c","message":"no KEY"}}`
	for _, n := range []int{10, 5000} {
		key := fmt.Sprintf("the-key-of-%06d", n-1)
		l := newLab(t, whole(200, strings.ReplaceAll(answer, "KEY", key)))
		if _, err := l.post("/v1/responses", `{"model":"m","input":"x","tools":`+list(n)+`}`); err != nil {
			t.Fatal(err)
		}
		e := l.only()
		if text := e.Config.String() + e.Metadata.String() + e.Error.Or(""); strings.Contains(text, "the-key-of") || !strings.Contains(e.Error.Or(""), "[key]") {
			t.Errorf("%d: %s %s", n, e.Error.Or(""), e.Metadata)
		}
		if v, _ := e.Metadata.Get("completion_tokens"); string(v) != "2" {
			t.Errorf("%d: %s", n, e.Metadata)
		}
		parsed(t, e.Metadata.String())
	}
	documents := strings.NewReplacer("tools", "documents", "authorization", "key").Replace(list(5000))
	e := exchangeWith(t, "https://api.cohere.com/v2/chat", `{"model":"m","messages":[],"documents":`+documents+`}`, answerOf(`{"message":"no the-key-of-000001"}`))
	if text := e.Error.Or("") + e.Metadata.String(); !strings.Contains(text, "no the-key-of-000001") {
		t.Error(text)
	}
}

func answerOf(body string) answer { return answer{kind: "application/json", body: body} }
