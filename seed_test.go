package sessionspan_test

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

var update = flag.Bool("update", false, "write the golden files anew")

// seed is the example of the contract, without the error that the API refuses.
func seed(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("honeyhive/testdata/seed.json")
	if err != nil {
		t.Fatal(err)
	}
	var r honeyhive.SessionStartRequest
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	r.Error = honeyhive.Optional[string]{}
	return string(r.AppendJSON(nil))
}

var (
	seedStart = time.UnixMilli(1712025501605)
	seedEnd   = time.UnixMilli(1712025499832)
)

const (
	seedDuration = 824_805_600 * time.Nanosecond
	seedSession  = "caf77ace-3417-4da4-944d-f4a0688f3c23"
	seedChild    = "7f22137a-6911-4ed3-bc36-110f1dde6b66"
	seedPrompt   = "Answer the user's question only using provided context.\n\nContext: Hello world"
)

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type seedInputs struct {
	Context     string        `json:"context"`
	Question    string        `json:"question"`
	ChatHistory []chatMessage `json:"chat_history"`
}

type seedOutputs struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// TestSeedThroughTheAPI builds the example of the contract by the public API and
// compares what reaches a server, to the byte.
func TestSeedThroughTheAPI(t *testing.T) {
	server := newAPI(t)
	t.Setenv("HH_API_URL", server.URL)
	t.Setenv("HH_API_KEY", "secret")
	tracer := newTracer(t, sessionspan.WithProject("Simple RAG Project"), sessionspan.WithSource("playground"))

	ctx, session := tracer.StartSession(context.Background(), "Playground Session",
		sessionspan.WithSessionID(seedSession), sessionspan.WithStartTime(seedStart),
		sessionspan.WithInputs(seedInputs{"Hello world", "What is in the context?", []chatMessage{
			{"system", seedPrompt}, {"user", "What is in the context?"},
		}}),
		sessionspan.WithUserProperties(map[string]any{"user": "google-oauth2|111840237613341303366"}))
	_, event := tracer.StartEvent(ctx, sessionspan.Model, "generate", sessionspan.WithEventID(seedChild))
	event.End()
	session.SetOutputs(seedOutputs{"assistant", "Hello world"})
	session.SetMetrics(map[string]any{})
	session.SetFeedback(struct{}{})
	session.SetMetadata(json.RawMessage("{ }"))
	session.End(sessionspan.WithEndTime(seedEnd), sessionspan.WithDuration(seedDuration))
	flush(t, tracer)

	sessions := server.bodies("POST", "/session/start")
	if len(sessions) != 1 {
		t.Fatalf("%d sessions", len(sessions))
	}
	if diff := cmp.Diff(`{"session":`+seed(t)+`}`, sessions[0]); diff != "" {
		t.Error(diff)
	}
	events := server.events(t)
	if len(events) != 1 || events[0].EventID.Or("") != seedChild || events[0].ParentID.Or("") != seedSession {
		t.Errorf("events %+v", events)
	}
	for _, r := range server.seen() {
		if r.header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s: Authorization %q", r.method, r.path, r.header.Get("Authorization"))
		}
	}
}

// TestSeedThroughOpenTelemetry makes the same session by the plain OpenTelemetry
// API, on the tracer's provider.
func TestSeedThroughOpenTelemetry(t *testing.T) {
	var req honeyhive.SessionStartRequest
	if err := json.Unmarshal([]byte(seed(t)), &req); err != nil {
		t.Fatal(err)
	}
	identity := []attribute.KeyValue{
		attribute.String(honeyhive.AttrEventType, honeyhive.TypeSession), attribute.String(honeyhive.AttrSessionID, seedSession),
		attribute.String(honeyhive.AttrProject, "Simple RAG Project"), attribute.String(honeyhive.AttrSource, "playground"),
	}
	buckets := []attribute.KeyValue{
		attribute.String(honeyhive.AttrInputs, req.Inputs.String()), attribute.String(honeyhive.AttrOutputs, req.Outputs.String()),
		attribute.String(honeyhive.AttrUserProperties, req.UserProperties.String()), attribute.String(honeyhive.AttrMetrics, "{}"),
		attribute.String(honeyhive.AttrFeedback, "{}"), attribute.String(honeyhive.AttrMetadata, "{}"),
		attribute.Float64(honeyhive.AttrDuration, 824.8056),
	}
	for name, atStart := range map[string][]attribute.KeyValue{
		"all at the start": append(append([]attribute.KeyValue{}, identity...), buckets...),
		"buckets later":    identity,
	} {
		t.Run(name, func(t *testing.T) {
			server := newAPI(t)
			provider := sdktrace.NewTracerProvider()
			tracer := newTracer(t, sessionspan.WithTracerProvider(provider), sessionspan.WithProject("another"),
				sessionspan.WithAPIURL(server.URL), sessionspan.WithoutEnvironment())
			plain := provider.Tracer("plain")
			ctx, root := plain.Start(context.Background(), "Playground Session", trace.WithTimestamp(seedStart), trace.WithAttributes(atStart...))
			_, child := plain.Start(ctx, "generate", trace.WithAttributes(
				attribute.String("gen_ai.operation.name", "chat"), attribute.String(honeyhive.AttrEventID, seedChild)))
			child.End()
			root.SetAttributes(buckets...)
			root.SetAttributes(attribute.StringSlice(honeyhive.AttrChildrenIDs, []string{seedChild}))
			root.End(trace.WithTimestamp(seedEnd))
			flush(t, tracer)
			sessions := server.bodies("POST", "/session/start")
			if len(sessions) != 1 {
				t.Fatalf("%d sessions", len(sessions))
			}
			if diff := cmp.Diff(`{"session":`+seed(t)+`}`, sessions[0]); diff != "" {
				t.Error(diff)
			}
			events := server.events(t)
			if len(events) != 1 || events[0].ParentID.Or("") != seedSession || events[0].SessionID.Or("") != seedSession || events[0].EventType.Or("") != "model" {
				t.Errorf("events %+v", events)
			}
		})
	}
}

