package exporter_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/exporter"
)

// TestRotation changes the key of a server, and then where the key is from: what a server
// has refused with the old one is delivered with the new one, and 401 has the source asked
// once.
func TestRotation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	var now atomic.Pointer[string]
	set := func(t *testing.T, key string) {
		now.Store(&key)
		t.Setenv("KEY_OF_ROTATION", key)
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var asked atomic.Int64
	for name, source := range map[string]exporter.Key{
		"variable": exporter.KeyFromEnv("KEY_THAT_IS_NOT_SET", "KEY_OF_ROTATION"),
		"file":     exporter.KeyFromFile(file),
		"function": exporter.KeyFunc(func(context.Context) (string, error) { asked.Add(1); return *now.Load(), nil }),
	} {
		for _, otlp := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", HTTP", true: ", OTLP"}[otlp], func(t *testing.T) {
				asked.Store(0)
				set(t, "first-key-0123456789")
				var want atomic.Pointer[string]
				first, second := *now.Load(), "second-key-0123456789"
				want.Store(&first)
				srv := newServer(t, func(n int, w http.ResponseWriter, r request) {
					if r.header.Get("Authorization") != "Bearer "+*want.Load() {
						http.Error(w, "no key "+strings.TrimPrefix(r.header.Get("Authorization"), "Bearer "), http.StatusUnauthorized)
						return
					}
					accept(n, w, r)
				})
				var reports errorList
				var e *exporter.Exporter
				var err error
				if otlp {
					e, err = exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL, KeySource: source}, exporter.WithErrorHandler(reports.add))
				} else {
					e, err = exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, KeySource: source}, exporter.WithErrorHandler(reports.add))
				}
				tracer := tracerFor(t, e, err)
				run(tracer, "a")
				flush(t, tracer)
				want.Store(&second)
				set(t, second)
				run(tracer, "b")
				flush(t, tracer)
				if name == "function" && asked.Load() != 2 {
					t.Errorf("asked %d times", asked.Load())
				}
				if text := reports.text(); text != "" {
					t.Error(text)
				}
				// Of a key that nobody has it is said, and none is shown.
				third := "third-key-0123456789"
				want.Store(&third)
				run(tracer, "c")
				waitFor(t, func() bool { return reports.text() != "" })
				if text := reports.text(); !strings.Contains(text, "401") || strings.Contains(text, "-key-0123456789") {
					t.Error(text)
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				_ = tracer.Shutdown(ctx)
			})
		}
	}
}

// TestKeyFunctions hang, panic, end their goroutine, return errors and what is no key: the
// records wait, who ends spans does not, and nothing of it is shown.
func TestKeyFunctions(t *testing.T) {
	const shown = "sk-canary-0123456789abcdef"
	for name, ask := range map[string]func(context.Context) (string, error){
		"panics": func(context.Context) (string, error) { panic(shown) },
		"exits":  func(context.Context) (string, error) { runtime.Goexit(); return "", nil },
		"errs":   func(context.Context) (string, error) { return "", errors.New("the store is away") },
		"empty":  func(context.Context) (string, error) { return " ", nil },
		"no key": func(context.Context) (string, error) { return shown + "\n" + shown, nil },
		"reads":  func(context.Context) (string, error) { return "hh_fgdp_" + shown, nil },
		"hangs":  func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, ok)
			var reports errorList
			e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, KeySource: exporter.KeyFunc(ask)}, exporter.WithErrorHandler(reports.add),
				exporter.WithLimits(exporter.Limits{Timeout: 50 * time.Millisecond}))
			tracer := tracerFor(t, e, err)
			run(tracer, "s")
			waitFor(t, func() bool { return reports.text() != "" })
			if text := reports.text(); strings.Contains(text, shown) || !strings.Contains(text, "ask for the key") && !strings.Contains(text, "asked for the key") {
				t.Error(text)
			}
			if len(srv.seen()) > 0 {
				t.Error("something was sent")
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = tracer.Shutdown(ctx)
		})
	}
}

