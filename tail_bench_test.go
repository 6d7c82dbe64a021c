package sessionspan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
)

// BenchmarkTailSampling measures sessions of 10 events of 2 KB, recorded and delivered to a
// writer that does nothing: without tail sampling, and with it where all or none of the
// sessions are kept, known at their end.
func BenchmarkTailSampling(b *testing.B) {
	const events = 10
	inputs := map[string]any{"q": strings.Repeat("x", 2000)}
	onErrors := sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true})
	for name, tc := range map[string]struct {
		option sessionspan.Option
		fail   string
	}{
		"off":      {nil, ""},
		"kept":     {onErrors, "no"},
		"left out": {onErrors, ""},
	} {
		b.Run(name, func(b *testing.B) {
			tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), tc.option,
				sessionspan.WithWriter(new(discardedLines), exporter.WithLimits(exporter.Limits{QueueBytes: 1 << 30})))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				ctx, s := tracer.StartSession(context.Background(), "s")
				for range events {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(inputs))
					e.End()
				}
				s.SetError(tc.fail)
				s.End()
				if n%100 == 0 {
					if err := tracer.ForceFlush(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := tracer.Shutdown(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
