package sessionspan

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

// This file finds the page on which sessions are shown. Of the servers that a tracer
// delivers to, the local server of this project has one. Whether it is that one which
// runs at a loopback address the server says itself: in each of its answers, and at
// /healthz, where it is asked beside the first session at its usual ports. No other
// server is sent what it does not expect. Where it is the local server, sessions are
// announced when they start, so that they can be watched.

// WithLogger sets where the tracer logs the link of the first session that a local
// server shows: one record at the level Info. The default is slog.Default; a nil
// logger logs nothing. Where [WithTailSampling] may leave sessions out, no link is
// logged. What goes wrong is not logged; see [WithErrorHandler].
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c *config) {
		if c.logger = l; l == nil {
			c.logger = slog.New(slog.DiscardHandler)
		}
	})
}

// URL returns the address of the page that shows the session, on the local server of
// this project, where [WithHTTP] or [WithOTLP], or a variable in their place, has the
// tracer deliver to one at a loopback address. It is empty where that is not certain:
// where nothing answers there or something else does, for every other server, such as
// HoneyHive, whose addresses name a project by an id that only its page knows, for a
// session that is not recorded, and on a nil Session.
//
// URL asks the server for at most a second, unless it is known already. The page has
// the session once it was announced, or has ended and was delivered.
func (s *Session) URL() string {
	r := s.recording()
	if !r.recorded() {
		return ""
	}
	page := r.reporter().page.wait()
	if page == "" {
		return ""
	}
	return page + "/s/" + s.ID()
}

// pages are the servers on this machine that a tracer delivers to. Nil has none.
type pages struct {
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

// usualPorts are those at which the local server listens unless it is told otherwise.
var usualPorts = []string{":4318", ":4317"}

// findPages notes the servers that may have a page.
func (t *Tracer) findPages(c *config) {
	p := &pages{logger: c.logger}
	for _, q := range t.queues {
		if q.Local() != "" {
			p.servers = append(p.servers, q)
		}
	}
	if len(p.servers) == 0 {
		return
	}
	t.page, p.shows = p, make([]bool, len(p.servers))
	for i, q := range p.servers {
		q.OnPage(func() {
			p.learned(i)
			p.log()
		})
	}
}

// begin looks at a session that starts.
func (p *pages) begin(session honeyhive.UUID) {
	if p == nil {
		return
	}
	p.mu.Lock()
	if p.first.IsZero() {
		p.first = session
	}
	p.mu.Unlock()
	for _, q := range p.servers {
		if slices.ContainsFunc(usualPorts, func(port string) bool { return strings.HasSuffix(q.Local(), port) }) {
			p.ask()
			return
		}
	}
	p.log()
}

// log logs the link of the first session, once it and the page are known. The logger
// is the user's, whom nobody waits for but close.
func (p *pages) log() {
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
func (p *pages) found() string {
	if i := slices.Index(p.shows, true); i >= 0 {
		return p.servers[i].Local()
	}
	return ""
}

// learned notes that a server has a page.
func (p *pages) learned(i int) {
	p.mu.Lock()
	p.shows[i] = true
	p.mu.Unlock()
	p.servers[i].Live()
}

// ask has the servers asked, unless that was done, and returns what is closed when
// they were.
func (p *pages) ask() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found() == "" && p.asking == nil && time.Since(p.asked) > askWait {
		p.asking = make(chan struct{})
		go p.run()
	}
	return p.asking
}

// wait returns the address of the server that has a page, or "".
func (p *pages) wait() string {
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
func (p *pages) run() {
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

// close waits until nobody is asked and nothing logged any more.
func (p *pages) close(ctx context.Context) {
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