// TestGoldenFields sets each field of the payload alone, empty and full, and
// compares the payload with a golden file.
func TestGoldenFields(t *testing.T) {
	full := map[string]any{"b": int64(math.MaxInt64), "a": map[string]any{"nested": nil, "aB_c": []any{1.5, "é\u2028", true}}, "": ""}
	type option = sessionspan.FieldOption
	cases := map[string]func(*sessionspan.Session){
		"none":                  func(*sessionspan.Session) {},
		"config.empty":          func(s *sessionspan.Session) { s.SetConfig(map[string]any{}) },
		"config.full":           func(s *sessionspan.Session) { s.SetConfig(full) },
		"inputs.empty":          func(s *sessionspan.Session) { s.SetInputs(map[string]string{}) },
		"inputs.full":           func(s *sessionspan.Session) { s.SetInputs(full) },
		"outputs.empty":         func(s *sessionspan.Session) { s.SetOutputs(struct{}{}) },
		"outputs.full":          func(s *sessionspan.Session) { s.SetOutputs(full) },
		"user_properties.empty": func(s *sessionspan.Session) { s.SetUserProperties(honeyhive.EmptyObject()) },
		"user_properties.full":  func(s *sessionspan.Session) { s.SetUserProperties(full) },
		"metrics.empty":         func(s *sessionspan.Session) { s.SetMetrics(map[string]int{}) },
		"metrics.full":          func(s *sessionspan.Session) { s.SetMetrics(full) },
		"feedback.empty":        func(s *sessionspan.Session) { s.SetFeedback(json.RawMessage(`{}`)) },
		"feedback.full":         func(s *sessionspan.Session) { s.SetFeedback(full) },
		"metadata.empty":        func(s *sessionspan.Session) { s.SetMetadata(map[string]any{}) },
		"metadata.full":         func(s *sessionspan.Session) { s.SetMetadata(full) },
		"error.empty":           func(s *sessionspan.Session) { s.SetError("") },
		"error.full":            func(s *sessionspan.Session) { s.SetError("it \"broke\"\n\u0000 badly \xff") },
		"duration.empty":        func(s *sessionspan.Session) { s.SetDuration(0) },
		"duration.full":         func(s *sessionspan.Session) { s.SetDuration(seedDuration) },
		"children_ids.full":     func(s *sessionspan.Session) { s.AddChildren(seedChild, seedSession) },
		"session_name.full":     func(s *sessionspan.Session) { s.SetName("renamed") },
		"project.full":          func(s *sessionspan.Session) { s.SetProject("another project") },
		"source.full":           func(s *sessionspan.Session) { s.SetSource("staging") },
		"end_time.full":         func(s *sessionspan.Session) { s.SetEndTime(seedStart.Add(1500 * time.Millisecond)) },
	}
	for name, set := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			tracer := newTracer(t, sessionspan.WithProject("project"), sessionspan.WithSource("source"),
				sessionspan.WithWriter(&out), sessionspan.WithoutEnvironment())
			_, s := tracer.StartSession(context.Background(), "name", sessionspan.WithSessionID(seedSession), sessionspan.WithStartTime(seedStart))
			set(s)
			var end []option
			if name != "end_time.full" {
				end = []option{sessionspan.WithEndTime(seedStart.Add(time.Second))}
			}
			s.End(end...)
			flush(t, tracer)
			golden(t, filepath.Join("testdata", "fields", name+".json"), out.String())
		})
	}
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
