package sessionspan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// Keys of the shapes that HoneyHive gives them.
var (
	keyTail      = strings.Repeat("k3Y", 8) + "_" + strings.Repeat("-Sec_ret", 8)
	ingestionKey = "hh_ingst_" + keyTail
	dataPlaneKey = "hh_fgdp_" + keyTail
	projectKey   = "hh_" + strings.Repeat("p", 32)
)

// recorder is a server that keeps what it is sent, and redirects some of it.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "POST /v1/sessions KEY"
	body map[string]string
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{body: make(map[string]string)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		text, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		route := req.Method + " " + req.URL.Path
		r.seen = append(r.seen, route+" "+strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
		r.body[route] = string(text)
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.seen...)
}

// record records a session with an event, metrics, feedback, an error and a late
// update, and delivers it.
func record(t *testing.T, tracer *sessionspan.Tracer) (id string) {
	t.Helper()
	ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": 1}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.SetMetrics(map[string]any{"m": 1})
	s.SetFeedback(map[string]any{"f": 1})
	s.SetError("failed")
	s.End()
	flushed, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := tracer.ForceFlush(flushed); err != nil {
		t.Error(err)
	}
	if err := tracer.Update(t.Context(), s.ID(), sessionspan.WithFeedback(map[string]any{"late": 1})); err != nil {
		t.Error(err)
	}
	if err := tracer.Shutdown(flushed); err != nil {
		t.Error(err)
	}
	return s.ID()
}

// TestKeysOfTheEnvironment asks which key each of the routes is sent.
func TestKeysOfTheEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env     map[string]string
		options []sessionspan.Option
		key     string
		v1      bool
	}{
		"project key":         {map[string]string{"HH_API_KEY": projectKey}, nil, projectKey, false},
		"TypeScript's name":   {map[string]string{"HH_PROJECT_API_KEY": projectKey}, nil, projectKey, false},
		"both names":          {map[string]string{"HH_API_KEY": projectKey, "HH_PROJECT_API_KEY": "other"}, nil, projectKey, false},
		"ingestion key":       {map[string]string{"HH_INGESTION_API_KEY": " " + ingestionKey + "\n"}, nil, ingestionKey, true},
		"ingestion key first": {map[string]string{"HH_INGESTION_API_KEY": ingestionKey, "HH_API_KEY": projectKey, "HH_PROJECT_API_KEY": "x"}, nil, ingestionKey, true},
		"in the old variable": {map[string]string{"HH_API_KEY": ingestionKey}, nil, ingestionKey, true},
		"by option":           {nil, []sessionspan.Option{sessionspan.WithAPIKey(ingestionKey)}, ingestionKey, true},
		"option wins":         {map[string]string{"HH_INGESTION_API_KEY": ingestionKey}, []sessionspan.Option{sessionspan.WithAPIKey(projectKey)}, projectKey, false},
		"data plane beside":   {map[string]string{"HH_API_KEY": projectKey, "HH_DATA_PLANE_API_KEY": dataPlaneKey}, nil, projectKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newRecorder(t)
			t.Setenv("HH_DATA_PLANE_URL", srv.URL)
			t.Setenv("HH_PROJECT", "p")
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			tracer, err := sessionspan.New(c.options...)
			if err != nil {
				t.Fatal(err)
			}
			id := record(t, tracer)
			want := map[string]bool{"POST /session/start": true, "POST /events/batch": true, "PUT /events": true}
			if c.v1 {
				want = map[string]bool{"POST /v1/sessions": true, "POST /v1/events/batch": true, "PUT /v1/events/" + id: true}
			}
			got := map[string]bool{}
			for _, line := range srv.all() {
				route := line[:strings.LastIndexByte(line, ' ')]
				if got[route] = true; !want[route] || line != route+" "+c.key {
					t.Errorf("%s", line)
				}
			}
			if len(got) != len(want) {
				t.Errorf("routes %v, want %v", got, want)
			}
		})
	}
}

// TestURLOfTheEnvironment prefers the older name.
func TestURLOfTheEnvironment(t *testing.T) {
	t.Setenv("HH_API_KEY", projectKey)
	t.Setenv("HH_PROJECT", "p")
	t.Setenv("HH_DATA_PLANE_URL", "http://127.0.0.1:2")
	t.Setenv("HH_API_URL", "http://127.0.0.1:1")
	tracer, err := sessionspan.New()
	if err != nil {
		t.Fatal(err)
	}
	if got := tracer.Stats()[0].Destination; got != "http 127.0.0.1:1" {
		t.Error(got)
	}
	_ = tracer.Shutdown(t.Context())
}

