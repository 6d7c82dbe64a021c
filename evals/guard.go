package evals

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// guard runs code of the caller on a goroutine of its own, so that neither a panic,
// nor a Goexit, nor a call that hangs takes the run along: f is left behind where it
// has not returned some time after its context ended.
func guard[T any](ctx context.Context, grace time.Duration, f func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		v   T
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		returned := false
		defer func() {
			if !returned {
				o.err = ErrGoexit
				if v := recover(); v != nil {
					o.err = &PanicError{v, debug.Stack()}
				}
			}
			done <- o
		}()
		o.v, o.err = f(ctx)
		returned = true
	}()
	select {
	case o := <-done:
		return o.v, o.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case o := <-done:
		return o.v, o.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("%w: %w", ErrAbandoned, context.Cause(ctx))
	}
}

// text returns what an error says. An Error method that panics says that.
func text(err error) (s string) {
	defer func() {
		if v := recover(); v != nil {
			s = fmt.Sprintf("%T, whose Error method panicked", err)
		}
	}()
	return err.Error()
}

// stackOf returns the stack of a panic, or "".
func stackOf(err error) string {
	if p, ok := errors.AsType[*PanicError](err); ok {
		return string(p.Stack)
	}
	return ""
}
