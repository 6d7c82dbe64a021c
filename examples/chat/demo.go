package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// talk holds a conversation with the server, as a client would.
func talk(ctx context.Context, url string) error {
	var id string
	for _, message := range []string{"hello", "what is a session?", "and what is an event?"} {
		out, err := post(ctx, url+"/chat", request{Conversation: id, Message: message, User: "ann"})
		if err != nil {
			return err
		}
		id = out.Conversation
	}
	if _, err := post(ctx, url+"/end", request{Conversation: id}); err != nil {
		return err
	}
	_, err := post(ctx, url+"/feedback", request{Conversation: id, Rating: 5, Comment: "short and clear"})
	return err
}

func post(ctx context.Context, url string, in request) (response, error) {
	var out response
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, err
	}
	if out.Error != "" {
		return out, fmt.Errorf("%s: %s", url, out.Error)
	}
	return out, nil
}

// sessions keeps the lines that a tracer writes.
type sessions struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *sessions) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// print shows the sessions as trees, with what was said of them.
func (s *sessions) print(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	children := make(map[string][]honeyhive.Event)
	var roots []honeyhive.SessionStartRequest
	feedback := make(map[string]honeyhive.Object)
	for line := range bytes.Lines(s.b.Bytes()) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
			Event   *honeyhive.Event               `json:"event"`
			Update  *honeyhive.Update              `json:"update"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		switch {
		case l.Session != nil:
			roots = append(roots, *l.Session)
		case l.Event != nil:
			parent := l.Event.ParentID.Or("")
			children[parent] = append(children[parent], *l.Event)
		case l.Update != nil:
			feedback[l.Update.EventID.Or("")] = l.Update.Feedback
		}
	}
	var tree func(id string, depth int)
	tree = func(id string, depth int) {
		for _, e := range children[id] {
			fmt.Fprintf(&b, "%s%s %q %.2f ms\n", strings.Repeat("  ", depth), e.EventType.Or(""), e.EventName.Or(""), e.Duration.Or(0))
			tree(e.EventID.Or(""), depth+1)
		}
	}
	for _, r := range roots {
		id := r.SessionID.Or("")
		fmt.Fprintf(&b, "session %q %s\n", r.SessionName.Or(""), id)
		tree(id, 1)
		fmt.Fprintf(&b, "outputs  %s\nfeedback %s\n", r.Outputs, feedback[id])
	}
	_, err := io.WriteString(w, b.String())
	return err
}
