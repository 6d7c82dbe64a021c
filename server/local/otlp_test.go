package local

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// chatSpan is a request with a call of a model, in protobuf.
func chatSpan(t testing.TB, id byte, attributes ...*commonpb.KeyValue) []byte {
	t.Helper()
	body, err := proto.Marshal(&coltrace.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{
		TraceId: []byte{15: id}, SpanId: []byte{7: id}, Name: "chat m-1", StartTimeUnixNano: 1712025501605000000, EndTimeUnixNano: 1712025501606000000,
		Attributes: append([]*commonpb.KeyValue{pbPair("gen_ai.operation.name", pbString("chat")), pbPair("gen_ai.request.model", pbString("m-1"))}, attributes...),
	}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func pbString(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func pbPair(key string, v *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: v}
}

// TestPaths takes traces on any path that ends as that of OTLP does, with the
// credentials of any client.
func TestPaths(t *testing.T) {
	const token = "secret-token"
	s := start(t, WithToken(token))
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for i, c := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/v1/traces", []string{"Authorization", "Bearer " + token}, 200},
		{"/v1/traces/", []string{"Authorization", "bearer " + token}, 200},
		{"//v1/traces", []string{"Authorization", "Bearer " + token}, 200},
		{"/opentelemetry/v1/traces", []string{"Authorization", "Bearer " + token}, 200},
		{"/api/public/otel/v1/traces", []string{"Authorization", basic("pk-lf-1", token)}, 200},
		{"/api/public/otel/v1/traces", []string{"Authorization", basic("pk-lf-1", "sk-lf-1")}, 401},
		{"/api/public/otel/v1/traces", []string{"Authorization", basic("for a proxy", "of its own"), "X-Api-Key", token}, 200},
		{"/api/public/otel/v1/traces", []string{"Authorization", "Bearer another", "X-Api-Key", token}, 401},
		{"/otel/v1/traces", []string{"X-Api-Key", token}, 200},
		{"/otel/v1/traces", []string{"X-Api-Key", token + "x"}, 401},
		{"/otel/v1/traces", nil, 401},
		{"/v1/traces/x", []string{"Authorization", "Bearer " + token}, 404},
		{"/xv1/traces", []string{"Authorization", "Bearer " + token}, 404},
	} {
		status, answer := send(t, http.MethodPost, s.URL()+c.path, protoType, chatSpan(t, byte(i+1)), c.headers...)
		if status != c.status {
			t.Errorf("%s %q: %d %q", c.path, c.headers, status, answer)
		}
	}
	if status, _ := send(t, http.MethodGet, s.URL()+"/v1/traces", "", nil, "Authorization", "Bearer "+token); status != http.StatusNotFound {
		t.Errorf("GET: %d", status)
	}
	if n := len(content(t, s)); n != 2*7 {
		t.Errorf("%d records", n)
	}
}

// gptLogs are the records that an instrumentation makes of a call, in parts.
func gptLogs(id byte) []*logspb.LogRecord {
	record := func(name string, at uint64, body map[string]string) *logspb.LogRecord {
		r := &logspb.LogRecord{
			TraceId: []byte{15: id}, SpanId: []byte{7: id}, TimeUnixNano: 1712025501605000000 + at,
			Attributes: []*commonpb.KeyValue{pbPair("event.name", pbString(name)), pbPair("gen_ai.system", pbString("openai"))},
		}
		var members []*commonpb.KeyValue
		for key, v := range body {
			members = append(members, pbPair(key, pbString(v)))
		}
		r.Body = &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: members}}}
		return r
	}
	details := record("", 3, nil)
	details.EventName, details.Body = "gen_ai.client.inference.operation.details", nil
	details.Attributes = []*commonpb.KeyValue{
		pbPair("gen_ai.input.messages", pbString(`[{"role":"user","parts":[{"type":"text","content":"Why?"}]}]`)),
		pbPair("gen_ai.output.messages", pbString(`[{"role":"assistant","parts":[{"type":"text","content":"Because."}],"finish_reason":"stop"}]`)),
	}
	return []*logspb.LogRecord{record("gen_ai.evaluation.result", 1, map[string]string{"gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.label": "kind"}), record("gen_ai.future", 2, map[string]string{"content": "x"}), details}
}

