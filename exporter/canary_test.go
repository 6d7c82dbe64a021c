package exporter_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"text/template"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/samples"
)

// shapes are keys in the shapes that providers and clouds give theirs.
func shapes() []string {
	keys := []string{classicKey, ingestionKey, "hh_ingst_" + strings.Repeat("k1", 12) + "_" + strings.Repeat("s2C", 21) + "x"}
	r := samples.Rand(21)
	lengths := make(map[int]bool)
	for range 400 { // nearly each shape once
		if k := samples.Of(r, "api_key").Text; !lengths[len(k)] {
			lengths[len(k)] = true
			keys = append(keys, k)
		}
	}
	return append(keys, samples.Of(r, "jwt").Text, "annabel:"+strings.Repeat("p4ss", 5))
}

// holder has what a program may have, in fields that fmt prints without asking.
type holder struct {
	Public  exporter.Key
	private exporter.Key
	configs []any
	pointer *exporter.Key
	nested  map[string]any
}

// printings are ways in which a program prints what it has.
func printings(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%U", "%08.3f", "%t"} {
		_, _ = fmt.Fprintf(&b, verb+"\n", v)
	}
	_, _ = fmt.Fprintln(&b, v)
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("a", slog.Any("v", v), slog.Group("g", slog.Any("v", v)), slog.Any("w", []any{v}))
	}
	log.New(&b, "", 0).Printf("%v %+v", v, []any{v})
	text, err := json.Marshal(v)
	b.Write(text)
	_, _ = fmt.Fprintln(&b, err)
	text, err = xml.Marshal(v)
	b.Write(text)
	_, _ = fmt.Fprintln(&b, err, errors.Join(fmt.Errorf("of %v: %w", v, io.EOF)))
	_ = template.Must(template.New("").Parse("{{.}} {{printf \"%#v\" .}}")).Execute(&b, v)
	return b.String()
}

// TestKeysAreNotPrinted prints keys, and all that is made of them, in every way.
func TestKeysAreNotPrinted(t *testing.T) {
	for _, key := range shapes() {
		k := exporter.NewKey(key)
		source := exporter.KeyFunc(func(context.Context) (string, error) { return key, nil })
		h := exporter.HTTPConfig{URL: "https://example.com", KeySource: k}
		o := exporter.OTLPConfig{URL: "https://example.com", KeySource: source}
		e, err := exporter.NewHTTP(h)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := exporter.NewHTTP(exporter.HTTPConfig{URL: "https://example.com", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		tracer := tracerFor(t, e, nil, sessionspan.WithDestination(plain))
		option := sessionspan.WithAPIKeySource(k)
		all := holder{k, k, []any{k, h, o, e, tracer, option}, &k, map[string]any{"k": k, "h": &h}}
		var text strings.Builder
		for _, v := range []any{
			k, &k, source, h, &h, o, &o, e, tracer, option, all, &all, []exporter.Key{k}, map[string]exporter.Key{"k": k}, struct{ k any }{k}, struct{ e *exporter.Exporter }{e},
			exporter.HTTPConfig{URL: "https://example.com", Key: key}, exporter.OTLPConfig{URL: "https://example.com", Key: key, Headers: map[string]string{"Authorization": "Bearer " + key}},
			[]any{exporter.HTTPConfig{Key: key}}, plain,
		} {
			text.WriteString(printings(v))
		}
		var encoded bytes.Buffer
		if err := gob.NewEncoder(&encoded).Encode(&all); err == nil {
			text.Write(encoded.Bytes())
		}
		if piece, ok := shown(text.String(), key); ok {
			t.Errorf("%q of %q is printed", piece, key)
		}
		for _, written := range []string{fmt.Sprintf("%x", key), base64.StdEncoding.EncodeToString([]byte(key)), fmt.Sprintf("%d", []byte(key))} {
			if strings.Contains(strings.ToLower(text.String()), strings.ToLower(strings.Trim(written, "[]"))) {
				t.Errorf("%q is printed as %q", key, written)
			}
		}
		if err := tracer.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if k := exporter.NewKey(" "); !k.IsZero() || k.String() != "" || !exporter.KeyFunc(nil).IsZero() {
		t.Error("no key is one")
	}
}

// TestKeysLeaveInTheirHeaderAlone has servers quote keys in all that they answer, and looks
// for them in errors, files, bodies, metrics and what is printed of the account.
func TestKeysLeaveInTheirHeaderAlone(t *testing.T) {
	for n, key := range shapes() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			statuses := []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusFound}
			srv := newServer(t, func(i int, w http.ResponseWriter, r request) {
				quoted := r.header.Get("Authorization")
				w.Header().Set("Location", "https://example.com/?key="+quoted)
				w.Header().Set("Www-Authenticate", quoted)
				w.Header().Set("Server", quoted)
				w.WriteHeader(statuses[i%len(statuses)])
				_, _ = fmt.Fprintf(w, `{"error":"no key %s, nor %s","session_id":%q}`, quoted, strings.TrimPrefix(quoted, "Bearer "), quoted)
			})
			dir := t.TempDir()
			var reports errorList
			reader := sdkmetric.NewManualReader()
			options := []exporter.Option{exporter.WithErrorHandler(reports.add), exporter.WithLimits(exporter.Limits{UpdateFor: time.Millisecond})}
			a, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, KeySource: exporter.KeyFunc(func(context.Context) (string, error) { return key, nil }), V1: true}, append(options, exporter.WithSpool(dir), exporter.WithName("api"))...)
			if err != nil {
				t.Fatal(err)
			}
			o, err := exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL, Key: key}, append(options, exporter.WithSpool(dir), exporter.WithName("otlp"))...)
			if err != nil {
				t.Fatal(err)
			}
			h, err := exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL, Headers: map[string]string{"authorization": "Bearer " + key}}, append(options, exporter.WithName("header"))...)
			tracer := tracerFor(t, a, err, sessionspan.WithDestination(o), sessionspan.WithDestination(h), sessionspan.WithErrorHandler(reports.add),
				sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
			run(tracer, "s", "a", "b")
			waitFor(t, func() bool { return len(srv.seen()) >= 6 && reports.text() != "" })
			var data metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &data); err != nil {
				t.Error(err)
			}
			text, err := json.Marshal(data)
			if err != nil {
				t.Error(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			reports.add(fmt.Errorf("flush: %w", tracer.ForceFlush(ctx)))
			reports.add(fmt.Errorf("shutdown: %w", tracer.Shutdown(ctx)))
			where := map[string]string{"errors": reports.text(), "files": filesOf(t, dir), "metrics": string(text), "account": fmt.Sprintf("%+v %#v", tracer.Stats(), tracer.Stats())}
			for _, r := range srv.seen() {
				where["bodies"] += string(r.body)
				where["paths"] += r.path
				for name, values := range r.header {
					if name != "Authorization" {
						where["headers"] += name + strings.Join(values, " ")
					}
				}
			}
			for name, text := range where {
				if piece, ok := shown(text, key); ok {
					t.Errorf("%q of %q is in the %s", piece, key, name)
				}
				if text == "" {
					t.Errorf("there are no %s", name)
				}
			}
		})
	}
}

