// Package local runs the local server of sessionspan inside a program: it takes
// sessions by the HTTP API of the contract and by OTLP, keeps them in a file, and
// shows them in a browser. The command in the folder above does no
// more than this.
package local

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/access"
	"github.com/sessionspan/sessionspan/server/internal/agent"
	"github.com/sessionspan/sessionspan/server/internal/api"
	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/body"
	"github.com/sessionspan/sessionspan/server/internal/compressed"
	"github.com/sessionspan/sessionspan/server/internal/datafile"
	"github.com/sessionspan/sessionspan/server/internal/erasure"
	"github.com/sessionspan/sessionspan/server/internal/guard"
	"github.com/sessionspan/sessionspan/server/internal/ingest"
	"github.com/sessionspan/sessionspan/server/internal/live"
	"github.com/sessionspan/sessionspan/server/internal/page"
	"github.com/sessionspan/sessionspan/server/internal/patience"
	"github.com/sessionspan/sessionspan/server/internal/redacted"
	"github.com/sessionspan/sessionspan/server/internal/reject"
	"github.com/sessionspan/sessionspan/server/internal/scoped"
	"github.com/sessionspan/sessionspan/server/internal/unused"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// Server is a server that runs. Its methods may be called from many goroutines
// at once.
type Server struct {
	url    string
	grpc   string // the address of the port for gRPC alone
	file   string
	log    *slog.Logger
	store  store.Store
	http   *http.Server
	copies *copies

	audit   *audit.Log
	routes  *access.Mux
	closing time.Duration // that requests have to end

	stop  chan struct{} // ends what runs in the background
	work  sync.WaitGroup
	close func() error
}

// Limits of requests.
const (
	maxBody    = 32 << 20  // one body, after decompression
	maxBodies  = 128 << 20 // all that have come; what they become takes three times as much
	maxHeaders = 64 << 10
	headerTime = 5 * time.Second
	bodyTime   = 30 * time.Second
	idleTime   = 2 * time.Minute
	// closeTime is how long requests may take to end when the server is closed.
	closeTime = 5 * time.Second
)

// Start starts a server, which takes requests when Start returns. It must be
// closed. The context bounds the start alone. The error says in one line what is
// in the way: an address in use, a file that cannot be opened.
func Start(ctx context.Context, options ...Option) (*Server, error) {
	c, err := newConfig(options)
	if err == nil {
		err = c.checkTokens()
	}
	if err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	listeners, err := listen(ctx, c.address)
	if err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	url, grpc := "http://"+reachable(listeners[0].Addr()), ""
	if c.grpc != "" {
		if more, err := listen(ctx, c.grpc); err == nil {
			grpc = reachable(more[0].Addr())
			listeners = append(listeners, more...)
		} else {
			c.log.Warn("OTLP over gRPC has no port of its own; "+url+" takes it, too", "error", err)
		}
	}
	s, err := openFiles(ctx, c)
	if err != nil {
		for _, l := range listeners {
			_ = l.Close()
		}
		return nil, fmt.Errorf("start server: %w", err)
	}
	s.url, s.grpc = url, grpc
	s.http = s.newHTTP(c)
	s.close = sync.OnceValue(s.shutdown)
	for _, l := range listeners {
		s.work.Go(func() { _ = s.http.Serve(l) }) // its error is that the server is closed
	}
	if c.maxAge > 0 || c.maxBytes > 0 {
		s.work.Go(func() { s.retain(store.Retention{MaxAge: c.maxAge, MaxBytes: c.maxBytes}) })
	}
	return s, nil
}

// openFiles opens the files of a server.
func openFiles(ctx context.Context, c *config) (*Server, error) {
	kept, file, err := datafile.Open(ctx, c.file, sqlite.WithPrices(c.prices))
	if err != nil {
		return nil, err
	}
	made := &copies{file: file, one: make(chan struct{}, 1)}
	made.store, _ = kept.(backuper)
	if err := made.clear(); err != nil {
		c.log.Warn("a copy of the sessions is left", "error", err)
	}
	s := &Server{file: file, copies: made, log: c.log, store: redacted.New(kept, c.policy), closing: c.closing, stop: make(chan struct{})}
	if s.audit, err = audit.Open(datafile.Beside(file, audit.Suffix)); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return s, nil
}

// ErrAddressInUse says that something else listens on the address already.
var ErrAddressInUse = errors.New("the port is in use")

// listen listens on the address, and on the loopback address of the other
// protocol where that is what its users may mean too.
func listen(ctx context.Context, address string) ([]net.Listener, error) {
	var lc net.ListenConfig
	first, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: %w: stop what listens there, or choose another port", address, ErrAddressInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	listeners := []net.Listener{first}
	at := first.Addr().(*net.TCPAddr) // that is what "tcp" gives
	if at.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		if second, err := lc.Listen(ctx, "tcp", net.JoinHostPort("::1", strconv.Itoa(at.Port))); err == nil {
			listeners = append(listeners, second)
		}
	}
	return listeners, nil
}

// reachable returns an address under which a client on this machine finds the
// server.
func reachable(a net.Addr) string {
	at := a.(*net.TCPAddr)
	ip := at.IP
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(at.Port))
}