func logRequest(t testing.TB, records ...*logspb.LogRecord) []byte {
	t.Helper()
	body, err := proto.Marshal(&collogs.ExportLogsServiceRequest{ResourceLogs: []*logspb.ResourceLogs{{ScopeLogs: []*logspb.ScopeLogs{{LogRecords: records}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestLogs joins log records to their spans, in whatever order and parts they come,
// once and twice.
func TestLogs(t *testing.T) {
	orders := map[string]func(s *Server){
		"span first": func(s *Server) {
			s.mustTake(t, "/v1/traces", chatSpan(t, 1))
			s.mustTake(t, "/v1/logs", logRequest(t, gptLogs(1)...))
		},
		"logs first": func(s *Server) {
			s.mustTake(t, "/v1/logs", logRequest(t, gptLogs(1)...))
			s.mustTake(t, "/v1/traces", chatSpan(t, 1))
		},
		"one by one, twice": func(s *Server) {
			logs := gptLogs(1)
			for _, i := range []int{2, 0, 1, 2, 1, 0} {
				s.mustTake(t, "/any/v1/logs", logRequest(t, logs[i]))
				s.mustTake(t, "/v1/traces", chatSpan(t, 1))
			}
		},
		"again": func(s *Server) {
			for range 2 {
				s.mustTake(t, "/v1/traces", chatSpan(t, 1))
				s.mustTake(t, "/v1/logs", logRequest(t, gptLogs(1)...))
			}
		},
		"with others": func(s *Server) {
			app := &logspb.LogRecord{Body: pbString("hello"), TraceId: []byte{15: 1}, SpanId: []byte{7: 1}}
			lost := &logspb.LogRecord{EventName: "gen_ai.choice"}
			s.mustTake(t, "/v1/logs", logRequest(t, append(gptLogs(1), app, lost)...))
			s.mustTake(t, "/v1/traces", chatSpan(t, 1))
		},
	}
	var want map[string]any
	for _, name := range sorted(orders) {
		s := start(t)
		orders[name](s)
		got := make(map[string]any)
		for id, payload := range content(t, s) { // in which order keys came does not matter
			var fields any
			if err := json.Unmarshal([]byte(payload), &fields); err != nil {
				t.Fatal(err)
			}
			got[id] = fields
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 2 {
			t.Errorf("%s: %d records: %s", name, len(got), diff)
		}
	}
	all, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	// What was asked and answered is what the session has of its topmost event, too.
	for text, count := range map[string]int{`"chat_history":[`: 2, `"content":"Why?"`: 2, `"content":"Because."`: 2, `"event_name":"chat m-1"`: 1, `"log_records":[`: 1, `"gen_ai.future"`: 1} {
		if strings.Count(string(all), text) != count {
			t.Errorf("%s is not there %d times in %s", text, count, all)
		}
	}
}

// mustTake sends protobuf that must be taken as a whole.
func (s *Server) mustTake(t testing.TB, path string, body []byte) {
	t.Helper()
	if status, answer := send(t, http.MethodPost, s.URL()+path, protoType, body); status != http.StatusOK || answer != "" {
		t.Fatalf("POST %s: %d %q", path, status, answer)
	}
}

// TestUnused is answered, counted and said.
func TestUnused(t *testing.T) {
	var log bytes.Buffer
	s := start(t, WithLog(slog.New(slog.NewTextHandler(&log, nil))))
	app := &logspb.LogRecord{Body: pbString("hello")}
	for range 2 {
		s.mustTake(t, "/v1/metrics", []byte("anything"))
		s.mustTake(t, "/v1/logs", logRequest(t, app, app))
	}
	if status, answer := send(t, http.MethodPost, s.URL()+"/v1/metrics", jsonType, []byte(`{}`)); status != http.StatusOK || answer != "{}" {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := send(t, http.MethodPost, s.URL()+"/v1/metrics", "text/plain", nil); status != http.StatusUnsupportedMediaType {
		t.Errorf("metrics as text: %d", status)
	}
	_, page := send(t, http.MethodGet, s.URL()+"/", "", nil)
	if !strings.Contains(page, "4 log records that say nothing of calls of models, and 3 requests of metrics came") {
		t.Errorf("the page says nothing of them: %s", page)
	}
	if lines := strings.Count(log.String(), "not kept"); lines != 2 {
		t.Errorf("%d lines: %s", lines, log.String())
	}
	if n := len(content(t, s)); n != 0 {
		t.Errorf("%d records", n)
	}
	bad := &logspb.LogRecord{EventName: "gen_ai.choice", TraceId: []byte("short"), SpanId: []byte{7: 1}}
	status, answer := send(t, http.MethodPost, s.URL()+"/v1/logs", jsonType, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"gen_ai.choice","traceId":"short"},{"body":{"stringValue":5}}]}]}]}`))
	if status != http.StatusOK || !strings.Contains(answer, `{"rejectedLogRecords":"1","errorMessage":"log record \"gen_ai.choice\": trace id: `) {
		t.Errorf("%d %s", status, answer)
	}
	if status, answer = send(t, http.MethodPost, s.URL()+"/v1/logs", protoType, logRequest(t, bad)); status != http.StatusOK || !strings.Contains(answer, "trace id") {
		t.Errorf("%d %q", status, answer)
	}
	if status, answer = send(t, http.MethodPost, s.URL()+"/v1/logs", jsonType, []byte(`[]`)); status != http.StatusBadRequest || !json.Valid([]byte(answer)) {
		t.Errorf("%d %s", status, answer)
	}
}

// caller makes calls of gRPC, with the HTTP/2 of net/http.
type caller struct {
	client  *http.Client
	address string
}

func newCaller(t testing.TB, address string) *caller {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &caller{&http.Client{Transport: transport}, address}
}

const traceMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// frame frames a message as gRPC does.
func frame(flags byte, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, uint32(len(message))), message...)
}

