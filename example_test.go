package sessionspan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// printer is a writer for [sessionspan.WithWriter] that prints the names and the
// fields of what it is given, without ids, times and most metadata.
type printer struct{}

func (printer) Write(lines []byte) (int, error) {
	for line := range strings.Lines(string(lines)) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
			Event   *honeyhive.Event               `json:"event"`
			Update  *honeyhive.Update              `json:"update"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return 0, err
		}
		show := func(name string, o honeyhive.Object) {
			if !o.IsEmpty() {
				fmt.Printf("  %s %s\n", name, o)
			}
		}
		switch {
		case l.Session != nil:
			fmt.Printf("session %q\n", l.Session.SessionName.Or(""))
			show("inputs", l.Session.Inputs)
			show("outputs", l.Session.Outputs)
			for _, key := range []string{"release", "tags"} {
				if v, ok := l.Session.Metadata.Get(key); ok {
					fmt.Printf("  %s %s\n", key, v)
				}
			}
			if text := l.Session.Error.Or(""); text != "" {
				fmt.Printf("  error %q\n", text)
			}
		case l.Event != nil:
			fmt.Printf("%s %q\n", l.Event.EventType.Or(""), l.Event.EventName.Or(""))
			show("config", l.Event.Config)
			show("inputs", l.Event.Inputs)
			show("outputs", l.Event.Outputs)
			if text := l.Event.Error.Or(""); text != "" {
				fmt.Printf("  error %q\n", text)
			}
		case l.Update != nil:
			fmt.Println("update")
			show("outputs", l.Update.Outputs)
			show("metrics", l.Update.Metrics)
			show("feedback", l.Update.Feedback)
		}
	}
	return len(lines), nil
}

// newPrinting returns a tracer that prints. A program has WithAPIKey or WithOTLP in
// place of WithWriter, or variables of the environment.
func newPrinting(options ...sessionspan.Option) *sessionspan.Tracer {
	tracer, err := sessionspan.New(append(options, sessionspan.WithoutEnvironment(), sessionspan.WithProject("docs"), sessionspan.WithWriter(printer{}))...)
	if err != nil {
		panic(err)
	}
	return tracer
}

// shutdown delivers what there is, and says what could not be delivered.
func shutdown(tracer *sessionspan.Tracer) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := tracer.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
}

// A program makes one tracer, and gives it up at its end with a bound on the time.
func ExampleNew() {
	tracer, err := sessionspan.New(
		sessionspan.WithoutEnvironment(), // for this example
		sessionspan.WithProject("Simple RAG Project"),
		sessionspan.WithSource("playground"),
		sessionspan.WithAPIURL("http://127.0.0.1:8080"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sessionspan.SetDefault(tracer)
	defer sessionspan.SetDefault(nil)
	fmt.Println(tracer)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := tracer.Shutdown(ctx); err != nil {
		fmt.Println(err) // says what could not be delivered
	}
	// Output: tracer to ["http 127.0.0.1:8080"]
}

func ExampleStartSession() {
	tracer := newPrinting()
	ctx := sessionspan.ContextWithTracer(context.Background(), tracer) // or SetDefault

	ctx, session := sessionspan.StartSession(ctx, "ask",
		sessionspan.WithInputs(map[string]any{"question": "What is in the context?"}))
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "look")
	event.End()
	session.SetOutputs(map[string]any{"answer": "Hello world"})
	session.End()

	shutdown(tracer)
	// Output:
	// session "ask"
	//   inputs {"question":"What is in the context?"}
	//   outputs {"answer":"Hello world"}
	// tool "look"
}

// Events that are started in the context of an event are its children.
func ExampleStartEvent() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "answer")

	ctx, plan := sessionspan.StartEvent(ctx, sessionspan.Chain, "plan", sessionspan.WithInputs("the question"))
	_, search := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search", sessionspan.WithQuery("otters"), sessionspan.WithTopK(2))
	search.RecordError(errors.New("the index is away"))
	search.End()
	plan.SetOutputs([]string{"ask again"})
	plan.End()

	session.End()
	shutdown(tracer)
	// Output:
	// session "answer"
	// tool "search"
	//   config {"top_k":2}
	//   inputs {"query":"otters"}
	//   error "the index is away"
	// chain "plan"
	//   inputs {"input":"the question"}
	//   outputs {"result":["ask again"]}
}

// EndErr sees the error of every return.
func ExampleSession_EndErr() {
	tracer := newPrinting()
	ask := func(ctx context.Context, question string) (answer string, err error) {
		_, session := tracer.StartSession(ctx, "ask", sessionspan.WithInputs(map[string]any{"question": question}))
		defer session.EndErr(&err)
		if question == "" {
			return "", errors.New("nothing was asked")
		}
		session.SetOutputs(map[string]any{"answer": "42"})
		return "42", nil
	}

	_, err := ask(context.Background(), "")
	shutdown(tracer)
	fmt.Println(err)
	// Output:
	// session "ask"
	//   inputs {"question":""}
	//   error "nothing was asked"
	// nothing was asked
}

// Run makes a session of a function, and Do an event.
func ExampleRun() {
	tracer := newPrinting()
	ctx := sessionspan.ContextWithTracer(context.Background(), tracer)

	type question struct {
		Text string `json:"text"`
	}
	count := func(_ context.Context, text string) (int, error) { return len(strings.Fields(text)), nil }
	answer, err := sessionspan.Run(ctx, "count", question{"how many words"}, func(ctx context.Context, q question) (map[string]int, error) {
		n, err := sessionspan.Do(ctx, sessionspan.Tool, "words", q.Text, count)
		return map[string]int{"words": n}, err
	})
	shutdown(tracer)
	fmt.Println(answer, err)
	// Output:
	// session "count"
	//   inputs {"text":"how many words"}
	//   outputs {"words":3}
	// tool "words"
	//   inputs {"input":"how many words"}
	//   outputs {"result":3}
	// map[words:3] <nil>
}

// Do records what a function takes and returns, an error and a panic.
func ExampleStartTurn() {
	tracer, err := sessionspan.New(sessionspan.WithProject("Chat"), sessionspan.WithWriter(printer{}), sessionspan.WithoutEnvironment())
	if err != nil {
		panic(err)
	}
	sessionspan.SetDefault(tracer)

	// A handler of a stateless service: it knows the conversation, and not which turn
	// of it this is.
	chat := func(ctx context.Context, conversation, question string) (answer string, err error) {
		_, turn := sessionspan.StartTurn(ctx, conversation, "chat",
			sessionspan.WithInputs(map[string]any{"question": question}))
		defer turn.EndErr(&err)
		answer = "You said: " + question
		turn.SetOutputs(map[string]any{"answer": answer})
		return answer, nil
	}
	for _, question := range []string{"Hello", "And now?"} {
		if _, err := chat(context.Background(), "conversation-7", question); err != nil {
			panic(err)
		}
		if err := tracer.ForceFlush(context.Background()); err != nil {
			panic(err)
		}
	}
	if err := tracer.Shutdown(context.Background()); err != nil {
		panic(err)
	}
	// Output:
	// session "chat"
	//   inputs {"question":"Hello"}
	// chain "chat"
	//   inputs {"question":"Hello"}
	//   outputs {"answer":"You said: Hello"}
	// update
	//   outputs {"answer":"You said: Hello"}
	// session "chat"
	//   inputs {"question":"And now?"}
	// chain "chat"
	//   inputs {"question":"And now?"}
	//   outputs {"answer":"You said: And now?"}
	// update
	//   outputs {"answer":"You said: And now?"}
}

func ExampleDo() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "divide")

	divide := func(_ context.Context, n [2]int) (int, error) {
		if n[1] == 0 {
			return 0, errors.New("division by zero")
		}
		return n[0] / n[1], nil
	}
	fmt.Println(sessionspan.Do(ctx, sessionspan.Tool, "divide", [2]int{6, 0}, divide))

	session.End()
	shutdown(tracer)
	// Output:
	// 0 division by zero
	// session "divide"
	// tool "divide"
	//   inputs {"input":[6,0]}
	//   error "division by zero"
}

func ExampleEvent_SetReply() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "chat")

	_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "call",
		sessionspan.WithModel("openai", "gpt-4.1-mini"),
		sessionspan.WithMessages(
			sessionspan.Message{Role: "system", Content: "Answer briefly."},
			sessionspan.Message{Role: "user", Content: "How warm is it in Oslo?"}))
	call.SetReply(sessionspan.Message{Role: "assistant", FinishReason: "tool_calls", ToolCalls: []sessionspan.ToolCall{
		{ID: "call_1", Name: "temperature", Arguments: map[string]any{"city": "Oslo"}},
	}})
	call.SetUsage(sessionspan.Usage{InputTokens: 24, OutputTokens: 8, CacheReadTokens: 16})
	call.End()

	session.End()
	shutdown(tracer)
	// Output:
	// session "chat"
	// model "call"
	//   config {"provider":"openai","model":"gpt-4.1-mini"}
	//   inputs {"chat_history":[{"role":"system","content":"Answer briefly."},{"role":"user","content":"How warm is it in Oslo?"}]}
	//   outputs {"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"temperature","arguments":{"city":"Oslo"}}}],"finish_reason":"tool_calls"}
}

// A document has a score where the search gave it one; HasScore says so of zero.
func ExampleEvent_SetDocuments() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "search")

	_, search := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search", sessionspan.WithQuery("otters"))
	search.SetDocuments(
		sessionspan.Document{ID: "a", Score: 0.92, Content: "Otters swim."},
		sessionspan.Document{ID: "b", HasScore: true},
		sessionspan.Document{ID: "c", Metadata: map[string]any{"page": 3}})
	search.End()

	session.End()
	shutdown(tracer)
	// Output:
	// session "search"
	// tool "search"
	//   inputs {"query":"otters"}
	//   outputs {"documents":[{"id":"a","score":0.92,"content":"Otters swim."},{"id":"b","score":0},{"id":"c","metadata":{"page":3}}]}
}

// What is only known later, such as what users say, is an update, from any process.
func ExampleUpdate() {
	tracer := newPrinting()
	ctx := sessionspan.ContextWithTracer(context.Background(), tracer)
	_, session := sessionspan.StartSession(ctx, "ask")
	session.End()

	if err := sessionspan.Update(ctx, session.ID(), sessionspan.WithFeedback(map[string]any{"rating": 5})); err != nil {
		fmt.Println(err)
	}
	shutdown(tracer)
	fmt.Println(sessionspan.Update(ctx, "", sessionspan.WithFeedback(1)))
	// Output:
	// session "ask"
	// update
	//   feedback {"rating":5}
	// sessionspan: update: the id is empty
}

// A service calls another, which continues the session of the request.
func ExampleHandler() {
	front, back := newPrinting(), newPrinting()
	service := httptest.NewServer(sessionspan.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := sessionspan.ContextWithTracer(r.Context(), back)
		_, event := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search")
		event.End()
	})))
	defer service.Close()

	ctx, session := front.StartSession(context.Background(), "ask")
	host := strings.TrimPrefix(service.URL, "http://") // "search.internal"
	client := &http.Client{Transport: sessionspan.Transport(nil, host)}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, service.URL, http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	session.End()

	shutdown(front)
	shutdown(back)
	// Unordered output:
	// session "ask"
	// tool "search"
}

// The headers of a message carry the session through a queue.
func ExampleInject() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "ask")
	message := map[string]string{}
	sessionspan.Inject(ctx, propagation.MapCarrier(message))
	session.End()

	// In the process that takes the message:
	ctx = sessionspan.Extract(sessionspan.ContextWithTracer(context.Background(), tracer), propagation.MapCarrier(message))
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "work")
	event.End()

	shutdown(tracer)
	// Output:
	// session "ask"
	// tool "work"
}

// A call that a model asked for, given to Do, runs as the event of that very call.
func ExampleToolCall() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "weather")

	asked := []sessionspan.ToolCall{ // by the model
		{ID: "call_1", Name: "temperature", Arguments: `{"city":"Oslo"}`},
		{ID: "call_2", Name: "temperature", Arguments: `{"city":"Rome"}`},
	}
	temperature := func(context.Context, sessionspan.ToolCall) (string, error) { return "7 °C", nil }
	for _, call := range asked {
		if _, err := sessionspan.Do(ctx, sessionspan.Tool, call.Name, call, temperature); err != nil {
			fmt.Println(err)
		}
	}

	// Where there is no ToolCall at hand, its id does.
	_, event := sessionspan.StartEvent(ctx, sessionspan.Tool, "temperature", sessionspan.WithToolCallID("call_3"))
	event.End()

	session.End()
	shutdown(tracer)
	// Output:
	// session "weather"
	// tool "temperature"
	//   inputs {"city":"Oslo"}
	//   outputs {"result":"7 °C"}
	// tool "temperature"
	//   inputs {"city":"Rome"}
	//   outputs {"result":"7 °C"}
	// tool "temperature"
}

// What sessions are grouped and filtered by: the release for all of them, the prompt
// of a call, and tags, which add up.
func ExampleWithTags() {
	tracer := newPrinting(sessionspan.WithRelease("v1.4.2"), sessionspan.WithTags("eu"))
	ctx, session := tracer.StartSession(context.Background(), "answer", sessionspan.WithTags("plan:free"))
	_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "call", sessionspan.WithPrompt("answer-briefly", "7"))
	call.End()
	session.AddTags("refund", "eu")
	session.End()

	shutdown(tracer)
	// Output:
	// session "answer"
	//   release "v1.4.2"
	//   tags ["eu","plan:free","refund"]
	// model "call"
	//   config {"prompt_name":"answer-briefly","prompt_version":"7"}
}

// A function that streams ends its event with the stream, wherever its caller stops.
func ExampleStream() {
	tracer := newPrinting()
	ctx, session := tracer.StartSession(context.Background(), "chat")

	chat := func(ctx context.Context, question string) iter.Seq2[string, error] {
		_, event := sessionspan.StartEvent(ctx, sessionspan.Model, "chat", sessionspan.WithMessages(sessionspan.Message{Role: "user", Content: question}))
		return sessionspan.Stream(event, func(yield func(string, error) bool) {
			var reply strings.Builder
			defer func() { event.SetReply(sessionspan.Message{Role: "assistant", Content: reply.String()}) }()
			for _, piece := range []string{"Otters ", "swim."} { // of the client of a model
				reply.WriteString(piece)
				if !yield(piece, nil) {
					return
				}
			}
		})
	}
	for piece, err := range chat(ctx, "What do otters do?") {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%q\n", piece)
	}

	session.End()
	shutdown(tracer)
	// Output:
	// "Otters "
	// "swim."
	// session "chat"
	// model "chat"
	//   config {"stream":true}
	//   inputs {"chat_history":[{"role":"user","content":"What do otters do?"}]}
	//   outputs {"role":"assistant","content":"Otters swim."}
}

// A meter provider, of the SDK with a reader or exporter of your own, is all that
// metrics of calls need.
func ExampleWithMeterProvider() {
	reader := sdkmetric.NewManualReader()
	tracer := newPrinting(sessionspan.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	ctx, agent := tracer.StartEvent(context.Background(), sessionspan.Agent, "agent")
	_, call := sessionspan.StartEvent(ctx, sessionspan.Model, "call", sessionspan.WithModel("openai", "gpt-4.1-mini"))
	call.SetUsage(sessionspan.Usage{InputTokens: 24, OutputTokens: 8})
	call.End()
	agent.SetUsage(sessionspan.Usage{InputTokens: 24, OutputTokens: 8}) // the same once more
	agent.End()

	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		fmt.Println(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if h, ok := m.Data.(metricdata.Histogram[int64]); ok {
			for _, p := range h.DataPoints {
				kind, _ := p.Attributes.Value("gen_ai.token.type")
				fmt.Println(m.Name, kind.AsString(), p.Count, p.Sum)
			}
		}
	}
	shutdown(tracer)
	// Unordered output:
	// gen_ai.client.token.usage input 1 24
	// gen_ai.client.token.usage output 1 8
}

// On the local server a session has a page, which shows it while it runs.
func ExampleSession_URL() {
	tracer := newPrinting() // sessionspan.WithAPIURL("http://127.0.0.1:4318") in a program
	_, session := tracer.StartSession(context.Background(), "ask")
	fmt.Printf("%q\n", session.URL()) // a writer has no page
	session.End()
	shutdown(tracer)
	// Output:
	// ""
	// session "ask"
}
