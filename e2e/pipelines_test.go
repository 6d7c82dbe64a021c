package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
)

// Sessions as programs make them with the library. Times are given, so that the
// pictures of them do not depend on how fast the machine is.

func anHourAgo() time.Time { return time.Now().Add(-time.Hour).Truncate(time.Second) }

// clock gives the times of a session, in steps from its start.
type clock struct{ at time.Time }

func (c *clock) start() sessionspan.FieldOption { return sessionspan.WithStartTime(c.at) }

func (c *clock) end(took time.Duration) sessionspan.FieldOption {
	c.at = c.at.Add(took)
	return sessionspan.WithEndTime(c.at)
}

// Figures that a client of a model knows of a call.
func figures(in, out int64, cost float64, first time.Duration) map[string]any {
	return map[string]any{
		"prompt_tokens": in, "completion_tokens": out, "cost": cost, "time_to_first_chunk_ms": float64(first) / float64(time.Millisecond),
	}
}

const travelAnswer = `Here is a weekend that fits:

| | What | Price |
|---|---|---|
| Flight | X3 412, Friday 4 December | 148 € |
| Hotel | Casa do Rio, two nights | 182 € |

That makes **330 €**. See [the hotel](https://hotel.example/casa) for pictures.

- Breakfast is included
- Free cancellation until Wednesday`

// agent is a run of an agent that calls tools, one of which fails at first. It
// returns the ids of the session and of the failed call.
func agent(tracer *sessionspan.Tracer, at time.Time) (session, failed string) {
	c := &clock{at}
	ctx, s := tracer.StartSession(context.Background(), "Weekend in Porto", c.start(),
		sessionspan.WithInputs(map[string]any{"question": "Find me a weekend in Porto under 400 €, leaving on a Friday."}),
		sessionspan.WithConfig(map[string]any{"agent": "travel-v3", "max_steps": 8}),
		sessionspan.WithUserProperties(map[string]any{"user_id": "u-0007", "plan": "pro"}),
		sessionspan.WithMetrics(map[string]any{"groundedness": 0.97}),
		sessionspan.WithMetadata(map[string]any{"app_version": "2.3.1", "region": "eu-1"}))
	ctx, run := sessionspan.StartEvent(ctx, sessionspan.Agent, "travel agent", c.start(), sessionspan.WithInputs(map[string]any{"goal": "a weekend"}))
	history := []sessionspan.Message{
		{Role: "system", Content: "You are a travel agent. Use the tools. Answer in markdown."},
		{Role: "user", Content: "Find me a weekend in **Porto** under 400 €, leaving on a Friday."},
	}
	ask := func(reply sessionspan.Message, took time.Duration, f map[string]any) {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "chat", c.start(), sessionspan.WithModel("anthropic", "claude-opus-4.7"),
			sessionspan.WithConfig(map[string]any{"temperature": 0.3}), sessionspan.WithMessages(history...), sessionspan.WithMetadata(f))
		e.SetReply(reply)
		e.End(c.end(took))
		history = append(append([]sessionspan.Message(nil), history...), reply)
	}
	use := func(name, id string, in map[string]any, out any, failure error, took time.Duration) string {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, name, c.start(), sessionspan.WithInputs(in),
			sessionspan.WithMetadata(map[string]any{"tool_call_id": id}))
		if failure != nil {
			e.RecordError(failure)
			out = map[string]any{"error": failure.Error()}
		}
		e.SetOutputs(map[string]any{"result": out})
		e.End(c.end(took))
		history = append(history, sessionspan.Message{Role: "tool", ToolCallID: id, Content: fmt.Sprint(out)})
		return e.ID()
	}
	flights := map[string]any{"from": "BER", "to": "OPO", "day": "2026-12-04"}
	hotels := map[string]any{"city": "Porto", "nights": 2}
	near := map[string]any{"city": "Porto", "area": "Ribeira", "nights": 2}
	ask(sessionspan.Message{Role: "assistant", Content: "I will look at flights and hotels.", FinishReason: "tool_calls", ToolCalls: []sessionspan.ToolCall{
		{ID: "c1", Name: "search_flights", Arguments: flights}, {ID: "c2", Name: "search_hotels", Arguments: hotels},
	}}, 2100*time.Millisecond, figures(812, 96, 0.0123, 640*time.Millisecond))
	use("search_flights", "c1", flights, "X3 412 for 148 €, TP 533 for 171 €", nil, 830*time.Millisecond)
	failed = use("search_hotels", "c2", hotels, nil, errors.New("timeout after 2 s"), 2004*time.Millisecond)
	ask(sessionspan.Message{
		Role: "assistant", Reasoning: "The hotel search failed, so try it once more with a smaller area.", FinishReason: "tool_calls",
		ToolCalls: []sessionspan.ToolCall{{ID: "c3", Name: "search_hotels", Arguments: near}},
	}, 1500*time.Millisecond, figures(1204, 44, 0.0151, 590*time.Millisecond))
	use("search_hotels", "c3", near, "Casa do Rio for 182 €", nil, 910*time.Millisecond)
	ask(sessionspan.Message{Role: "assistant", Content: travelAnswer, FinishReason: "stop"}, 3200*time.Millisecond,
		figures(1420, 231, 0.0232, 710*time.Millisecond))
	run.SetOutputs(map[string]any{"answer": travelAnswer})
	run.End(c.end(0))
	s.SetReply(sessionspan.Message{Role: "assistant", Content: travelAnswer})
	s.End(c.end(4 * time.Millisecond))
	return s.ID(), failed
}