// TestKeysInCrashes has a process with keys crash in many ways, and looks for the keys in
// what it prints, the stacks of all goroutines included.
func TestKeysInCrashes(t *testing.T) {
	const variable = "SESSIONSPAN_TEST_CRASH"
	key := strings.Repeat("cR4sh", 3) + "-canary-0123456789"
	if how := os.Getenv(variable); how != "" {
		crash(how, os.Getenv("SESSIONSPAN_TEST_KEY"))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"key", "config", "exporter", "tracer", "error", "nil", "goroutine", "text"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKeysInCrashes$")
			cmd.Env = append(os.Environ(), variable+"="+how, "SESSIONSPAN_TEST_KEY="+key, "GOTRACEBACK=all")
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("goroutine ")) {
				t.Fatalf("it did not crash: %v %s", err, out)
			}
			piece, ok := shown(string(out), key)
			if ok != (how == "text") { // which sees that the test can see it
				t.Errorf("%q of the key is in: %s", piece, out)
			}
		})
	}
}

// crash makes exporters with a key, has them send, and panics.
func crash(how, key string) {
	srv := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}), ReadHeaderTimeout: time.Minute}
	listener := listen()
	go func() { _ = srv.Serve(listener) }()
	cfg := exporter.HTTPConfig{URL: "http://" + listener.Addr().String(), KeySource: exporter.NewKey(key)}
	failed := make(chan error, 16)
	handle := exporter.WithErrorHandler(func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	e, err := exporter.NewHTTP(cfg, handle)
	if err != nil {
		panic(err)
	}
	o, err := exporter.NewOTLP(exporter.OTLPConfig{URL: cfg.URL, Key: key}, handle)
	if err != nil {
		panic(err)
	}
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithDestination(e), sessionspan.WithDestination(o))
	if err != nil {
		panic(err)
	}
	run(tracer, "s", "a")
	told := <-failed
	switch how {
	case "key":
		panic(cfg.KeySource)
	case "config":
		panic(fmt.Sprintf("%+v %#v", cfg, struct{ c any }{cfg}))
	case "exporter":
		panic(fmt.Sprintf("%+v %#v", e, o))
	case "tracer":
		panic(tracer)
	case "error":
		panic(told)
	case "goroutine":
		go func() { panic(cfg) }()
		select {}
	case "text":
		panic(key)
	}
	var nothing *holder
	_ = nothing.Public
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}
