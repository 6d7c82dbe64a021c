// Package unused counts what clients of OpenTelemetry send beside traces, and the
// server has no use for: it is answered as if it were taken, since a client would
// complain otherwise, and said to whoever looks for it.
package unused

import (
	"log/slog"
	"sync/atomic"
)

// Record counts. The zero value is ready to use, by many goroutines at once.
type Record struct {
	// Log is told of the first of each kind; nil is nobody.
	Log *slog.Logger

	logs, metrics atomic.Int64
}

// AddLogs counts log records that say nothing of a span's call of a model.
func (r *Record) AddLogs(n int) {
	if n > 0 && r.logs.Add(int64(n)) == int64(n) {
		r.say("log records that say nothing of calls of models are answered, and not kept; OTEL_LOGS_EXPORTER=none keeps them from being sent")
	}
}

// AddMetrics counts a request of metrics.
func (r *Record) AddMetrics() {
	if r.metrics.Add(1) == 1 {
		r.say("metrics are answered, and not kept; OTEL_METRICS_EXPORTER=none keeps them from being sent")
	}
}

func (r *Record) say(message string) {
	if r.Log != nil {
		r.Log.Info(message)
	}
}

// Logs returns how many log records there were.
func (r *Record) Logs() int64 { return r.logs.Load() }

// Metrics returns how many requests of metrics there were.
func (r *Record) Metrics() int64 { return r.metrics.Load() }
