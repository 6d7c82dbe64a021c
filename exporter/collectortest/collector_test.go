package collectortest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sink is a backend behind a collector, which keeps what that sends.
type sink struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*coltracepb.ExportTraceServiceRequest
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := new(sink)
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read what the collector sends: %v", err)
			return
		}
		req := new(coltracepb.ExportTraceServiceRequest)
		if err := proto.Unmarshal(body, req); err != nil {
			t.Errorf("read what the collector sends: %v", err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, req)
	}))
	t.Cleanup(s.Close)
	return s
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// startCollector runs a collector with an OTLP receiver for each sink, which it
// sends on what arrives there. It returns the URLs of the receivers.
func startCollector(t *testing.T, sinks map[string]*sink) map[string]string {
	t.Helper()
	urls := make(map[string]string)
	receivers, exporters, pipelines := "", "", ""
	for name, s := range sinks {
		address := free(t)
		urls[name] = "http://" + address
		receivers += fmt.Sprintf("  otlp/%s: {protocols: {http: {endpoint: %q}}}\n", name, address)
		exporters += fmt.Sprintf("  otlp_http/%s: {endpoint: %q, compression: none, sending_queue: {enabled: false}}\n", name, s.URL)
		pipelines += fmt.Sprintf("    traces/%s: {receivers: [otlp/%s], exporters: [otlp_http/%s]}\n", name, name, name)
	}
	config := "receivers:\n" + receivers + "exporters:\n" + exporters +
		"service:\n  telemetry: {metrics: {level: none}, logs: {level: error}}\n  pipelines:\n" + pipelines
	col, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.NewDefaultBuildInfo(),
		DisableGracefulShutdown: true,
		Factories: func() (f otelcol.Factories, err error) {
			if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
				return f, err
			}
			f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](otlphttpexporter.NewFactory())
			f.Telemetry = otelconftelemetry.NewFactory()
			return f, err
		},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{"yaml:" + config},
			ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- col.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		col.Shutdown()
		if err := <-ended; err != nil {
			t.Errorf("the collector ended: %v", err)
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for col.GetState() != otelcol.StateRunning {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the collector does not start: %v", err)
		case <-tick.C:
		}
	}
	return urls
}