// TestNothingIsLostByAnIngestionKey reads what the routes under /v1 are sent: each
// field that they declare, and the others where they can be found.
func TestNothingIsLostByAnIngestionKey(t *testing.T) {
	srv := newRecorder(t)
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: srv.URL, Key: ingestionKey}))
	if err != nil {
		t.Fatal(err)
	}
	id := record(t, tracer)
	var s honeyhive.SessionStartRequest
	if err := json.Unmarshal([]byte(srv.body["POST /v1/sessions"]), &s); err != nil {
		t.Fatal(err)
	}
	if !s.Project.IsZero() || !s.Error.IsZero() || !s.Metrics.IsZero() || !s.Feedback.IsZero() || !s.Unknown.IsZero() ||
		s.Metadata.String() != `{"project":"p","error":"failed"}` || s.SessionName.Or("") != "s" || s.Inputs.String() != `{"q":1}` {
		t.Errorf("%s", srv.body["POST /v1/sessions"])
	}
	updated := ""
	for _, line := range srv.all() {
		if strings.HasPrefix(line, "PUT ") {
			updated += line
		}
	}
	if strings.Count(updated, "PUT /v1/events/"+id) != 2 || srv.body["PUT /v1/events/"+id] != `{"event_id":"`+id+`","feedback":{"late":1}}` {
		t.Errorf("%s %s", updated, srv.body["PUT /v1/events/"+id])
	}
	if body := srv.body["POST /v1/events/batch"]; strings.Contains(body, `"project"`) || !strings.Contains(body, `"event_name":"e"`) {
		t.Errorf("%s", body)
	}
}

// TestKeyOfACollector asks which collectors are sent the HoneyHive key of the
// environment: HoneyHive's own endpoint, unless it has credentials already.
func TestKeyOfACollector(t *testing.T) {
	hive, other := newRecorder(t), newRecorder(t)
	const path = "/opentelemetry/v1/traces"
	for name, c := range map[string]struct {
		env     map[string]string
		options []sessionspan.Option
		to      *recorder
		want    string
	}{
		"by variable":         {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": hive.URL + path}, nil, hive, ingestionKey},
		"by base":             {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": hive.URL + "/opentelemetry"}, nil, hive, ingestionKey},
		"by option":           {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: hive.URL + path + "/"})}, hive, ingestionKey},
		"key of its own":      {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: hive.URL + path, Key: projectKey})}, hive, projectKey},
		"headers of its own":  {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: hive.URL + path, Headers: map[string]string{"authorization": "Bearer own-key"}})}, hive, "own-key"},
		"headers by variable": {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": hive.URL + path, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20env-key"}, nil, hive, "env-key"},
		"another host":        {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": other.URL + path}, nil, other, ""},
		"another path":        {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": hive.URL + "/v1/traces"}, nil, hive, ""},
		"host as a user":      {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + path})}, other, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(c.to.all())
			t.Setenv("HH_INGESTION_API_KEY", ingestionKey)
			t.Setenv("HH_API_URL", hive.URL)
			t.Setenv("HH_PROJECT", "p")
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			tracer, err := sessionspan.New(c.options...)
			if err != nil {
				t.Fatal(err)
			}
			record2 := func() {
				_, s := tracer.StartSession(t.Context(), "s")
				s.End()
				if err := tracer.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			}
			record2()
			traces := 0
			for _, line := range c.to.all()[before:] {
				route, key, _ := strings.Cut(line, " /")
				key = key[strings.LastIndexByte(key, ' ')+1:]
				if !strings.Contains(line, "traces ") {
					continue
				}
				if traces++; route != "POST" || key != c.want {
					t.Errorf("%s, want the key %q", line, c.want)
				}
			}
			if traces != 1 {
				t.Errorf("%d requests with traces", traces)
			}
		})
	}
}

