package evals

import (
	"errors"
	"fmt"
	"time"

	"github.com/sessionspan/sessionspan"
)

// A Result is what one attempt of a case came to. Scorers may read it and must not
// change it.
type Result[I, O any] struct {
	// Name, ID and Metadata are those of the case.
	Name, ID string
	Metadata map[string]any
	// Attempt counts the attempts of the case from 1.
	Attempt int

	Input    I
	Output   O // what the task returned, also beside an error
	Expected O // of the case

	// Err is what the task returned: a [*PanicError] where it panicked, ErrGoexit where
	// it ended its goroutine, ErrAbandoned where it did not end in time.
	Err error
	// Duration is how long the task ran.
	Duration time.Duration
	// Usage and Cost are what the calls of models took together, as far as their
	// events say. The cost is in the currency they say it in, US dollars where they name
	// none, and 0 where they name several.
	Usage sessionspan.Usage
	Cost  float64
	// Session is what ran: the session of the attempt, with its outputs and its error,
	// and all events that have ended. It is never nil.
	Session *Session
}

// failed reports whether the task did.
func (r *Result[I, O]) failed() bool { return r.Err != nil }

// ErrGoexit is the error of a task that called runtime.Goexit, as t.FailNow and
// t.SkipNow of the surrounding test do.
var ErrGoexit = errors.New("the task ended its goroutine (runtime.Goexit, as FailNow and SkipNow of a test do)")

// ErrAbandoned is the error of a task that had not returned a second after its
// context ended. It is left behind in its goroutine.
var ErrAbandoned = errors.New("the task did not return after its context had ended")

// A PanicError is the error of a task or a scorer that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error says what the panic was, without its stack.
func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns the value of the panic where it is an error.
func (p *PanicError) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
