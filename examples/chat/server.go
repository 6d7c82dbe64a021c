package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/sessionspan/sessionspan"
)

// server holds the conversations that are open.
type server struct {
	tracer *sessionspan.Tracer
	log    *slog.Logger

	mu   sync.Mutex
	open map[string]*conversation // by session id
}

// conversation is a session with what was said.
type conversation struct {
	session *sessionspan.Session
	mu      sync.Mutex // one turn at a time
	history []sessionspan.Message
}

func newServer(tracer *sessionspan.Tracer, log *slog.Logger) *server {
	return &server{tracer: tracer, log: log, open: make(map[string]*conversation)}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /chat", reply(s.chat))
	mux.HandleFunc("POST /feedback", reply(s.feedback))
	mux.HandleFunc("POST /end", reply(s.end))
	return mux
}

// request is the body of every call.
type request struct {
	Conversation string `json:"conversation"`
	Message      string `json:"message"`
	User         string `json:"user"`
	Rating       int    `json:"rating"`
	Comment      string `json:"comment"`
}

// response is the answer to every call.
type response struct {
	Conversation string `json:"conversation,omitempty"`
	Reply        string `json:"reply,omitempty"`
	Error        string `json:"error,omitempty"`
}

// badRequestError is an error that the caller can mend.
type badRequestError struct{ error }

// reply turns a function into a handler of JSON.
func reply(f func(context.Context, request) (response, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in request
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in)
		var out response
		if err != nil {
			err = badRequestError{fmt.Errorf("read the request: %w", err)}
		} else {
			out, err = f(r.Context(), in)
		}
		status := http.StatusOK
		if err != nil {
			out.Error, status = err.Error(), http.StatusInternalServerError
			if errors.As(err, new(badRequestError)) {
				status = http.StatusBadRequest
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(out) // the client is gone if this fails
	}
}

// chat takes a message and answers it: a turn of a conversation.
func (s *server) chat(ctx context.Context, in request) (response, error) {
	if strings.TrimSpace(in.Message) == "" {
		return response{}, badRequestError{errors.New("message is empty")}
	}
	ctx, c, err := s.conversation(ctx, in)
	if err != nil {
		return response{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()

	ctx, turn := s.tracer.StartEvent(ctx, sessionspan.Chain, fmt.Sprint("turn ", len(c.history)/2+1),
		sessionspan.WithInputs(map[string]any{"message": in.Message}))
	defer turn.End()
	s.log.InfoContext(ctx, "turn", "length", len(in.Message))
	c.history = append(c.history, sessionspan.Message{Role: "user", Content: in.Message})
	answer, err := answer(ctx, c.history)
	if err != nil {
		turn.RecordError(err)
		return response{}, err
	}
	c.history = append(c.history, sessionspan.Message{Role: "assistant", Content: answer})
	turn.SetOutputs(map[string]any{"reply": answer})
	c.session.SetMessages(c.history...)
	c.session.SetReply(c.history[len(c.history)-1])
	return response{Conversation: c.session.ID(), Reply: answer}, nil
}

// conversation returns the one that a request is part of, and a context in its
// session. The request's own trace goes on in both cases.
func (s *server) conversation(ctx context.Context, in request) (context.Context, *conversation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.Conversation != "" {
		c := s.open[in.Conversation]
		if c == nil {
			return ctx, nil, badRequestError{errors.New("there is no such conversation")}
		}
		ctx, _ = s.tracer.ContinueSession(ctx, in.Conversation)
		return ctx, c, nil
	}
	ctx, session := s.tracer.StartSession(ctx, "chat")
	if in.User != "" {
		session.SetUserProperties(map[string]any{"user_id": in.User})
	}
	c := &conversation{session: session}
	s.open[session.ID()] = c
	return ctx, c, nil
}

// end ends a conversation, after which its session is delivered.
func (s *server) end(_ context.Context, in request) (response, error) {
	s.mu.Lock()
	c := s.open[in.Conversation]
	delete(s.open, in.Conversation)
	s.mu.Unlock()
	if c == nil {
		return response{}, badRequestError{errors.New("there is no such conversation")}
	}
	c.session.End()
	return response{Conversation: in.Conversation}, nil
}

// endAll ends what is open when the server stops.
func (s *server) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.open {
		c.session.End()
		delete(s.open, id)
	}
}

// feedback takes what a user says of a conversation, also long after its end and
// in whichever process: an id is enough.
func (s *server) feedback(ctx context.Context, in request) (response, error) {
	said := map[string]any{"rating": in.Rating}
	if in.Comment != "" {
		said["comment"] = in.Comment
	}
	s.mu.Lock()
	c := s.open[in.Conversation]
	s.mu.Unlock()
	if c != nil {
		c.session.SetFeedback(said)
		return response{Conversation: in.Conversation}, nil
	}
	if err := s.tracer.Update(ctx, in.Conversation, sessionspan.WithFeedback(said)); err != nil {
		return response{}, badRequestError{err}
	}
	return response{Conversation: in.Conversation}, nil
}

// facts are what the bot knows.
var facts = []sessionspan.Document{
	{ID: "session", Content: "A session is one conversation, or one run of a pipeline: a root span with everything that happened below it."},
	{ID: "event", Content: "An event is a step of a session: a call of a model, a tool, or a chain of such."},
	{ID: "feedback", Content: "Feedback is what users say of a session; it can come long after the end."},
}

// answer looks something up and phrases it: two events below the turn.
func answer(ctx context.Context, history []sessionspan.Message) (string, error) {
	question := strings.ToLower(history[len(history)-1].Content)
	_, lookup := sessionspan.StartEvent(ctx, sessionspan.Retriever, "look up", sessionspan.WithQuery(question))
	var found []sessionspan.Document
	for _, d := range facts {
		if strings.Contains(question, d.ID) {
			d.Score = 1 / float64(len(found)+1)
			found = append(found, d)
		}
	}
	lookup.SetDocuments(found...)
	lookup.End()
	return sessionspan.Do(ctx, sessionspan.Chain, "phrase", found, func(_ context.Context, found []sessionspan.Document) (string, error) {
		if len(found) == 0 {
			return "I know about sessions, events and feedback. Ask me about one of them.", nil
		}
		return found[0].Content, nil
	})
}
