package evals_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
)

// Answer is what the pipeline gives.
type Answer struct {
	Text    string   `json:"text"`
	Sources []string `json:"sources"`
}

// pipeline is the code under test.
func pipeline(ctx context.Context, question string) (Answer, error) {
	_, event := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search", sessionspan.WithQuery(question))
	defer event.End()
	event.SetDocuments(sessionspan.Document{ID: "spec#defer", Score: 1, Content: "Deferred calls run when the function returns."})
	return Answer{"When the function returns.", []string{"spec#defer"}}, nil
}

// Measures of retrieval need to know the documents that are right, here from the
// sources that a case expects.
func ExampleRetrieval() {
	_ = func(t *testing.T) { // func TestRetrieval(t *testing.T)
		retrieval := evals.Retrieval[string, Answer]{K: 5, Relevant: func(r *evals.Result[string, Answer]) []string { return r.Expected.Sources }}
		evals.Run(t, evals.Suite[string, Answer]{
			Cases: evals.Load[string, Answer]("testdata/answers.jsonl"), Task: pipeline,
			Score:   append(retrieval.All(), evals.Cites[string](func(a Answer) []string { return a.Sources }).Must(1)),
			Require: []evals.Gate{evals.PassRate("hit@5").AtLeast(0.9), evals.NoWorse("ndcg@5", 0.02)},
		})
	}
}

// A judge is a scorer over any client. Its question and its verdict are an event of
// the session.
func ExampleJudge() {
	ask := func(context.Context, string) (string, error) { // by any client of a model
		return `{"reason": "It names the moment.", "score": 5}`, nil
	}
	_ = evals.Judge[string, Answer]{
		Name: "complete", Criterion: "The answer says all that the question asks for.", Ask: ask,
		Output: func(a Answer) string { return a.Text },
	}.Scorer()
}

func ExampleOverlap() {
	fmt.Printf("%.2f\n", evals.Overlap("When the function returns.", "when its function returns"))
	// Output:
	// 0.86
}
