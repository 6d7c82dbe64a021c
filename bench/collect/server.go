// Package collect is the server that every peer sends to. It keeps what comes
// until it is asked, and only then looks into it, so that counting takes no time
// from those who send.
package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Stats is what came since the last reset.
type Stats struct {
	Requests int      `json:"requests"`
	Bytes    int64    `json:"bytes"`    // of bodies, as they came
	Records  int      `json:"records"`  // spans, sessions, events
	LastNano int64    `json:"last"`     // when the last request was read whole, since the Unix epoch
	Problems []string `json:"problems"` // bodies that could not be read
	Other    []string `json:"other"`    // requests that carry no records
}

type body struct {
	kind     kind
	encoding string
	data     []byte
}

// Server takes OTLP/HTTP, the routes of HoneyHive, of langfuse's ingestion and of
// an agent of Datadog, and answers them all at once.
type Server struct {
	mu     sync.Mutex
	bodies []body
	stats  Stats
}

// Serve serves on ln until ctx ends.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(ln); ctx.Err() == nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// ServeHTTP takes one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/bench/reset":
		s.reset()
		return
	case "/bench/stats":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Stats())
		return
	case "/info": // what an agent of Datadog says that it takes
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"endpoints":["/v0.4/traces","/evp_proxy/v2/"],"client_drop_p0s":false}`)
		return
	}
	data, err := readAll(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	k := kindOf(r)
	s.take(k, r, data)
	answer(w, k, r)
}

// readAll reads a body into a slice of its size, where that is known.
func readAll(r *http.Request) ([]byte, error) {
	if r.ContentLength <= 0 {
		return io.ReadAll(r.Body)
	}
	data := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, data)
	return data, err
}

func (s *Server) take(k kind, r *http.Request, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	s.stats.Bytes += int64(len(data))
	if k == other {
		if len(s.stats.Other) < 10 {
			s.stats.Other = append(s.stats.Other, r.Method+" "+r.URL.Path)
		}
		return
	}
	s.stats.LastNano = time.Now().UnixNano()
	s.bodies = append(s.bodies, body{k, r.Header.Get("Content-Encoding"), data})
}

func (s *Server) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies, s.stats = nil, Stats{}
}

// Stats counts what came since it was last asked, and returns all that came since
// the last reset.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bodies {
		n, err := count(b)
		s.stats.Records += n
		if err != nil && len(s.stats.Problems) < 10 {
			s.stats.Problems = append(s.stats.Problems, err.Error())
		}
	}
	s.bodies = nil
	return s.stats
}

// answer says of a request what its client wants to hear.
func answer(w http.ResponseWriter, k kind, r *http.Request) {
	switch k {
	case otlpTraces:
		w.Header().Set("Content-Type", "application/x-protobuf")
	case langfuseBatch:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusMultiStatus)
		_, _ = io.WriteString(w, `{"successes":[],"errors":[]}`)
	case datadogSpans:
		w.WriteHeader(http.StatusAccepted)
	case other:
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/traces") {
			_, _ = io.WriteString(w, `{"rate_by_service":{"service:,env:":1}}`)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true}`)
	}
}
