package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
)

// say is a call of a model that is told messages and replies.
func say(ctx context.Context, name string, reply sessionspan.Message, told ...sessionspan.Message) {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, name, sessionspan.WithModel("openai", "gpt-5.2-mini"), sessionspan.WithMessages(told...))
	reply.Role = "assistant"
	e.SetReply(reply)
	e.End()
}

func user(text string) sessionspan.Message { return sessionspan.Message{Role: "user", Content: text} }

// weather answers for a city, or fails; the tool is written by hand and knows no
// id of a call.
func weather(ctx context.Context, city string, err error) {
	_, _ = sessionspan.Do(ctx, sessionspan.Tool, "weather", map[string]any{"city": city}, func(context.Context, map[string]any) (string, error) {
		return "sunny in " + city, err
	})
}

// calls returns the calls of the thread as they are read.
func (b *tab) calls() []string {
	b.Helper()
	return eval[[]string](b, `[...document.querySelectorAll("#thread .call")].map((c) => c.textContent.replace(/\s+/g, " "))`)
}

// TestResultsOfToolsByHand runs tools by hand, in another order than the model
// asked for, two agents at once and one of the calls failing.
func TestResultsOfToolsByHand(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	ctx, session := tracer.StartSession(context.Background(), "weather", sessionspan.WithInputs(map[string]any{"question": "Paris and Rome?"}))
	var agents []context.Context
	for _, name := range []string{"first", "second"} {
		ctx, agent := sessionspan.StartEvent(ctx, sessionspan.Agent, name)
		defer agent.End()
		say(ctx, "ask", sessionspan.Message{ToolCalls: []sessionspan.ToolCall{
			{ID: "c0", Name: "weather", Arguments: `{"city": "Paris"}`}, {ID: "c1", Name: "weather", Arguments: `{"city": "Rome"}`},
			{ID: "c2", Name: "weather", Arguments: `{"city": "` + name + `"}`},
		}}, user("Paris and Rome?"))
		agents = append(agents, ctx)
	}
	weather(agents[1], "Rome", nil)
	weather(agents[0], "second", nil) // nobody asked this agent for it
	weather(agents[0], "Rome", errors.New("no weather for Rome"))
	weather(agents[0], "Paris", nil)
	session.End()
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + session.ID())
	for i, want := range []string{"sunny in Paris", "no weather for Rome", "", "", "sunny in Rome", ""} {
		got := b.calls()[i]
		if want == "" && strings.Contains(got, "result") || !strings.Contains(got, want) || strings.Count(got, "sunny")+strings.Count(got, "no weather") > 1 {
			t.Errorf("call %d is shown as %q, want %q", i, got, want)
		}
	}
	b.has("#thread > .turn:last-child", "sunny in second") // stands where it was
}

// TestThreadHidesNothing reads an agent in a loop, and a conversation of 60 turns
// in which the user says the same again and again. What is folded opens in place.
func TestThreadHidesNothing(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	ctx, loop := tracer.StartSession(context.Background(), "loop")
	for range 5 {
		say(ctx, "answer", sessionspan.Message{Content: "I run go build again."}, user("fix the build"))
	}
	loop.End()
	ctx, long := tracer.StartSession(context.Background(), "long")
	var told []sessionspan.Message
	var want []string
	for i := range 60 {
		q, a := fmt.Sprintf("question %d", i), fmt.Sprintf("answer %d", i)
		if i%5 == 4 {
			q = "yes, please"
		}
		told = append(told, user(q))
		ctx, turn := sessionspan.StartEvent(ctx, sessionspan.Chain, fmt.Sprintf("turn %d", i+1))
		say(ctx, "answer", sessionspan.Message{Content: a}, told...)
		turn.End()
		told = append(told, sessionspan.Message{Role: "assistant", Content: a})
		want = append(want, q, a)
	}
	long.End()
	deliver(t, tracer)
	b := newTab(t, s.URL())
	const messages = `[...document.querySelectorAll("#thread .message .prose")].map((m) => m.textContent.trim())`
	b.show("/s/" + loop.ID())
	if got := eval[[]string](b, messages); fmt.Sprint(got) != "[fix the build"+strings.Repeat(" I run go build again.", 5)+"]" {
		t.Errorf("the loop is shown as %q", got)
	}
	b.show("/s/" + long.ID())
	got := eval[[]string](b, messages)
	b.click("#thread [rel=next]")
	b.waitPath("from=50")
	b.ready()
	if got = append(got, eval[[]string](b, messages)...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the thread shows %q", got)
	}

	eval[bool](b, `window.same = true`)
	first := `#thread .turn:first-of-type .before`
	b.has(first, "100 earlier messages as above")
	b.click(first + " a")
	b.has(first, "The first 40 are in the event.", "question 20", "question 48", "answer 49")
	if b.count(first+" .message") != 60 || !eval[bool](b, "window.same") {
		t.Error("the earlier messages do not open in place")
	}
	b.click(first + " a") // and close again
	b.wait(`document.querySelectorAll("#thread .before .message").length === 0`)
	b.click(first + " a")
	b.wait(`document.querySelectorAll("#thread .before .message").length === 60`)
	b.show(strings.TrimPrefix(eval[string](b, "location.href"), b.base)) // the address opens them, too
	if b.count(first+" .message") != 60 {
		t.Error("the address does not open the earlier messages")
	}
}

// TestThreadShowsTheRest shows what stands beside the text of a question or an
// answer.
func TestThreadShowsTheRest(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	_, session := tracer.StartSession(context.Background(), "structured",
		sessionspan.WithInputs(map[string]any{"question": "Which clause?", "language": "en", "filters": map[string]any{"year": 2026}}))
	session.SetOutputs(map[string]any{"answer": "Clause **4**.", "sources": []string{"contract.pdf, page 3"}, "confidence": 0.75})
	session.End()
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/s/" + session.ID())
	b.has("#said .user", "Which clause?", "filters", "language")
	b.has("#said .assistant .prose strong", "4")
	b.has("#said .assistant .rest summary", "sources", "confidence")
	b.click("#said .assistant .rest summary")
	b.waitShown("#said .assistant .rest pre")
	b.has("#said .assistant .rest", "contract.pdf, page 3", "0.75")
}
