package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/await"
	"github.com/sessionspan/sessionspan/redact"
)

// TestMetrics compares the metrics with the account.
func TestMetrics(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil),
		sessionspan.WithMeterProvider(meters), sessionspan.WithWriter(io.Discard), sessionspan.WithWriter(brokenWriter{}))
	if err != nil {
		t.Fatal(err)
	}
	_, s := tracer.StartSession(t.Context(), "s")
	s.End()
	_ = await.Until(t, func() bool { return tracer.Stats()[0].Delivered == 1 }, tracer.ForceFlush)

	got := make(map[string]float64)
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	key := func(name string, set attribute.Set) string {
		place, _ := set.Value("place")
		return strings.TrimSpace(name + " " + place.AsString())
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				got[key(m.Name, p.Attributes)] += float64(p.Value)
			}
		case metricdata.Gauge[float64]:
			for _, p := range d.DataPoints {
				got[key(m.Name, p.Attributes)] += p.Value
			}
		}
	}
	var bytes float64
	for _, s := range tracer.Stats() {
		bytes += float64(s.WaitingBytes)
	}
	for name, want := range map[string]float64{
		"sessionspan.records.created": 2, "sessionspan.records.delivered": 1, "sessionspan.records.waiting memory": 1,
		"sessionspan.records.waiting disk": 0, "sessionspan.queue.size": bytes, "sessionspan.records.adopted": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if got["sessionspan.records.oldest_age"] <= 0 || bytes == 0 {
		t.Errorf("%v", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_ = tracer.Shutdown(ctx)
	data = metricdata.ResourceMetrics{}
	if err := reader.Collect(t.Context(), &data); err != nil || len(data.ScopeMetrics) != 0 {
		t.Errorf("after Shutdown: %v %v", data.ScopeMetrics, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestFlushed(t *testing.T) {
	var arrived atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived.Add(1) }))
	defer srv.Close()
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithAPIURL(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracer.Shutdown(t.Context()) }()
	failure := errors.New("failed")
	work := func(ctx context.Context, in string) (string, error) {
		_, s := tracer.StartSession(ctx, in)
		defer s.End()
		switch in {
		case "panic":
			panic(in)
		case "error":
			return "out", failure
		}
		return "out", nil
	}
	h := sessionspan.Flushed(tracer, time.Minute, work)
	for i, in := range []string{"fine", "error", "cancelled", "panic"} {
		ctx, cancel := context.WithCancel(t.Context())
		if in == "cancelled" {
			cancel()
		}
		func() {
			defer func() {
				if r := recover(); (r != nil) != (in == "panic") {
					t.Errorf("%s: recovered %v", in, r)
				}
			}()
			out, err := h(ctx, in)
			if out != "out" || (err != nil) != (in == "error") || err != nil && !errors.Is(err, failure) {
				t.Errorf("%s: %q, %v", in, out, err)
			}
		}()
		cancel()
		if n := arrived.Load(); n != int64(i+1) {
			t.Errorf("%s: %d sessions arrived, want %d", in, n, i+1)
		}
	}
	handler := sessionspan.FlushHandler(tracer, time.Minute, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, s := tracer.StartSession(r.Context(), "http")
		s.End()
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if n := arrived.Load(); n != 5 {
		t.Errorf("%d sessions arrived, want 5", n)
	}
}

// TestFlushedWaitsNoLonger than the call has time, less a margin.
func TestFlushedWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		var reported atomic.Int64
		tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(stuckWriter{let}),
			sessionspan.WithErrorHandler(func(error) { reported.Add(1) }))
		if err != nil {
			t.Fatal(err)
		}
		h := sessionspan.Flushed(tracer, time.Hour, func(ctx context.Context, _ int) (int, error) {
			_, s := tracer.StartSession(ctx, "s")
			s.End()
			return 1, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		began := time.Now()
		out, err := h(ctx, 0)
		if took := time.Since(began); out != 1 || err != nil || took != 150*time.Millisecond || reported.Load() != 1 {
			t.Errorf("%d %v after %v, %d reports", out, err, took, reported.Load())
		}
		close(let)
		if err := tracer.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestMetricsAreRedacted looks for what a policy, and a redactor, take away in all that is
// read of the metrics.
func TestMetricsAreRedacted(t *testing.T) {
	const address, key = "ann@example.org", "sk-proj-Zx81kQp02mVt73Lw9Ra4Bc56"
	policy, err := redact.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		option sessionspan.Option
		want   string
	}{
		"policy": {sessionspan.WithRedaction(policy), "[redacted:email]"},
		"redactor": {sessionspan.WithRedactor(func(_, text string) string {
			return strings.NewReplacer(address, "[address]", key, "[key]").Replace(text)
		}), "[address]"},
		"redactor that panics": {sessionspan.WithRedactor(func(string, string) string { panic("redact") }), "[redacted:failed]"},
		"none":                 {sessionspan.WithRedactor(nil), address},
	} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))), c.option)
			_, e := tracer.StartEvent(t.Context(), sessionspan.Model, "m", sessionspan.WithModel("by "+address, "model-of-"+address))
			e.SetAttributes(attribute.String("server.address", address), attribute.String("error.type", key), attribute.String("gen_ai.response.model", key))
			e.SetError("x")
			e.End()
			var data metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &data); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(text), address) || strings.Contains(string(text), key); got != (name == "none") || !strings.Contains(string(text), c.want) {
				t.Errorf("%s", text)
			}
		})
	}
}
