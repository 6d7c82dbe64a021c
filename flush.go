package sessionspan

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Flushed returns a handler for functions that are frozen or stopped between
// calls, such as those of AWS Lambda: after each call of handle, also one that
// panics, it flushes t. It waits for that at most the given time, and not past
// the deadline of the call. What could not be delivered waits for the next call,
// or in the spool; the error is reported, and the outcome of handle is returned
// as it is. A nil t flushes the tracer of [Default].
//
//	lambda.Start(sessionspan.Flushed(tracer, 2*time.Second, handle))
func Flushed[In, Out any](t *Tracer, wait time.Duration, handle func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		defer t.flushAfter(ctx, wait)
		return handle(ctx, in)
	}
}

// FlushHandler is [Flushed] for HTTP: it flushes t after each request. The end
// of the response waits for it.
func FlushHandler(t *Tracer, wait time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer t.flushAfter(r.Context(), wait)
		next.ServeHTTP(w, r)
	})
}

// flushMargin is what a flush leaves of the time of the call.
const flushMargin = 50 * time.Millisecond

func (t *Tracer) flushAfter(ctx context.Context, wait time.Duration) {
	if t == nil {
		t = Default()
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)-flushMargin)
	}
	// That the caller has gone does not matter to the flush.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(0, wait))
	defer cancel()
	if err := t.ForceFlush(ctx); err != nil {
		t.reports.Report("flush", fmt.Errorf("sessionspan: flush after a call: %w", err))
	}
}
