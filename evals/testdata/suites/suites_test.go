// Package suites has the suites that the tests of evals run as processes. Some fail.
package suites

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
)

type (
	result = evals.Result[int, int]
	suite  = evals.Suite[int, int]
)

// numbers are n cases.
func numbers(n int) (list []evals.Case[int, int]) {
	for i := range n {
		list = append(list, evals.Case[int, int]{Name: fmt.Sprintf("case%d", i), Input: i, Expected: i + 1})
	}
	return list
}

var right = evals.Bool("right", func(r *result) bool { return r.Output == r.Expected })

var always = []evals.Gate{evals.PassRate("right").AtLeast(1)}

func plus1(_ context.Context, n int) (int, error) { return n + 1, nil }

func TestTimes(t *testing.T) {
	var calls atomic.Int64
	evals.Run(t, suite{Cases: evals.Cases(numbers(2)...), Times: 3, Score: []evals.Scorer[int, int]{right}, Require: always,
		Task: func(ctx context.Context, n int) (int, error) { calls.Add(1); return plus1(ctx, n) }})
	t.Logf("the task was called %d times", calls.Load())
}

// TestParallel has tasks that wait until three run, so that it ends at all only
// where three run at the same time.
func TestParallel(t *testing.T) {
	var mu sync.Mutex
	running, most := 0, 0
	three := make(chan struct{})
	evals.Run(t, suite{Cases: evals.Cases(numbers(12)...), Parallel: 3, Score: []evals.Scorer[int, int]{right}, Require: always,
		Task: func(ctx context.Context, n int) (int, error) {
			mu.Lock()
			running++
			if most = max(most, running); running == 3 {
				select {
				case <-three:
				default:
					close(three)
				}
			}
			mu.Unlock()
			defer func() { mu.Lock(); running--; mu.Unlock() }()
			select {
			case <-three:
			case <-ctx.Done():
			}
			return plus1(ctx, n)
		}})
	t.Logf("%d ran at the same time", most)
}

func TestPanic(t *testing.T) {
	evals.Run(t, suite{Cases: evals.Cases(numbers(3)...),
		Task: func(ctx context.Context, n int) (int, error) {
			if n == 1 {
				panic("the floor gives way")
			}
			return plus1(ctx, n)
		},
		Score: []evals.Scorer[int, int]{evals.Succeeds[int, int](), evals.Bool("careful", func(r *result) bool {
			if r.Input == 2 {
				panic("the judge falls")
			}
			return true
		})}, Require: []evals.Gate{evals.PassRate("succeeds").AtLeast(0.5), evals.PassRate("careful").AtLeast(0)}})
}

func TestTimeout(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	evals.Run(t, suite{Cases: evals.Cases(numbers(3)...), Timeout: time.Millisecond, Score: []evals.Scorer[int, int]{evals.Bool("saw", func(r *result) bool {
		return r.Input == 0 || errors.Is(r.Err, context.DeadlineExceeded) && errors.Is(r.Err, evals.ErrAbandoned) == (r.Input == 2)
	})}, Require: []evals.Gate{evals.PassRate("saw").AtLeast(1)},
		Task: func(ctx context.Context, n int) (int, error) {
			switch n {
			case 1:
				<-ctx.Done()
				return 0, fmt.Errorf("ask: %w", context.Cause(ctx))
			case 2:
				<-hang
			}
			return 0, nil
		}})
}

// TestOutOfTime has tasks that end with their context, which -timeout ends.
func TestOutOfTime(t *testing.T) {
	if _, ok := t.Deadline(); !ok {
		t.Skip("it waits for -timeout")
	}
	evals.Run(t, suite{Cases: evals.Cases(numbers(3)...), Score: []evals.Scorer[int, int]{evals.Succeeds[int, int]()}, Require: []evals.Gate{evals.PassRate("succeeds").AtLeast(0)},
		Task: func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}})
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	evals.Run(t, suite{Cases: evals.Cases(numbers(4)...), Context: ctx, Score: []evals.Scorer[int, int]{right}, Require: always,
		Task: func(ctx context.Context, n int) (int, error) {
			if n == 1 {
				cancel(errors.New("the budget is spent"))
				<-ctx.Done()
			}
			return plus1(ctx, n)
		}})
}

func TestFailNow(t *testing.T) {
	evals.Run(t, suite{Cases: evals.Cases(numbers(3)...), Score: []evals.Scorer[int, int]{evals.Succeeds[int, int]()},
		Task: func(ctx context.Context, n int) (int, error) {
			if n == 1 {
				t.FailNow()
			}
			return plus1(ctx, n)
		}})
}

func TestMust(t *testing.T) {
	evals.Run(t, suite{Cases: evals.Cases(numbers(3)...), Score: []evals.Scorer[int, int]{right.Must(1)},
		Task: func(_ context.Context, n int) (int, error) { return 2, nil }})
}

func TestShort(t *testing.T) {
	evals.Run(t, suite{Cases: evals.Cases(numbers(1)...), Short: true, Score: []evals.Scorer[int, int]{right}, Task: plus1})
}

// TestSideBySide has two suites whose sessions must not mix.
func TestSideBySide(t *testing.T) {
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evals.Run(t, suite{Cases: evals.Cases(numbers(20)...), Parallel: 4, Require: []evals.Gate{evals.PassRate("own").AtLeast(1), evals.PassRate("right").AtLeast(1)},
				Task: func(ctx context.Context, n int) (int, error) {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprintf("%s%d", name, n))
					e.End()
					return plus1(ctx, n)
				},
				Score: []evals.Scorer[int, int]{right, evals.Bool("own", func(r *result) bool {
					return len(r.Session.Events) == 1 && r.Session.Events[0].EventName.Or("") == fmt.Sprintf("%s%d", name, r.Input)
				})}})
		})
	}
}

func TestWrong(t *testing.T) {
	evals.Run(t, suite{Cases: evals.Cases(numbers(1)...), Task: plus1, Times: -1, Score: []evals.Scorer[int, int]{right, right},
		Require: []evals.Gate{evals.Mean("left").AtLeast(1), {}}})
}

func TestBadCases(t *testing.T) {
	if err := os.WriteFile("bad.jsonl", []byte(`{"input": 1, "expected": 2}`+"\n"+`{"input": "one"}`+"\n"+`{"inputs": 1}`+"\n"+`{"input": 5, "expected": 6}`+"\n"+`{"input": 1, "expected": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	evals.Run(t, suite{Cases: evals.Load[int, int]("bad.jsonl"), Task: plus1, Score: []evals.Scorer[int, int]{right}, Require: always})
}

func BenchmarkPlus(b *testing.B) {
	evals.Bench(b, suite{Cases: evals.Cases(numbers(4)...), Times: 2, Parallel: 2, Score: []evals.Scorer[int, int]{right.Named("half right")},
		Task: func(ctx context.Context, n int) (int, error) {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "m")
			e.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: 1})
			e.SetMetadata(map[string]any{"cost": 0.5})
			e.End()
			return n + n%2, nil
		}})
}

// BenchmarkNothing is what an attempt costs whose task does nothing: divide by 100.
func BenchmarkNothing(b *testing.B) {
	evals.Bench(b, suite{Cases: evals.Cases(numbers(100)...), Score: []evals.Scorer[int, int]{right}, Task: plus1})
}
