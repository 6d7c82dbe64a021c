package exporter_test

import (
	"net/http"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/sessionspan/sessionspan/exporter"
)

// TestWithCompression: the option wins over the configuration and the
// environment, and what is sent can be read.
func TestWithCompression(t *testing.T) {
	for name, tc := range map[string]struct {
		env     string
		gzip    bool
		options []exporter.Option
		otlp    string
		http    string
	}{
		"nothing":     {"", false, nil, "", ""},
		"defaults":    {"zstd", true, nil, "zstd", "gzip"},
		"unknown":     {"snappy", false, nil, "", ""},
		"option":      {"gzip", true, []exporter.Option{exporter.WithCompression(exporter.Zstd)}, "zstd", "zstd"},
		"switched on": {"", false, []exporter.Option{exporter.WithCompression(exporter.Gzip)}, "gzip", "gzip"},
		"off":         {"zstd", true, []exporter.Option{exporter.WithCompression(exporter.NoCompression)}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", tc.env)
			srv := newServer(t, accept)
			e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, tc.options...)
			tracer := tracerFor(t, e, err)
			run(tracer, "s", "a")
			flush(t, tracer)
			checkEncoding(t, srv, tc.otlp)

			srv = newServer(t, ok)
			e, err = newHTTP(exporter.HTTPConfig{URL: srv.URL, Gzip: tc.gzip}, tc.options...)
			tracer = tracerFor(t, e, err)
			run(tracer, "s", "a")
			flush(t, tracer)
			checkEncoding(t, srv, tc.http)
		})
	}
	const wrong = "brotli"
	if _, err := exporter.NewHTTP(exporter.HTTPConfig{URL: "http://localhost"}, exporter.WithCompression(wrong)); err == nil {
		t.Error("HTTP takes any compression")
	}
	if _, err := exporter.NewOTLP(exporter.OTLPConfig{URL: "http://localhost"}, exporter.WithCompression(wrong)); err == nil {
		t.Error("OTLP takes any compression")
	}
}

func checkEncoding(t *testing.T, s *server, want string) {
	t.Helper()
	seen := s.seen()
	if len(seen) == 0 {
		t.Error("nothing was sent")
	}
	for _, r := range seen {
		if got := r.header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: encoding %q, want %q", r.path, got, want)
		}
	}
}

// TestCompressionThatIsRefused: a collector without zstd gets gzip, once said,
// and nothing is lost.
func TestCompressionThatIsRefused(t *testing.T) {
	srv := newServer(t, func(n int, w http.ResponseWriter, r request) {
		if r.header.Get("Content-Encoding") == "zstd" {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			if _, err := d.DecodeAll(r.body, nil); err != nil {
				t.Error(err)
			}
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		accept(n, w, r)
	})
	var errs errorList
	e, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, exporter.WithCompression(exporter.Zstd), exporter.WithErrorHandler(errs.add))
	tracer := tracerFor(t, e, err)
	for range 3 {
		run(tracer, "s", "a")
		flush(t, tracer)
	}
	var encodings []string
	spans := 0
	for _, r := range srv.seen() {
		encodings = append(encodings, r.header.Get("Content-Encoding"))
		if encodings[len(encodings)-1] == "gzip" {
			for _, resource := range decode(t, r).GetResourceSpans() {
				for _, scope := range resource.GetScopeSpans() {
					spans += len(scope.GetSpans())
				}
			}
		}
	}
	if len(encodings) < 4 || encodings[0] != "zstd" || encodings[1] != "gzip" || encodings[3] != "gzip" || spans != 6 {
		t.Errorf("%d spans, by %q", spans, encodings)
	}
	if errs.text() == "" {
		t.Error("nothing was reported")
	}
	if s := e.Stats(); s.Delivered != 6 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}