// TestWrongConfiguration lists what New says of values that are wrong: what each is
// called, all together, and nothing of a key.
func TestWrongConfiguration(t *testing.T) {
	type env = map[string]string
	local := sessionspan.WithAPIURL("http://127.0.0.1:9")
	short := ingestionKey[:len(ingestionKey)-1]
	for name, c := range map[string]struct {
		env     env
		options []sessionspan.Option
		want    []string
	}{
		"URL without a scheme":       {env{"HH_API_KEY": "k", "HH_API_URL": "api.example.com"}, nil, []string{"HTTPConfig.URL: the URL must begin with https:// or http://", "HTTPConfig.URL is from HH_API_URL"}},
		"URL with a port alone":      {env{"HH_API_KEY": "k", "HH_DATA_PLANE_URL": "localhost:8080"}, nil, []string{"HTTPConfig.URL: the URL lacks its scheme: write http://localhost:8080", "is from HH_DATA_PLANE_URL"}},
		"URL by option":              {nil, []sessionspan.Option{sessionspan.WithAPIURL("localhost:8080")}, []string{"HTTPConfig.URL: the URL lacks its scheme: write http://localhost:8080"}},
		"collector without a scheme": {env{"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost:4318"}, nil, []string{"OTEL_EXPORTER_OTLP_ENDPOINT: the URL lacks its scheme: write http://localhost:4318"}},
		"collector of traces":        {env{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "localhost"}, nil, []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: the URL must begin"}},
		"collector by option":        {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "collector:4318"})}, []string{"OTLPConfig.URL: the URL must begin"}},
		"headers":                    {env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=b,canary-key"}, nil, []string{"OTEL_EXPORTER_OTLP_HEADERS: header 2 is no name=value"}},
		"header that cannot be sent": {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://c", Headers: map[string]string{"X-Key": "canary\nkey"}})}, []string{"OTLPConfig.Headers: the header X-Key has a value"}},
		"key as a header's name":     {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://c", Headers: map[string]string{"Bearer canary": "x"}})}, []string{"OTLPConfig.Headers: a header has a name that no request can carry"}},
		"time-out":                   {env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, nil, []string{`OTEL_EXPORTER_OTLP_TIMEOUT: "10s" is no number of milliseconds`}},
		"protocol":                   {env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http"}, nil, []string{"OTEL_EXPORTER_OTLP_PROTOCOL", "is not supported"}},
		"capture":                    {env{"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "flase", "HH_API_KEY": "k"}, nil, []string{"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "flase"}},
		"limits": {nil, []sessionspan.Option{local, sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueBytes: -1, InFlight: -1, QueueWait: -1, ValueBytes: -1}))},
			[]string{"WithLimits: Limits.QueueBytes is negative", "Limits.InFlight is negative"}},
		"data plane key":             {env{"HH_API_KEY": dataPlaneKey}, nil, []string{"HTTPConfig.Key: a data plane key (hh_fgdp_…) is for reading", "is from HH_API_KEY"}},
		"data plane key, ingestion":  {env{"HH_INGESTION_API_KEY": dataPlaneKey}, nil, []string{"a data plane key (hh_fgdp_…)", "is from HH_INGESTION_API_KEY"}},
		"data plane key by option":   {nil, []sessionspan.Option{local, sessionspan.WithAPIKey(dataPlaneKey)}, []string{"HTTPConfig.Key: a data plane key"}},
		"data plane key, cut":        {nil, []sessionspan.Option{local, sessionspan.WithAPIKey(dataPlaneKey[:30])}, []string{"HTTPConfig.Key: a data plane key"}},
		"data plane key, OTLP":       {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://c", Key: dataPlaneKey})}, []string{"OTLPConfig.Key: a data plane key"}},
		"data plane key in a header": {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://c", Headers: map[string]string{"Authorization": "Bearer " + dataPlaneKey}})}, []string{"OTLPConfig.Headers: a data plane key"}},
		"data plane key by variable": {env{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20" + dataPlaneKey}, nil, []string{"OTEL_EXPORTER_OTLP_HEADERS: a data plane key"}},
		"ingestion key, cut":         {env{"HH_INGESTION_API_KEY": short}, nil, []string{"HTTPConfig.Key: it begins with hh_ingst_ and is no whole ingestion key", "is from HH_INGESTION_API_KEY"}},
		"ingestion key, not used":    {env{"HH_INGESTION_API_KEY": short}, []sessionspan.Option{local, sessionspan.WithAPIKey(projectKey)}, []string{"HH_INGESTION_API_KEY: it begins with hh_ingst_ and is no whole"}},
		"ingestion key by option":    {nil, []sessionspan.Option{local, sessionspan.WithAPIKey(short)}, []string{"HTTPConfig.Key: it begins with hh_ingst_"}},
		"ingestion key, OTLP":        {nil, []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://c", Key: short})}, []string{"OTLPConfig.Key: it begins with hh_ingst_"}},
		"project key for ingestion":  {env{"HH_INGESTION_API_KEY": projectKey}, nil, []string{"HH_INGESTION_API_KEY: the key does not begin with hh_ingst_"}},
		"all together": {
			env{"HH_API_KEY": dataPlaneKey, "HH_API_URL": "nowhere", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_TRACES_SAMPLER": "often"},
			[]sessionspan.Option{sessionspan.WithWriter(nil), sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{Timeout: -1}), exporter.WithCompression("brotli")), sessionspan.WithSpool("")},
			[]string{"HTTPConfig.URL: ", "HTTPConfig.Key: ", "OTEL_EXPORTER_OTLP_ENDPOINT: ", "OTEL_TRACES_SAMPLER", "the writer is nil", "Limits.Timeout is negative", `"brotli"`, "WithSpool: the directory is empty"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HH_PROJECT", "p")
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			tracer, err := sessionspan.New(append(c.options, sessionspan.WithErrorHandler(nil))...)
			if err == nil {
				_ = tracer.Shutdown(t.Context())
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			for _, secret := range []string{keyTail[:20], keyTail[30:50], "canary", projectKey} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
					t.Errorf("the error shows %q: %v", secret, err)
				}
			}
		})
	}
}
