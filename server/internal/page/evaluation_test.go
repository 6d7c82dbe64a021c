package page

import (
	"testing"

	"github.com/sessionspan/sessionspan/evals"
)

func TestAnswers(t *testing.T) {
	evals.Run(t, evals.Suite[string, string]{
		Cases: evals.Load[string, string]("testdata/answers.jsonl"),
		Task:  ask, // func(ctx context.Context, question string) (string, error)
		Score: []evals.Scorer[string, string]{
			evals.Exact[string](func(answer string) string { return answer }),
		},
	})
}