// call sends a body, and returns the status, the message of the status, and the answer.
func (c *caller) call(ctx context.Context, t testing.TB, method string, body io.Reader, headers ...string) (code, message string, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address+method, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := c.client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	defer func() { _ = res.Body.Close() }()
	if answer, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || res.Header.Get("Content-Type") != "application/grpc" {
		t.Errorf("%s: %s, %q", method, res.Status, res.Header)
	}
	if code = res.Trailer.Get("Grpc-Status"); code == "" {
		code, message = res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message")
	}
	return code, message, answer
}

// TestGRPC takes calls on both ports, and says why it does not take others.
func TestGRPC(t *testing.T) {
	s := start(t, WithGRPCAddress("127.0.0.1:0"))
	if s.GRPC() == "" || "http://"+s.GRPC() == s.URL() {
		t.Fatalf("the port is %q", s.GRPC())
	}
	good := chatSpan(t, 1)
	gz, zs := encoded(t, "gzip", good), encoded(t, "zstd", good)
	for _, address := range []string{s.GRPC(), strings.TrimPrefix(s.URL(), "http://")} {
		c := newCaller(t, address)
		for name, call := range map[string]struct {
			method  string
			body    []byte
			headers []string
			code    string
			want    string // of the message of the status
			answer  string
		}{
			"plain":              {traceMethod, frame(0, good), nil, "0", "", "\x00\x00\x00\x00\x00"},
			"gzip":               {traceMethod, frame(1, gz), []string{"Grpc-Encoding", "gzip"}, "0", "", "\x00\x00\x00\x00\x00"},
			"zstd":               {traceMethod, frame(1, zs), []string{"Grpc-Encoding", "zstd"}, "0", "", "\x00\x00\x00\x00\x00"},
			"not compressed":     {traceMethod, frame(0, good), []string{"Grpc-Encoding", "gzip"}, "0", "", "\x00\x00\x00\x00\x00"},
			"proto":              {traceMethod, frame(0, good), []string{"Content-Type", "application/grpc+proto"}, "0", "", "\x00\x00\x00\x00\x00"},
			"logs":               {"/opentelemetry.proto.collector.logs.v1.LogsService/Export", frame(0, logRequest(t, gptLogs(1)...)), nil, "0", "", "\x00\x00\x00\x00\x00"},
			"metrics":            {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", frame(0, []byte("any")), nil, "0", "", "\x00\x00\x00\x00\x00"},
			"partial":            {traceMethod, frame(0, []byte(pbSpan("")+inside("\x12\x08abcdefgh\x2a\x03bad", 2, 2, 1))), nil, "0", "", "rejected"},
			"other encoding":     {traceMethod, frame(1, good), []string{"Grpc-Encoding", "snappy"}, "12", "snappy", ""},
			"no encoding":        {traceMethod, frame(1, gz), nil, "3", "grpc-encoding", ""},
			"damaged":            {traceMethod, frame(1, good), []string{"Grpc-Encoding", "gzip"}, "3", "decompress gzip", ""},
			"no message":         {traceMethod, nil, nil, "3", "no message", ""},
			"cut frame":          {traceMethod, []byte{0, 0}, nil, "3", "no message", ""},
			"cut message":        {traceMethod, frame(0, good)[:20], nil, "4", "did not come to its end", ""},
			"two messages":       {traceMethod, slices.Concat(frame(0, good), frame(0, good)), nil, "3", "more than one", ""},
			"flags":              {traceMethod, frame(7, good), nil, "3", "flags", ""},
			"no protobuf":        {traceMethod, frame(0, []byte("hello %\n")), nil, "3", "read OTLP protobuf", ""},
			"JSON":               {traceMethod, frame(0, good), []string{"Content-Type", "application/grpc+json"}, "12", "application/grpc", ""},
			"unknown method":     {"/opentelemetry.proto.collector.trace.v1.TraceService/Import", frame(0, good), nil, "12", "no method", ""},
			"too large":          {traceMethod, append([]byte{0}, "\xff\xff\xff\xff"...), nil, "8", "32 MiB", ""},
			"bomb":               {traceMethod, frame(1, encoded(t, "gzip", make([]byte, 64<<20))), []string{"Grpc-Encoding", "gzip"}, "8", "32 MiB", ""},
			"foreign host":       {traceMethod, frame(0, good), []string{"Host", "evil.example"}, "7", "evil.example", ""},
			"another page":       {traceMethod, frame(0, good), []string{"Origin", "https://evil.example"}, "7", "evil.example", ""},
			"another page reads": {traceMethod, frame(0, good), []string{"Sec-Fetch-Site", "cross-site"}, "7", "origin", ""},
		} {
			code, message, answer := c.call(t.Context(), t, call.method, bytes.NewReader(call.body), call.headers...)
			isRight := string(answer) == call.answer
			if call.answer == "rejected" {
				var response coltrace.ExportTraceServiceResponse
				isRight = len(answer) > 5 && proto.Unmarshal(answer[5:], &response) == nil && response.GetPartialSuccess().GetRejectedSpans() == 1
			}
			if code != call.code || !strings.Contains(message, call.want) || !isRight || strings.ContainsAny(message, "\n\x00") {
				t.Errorf("%s: %s %q, answer %q", name, code, message, answer)
			}
		}
	}
	status, _ := send(t, http.MethodPost, "http://"+s.GRPC()+"/v1/traces", protoType, chatSpan(t, 9))
	if status != http.StatusOK {
		t.Errorf("HTTP on the port of gRPC: %d", status)
	}
	if status, _ = send(t, http.MethodPost, s.URL()+traceMethod, "application/grpc", frame(0, good)); status != http.StatusNotFound {
		t.Errorf("gRPC by HTTP/1.1: %d", status)
	}
}

// TestGRPCToken asks calls for the token as any request.
func TestGRPCToken(t *testing.T) {
	s := start(t, WithToken("secret-token"))
	c := newCaller(t, strings.TrimPrefix(s.URL(), "http://"))
	for want, headers := range map[string][]string{"0": {"Authorization", "Bearer secret-token"}, "16": nil} {
		code, message, _ := c.call(t.Context(), t, traceMethod, bytes.NewReader(frame(0, chatSpan(t, 1))), headers...)
		if code != want {
			t.Errorf("%q: %s %s", headers, code, message)
		}
	}
}

// TestGRPCPort says that a port is taken, and goes on.
func TestGRPCPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	var log bytes.Buffer
	s := start(t, WithGRPCAddress(taken.Addr().String()), WithLog(slog.New(slog.NewTextHandler(&log, nil))))
	if s.GRPC() != "" || !strings.Contains(log.String(), "the port is in use") {
		t.Errorf("%q, %s", s.GRPC(), log.String())
	}
	for address, want := range map[string]string{"127.0.0.1:4318": "127.0.0.1:4317", "localhost:9": "localhost:4317", "127.0.0.1:0": "", "127.0.0.1:4317": ""} {
		if c, err := newConfig([]Option{WithAddress(address)}); err != nil || c.grpc != want {
			t.Errorf("%s: %v, %q", address, err, c.grpc)
		}
	}
	if c, err := newConfig([]Option{WithGRPCAddress("")}); err != nil || c.grpc != "" {
		t.Errorf("none: %v, %q", err, c.grpc)
	}
	for _, address := range []string{"0.0.0.0:4317", "4317"} {
		c, err := newConfig([]Option{WithGRPCAddress(address), WithFile(filepath.Join(t.TempDir(), "none.db"))})
		if err == nil {
			err = c.checkTokens()
		}
		if err == nil {
			t.Errorf("%s is taken", address)
		}
	}
}

// TestCloseWithCalls ends while connections of gRPC are open and one call does not come
// to its end.
func TestCloseWithCalls(t *testing.T) {
	s := start(t)
	c := newCaller(t, strings.TrimPrefix(s.URL(), "http://"))
	if code, message, _ := c.call(t.Context(), t, traceMethod, bytes.NewReader(frame(0, chatSpan(t, 1)))); code != "0" {
		t.Fatalf("%s %s", code, message)
	}
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+traceMethod, reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if res, err := c.client.Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	_, _ = fmt.Fprint(writer, "\x00\x00\x00")
	cancel()
	<-ended
	_ = writer.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
