// Package await lets tests wait for what they look at, rather than for a time.
package await

import (
	"context"
	"testing"
	"time"
)

// patience is far more than anything takes on a machine that has much else to do.
const patience = 2 * time.Minute

// Until calls f, which does not return of itself, and cancels it when a condition
// holds. It is an error of the test if the condition does not come to hold.
func Until(t testing.TB, is func() bool, f func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for !is() && ctx.Err() == nil {
			<-tick.C
		}
		cancel()
	}()
	err := f(ctx)
	cancel()
	<-watched
	if !is() {
		t.Error("what was waited for did not come")
	}
	return err
}
