package evals

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Score is what a [Scorer] says of a result.
type Score struct {
	// Value is the score, a finite number. By convention 1 is the best and 0 the worst.
	Value float64
	// Label is the score in a word, such as "refused". It is optional.
	Label string
	// Explanation says why. It is optional.
	Explanation string
}

// A Scorer gives a result a number. Make one with [Bool], [Num] or [Func], or take
// one of this package. Scorers run after the task, in their order, in the context of
// the session, so that calls of models which they make are its events; they are
// called by several goroutines at once where [Suite.Parallel] says so.
//
// Scorers run also where the task failed: r.Err says so. Those of this package give
// 0 then. A scorer that returns an error, panics, or gives NaN or an infinity gives no
// score: the attempt says so, and gates on that score fail.
type Scorer[I, O any] struct {
	name  string
	bool  bool
	least float64 // below which the subtest fails
	must  bool
	score func(context.Context, *Result[I, O]) (Score, error)
}

// Bool returns a scorer that says whether a result is good: true is 1, false 0.
func Bool[I, O any](name string, good func(r *Result[I, O]) bool) Scorer[I, O] {
	if good == nil {
		return Scorer[I, O]{name: name, bool: true}
	}
	return boolean(name, func(r *Result[I, O]) (bool, error) { return good(r), nil })
}

// boolean is Bool with an error.
func boolean[I, O any](name string, good func(r *Result[I, O]) (bool, error)) Scorer[I, O] {
	return Scorer[I, O]{name: name, bool: true, score: func(_ context.Context, r *Result[I, O]) (Score, error) {
		ok, err := good(r)
		if err == nil && ok {
			return Score{Value: 1}, nil
		}
		return Score{}, err
	}}
}

// Num returns a scorer that gives a number.
func Num[I, O any](name string, score func(ctx context.Context, r *Result[I, O]) (float64, error)) Scorer[I, O] {
	if score == nil {
		return Scorer[I, O]{name: name}
	}
	return Func(name, func(ctx context.Context, r *Result[I, O]) (Score, error) {
		v, err := score(ctx, r)
		return Score{Value: v}, err
	})
}

// Func returns a scorer that gives a number with a label or an explanation.
func Func[I, O any](name string, score func(ctx context.Context, r *Result[I, O]) (Score, error)) Scorer[I, O] {
	return Scorer[I, O]{name: name, score: score}
}

// Named returns the scorer under another name.
func (s Scorer[I, O]) Named(name string) Scorer[I, O] {
	s.name = name
	return s
}

// Must returns the scorer such that an attempt's subtest fails, and with it the
// test, where the score is below least or missing. Without it only gates fail the
// test. For a scorer of [Bool], least is 1.
func (s Scorer[I, O]) Must(least float64) Scorer[I, O] {
	s.must, s.least = true, least
	return s
}

// check returns what is wrong with the scorers of a suite.
func checkScorers[I, O any](scorers []Scorer[I, O]) (problems []error) {
	seen := make(map[string]bool)
	for i, s := range scorers {
		switch {
		case s.name == "":
			problems = append(problems, fmt.Errorf("scorer %d has no name", i+1))
		case strings.ContainsFunc(s.name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }):
			problems = append(problems, fmt.Errorf("the scorer %q has a name that is no line of text", s.name))
		case seen[s.name]:
			problems = append(problems, fmt.Errorf("two scorers have the name %q: see Scorer.Named", s.name))
		case s.score == nil:
			problems = append(problems, fmt.Errorf("the scorer %q has no function", s.name))
		case s.must && math.IsNaN(s.least):
			problems = append(problems, fmt.Errorf("the scorer %q must be at least NaN", s.name))
		}
		seen[s.name] = true
	}
	return problems
}

// run calls the scorer.
func (s *Scorer[I, O]) run(ctx context.Context, r *Result[I, O]) (Score, error) {
	v, err := guard(ctx, grace, func(ctx context.Context) (Score, error) { return s.score(ctx, r) })
	if err == nil && (math.IsNaN(v.Value) || math.IsInf(v.Value, 0)) {
		err = fmt.Errorf("the score is %v", v.Value)
	}
	return v, err
}

// Succeeds says whether the task returned no error. Its name is "succeeds".
func Succeeds[I, O any]() Scorer[I, O] {
	return Bool("succeeds", func(r *Result[I, O]) bool { return r.Err == nil })
}

// Tools says whether exactly these tools were called, in this order: the names of
// the events of the kinds [sessionspan.Tool] and [sessionspan.Retriever] in the
// session, in the order in which they started. Its name is "tools".
func Tools[I, O any](names ...string) Scorer[I, O] {
	return trajectory[I, O]("tools", names, slices.Equal[[]string])
}

// ToolsInOrder says whether these tools were called in this order, with others
// before, between and after them allowed. Its name is "tools in order".
func ToolsInOrder[I, O any](names ...string) Scorer[I, O] {
	return trajectory[I, O]("tools in order", names, func(called, wanted []string) bool {
		for _, name := range called {
			if len(wanted) > 0 && name == wanted[0] {
				wanted = wanted[1:]
			}
		}
		return len(wanted) == 0
	})
}

func trajectory[I, O any](name string, wanted []string, fits func(called, wanted []string) bool) Scorer[I, O] {
	return Scorer[I, O]{name: name, bool: true, score: func(_ context.Context, r *Result[I, O]) (Score, error) {
		called := r.Session.tools()
		if r.Err == nil && fits(called, wanted) {
			return Score{Value: 1}, nil
		}
		return Score{Explanation: fmt.Sprintf("called %q, not %q", called, wanted)}, nil
	}}
}
