package soak

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// request is what a server took: it was read to its end and answered with 2xx.
type request struct {
	method, path string
	header       http.Header
	body         []byte
}

// fault is how a server fails.
type fault int

const (
	healthy   fault = iota
	busy            // 503
	hung            // requests are read and not answered
	refusing        // nobody listens
	faultKind       // their number
)

// server speaks the HoneyHive API and OTLP on one loopback port, and fails when
// it is told to.
type server struct {
	t    testing.TB
	url  string
	addr string
	take func(request) // called with each request that is taken, one at a time
	// delay is how long each request takes.
	delay time.Duration

	taking sync.Mutex // held by take

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed when fault changes
	http    *http.Server
	serving sync.WaitGroup
}

func newServer(t testing.TB, take func(request)) *server {
	s := &server{t: t, take: take, addr: "127.0.0.1:0", changed: make(chan struct{})}
	s.mu.Lock()
	s.listen()
	s.mu.Unlock()
	s.url = "http://" + s.addr
	t.Cleanup(s.close)
	return s
}

// close ends the server. It may be called twice.
func (s *server) close() {
	s.mu.Lock()
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	_ = s.http.Close()
	s.serving.Wait()
}

// listen listens on the address of the server. The lock is held.
func (s *server) listen() {
	var l net.Listener
	var err error
	for range 100 {
		if l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", s.addr); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond) // somebody else has the port for a moment
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	s.addr = l.Addr().String()
	srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	s.http = srv
	s.serving.Go(func() { _ = srv.Serve(l) })
}

// set makes the server fail in a way, or be healthy.
func (s *server) set(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f == s.fault {
		return
	}
	if f == refusing {
		_ = s.http.Close()
	} else if s.fault == refusing {
		s.listen()
	}
	s.fault = f
	close(s.changed)
	s.changed = make(chan struct{})
}

// ServeHTTP takes a request, or fails.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its client was killed
	}
	s.mu.Lock()
	f, changed := s.fault, s.changed
	s.mu.Unlock()
	switch f {
	case busy:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case hung, refusing:
		select {
		case <-changed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		if zr, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(zr)
		}
	}
	s.taking.Lock()
	s.take(request{r.Method, r.URL.Path, r.Header, body})
	s.taking.Unlock()
	answer(w, r)
}

// answer says that a request was taken.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == tracesPath {
		w.Header().Set("Content-Type", "application/x-protobuf") // an empty message
		return
	}
	_, _ = io.WriteString(w, `{"success":true}`)
}
