package exporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// closing shuts down what an exporter sends with, once. A foreign SpanExporter may panic,
// hang, or end its goroutine in its Shutdown.
type closing struct {
	what string
	do   func(context.Context) error // nil for nothing

	once sync.Once
	done chan struct{}
	err  error // read after done
}

// closeGrace is how long do may take when its context has ended.
const closeGrace = 100 * time.Millisecond

// run calls do at the first call, and returns what it does, or an error soon after
// ctx has ended.
func (c *closing) run(ctx context.Context) error {
	if c.do == nil {
		return nil
	}
	c.once.Do(func() {
		c.done = make(chan struct{})
		go c.call(ctx)
	})
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-c.done:
		return c.err
	case <-grace.C:
		return fmt.Errorf("%s: Shutdown did not return and still runs: %w", c.what, context.Cause(ctx))
	}
}

func (c *closing) call(ctx context.Context) {
	err := errors.New("it ended its goroutine")
	defer close(c.done)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			c.err = fmt.Errorf("%s: Shutdown: %w", c.what, err)
		}
	}()
	err = c.do(ctx)
}
