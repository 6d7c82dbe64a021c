package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan"
)

// service is the process that searches: it serves until its input is closed. It
// starts no session; Handler puts each request into the one that its caller is
// in.
func service(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	tracer, err := newTracer()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /search", func(w http.ResponseWriter, r *http.Request) {
		found := search(sessionspan.ContextWithTracer(r.Context(), tracer), r.FormValue("q"))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(found) // the caller is gone if this fails
	})
	srv := &http.Server{Handler: sessionspan.Handler(mux), ReadHeaderTimeout: 5 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- srv.Serve(listener) }()
	if _, err := fmt.Fprintf(stdout, "http://%s\n", listener.Addr()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stdin) // until the front closes it
	err = errors.Join(err, srv.Close())
	if e := <-serving; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, shutdown(ctx, tracer))
}

var texts = []sessionspan.Document{
	{ID: "baggage", Content: "The identity of a session travels in the baggage header, to the hosts that were allowed and to no other."},
	{ID: "parent", Content: "An event of another process hangs on the session, or on an event of it, by its parent_id."},
	{ID: "clock", Content: "A duration comes from the monotonic clock."},
}

// search scores the texts by the words that they share with the question.
func search(ctx context.Context, question string) []sessionspan.Document {
	_, event := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search", sessionspan.WithQuery(question),
		sessionspan.WithMetadata(map[string]any{"process": os.Getpid()}))
	defer event.End()
	var found []sessionspan.Document
	for _, d := range texts {
		for word := range strings.FieldsSeq(strings.Trim(question, "?")) {
			if len(word) > 4 && strings.Contains(strings.ToLower(d.Content), word) {
				d.Score++
			}
		}
		if d.Score > 0 {
			found = append(found, d)
		}
	}
	event.SetDocuments(found...)
	return found
}
