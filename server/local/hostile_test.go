package local

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// manyKeys returns members of an object, each behind a comma.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":0`, i)
	}
	return b.String()
}

// TestHostile sends what nobody should: each gets a clear 4xx, nothing of it is
// stored, and the server goes on.
func TestHostile(t *testing.T) {
	s := start(t)
	event := func(field string) string {
		return `{"event":{"event_type":"tool","event_name":"n","session_id":"` + sessionID + `","inputs":{},` + field + `}}`
	}
	session := func(fields string) string {
		return `{"session":{"project":"p","session_name":"n","source":"s",` + fields + `}}`
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	deep := strings.Repeat(`{"a":[`, 5000) + strings.Repeat(`]}`, 5000)
	const js, pb = "application/json", "application/x-protobuf"
	for name, c := range map[string]struct {
		method, path, contentType, body string
		headers                         []string
		status                          int
		reason                          string
	}{
		"form":                 {"POST", "/session/start", "application/x-www-form-urlencoded", "a=b", nil, 415, "application/json"},
		"text":                 {"POST", "/events", "text/plain", event(`"error":"x"`), nil, 415, "application/json"},
		"no type":              {"POST", "/v1/traces", "", "x", nil, 415, "application/x-protobuf"},
		"traces as text":       {"POST", "/v1/traces", "text/plain", "x", nil, 415, "application/x-protobuf"},
		"no JSON":              {"POST", "/session/start", js, "hello", nil, 400, "invalid JSON"},
		"two values":           {"POST", "/session/start", js, "{}{}", nil, 400, "unexpected data"},
		"an array":             {"POST", "/events", js, "[]", nil, 400, "not an object"},
		"empty":                {"POST", "/events", js, "", nil, 400, "invalid JSON"},
		"deep session":         {"POST", "/session/start", js, session(`"inputs":` + deep), nil, 400, "deep"},
		"deep OTLP":            {"POST", "/v1/traces", js, `{"resourceSpans":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, nil, 400, "OTLP JSON"},
		"bomb":                 {"POST", "/v1/traces", pb, bomb.String(), []string{"Content-Encoding", "gzip"}, 413, "32 MiB"},
		"bomb for a session":   {"POST", "/session/start", js, bomb.String(), []string{"Content-Encoding", "gzip"}, 413, "32 MiB"},
		"not compressed":       {"POST", "/v1/traces", pb, "hello", []string{"Content-Encoding", "gzip"}, 400, "gzip"},
		"unknown encoding":     {"POST", "/v1/traces", pb, "hello", []string{"Content-Encoding", "br"}, 415, "br"},
		"foreign host":         {"POST", "/session/start", js, session(`"error":"x"`), []string{"Host", "evil.example"}, 421, "evil.example"},
		"foreign origin":       {"POST", "/session/start", js, session(`"error":"x"`), []string{"Origin", "https://evil.example"}, 403, "evil.example"},
		"foreign page":         {"PUT", "/events", js, `{}`, []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 403, "origin"},
		"session id":           {"POST", "/session/start", js, session(`"session_id":"7"`), nil, 400, "session_id: "},
		"nil session id":       {"POST", "/session/start", js, session(`"session_id":"00000000-0000-0000-0000-000000000000"`), nil, 400, "session_id: "},
		"too many keys":        {"POST", "/session/start", js, session(`"inputs":{"k":0` + manyKeys(store.MaxRecordKeys+1) + `}`), nil, 413, "100000 keys"},
		"child id":             {"POST", "/session/start", js, session(`"children_ids":["x"]`), nil, 400, "children_ids: "},
		"event id":             {"POST", "/events", js, event(`"event_id":"00f067aa0ba902b7"`), nil, 400, "event_id: "},
		"parent id":            {"POST", "/events", js, event(`"parent_id":"{caf77ace-3417-4da4-944d-f4a0688f3c23}"`), nil, 400, "parent_id: "},
		"id in the route":      {"GET", "/v1/sessions/x", "", "", nil, 400, "session_id: "},
		"time as a string":     {"POST", "/session/start", js, session(`"start_time":"2024-04-01T00:00:00Z"`), nil, 400, "start_time: is a JSON string"},
		"event time":           {"POST", "/v1/events", js, event(`"end_time":"1712025499832"`), nil, 400, "end_time: is a JSON string"},
		"duration":             {"POST", "/session/start", js, session(`"duration":"long"`), nil, 400, "duration: "},
		"endless number":       {"POST", "/session/start", js, session(`"duration":1e999`), nil, 400, "duration: "},
		"duplicate key":        {"POST", "/session/start", js, session(`"source":"t"`), nil, 400, "source: stands more than once"},
		"both spellings":       {"POST", "/session/start", js, session(`"sessionName":"t"`), nil, 400, "session_name: stands more than once"},
		"inputs as a list":     {"POST", "/session/start", js, session(`"inputs":[]`), nil, 400, "inputs: "},
		"unknown type":         {"POST", "/events", js, `{"event":{"event_type":"span","inputs":{}}}`, nil, 400, "event_type: "},
		"no inputs":            {"POST", "/events", js, `{"event":{"event_type":"tool"}}`, nil, 400, "inputs: "},
		"no events":            {"POST", "/events/batch", js, `{}`, nil, 400, "events: "},
		"none of a batch":      {"POST", "/events/batch", js, `{"events":[1,{"event_type":"x"}]}`, nil, 400, "2 of 2"},
		"a packed session":     {"POST", "/session/start", js, `{"session":"hello"}`, nil, 400, "session: "},
		"update of nothing":    {"PUT", "/events", js, `{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","metadata":{}}`, nil, 400, "before it is updated"},
		"update by another id": {"PUT", "/v1/events/" + sessionID, js, `{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66"}`, nil, 400, "event_id: "},
		"update without id":    {"PUT", "/events", js, `{"metadata":{}}`, nil, 400, "event_id: "},
		"no protobuf":          {"POST", "/v1/traces", pb, "hello", nil, 400, "OTLP protobuf"},
		"unknown route":        {"POST", "/v2/sessions", js, `{}`, nil, 404, "nothing at"},
		"a filter":             {"POST", "/events/export", js, `{"project":"p","filters":[{"field":"x","operator":"sounds like","value":"y"}]}`, nil, 400, "sounds like"},
		"a deep query":         {"POST", "/events/export", js, `{"filters":` + strings.Repeat("[", 20000) + `}`, nil, 400, "query"},
		"stream from anywhere": {"GET", "/api/stream?after=x", "", "", nil, 400, "id of an event"},
	} {
		status, answer := send(t, c.method, s.URL()+c.path, c.contentType, []byte(c.body), c.headers...)
		if status != c.status || !strings.Contains(answer, c.reason) || len(answer) > 1000 {
			t.Errorf("%s: %d %.300q", name, status, answer)
		}
	}
	if all := content(t, s); len(all) != 0 {
		t.Errorf("stored: %v", all)
	}
	if _, page := send(t, http.MethodGet, s.URL()+"/", "", nil); !strings.Contains(page, "turned down") {
		t.Error("the page says nothing of the last rejected request")
	}
	post(t, s.URL()+"/session/start", session(`"session_id":"`+sessionID+`"`))
	if all := content(t, s); len(all) != 1 {
		t.Errorf("then stored: %v", all)
	}
}

// TestHugeBody sends a gigabyte, of which little is read.
func TestHugeBody(t *testing.T) {
	s := start(t)
	for name, r := range map[string]io.Reader{
		"with its length": io.LimitReader(zeros{}, 1<<30),
		"in chunks":       struct{ io.Reader }{io.LimitReader(zeros{}, 1<<30)},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/traces", r)
		if err != nil {
			t.Fatal(err)
		}
		if name == "with its length" {
			req.ContentLength = 1 << 30
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		res, err := http.DefaultClient.Do(req)
		if err != nil { // the server has closed the connection before it was read to its end
			t.Logf("%s: %v", name, err)
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", name, res.Status)
		}
	}
	if all := content(t, s); len(all) != 0 {
		t.Errorf("stored: %v", all)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSlowHeaders are not waited for.
func TestSlowHeaders(t *testing.T) {
	usual := start(t)
	if usual.http.ReadHeaderTimeout != headerTime || usual.http.MaxHeaderBytes != maxHeaders {
		t.Error("headers are not bounded")
	}
	s := start(t, optionFunc(func(c *config) { c.headers = 50 * time.Millisecond }))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprint(conn, "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\n")
	// Until the server hangs up, which may be before it has read what was sent.
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

// TestOneBadSpan takes what is good of a request, and says what is not.
func TestOneBadSpan(t *testing.T) {
	s := start(t)
	const js = "application/json"
	span := func(id byte, fields string) string {
		return fmt.Sprintf(`{"traceId":"4bf92f3577b34da6a3ce929d0e0e47%02x","spanId":"00f067aa0ba902b7","name":"n","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}%s]}`, id, fields)
	}
	request := func(spans ...string) []byte {
		return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`)
	}
	good := span(1, "")
	bad := strings.Replace(span(2, ""), "4bf92f", "zzzzzz", 1)
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"all good":      {request(good), `{}`},
		"one bad id":    {request(bad, good), `"rejectedSpans":"1","errorMessage":"span \"n\": trace id: `},
		"a bad id":      {request(bad), `"rejectedSpans":"1","errorMessage":"span \"n\": trace id: `},
		"a bad value":   {request(span(3, `,{"key":"k","value":{"intValue":"12.5"}}`), good), `"rejectedSpans":"0","errorMessage":"values that are not as OTLP has them were taken as they are (1): span \"n\": intValue: \"12.5\" is no 64-bit integer"`},
		"half an emoji": {request(span(4, `,{"key":"k","value":{"stringValue":"\ud83c"}}`), good), `{}`},
		"a bad field":   {[]byte(`{"resourceSpans":[],"resourceSpans":[]}`), `{}`},
	} {
		status, answer := send(t, http.MethodPost, s.URL()+"/v1/traces", js, c.body)
		if status != http.StatusOK || !strings.Contains(answer, c.want) {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	sessions := 0
	for _, payload := range content(t, s) {
		if !strings.Contains(payload, `"event_name"`) {
			sessions++
		}
	}
	if sessions != 3 {
		t.Errorf("%d sessions", sessions)
	}
}
