// Package page finds the page on which sessions are shown. Of the servers that a tracer
// delivers to, the local server of this project has one. Whether it is that one which
// runs at a loopback address the server says itself: in each of its answers, and at
// /healthz, where it is asked beside the first session at its usual ports. No other
// server is sent what it does not expect. Where it is the local server, sessions are
// announced when they start, so that they can be watched.
package page

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/healthz"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/untraced"
)

// Pages are the servers on this machine that a tracer delivers to. Nil has none. The
// methods are safe for concurrent use.
type Pages struct {
	servers []pipeline.Destination // the first that has a page is linked to
	logger  *slog.Logger

	mu     sync.Mutex
	first  honeyhive.UUID // the session whose link is logged
	logged chan struct{}  // closed when it was; nil before
	shows  []bool         // which of them are known to have a page
	asking chan struct{}  // closed when those were asked that are being asked now
	asked  time.Time      // when they were asked last
}

const (
	askTime = time.Second     // how long a server is waited for
	askWait = 5 * time.Second // how long one that did not answer is left alone
)

// UsualPorts are those at which the local server listens unless it is told otherwise.
var UsualPorts = []string{":4318", ":4317"}

// New notes which of the queues deliver to a server that may have a page: nil where none
// does.
func New(queues []pipeline.Destination, logger *slog.Logger) *Pages {
	p := &Pages{logger: logger}
	for _, q := range queues {
		if q.Local() != "" {
			p.servers = append(p.servers, q)
		}
	}
	if len(p.servers) == 0 {
		return nil
	}
	p.shows = make([]bool, len(p.servers))
	for i, q := range p.servers {
		q.OnPage(func() {
			p.learned(i)
			p.log()
		})
	}
	return p
}

// Begin looks at a session that starts.
func (p *Pages) Begin(session honeyhive.UUID) {
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.first.IsZero() {
		p.first = session
	}
	p.mu.Unlock()
	for _, q := range p.servers {
		if slices.ContainsFunc(UsualPorts, func(port string) bool { return strings.HasSuffix(q.Local(), port) }) {
			p.ask()
			return
		}
	}
	p.log()
}

// log logs the link of the first session, once it and the page are known. The logger
// is the user's, whom nobody waits for but Close.
func (p *Pages) log() {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.found()
	if p.logged != nil || p.first.IsZero() || found == "" {
		return
	}
	url, logged := found+"/s/"+p.first.String(), make(chan struct{})
	p.logged = logged
	go func() {
		defer close(logged)
		defer func() { _ = recover() }()
		p.logger.Info("sessionspan: the local server shows this session", "url", url)
	}()
}

// found returns the address of the server that has a page, or "". The lock is held.
func (p *Pages) found() string {
	if i := slices.Index(p.shows, true); i >= 0 {
		return p.servers[i].Local()
	}
	return ""
}

// learned notes that a server has a page.
func (p *Pages) learned(i int) {
	p.mu.Lock()
	p.shows[i] = true
	p.mu.Unlock()
	p.servers[i].Live()
}

// ask has the servers asked, unless that was done, and returns what is closed when
// they were.
func (p *Pages) ask() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found() == "" && p.asking == nil && time.Since(p.asked) > askWait {
		p.asking = make(chan struct{})
		go p.run()
	}
	return p.asking
}

// Wait returns the address of the server that has a page, or "". It asks, for at most
// a second, unless that is known already.
func (p *Pages) Wait() string {
	if p == nil {
		return ""
	}
	if asking := p.ask(); asking != nil {
		<-asking
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.found()
}

// run asks all servers at once. It ends within askTime.
func (p *Pages) run() {
	ctx, cancel := context.WithTimeout(untraced.Context(context.Background()), askTime)
	defer cancel()
	var wg sync.WaitGroup
	for i, q := range p.servers {
		wg.Go(func() {
			if healthz.IsServer(ctx, q.Local()) {
				p.learned(i)
			}
		})
	}
	wg.Wait()
	p.log()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = time.Now()
	close(p.asking)
	p.asking = nil
}

// Close waits until nobody is asked and nothing logged any more.
func (p *Pages) Close(ctx context.Context) {
	if p == nil {
		return
	}
	p.mu.Lock()
	asking := p.asking
	p.mu.Unlock()
	if asking != nil && !ended(ctx, asking) {
		return
	}
	p.mu.Lock()
	logged := p.logged
	p.mu.Unlock()
	if logged != nil {
		ended(ctx, logged)
	}
}

// ended waits until done is closed, and reports whether it was before ctx ended.
func ended(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
