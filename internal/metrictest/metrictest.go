// Package metrictest lets tests compare the metrics of events with their records. It
// works out what the metrics must be from the payloads alone.
package metrictest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// Histogram is a data point, as a text: how many values there are in which buckets,
// and their sum.
type Histogram struct {
	Values int
	Sum    float64
	In     string // the bounds of the buckets of the values, in their order
}

// add adds a value to a histogram of the conventions.
func (h *Histogram) add(v float64, bounds []float64) {
	h.Values++
	h.Sum += v
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	in := strings.Fields(h.In)
	in = append(in, strconv.Itoa(i))
	slices.Sort(in)
	h.In = strings.Join(in, " ")
}

var (
	secondsBounds = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBounds   = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// series names a data point: its metric, with the unit, and its attributes.
func series(name, unit string, attributes map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", strings.TrimPrefix(name, "gen_ai.client."), unit)
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(&b, " %s=%v", strings.TrimPrefix(key, "gen_ai."), attributes[key])
	}
	return b.String()
}

// Collect reads the metrics of events: points by their metric, its unit and their
// attributes.
func Collect(t testing.TB, reader sdkmetric.Reader) map[string]Histogram {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]Histogram)
	point := func(m *metricdata.Metrics, set attribute.Set, bounds []float64, counts []uint64, sum float64) {
		attributes := make(map[string]any)
		for _, kv := range set.ToSlice() {
			attributes[string(kv.Key)] = kv.Value.AsInterface()
		}
		h := Histogram{Sum: sum}
		var in []string
		for i, n := range counts {
			for range n {
				in = append(in, strconv.Itoa(i))
			}
		}
		slices.Sort(in)
		h.Values, h.In = len(in), strings.Join(in, " ")
		want := secondsBounds
		if m.Unit == "{token}" {
			want = tokenBounds
		}
		if !slices.Equal(bounds, want) {
			t.Errorf("%s has the bounds %v", m.Name, bounds)
		}
		got[series(m.Name, m.Unit, attributes)] = h
	}
	for _, s := range data.ScopeMetrics {
		for i := range s.Metrics {
			switch d := s.Metrics[i].Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					point(&s.Metrics[i], p.Attributes, p.Bounds, p.BucketCounts, p.Sum)
				}
			case metricdata.Histogram[int64]:
				for _, p := range d.DataPoints {
					point(&s.Metrics[i], p.Attributes, p.Bounds, p.BucketCounts, float64(p.Sum))
				}
			}
		}
	}
	return got
}

// OfRecords is what the metrics must be of the events of a session, as they were
// delivered.
func OfRecords(events []*sessiontest.Event) map[string]Histogram {
	want := make(map[string]Histogram)
	add := func(name, unit string, attributes map[string]any, v float64, bounds []float64) {
		key := series(name, unit, attributes)
		h := want[key]
		h.add(v, bounds)
		want[key] = h
	}
	text := func(json string) string { s, _ := strconv.Unquote(json); return s }
	var walk func(e *sessiontest.Event) (counts [2]float64)
	walk = func(e *sessiontest.Event) (counts [2]float64) {
		var below [2]float64
		for _, child := range e.Children {
			c := walk(child)
			below[0], below[1] = below[0]+c[0], below[1]+c[1]
		}
		attributes := make(map[string]any)
		for key, value := range map[string]string{
			"gen_ai.operation.name": jsonOf(e.Metadata, "operation_name"), "gen_ai.provider.name": jsonOf(e.Config, "provider"),
			"gen_ai.request.model": jsonOf(e.Config, "model"), "gen_ai.response.model": jsonOf(e.Metadata, "response_model"), "server.address": jsonOf(e.Metadata, "server.address"),
		} {
			if value = text(value); value != "" {
				attributes[key] = value
			}
		}
		if port, err := strconv.ParseInt(jsonOf(e.Metadata, "server.port"), 10, 64); err == nil {
			attributes["server.port"] = port
		}
		for i, key := range []string{"prompt_tokens", "completion_tokens"} {
			counts[i] = below[i]
			own, err := strconv.ParseFloat(jsonOf(e.Metadata, key), 64)
			if err != nil {
				continue
			}
			counts[i] = max(own, below[i])
			if self := max(0, own-below[i]); self > 0 || own == 0 && below[i] == 0 {
				with := maps.Clone(attributes)
				with["gen_ai.token.type"] = []string{"input", "output"}[i]
				add("gen_ai.client.token.usage", "{token}", with, self, tokenBounds)
			}
		}
		if attributes["gen_ai.operation.name"] == nil {
			return counts
		}
		if first, err := strconv.ParseFloat(jsonOf(e.Metadata, "time_to_first_chunk_ms"), 64); err == nil {
			add("gen_ai.client.operation.time_to_first_chunk", "s", attributes, first/1000, secondsBounds)
		}
		if e.Error.Or("") != "" {
			attributes["error.type"] = "_OTHER"
			if kind := jsonOf(e.Metadata, "error_type"); kind != "" {
				attributes["error.type"] = text(kind)
			}
		}
		add("gen_ai.client.operation.duration", "s", attributes, max(0, e.Duration.Or(-1))/1000, secondsBounds)
		return counts
	}
	for _, e := range events {
		walk(e)
	}
	return want
}

// Almost takes sums for equal that differ by the order in which they were added up.
var Almost = cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })

func jsonOf(o honeyhive.Object, key string) string {
	v, _ := o.Get(key)
	return string(v)
}
