// Quickstart answers a question in a session.
package main

import (
	"context"
	"log"
	"time"

	"github.com/sessionspan/sessionspan"
)

func main() {
	tracer, err := sessionspan.New(
		sessionspan.WithProject("Simple RAG Project"),
		sessionspan.WithSource("playground"),
	)
	if err != nil {
		log.Fatal(err)
	}
	sessionspan.SetDefault(tracer)

	answer, err := ask(context.Background(), "ann", "What is in the context?")
	log.Println(answer, err)

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := tracer.Shutdown(ctx); err != nil {
		log.Println(err) // says what could not be delivered
	}
}

func ask(ctx context.Context, user, question string) (answer string, err error) {
	ctx, session := sessionspan.StartSession(ctx, "Playground Session",
		sessionspan.WithInputs(map[string]any{"question": question}),
		sessionspan.WithUserProperties(map[string]any{"user": user}))
	defer session.EndErr(&err) // records what is returned, and a panic

	// A step with its own inputs and outputs.
	_, retrieve := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve",
		sessionspan.WithQuery(question))
	docs := []sessionspan.Document{{ID: "doc-1", Score: 0.92, Content: "Hello world"}}
	retrieve.SetDocuments(docs...)
	retrieve.End()

	// A function as a step: inputs, outputs, errors and panics are recorded.
	answer, err = sessionspan.Do(ctx, sessionspan.Chain, "generate", docs, generate)
	if err != nil {
		return "", err
	}
	session.SetOutputs(map[string]any{"role": "assistant", "content": answer})
	return answer, nil
}

func generate(ctx context.Context, docs []sessionspan.Document) (string, error) {
	_, model := sessionspan.StartEvent(ctx, sessionspan.Model, "call",
		sessionspan.WithModel("openai", "gpt-4.1-mini"),
		sessionspan.WithMessages(
			sessionspan.Message{Role: "system", Content: "Answer from the context: " + docs[0].Content},
			sessionspan.Message{Role: "user", Content: "What is in the context?"}))
	defer model.End()
	answer := "Hello world" // what your client of the model returns
	model.SetReply(sessionspan.Message{Role: "assistant", Content: answer, FinishReason: "stop"})
	model.SetUsage(sessionspan.Usage{InputTokens: 24, OutputTokens: 3})
	return answer, nil
}
