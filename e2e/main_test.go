package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"
)

// browser is the context of the one browser that all tests share. Each test has
// a profile of its own in it.
var browser context.Context

// scratch is a folder that goes when the tests end.
var scratch string

// outside is the proxy for all that is not on this machine. Nothing should come.
var outside trap

// trap notes the requests that the browser sends to other hosts, by whatever
// part of it, and lets none through. What Chromium asks of its maker on its own
// account is no doing of the page.
type trap struct {
	mu   sync.Mutex
	seen []string
}

func (p *trap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Hostname()
	maker := []string{".google.com", ".googleapis.com", ".gvt1.com"}
	if !slices.ContainsFunc(maker, func(end string) bool { return strings.HasSuffix(host, end) }) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.String())
		p.mu.Unlock()
	}
	http.Error(w, "nothing leaves this machine", http.StatusForbidden)
}

// requests returns what was asked of other hosts so far.
func (p *trap) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "OPENAI_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	var err error
	if scratch, err = os.MkdirTemp("", "e2e"); err != nil {
		return complain(err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	proxy := &http.Server{Handler: &outside, ReadHeaderTimeout: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return complain(err)
	}
	served := make(chan struct{})
	go func() { defer close(served); _ = proxy.Serve(l) }()
	defer func() { _ = proxy.Close(); <-served }()

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("disable-features", "Translate,AutofillServerCommunication,OptimizationHints,MediaRouter"),
		chromedp.ProxyServer("http://"+l.Addr().String()), // loopback addresses go past it
		chromedp.WindowSize(1280, 900),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(ctx); err != nil {
		return complain(fmt.Errorf("start Chromium, which these tests need on the PATH (apt-get install chromium): %w", err))
	}
	browser = ctx
	code = m.Run()
	if err := chromedp.Cancel(ctx); err != nil && code == 0 {
		code = complain(fmt.Errorf("end the browser: %w", err))
	}
	stop()
	_ = proxy.Close()
	<-served
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		code = complain(err)
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}