// TestKeySources are checked when an exporter is made, as far as they can be read then.
func TestKeySources(t *testing.T) {
	t.Setenv("KEY_THAT_READS", "hh_fgdp_"+strings.Repeat("k", 24))
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]exporter.HTTPConfig{
		"none of the variables":  {KeySource: exporter.KeyFromEnv("KEY_THAT_IS_NOT_SET")},
		"no such file":           {KeySource: exporter.KeyFromFile(empty + "-not")},
		"holds no key":           {KeySource: exporter.KeyFromFile(empty)},
		"data plane key":         {KeySource: exporter.KeyFromEnv("KEY_THAT_READS")},
		"Key is set besides":     {KeySource: exporter.NewKey("a-key"), Key: "another"},
		"a key is needed":        {KeySource: exporter.NewKey(" ")},
		"that no header can":     {KeySource: exporter.NewKey("a\nb")},
		"keys and prompts in th": {URL: "http://example.com", KeySource: exporter.NewKey("a-key")},
	} {
		if _, err := exporter.NewHTTP(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for name, c := range map[string]struct {
		cfg  exporter.OTLPConfig
		env  string
		want bool
	}{
		"a key":                {exporter.OTLPConfig{URL: "http://example.com", Key: "a-key"}, "", false},
		"a source":             {exporter.OTLPConfig{URL: "http://example.com", KeySource: exporter.NewKey("a-key")}, "", false},
		"a header":             {exporter.OTLPConfig{URL: "http://example.com", Headers: map[string]string{"x-api-key": "k"}}, "", false},
		"no credential":        {exporter.OTLPConfig{URL: "http://example.com", Headers: map[string]string{"x-tenant": "t"}}, "", true},
		"https":                {exporter.OTLPConfig{URL: "https://example.com", Key: "a-key"}, "", true},
		"loopback":             {exporter.OTLPConfig{URL: "http://127.0.0.1:1", Key: "a-key"}, "", true},
		"insecure":             {exporter.OTLPConfig{URL: "http://example.com", Key: "a-key", Insecure: true}, "", true},
		"insecure by variable": {exporter.OTLPConfig{URL: "http://example.com", Key: "a-key"}, "true", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", c.env)
			e, err := exporter.NewOTLP(c.cfg)
			if (err == nil) != c.want {
				t.Errorf("%v", err)
			}
			if err == nil {
				_ = e.Shutdown(t.Context())
			} else if !strings.Contains(err.Error(), "in the clear") {
				t.Error(err)
			}
		})
	}
}

// TestTLSOptions reach a server by its authority alone, show it the certificate of the
// client, and go by a proxy, which sees no key.
func TestTLSOptions(t *testing.T) {
	srv := new(server)
	srv.Server = httptest.NewUnstartedServer(srv.handler(t, accept))
	certificates := make(chan int, 16)
	inner := srv.Config.Handler
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		certificates <- len(r.TLS.PeerCertificates)
		inner.ServeHTTP(w, r)
	})
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	cfg := &tls.Config{RootCAs: pool, Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS12}

	proxied := make(chan *http.Request, 16)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied <- r.Clone(context.Background())
		if r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusMethodNotAllowed)
			return
		}
		tunnel(t, w, r.Host)
	}))
	t.Cleanup(proxy.Close)
	via := func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }

	for name, newExporter := range map[string]func(...exporter.Option) (*exporter.Exporter, error){
		"HTTP": func(o ...exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, Key: classicKey}, o...)
		},
		"OTLP": func(o ...exporter.Option) (*exporter.Exporter, error) {
			return exporter.NewOTLP(exporter.OTLPConfig{URL: srv.URL, Key: classicKey}, o...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := newExporter(exporter.WithTLSClientConfig(cfg), exporter.WithProxy(via))
			tracer := tracerFor(t, e, err)
			run(tracer, "s")
			flush(t, tracer)
			if n := <-certificates; n != 1 {
				t.Errorf("%d certificates of the client", n)
			}
			r := <-proxied
			if text := fmt.Sprint(r.Header) + r.URL.String(); r.Method != http.MethodConnect || strings.Contains(text, classicKey[:8]) || strings.Contains(text, "Authorization") {
				t.Errorf("the proxy saw %s %s", r.Method, text)
			}
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}

			var reports errorList // a stranger's certificate is not taken
			e, err = newExporter(exporter.WithErrorHandler(reports.add))
			tracer = tracerFor(t, e, err)
			run(tracer, "s")
			waitFor(t, func() bool { return reports.text() != "" })
			if text := reports.text(); !strings.Contains(text, "certificate") || strings.Contains(text, classicKey[:8]) {
				t.Error(text)
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = tracer.Shutdown(ctx)
		})
	}
	for _, o := range []exporter.Option{exporter.WithTLSClientConfig(cfg), exporter.WithProxy(via)} {
		if _, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, Key: "k", Transport: http.DefaultTransport}, o); err == nil {
			t.Error("an option that has no effect was taken")
		}
	}
	if e, err := exporter.NewLines(new(buffer), exporter.WithTLSClientConfig(cfg), exporter.WithTLSClientConfig(nil)); err != nil {
		t.Error(err)
	} else {
		_ = e.Shutdown(t.Context())
	}
}

// tunnel joins the connection of a proxy's client to a server.
func tunnel(t *testing.T, w http.ResponseWriter, host string) {
	to, err := net.Dial("tcp", host)
	if err != nil {
		t.Error(err)
		return
	}
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}
