package measure_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/measure"
)

// TestAccounts reads the metrics of two destinations, each number once, until they are
// taken back.
func TestAccounts(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	stop, err := measure.Accounts(provider.Meter("test"), func() []exporter.Stats {
		return []exporter.Stats{
			{
				Destination: "a", Created: 1, Adopted: 2, Delivered: 3, Retried: 4, SetAside: 5, Waiting: 6, WaitingOnDisk: 7, WaitingBytes: 8, SpoolBytes: 9,
				OldestAge: 1500 * time.Millisecond, Dropped: map[exporter.Reason]int64{exporter.QueueFull: 10},
			},
			{Destination: "b", Created: 11},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"records.created a": 1, "records.adopted a": 2, "records.delivered a": 3, "records.retried a": 4, "records.set_aside a": 5,
		"records.waiting a memory": 6, "records.waiting a disk": 7, "queue.size a": 8, "spool.size a": 9, "records.oldest_age a": 1.5, "records.dropped a queue_full": 10,
		"records.created b": 11,
	}
	if got := read(t, reader); !maps.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, reader); len(got) > 0 {
		t.Errorf("after they were taken back: %v", got)
	}
}

// read returns the values that are not zero.
func read(t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	note := func(name string, set attribute.Set, v float64) {
		for _, key := range []attribute.Key{"destination", "place", "reason"} {
			if value, ok := set.Value(key); ok {
				name += " " + value.AsString()
			}
		}
		if v != 0 {
			found[name[len("sessionspan."):]] = v
		}
	}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					note(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					note(m.Name, p.Attributes, p.Value)
				}
			default:
				t.Errorf("%s is %T", m.Name, data)
			}
		}
	}
	return found
}
