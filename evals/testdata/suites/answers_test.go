package suites

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
)

type Answer struct {
	Text    string   `json:"text"`
	Sources []string `json:"sources,omitempty"`
}

var known = map[string]string{
	"When do deferred calls run?": "when the surrounding function returns",
	"Can a nil map be read?":      "yes, it is empty",
	"How long is a string?":       "as many bytes as it has",
}

// ask is a pipeline that starts a session of its own, as programs do.
func ask(ctx context.Context, q string) (a Answer, err error) {
	ctx, session := sessionspan.StartSession(ctx, "ask", sessionspan.WithInputs(map[string]any{"question": q}))
	defer session.EndErr(&err)
	_, search := sessionspan.StartEvent(ctx, sessionspan.Retriever, "search", sessionspan.WithQuery(q))
	search.SetDocuments(sessionspan.Document{ID: "faq", Score: 1, Content: known[q]})
	search.End()
	_, answer := sessionspan.StartEvent(ctx, sessionspan.Tool, "answer")
	defer answer.EndErr(&err)
	if os.Getenv("WORSE") != "" {
		return Answer{Text: "nobody knows"}, nil
	}
	return Answer{known[q], []string{"faq"}}, nil
}

func overlap(a, b string) float64 {
	shared := 0
	for _, w := range strings.Fields(a) {
		if strings.Contains(b, w) {
			shared++
		}
	}
	return float64(shared) / float64(len(strings.Fields(a)))
}

func TestAnswers(t *testing.T) {
	evals.Run(t, evals.Suite[string, Answer]{
		Cases: evals.Load[string, Answer]("testdata/answers.jsonl"),
		Task:  func(ctx context.Context, q string) (Answer, error) { return ask(ctx, q) },
		Score: []evals.Scorer[string, Answer]{
			evals.Bool("cites", func(r *evals.Result[string, Answer]) bool { return len(r.Output.Sources) > 0 }),
			evals.Num("overlap", func(ctx context.Context, r *evals.Result[string, Answer]) (float64, error) {
				return overlap(r.Output.Text, r.Expected.Text), nil
			}),
			evals.Tools[string, Answer]("search", "answer"),
		},
		Require: []evals.Gate{evals.Mean("overlap").AtLeast(0.8), evals.PassRate("cites").AtLeast(0.95), evals.NoWorse("overlap", 0.02)},
		Times:   3, Parallel: 4,
	})
}
