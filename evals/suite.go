package evals

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
)

// A Suite is an evaluation: cases, the task that is evaluated, what scores its
// results, and what is required of the scores. Cases, Task and Score are needed.
type Suite[I, O any] struct {
	// Cases are what the task is tried on: [Load] reads them from a file, [Cases] takes
	// them from the program. An error among them fails the test; the other cases run.
	Cases iter.Seq2[Case[I, O], error]
	// Task is what is evaluated. Its context is in the session of the attempt, so that
	// what it records belongs there, and ends when its time is over. It is called by
	// several goroutines at once where Parallel says so.
	Task func(ctx context.Context, input I) (O, error)
	// Score are the scorers. Each needs a name of its own.
	Score []Scorer[I, O]
	// Require are the gates. Without any, the test fails only where a scorer must.
	Require []Gate

	// Times is how often each case is tried; 0 stands for 1. Answers of models vary, and
	// several attempts tell more than one.
	Times int
	// Parallel is how many attempts run at the same time; 0 stands for 1. It counts for
	// itself: -parallel bounds tests that call t.Parallel, not attempts.
	Parallel int
	// Timeout bounds one call of the task; 0 stands for no bound. The context of the
	// task ends then, and a second later the task is left behind. In any case the
	// context ends in time for the summary before -timeout would end the process.
	Timeout time.Duration
	// Context is what the contexts of the attempts are made from; nil stands for that
	// of the test. When it ends, attempts that have not begun are left out, and gates
	// fail.
	Context context.Context //nolint:containedctx // as in exec.Cmd and http.Server, it is what a struct of options can have
	// Short runs the suite under -short too, which skips it otherwise: for tasks that
	// are quick, such as those whose calls are replayed.
	Short bool

	// Dataset is the dataset_id of the sessions. Where it is empty it is derived from
	// the cases, and begins with EXT- as the ids of [Case.ID] do.
	Dataset string
	// Config is for the configuration of the sessions: what tells this run from others,
	// such as the model and the version of the prompt.
	Config any
	// Tracing are options of the tracer, beside those that the environment has. The
	// project is "evals" and the source "evaluation" unless they or the environment
	// name others. Without a destination the sessions stay in memory.
	Tracing []sessionspan.Option
	// Page is the address of a sessionspan server, for links in the output. Where it is
	// empty, sessions are linked to at HH_API_URL, or else HH_DATA_PLANE_URL, where that is
	// a loopback address, and the run on the server of this machine that took it, if one
	// did.
	Page string
	// Report makes a run of HoneyHive. A nil one makes none.
	Report *Report
}

// Run evaluates a suite: each attempt of a case is a subtest of t, and a session.
// See the documentation of the package.
func Run[I, O any](t *testing.T, s Suite[I, O]) {
	t.Helper()
	if testing.Short() && !s.Short {
		t.Skip("evals: left out by -short")
	}
	r, cases, problems := newRun(t, &s)
	if r == nil {
		t.Fatalf("evals: %v", errors.Join(problems...))
	}
	for _, err := range problems {
		t.Errorf("evals: %v", err)
	}
	r.attempts(s.times(), s.Parallel, func(i, n int) {
		c, name := &cases[i], cases[i].Name
		if s.times() > 1 {
			name = fmt.Sprintf("%s/%d", name, n+1)
		}
		t.Run(name, func(t *testing.T) {
			if r.ctx.Err() != nil {
				t.Skipf("evals: not begun: %v", context.Cause(r.ctx))
			}
			r.table.cases[i].attempts[n] = attempt(t, r, &s, c, n+1)
			for _, kv := range r.attributes(r.table.cases[i].attempts[n]) {
				t.Attr(kv[0], kv[1])
			}
		})
	})
	r.finish(t)
}

func (s *Suite[I, O]) times() int { return max(1, s.Times) }

// check returns what is wrong with a suite.
func (s *Suite[I, O]) check() (problems []error) {
	switch {
	case s.Cases == nil:
		problems = append(problems, errors.New("the suite has no cases"))
	case s.Task == nil:
		problems = append(problems, errors.New("the suite has no task"))
	case len(s.Score) == 0:
		problems = append(problems, errors.New("the suite has no scorer"))
	}
	if s.Times < 0 || s.Parallel < 0 || s.Timeout < 0 {
		problems = append(problems, errors.New("the numbers Times, Parallel and Timeout must not be negative"))
	}
	problems = append(problems, checkScorers(s.Score)...)
	for i := range s.Require {
		if err := s.Require[i].check(s.infos()); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// infos returns what is known of the scorers.
func (s *Suite[I, O]) infos() (list []scorerInfo) {
	for i := range s.Score {
		list = append(list, scorerInfo{s.Score[i].name, s.Score[i].bool})
	}
	return list
}

// attempts calls try for each attempt of each case, so many at the same time: first
// all cases once, so that where the time is short each has been tried.
func (r *run) attempts(times, parallel int, try func(i, n int)) {
	next := make(chan [2]int)
	var workers sync.WaitGroup
	for range min(max(1, parallel), max(1, times*len(r.table.cases))) {
		workers.Go(func() {
			for {
				at, ok := <-next
				if !ok {
					return
				}
				r.one(at, try)
			}
		})
	}
	for n := range times {
		for i := range r.table.cases {
			next <- [2]int{i, n}
		}
	}
	close(next)
	workers.Wait()
}

// one calls try on a goroutine of its own, which [testing.T.Run] ends where a task
// has called FailNow of the surrounding test.
func (r *run) one(at [2]int, try func(i, n int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		try(at[0], at[1])
	}()
	<-done
}
