package interop

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen/pkg/traces"
	"github.com/spf13/pflag"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/local"
)

func start(t *testing.T, options ...local.Option) *local.Server {
	t.Helper()
	options = append([]local.Option{local.WithAddress("127.0.0.1:0"), local.WithFile(filepath.Join(t.TempDir(), "sessions.db"))}, options...)
	s, err := local.Start(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// node runs a script of this folder and reads the JSON of its last line.
func node(t *testing.T, into any, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	cmd.Env = append(cmd.Environ(), quiet...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s (npm ci installs what it needs): %v\n%s%s", script, err, out, complaints.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		t.Fatalf("node %s: %v in\n%s", script, err, out)
	}
}

// tree is a session as the server gives it back.
type tree struct {
	ID       string         `json:"event_id"`
	Name     string         `json:"event_name"`
	Type     string         `json:"event_type"`
	Error    string         `json:"error"`
	Project  string         `json:"project"`
	Inputs   map[string]any `json:"inputs"`
	Outputs  map[string]any `json:"outputs"`
	Config   map[string]any `json:"config"`
	Metadata map[string]any `json:"metadata"`
	Metrics  map[string]any `json:"metrics"`
	Feedback map[string]any `json:"feedback"`
	User     map[string]any `json:"user_properties"`
	Children []tree         `json:"children"`
}

func (n *tree) names() []string {
	names := []string{n.Name}
	for i := range n.Children {
		names = append(names, n.Children[i].names()...)
	}
	return names
}

func session(t *testing.T, s *local.Server, id string) tree {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/v1/sessions/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = res.Body.Close() }()
	var n tree
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("session %s: %s %v", id, res.Status, err)
	}
	return n
}

func TestHoneyHive(t *testing.T) {
	s := start(t)
	var got struct {
		SessionID, EventID, Refused, Traced string
		Batch, Single                       struct {
			EventIDs []string `json:"eventIds"`
			Session  string   `json:"sessionId"`
			Success  bool
		}
		Model   struct{ EventID string }
		Session struct {
			EventName, EventType, SessionID string
			Inputs, Outputs, Metrics        map[string]any
			StartTime, Duration             float64
		}
		Found struct {
			Events      []struct{ EventName, EventType string }
			TotalEvents int
		}
	}
	node(t, &got, "clients/honeyhive.cjs", s.URL())
	if !got.Batch.Success || len(got.Batch.EventIDs) != 2 || len(got.Single.EventIDs) != 1 || got.Model.EventID == "" || got.Refused != "400" {
		t.Errorf("%+v", got)
	}
	if r := got.Session; r.EventName != "Playground Session" || r.EventType != "session" || r.SessionID != got.SessionID || r.Inputs["question"] != "Why?" || r.Metrics["words"] != 1.0 || r.StartTime != 1712025501605 || r.Duration != 1000 {
		t.Errorf("read back %+v", r)
	}
	if got.Found.TotalEvents != 3 || len(got.Found.Events) != 3 {
		t.Errorf("found %+v", got.Found)
	}
	n := session(t, s, got.SessionID)
	if names := n.names(); !slices.Equal(names, []string{"Playground Session", "retrieve", "one", "two"}) || n.Project != "interop" || n.User["user"] != "ann" {
		t.Fatalf("%v", names)
	}
	retrieve := n.Children[0]
	if retrieve.ID != got.EventID || retrieve.Metadata["cost"] != 0.5 || retrieve.Feedback["rating"] != 5.0 || retrieve.Config["index"] != "bm25" || retrieve.Children[1].Error != "no luck" {
		t.Errorf("%+v", retrieve)
	}
	if b := session(t, s, got.Single.Session); !slices.Equal(b.names(), []string{"batch", "three"}) {
		t.Errorf("%v", b.names())
	}
	traced := session(t, s, got.Traced)
	if names := traced.names(); !slices.Equal(names, []string{"traced", "ask"}) || traced.Project != "interop" {
		t.Errorf("traced %v", names)
	}
}

func TestOpenTelemetryJavaScript(t *testing.T) {
	for _, encoding := range []string{"proto", "http", "grpc"} { // the second is JSON
		for _, compression := range []string{"none", "gzip"} {
			s := start(t)
			var got struct{ TraceID, SpanID string }
			node(t, &got, "clients/otel.cjs", s.URL(), encoding, compression)
			var trace [16]byte
			for i := range trace {
				trace[i] = hex(got.TraceID[2*i])<<4 | hex(got.TraceID[2*i+1])
			}
			n := session(t, s, honeyhive.EventID(trace, [8]byte{}).String())
			if !slices.Equal(n.names(), []string{"POST /ask", "chat m-1"}) || n.Project != "shop" {
				t.Fatalf("%s %s: %+v", encoding, compression, n)
			}
			call := n.Children[0]
			if call.Type != "model" || call.Config["model"] != "m-1" || call.Error != "no luck" || call.Metadata["prompt_tokens"] != 3.0 || call.Inputs["chat_history"] == nil {
				t.Errorf("%s %s: %+v", encoding, compression, call)
			}
		}
	}
}

func hex(c byte) byte {
	return byte(strings.IndexByte("0123456789abcdef", c))
}

// TestTelemetrygen takes every span that telemetrygen sends.
func TestTelemetrygen(t *testing.T) {
	s := start(t)
	cfg := traces.NewConfig()
	flags := pflag.NewFlagSet("traces", pflag.ContinueOnError)
	cfg.Flags(flags)
	err := flags.Parse([]string{
		"--otlp-http", "--otlp-insecure", "--otlp-endpoint", strings.TrimPrefix(s.URL(), "http://"), "--traces", "50", "--child-spans", "3",
		"--workers", "2", "--rate", "200", "--telemetry-attributes", `gen_ai.operation.name="chat"`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := traces.Start(cfg); err != nil {
		t.Fatal(err)
	}
	total, sessions := 0, 0
	for _, e := range export(t.Context(), t, s) {
		if e.Type == honeyhive.TypeSession {
			sessions++
		} else {
			total++
		}
	}
	if sessions != 100 || total != 400 {
		t.Errorf("%d sessions, %d events", sessions, total)
	}
}

// export reads all events.
func export(ctx context.Context, t *testing.T, s *local.Server) []tree {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/events/export", strings.NewReader(`{"filters":[],"limit":7500}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = res.Body.Close() }()
	var found struct {
		Events      []tree
		TotalEvents int
	}
	if err := json.NewDecoder(res.Body).Decode(&found); err != nil || found.TotalEvents != len(found.Events) {
		t.Fatalf("%d events: %v", found.TotalEvents, err)
	}
	return found.Events
}