// broken is a session whose model stopped in the middle of its answer.
func broken(tracer *sessionspan.Tracer, at time.Time) string {
	c := &clock{at}
	ctx, s := tracer.StartSession(context.Background(), "broken stream", c.start(), sessionspan.WithInputs(map[string]any{"question": "Tell me of Porto."}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "chat", c.start(), sessionspan.WithModel("openai", "gpt-5.2-mini"),
		sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: "Tell me of Porto."}),
		sessionspan.WithMetadata(map[string]any{"time_to_first_chunk_ms": 310.0}))
	e.SetReply(sessionspan.Message{Role: "assistant", Content: "Porto lies at the mouth of the"})
	err := fmt.Errorf("read the stream: %w", io.ErrUnexpectedEOF)
	e.RecordError(err)
	e.End(c.end(1200 * time.Millisecond))
	s.RecordError(err)
	s.End(c.end(time.Millisecond))
	return s.ID()
}

// orphan is what arrives of a session whose own record never does: an event of
// another service, and one whose parent is lost too.
func orphan(t testing.TB, url string) string {
	const session = "22222222-2222-4222-8222-222222222222"
	start := time.Now().Add(-time.Minute).UnixMilli()
	for _, event := range []string{
		`"event_name":"search","event_type":"tool","event_id":"22222222-0000-4222-8222-000000000001","parent_id":"` + session + `"`,
		`"event_name":"embed","event_type":"model","event_id":"22222222-0000-4222-8222-000000000002","parent_id":"22222222-9999-4222-8222-000000000009"`,
	} {
		body := fmt.Sprintf(`{"event":{"project":"Travel","source":"staging","session_id":%q,%s,"inputs":{"query":"late parcels"},"config":{},"start_time":%d,"duration":140}}`,
			session, event, start)
		if status, answer := post(t, url+"/events", body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	return session
}

// questions are what customers ask.
var questions = [][2]string{
	{"How do I rotate an API key?", "Open Settings, then API keys, and choose Rotate. The old key works for an hour."},
	{"Why was I charged twice in October?", "The second charge is a pre-authorisation; it disappears in three days."},
	{"What is the availability of the EU region?", "99.95 % a month, measured for each region."},
	{"Summarise the call with Ms. Okafor", "Three decisions, two open questions."},
	{"Reset the password of a shared mailbox", "I cannot do that for you, but the owner of the mailbox can."},
}

// answered is a plain session of a support assistant: number i of many.
func answered(tracer *sessionspan.Tracer, name string, i int, at time.Time) string {
	c := &clock{at}
	q := questions[i%len(questions)]
	ctx, s := tracer.StartSession(context.Background(), name, c.start(), sessionspan.WithInputs(map[string]any{"question": q[0]}),
		sessionspan.WithUserProperties(map[string]any{"user_id": fmt.Sprintf("u-%04d", i%23)}))
	_, find := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve", c.start(), sessionspan.WithQuery(q[0]))
	find.SetDocuments(sessionspan.Document{ID: "kb/17", Score: 12.4, Content: q[1]}, sessionspan.Document{ID: "kb/22", Score: 3.1, Content: "Something else."})
	find.End(c.end(time.Duration(60+i%50) * time.Millisecond))
	draw := rand.New(rand.NewPCG(uint64(i), 7)) // the same for each number
	model := []string{"gpt-5.2-mini", "claude-opus-4.7", "llama-4-70b"}[i%3]
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "answer", c.start(), sessionspan.WithModel("", model),
		sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: q[0]}),
		sessionspan.WithMetadata(figures(300+draw.Int64N(2900), 20+draw.Int64N(600), 0.0004+draw.Float64()/50, time.Duration(150+draw.IntN(500))*time.Millisecond)))
	took := time.Duration(400*(i+1))*time.Millisecond + time.Duration(draw.IntN(300))*time.Millisecond
	if i > 4 {
		took = 700*time.Millisecond + time.Duration(draw.ExpFloat64()*float64(time.Second))
	}
	if i%9 == 4 {
		err := errors.New("429 Too Many Requests: the limit of requests a minute is reached")
		e.RecordError(err)
		s.RecordError(err)
	} else {
		e.SetReply(sessionspan.Message{Role: "assistant", Content: q[1]})
		s.SetReply(sessionspan.Message{Role: "assistant", Content: q[1]})
	}
	switch i % 6 {
	case 0:
		s.SetFeedback(map[string]any{"rating": 1})
	case 1:
		s.SetFeedback(map[string]any{"rating": -1, "comment": "Not what I asked"})
	}
	e.End(c.end(took))
	s.End(c.end(2 * time.Millisecond))
	return s.ID()
}

// history makes many sessions, the newest first in the list with number 0.
func history(t testing.TB, url string, n int) {
	t.Helper()
	names := []string{"answer a question", "triage a ticket", "summarise a call", "support chat"}
	now := time.Now().Add(-time.Hour)
	draw := rand.New(rand.NewPCG(1, 2)) // the same each time
	gaps := make([]time.Duration, n)
	for k := range gaps {
		gaps[k] = time.Duration(draw.ExpFloat64() * float64(7*time.Minute))
		if k > 0 {
			gaps[k] += gaps[k-1]
		}
	}
	for i, source := range []string{"production", "staging"} {
		tracer := newTracer(t, url, "Support assistant", source)
		for k := i; k < n; k += 2 {
			answered(tracer, names[k%4], k, now.Add(-gaps[k]))
		}
		deliver(t, tracer)
	}
}
