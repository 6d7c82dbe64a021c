package main

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

	"github.com/sessionspan/sessionspan/honeyhive"
)

// receiver is a server of the HTTP API that keeps what it gets in memory.
type receiver struct {
	url string
	srv *http.Server

	mu       sync.Mutex
	sessions []honeyhive.SessionStartRequest
	events   []honeyhive.Event
}

func startReceiver(ctx context.Context) (*receiver, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/start", take(func(body struct{ Session honeyhive.SessionStartRequest }) any {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sessions = append(r.sessions, body.Session)
		return map[string]any{"session_id": body.Session.SessionID.Or("")}
	}))
	mux.HandleFunc("POST /events/batch", take(func(body struct{ Events []honeyhive.Event }) any {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, body.Events...)
		return map[string]any{"success": true}
	}))
	r.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.srv.Serve(listener) }() // ends with close
	return r, nil
}

// take turns a function into a handler of JSON.
func take[T any](f func(T) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f(body)) // the client is gone if this fails
	}
}

func (r *receiver) close() error { return r.srv.Close() }

// print shows each session as a tree, with the process that each part came from.
func (r *receiver) print(w io.Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	process := func(metadata honeyhive.Object) string {
		if pid, ok := metadata.Get("process"); ok {
			return "  (process " + string(pid) + ")"
		}
		return ""
	}
	var tree func(id string, depth int)
	tree = func(id string, depth int) {
		for _, e := range r.events {
			if e.ParentID.Or("") == id {
				fmt.Fprintf(&b, "%s%s %q%s\n", strings.Repeat("  ", depth), e.EventType.Or(""), e.EventName.Or(""), process(e.Metadata))
				tree(e.EventID.Or(""), depth+1)
			}
		}
	}
	for _, s := range r.sessions {
		fmt.Fprintf(&b, "session %q%s\n", s.SessionName.Or(""), process(s.Metadata))
		tree(s.SessionID.Or(""), 1)
		fmt.Fprintf(&b, "inputs  %s\noutputs %s\n", s.Inputs, s.Outputs)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
