// Package evals evaluates the pipeline of the example rag: whether it finds, for 40
// questions about the standard library of Go, the documents that answer them, and
// answers from those alone. It needs no network, no key and no model.
//
//	cd examples
//	go test -v ./evals
//	HH_API_URL=http://127.0.0.1:4318 go test -v ./evals   # with go run ./server: open the link that it prints
//	go test ./evals -evals.update                         # after a change for the better
package evals

import (
	"context"
	"os"
	"testing"

	"github.com/sessionspan/sessionspan/evals"
	"github.com/sessionspan/sessionspan/examples/internal/rag"
)

// answer is what is evaluated of an answer.
type answer struct {
	Text    string   `json:"text,omitempty"`
	Sources []string `json:"sources"`
}

// mostDocuments is how many the pipeline looks at.
const mostDocuments = 10

// index indexes the documentation of Go, as the pipeline does; WORSE makes it worse,
// which the gates must notice.
func index(t testing.TB) *rag.Index {
	t.Helper()
	docs, err := rag.LoadDocuments(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	analyzer := rag.English
	switch os.Getenv("WORSE") {
	case "stemming":
		analyzer = rag.Plain
	case "documents":
		var half []rag.Document
		for i, d := range docs {
			if i%2 == 0 {
				half = append(half, d)
			}
		}
		docs = half
	}
	x, err := rag.NewIndex(docs, analyzer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// suite is the evaluation.
func suite(x *rag.Index) evals.Suite[string, answer] {
	right := func(r *evals.Result[string, answer]) []string { return r.Expected.Sources }
	text := func(a answer) string { return a.Text }
	return evals.Suite[string, answer]{
		Cases: evals.Load[string, answer]("testdata/questions.jsonl"),
		Task: func(ctx context.Context, question string) (answer, error) {
			found, err := rag.Ask(ctx, x, question, mostDocuments)
			a := answer{Text: found.Text}
			for _, d := range found.Documents {
				a.Sources = append(a.Sources, d.ID)
			}
			return a, err
		},
		Score: append(evals.Retrieval[string, answer]{Event: "retrieve", K: 5, Relevant: right}.All(),
			evals.Cites[string](func(a answer) []string { return a.Sources }).Must(1),
			evals.Grounded[string](2, text),
			evals.Tools[string, answer]("retrieve").Must(1)),
		Require: []evals.Gate{
			evals.PassRate("hit@5").AtLeast(0.8),
			evals.Mean("mrr@5").AtLeast(0.55),
			evals.Mean("grounded").AtLeast(0.9),
			evals.NoWorse("ndcg@5", 0.05),
		},
		Parallel: 4,
	}
}

func TestRAG(t *testing.T) { evals.Run(t, suite(index(t))) }