// noteDelete writes into the audit log that a session is deleted, before it is.
func (s *Server) noteDelete(r *http.Request, session honeyhive.UUID) error {
	e := access.Entry(r, r.Pattern, audit.Delete)
	e.Session = session.String()
	return s.audit.Add(e)
}

func (s *Server) newHTTP(c *config) *http.Server {
	rejected, notKept := new(reject.Record), &unused.Record{Log: s.log}
	// Whoever calls sees, and changes, what they may: nothing that serves requests has
	// the store itself.
	kept := scoped.New(s.store)
	routes := &api.API{
		Store: kept, Spans: ingest.New(kept), Bodies: body.NewReader(maxBody, maxBodies), Rejected: rejected, Unused: notKept, ReadTime: bodyTime,
		Query: page.ParseQuery, FileID: datafile.ID(s.file), Backup: s.copies.make,
	}
	stopping, stop := context.WithCancel(context.Background())
	routes.Erasure = &erasure.Eraser{Store: kept, Audit: s.audit, Open: stopping}
	keeper := access.New(access.Config{Token: c.token, File: datafile.Beside(s.file, access.TokensSuffix), Audit: s.audit, Reject: routes.Reject})
	mux := access.NewMux(keeper)
	mux.HandleIf(access.OTLP, api.IsOTLP, routes.OTLP())
	routes.Register(mux)
	mux.HandleFunc("GET "+healthPath, health)
	mux.Handle("GET /api/stream", &live.Stream{Store: kept, Done: stopping.Done(), Reject: routes.Reject})
	mux.HandleFunc("GET /api/audit", s.serveAudit)
	page.Register(mux, page.Config{
		Store: kept, URL: s.url, GRPC: s.grpc, Token: keeper.Needed(), Rejected: rejected, Unused: notKept, Prices: c.prices,
		SignIn: keeper.SignIn, SignOut: keeper.SignOut, Erase: routes.Erasure.Erase, NoteDelete: s.noteDelete,
	})
	agents := bounded(agent.New(agent.Config{Store: kept, Query: page.ParseQuery, Version: moduleVersion()}))
	for _, pattern := range []string{"POST /mcp", "GET /mcp", "DELETE /mcp"} {
		mux.Handle(pattern, agents)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		routes.Reject(w, r, reject.Errorf(http.StatusNotFound, "there is nothing at %.16s %.200s", r.Method, r.URL.Path))
	})
	s.routes = mux
	host, _, _ := net.SplitHostPort(c.address) // newConfig has split it
	g := &guard.Guard{
		Hosts: c.hosts, AnyAddress: !loopback(host), Rejected: rejected, Answer: api.Answer,
	}
	server := &http.Server{
		Handler: named(patience.Wrap(g.Wrap(keeper.Wrap(compressed.Wrap(mux))), stopping)), Protocols: protocols(), ReadHeaderTimeout: c.headers, IdleTimeout: idleTime, MaxHeaderBytes: maxHeaders,
		ErrorLog: log.New(slogWriter{c.log}, "", 0),
	}
	server.RegisterOnShutdown(stop)
	return server
}

// serveAudit sends the audit log as JSON lines, the oldest entries first.
func (s *Server) serveAudit(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	if _, err := s.audit.WriteTo(w); err != nil {
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
}

// named says in each answer which server it is, which the library shows the links of
// sessions by.
func named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", serviceName)
		next.ServeHTTP(w, r)
	})
}

// protocols are those of all ports: HTTP/2 without TLS, beside HTTP/1.1, is what gRPC
// speaks.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// Bounds of what agents send.
const (
	agentBytes = 1 << 20
	agentTime  = 10 * time.Second
)

// bounded bounds what agents send.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(agentTime))
		r.Body = http.MaxBytesReader(w, r.Body, agentBytes)
		next.ServeHTTP(w, r)
	})
}

// slogWriter writes the lines of net/http into the log.
type slogWriter struct{ log *slog.Logger }

func (w slogWriter) Write(line []byte) (int, error) {
	w.log.Warn("http", "message", string(line))
	return len(line), nil
}

// URL returns the address of the server, such as http://127.0.0.1:4318.
func (s *Server) URL() string { return s.url }

// GRPC returns the address of the port for OTLP over gRPC, such as 127.0.0.1:4317, or
// "" where there is none; the port of [Server.URL] takes it in any case.
func (s *Server) GRPC() string { return s.grpc }

// File returns the path of the file of the sessions.
func (s *Server) File() string { return s.file }

// SessionURL returns the address of the page of a session. The id is that of a
// session that may be yet to come.
func (s *Server) SessionURL(id string) string { return SessionURL(s.url, id) }

// SessionURL returns the address of the page of a session on a server, such as
// one that [Find] has found.
func SessionURL(server, id string) string { return server + page.SessionPath(id) }

// Close stops taking requests, waits up to five seconds for those that run, and
// closes the file. A second call returns the same.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	close(s.stop)
	ctx, cancel := context.WithTimeout(context.Background(), s.closing)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("close server: requests did not end: %w", err), s.http.Close())
	}
	s.work.Wait()
	if closing := s.store.Close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("close store: %w", closing))
	}
	return errors.Join(err, s.audit.Close())
}
