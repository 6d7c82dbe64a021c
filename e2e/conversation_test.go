package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/sessionspan/sessionspan"
)

// TestConversation reads a conversation of six turns that three services answered by
// turns, none of which knows the others, and of which one is cut off in its turn.
func TestConversation(t *testing.T) {
	s := start(t)
	var services []*sessionspan.Tracer
	for range 3 {
		services = append(services, newTracer(t, s.URL(), "Travel", "staging"))
	}
	var want []string
	for i := range 6 {
		service := services[i%3]
		q, a := fmt.Sprintf("question %d", i), fmt.Sprintf("answer %d", i)
		want = append(want, q, a)
		ctx, turn := service.StartTurn(context.Background(), "conversation-7", "chat", sessionspan.WithInputs(map[string]any{"question": q}))
		_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "answer", sessionspan.WithModel("openai", "gpt-5.2-mini"), sessionspan.WithMessages(user(q)))
		call.SetReply(sessionspan.Message{Role: "assistant", Content: a})
		call.SetUsage(sessionspan.Usage{InputTokens: 100, OutputTokens: 10})
		call.End()
		if i == 5 {
			break // its service is shut down meanwhile
		}
		turn.SetOutputs(map[string]any{"answer": a})
		turn.End()
		flush(t, service)
	}
	for _, service := range services {
		deliver(t, service)
	}

	b := newTab(t, s.URL())
	b.show("/")
	b.lists("chat")
	b.has("#sessions tbody", "question 0", "answer 4")
	b.click("#sessions tbody a.open")
	b.ready()
	b.has("#session .figures", "Tokens in / out 600 / 60")
	b.has("#session", "question 0", "answer 4")
	const messages = `[...document.querySelectorAll("#thread .message .prose")].map((m) => m.textContent.trim())`
	// A question is what the turn was asked, and what the model was told.
	if got := slices.Compact(eval[[]string](b, messages)); !slices.Equal(got, want) {
		t.Errorf("the thread shows %q, want %q", got, want)
	}
	if n := eval[int](b, `document.querySelectorAll("#thread .turn-head .tag").length`); n != 1 {
		t.Errorf("%d turns are marked", n)
	}
}
