package micro

import (
	"context"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/bench/peer"
	"github.com/sessionspan/sessionspan/bench/workload"
	"github.com/sessionspan/sessionspan/exporter"
)

// nowhere is an exporter that is done at once.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

func openOTel(raw bool) (peer.Client, error) { return peer.NewOTel(nowhere{}, raw), nil }

func openOurs(raw bool) (peer.Client, error) {
	return peer.NewOurs(raw, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(nowhere{}),
		sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueWait: time.Minute})))
}

type opener func(raw bool) (peer.Client, error)

func closer(c peer.Client) func() { return func() { _ = c.Close(context.Background()) } }

// callCases make calls of a model in sessions of a hundred, in front of an
// exporter that does nothing.
func callCases() []Case {
	call := func(name string, open opener, raw bool) Case {
		return Case{Name: "call/" + name, Per: 100, Open: func(string) (func(int), func(), error) {
			client, err := open(raw)
			if err != nil {
				return nil, nil, err
			}
			contents, err := workload.Contents(100, 2048)
			return func(n int) {
				for range n {
					root := client.Root()
					for _, c := range contents {
						root.Call(c)
					}
					root.End()
				}
			}, closer(client), err
		}}
	}
	return []Case{
		call("otel+encoding/json", openOTel, false), call("otel, raw", openOTel, true),
		call("sessionspan", openOurs, false), call("sessionspan, raw", openOurs, true),
	}
}

// Sizes of the sessions whose children are measured.
var childCounts = []int{10, 1000, 100_000}

// childCases make empty children.
func childCases() []Case {
	child := func(name string, open opener, count int) Case {
		return Case{Name: fmt.Sprintf("child/%s/%d", name, count), Per: count, Open: func(string) (func(int), func(), error) {
			client, err := open(false)
			if err != nil {
				return nil, nil, err
			}
			return func(n int) {
				for range n {
					root := client.Root()
					for range count {
						root.Empty()
					}
					root.End()
				}
			}, closer(client), nil
		}}
	}
	var list []Case
	for _, n := range childCounts {
		list = append(list, child("otel", openOTel, n), child("sessionspan", openOurs, n))
	}
	return list
}

// idleCases make calls that are not recorded, with 4 KB of content in maps.
func idleCases() []Case {
	never := func() *sdktrace.TracerProvider {
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithBatcher(nowhere{}))
	}
	event := func(options ...sessionspan.Option) func(string) (func(int), func(), error) {
		return func(string) (func(int), func(), error) {
			options := append(options, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil))
			t, err := sessionspan.New(options...)
			if err != nil {
				return nil, nil, err
			}
			contents, err := workload.Contents(1, 2048)
			if err != nil {
				return nil, nil, err
			}
			ctx, _ := t.StartSession(context.Background(), "session")
			c := contents[0]
			return func(n int) {
				for range n {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "call")
					e.SetInputs(c.Inputs)
					e.SetOutputs(c.Outputs)
					e.End()
				}
			}, func() { _ = t.Shutdown(context.Background()) }, nil
		}
	}
	return []Case{
		{Name: "idle/otel, unsampled", Open: func(string) (func(int), func(), error) {
			p := never()
			tracer := p.Tracer("bench")
			ctx, _ := tracer.Start(context.Background(), "root")
			return func(n int) {
				for range n {
					_, span := tracer.Start(ctx, "call")
					span.End()
				}
			}, func() { _ = p.Shutdown(context.Background()) }, nil
		}},
		{Name: "idle/sessionspan, unsampled", Open: event(sessionspan.WithTracerProvider(never()))},
		{Name: "idle/otel, no-op", Open: func(string) (func(int), func(), error) {
			tracer := noop.NewTracerProvider().Tracer("bench")
			return func(n int) {
				for range n {
					_, span := tracer.Start(context.Background(), "call")
					span.End()
				}
			}, nil, nil
		}},
		{Name: "idle/sessionspan, nothing configured", Open: event()},
	}
}
