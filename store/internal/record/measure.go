package record

import (
	"math"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// The keys that are read from the maps of a payload, the first that holds a
// value of the right type.
var (
	tokensInKeys   = []string{"prompt_tokens", "input_tokens"}
	tokensOutKeys  = []string{"completion_tokens", "output_tokens"}
	costKeys       = []string{"cost", "total_cost"}
	firstTokenKeys = []string{"time_to_first_chunk_ms", "time_to_first_token_ms", "ttft_ms"}
	userKeys       = []string{"user_id", "id", "user", "email", "user_email", "name", "user_name"}
)

// CostUnit is the part of a currency in which cost is counted, so that sums do
// not depend on the order of what is added.
const CostUnit = 1e-9

// maps of a payload that measures are read from.
type buckets struct {
	metadata, metrics, feedback honeyhive.Object
	start, end, duration        honeyhive.Optional[float64]
}

func (b buckets) measures() store.Measures {
	m := store.Measures{
		TokensIn: b.count(tokensInKeys), TokensOut: b.count(tokensOutKeys), Cost: b.cost(),
		FirstToken: b.number(firstTokenKeys, func(v float64) bool { return v >= 0 && v <= maxMilliseconds }),
		Feedback:   !b.feedback.IsEmpty(), Rating: rating(b.feedback),
	}
	m.Start, m.End, m.Duration = milliseconds(b.start), milliseconds(b.end), milliseconds(b.duration)
	Forward(&m)
	fillDuration(&m)
	return m
}

// Forward takes out the duration of a time that goes backwards, and says so.
func Forward(m *store.Measures) {
	start, ok1 := m.Start.Get()
	end, ok2 := m.End.Get()
	if ok1 && ok2 && end < start || m.Duration.Or(0) < 0 {
		m.Duration, m.Backwards = honeyhive.Optional[float64]{}, true
	}
}

func fillDuration(m *store.Measures) {
	start, ok1 := m.Start.Get()
	end, ok2 := m.End.Get()
	if m.Duration.IsZero() && ok1 && ok2 && !m.Backwards {
		m.Duration = Duration(honeyhive.Some(max(0, end-start)))
	}
}

// number returns the first number of one of the keys that fits, from the
// metadata or else the metrics.
func (b buckets) number(keys []string, fits func(float64) bool) honeyhive.Optional[float64] {
	for _, o := range [...]honeyhive.Object{b.metadata, b.metrics} {
		for _, k := range keys {
			if v, ok := number(o, k); ok && fits(v) {
				return honeyhive.Some(v)
			}
		}
	}
	return honeyhive.Optional[float64]{}
}

func (b buckets) count(keys []string) honeyhive.Optional[int64] {
	v := b.number(keys, func(v float64) bool { return v >= 0 && v <= maxTokens })
	if n, ok := v.Get(); ok {
		return honeyhive.Some(int64(n))
	}
	return honeyhive.Optional[int64]{}
}

func (b buckets) cost() honeyhive.Optional[float64] {
	v := b.number(costKeys, isCost)
	if n, ok := v.Get(); ok {
		return honeyhive.Some(FromCostUnits(ToCostUnits(n)))
	}
	return v
}

// ToCostUnits returns a cost as a count of CostUnit.
func ToCostUnits(cost float64) int64 { return int64(math.Round(cost / CostUnit)) }

// FromCostUnits is the reverse of ToCostUnits.
func FromCostUnits(n int64) float64 { return float64(n) / 1e9 }

func number(o honeyhive.Object, key string) (float64, bool) {
	raw, ok := get(o, key)
	if !ok || raw.Kind() != honeyhive.KindNumber {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil
}

// get is Object.Get without its copy.
func get(o honeyhive.Object, key string) (honeyhive.Value, bool) {
	return honeyhive.Value(o.JSONText()).Get(key)
}

// text returns a string of an object, or the digits of a number.
func text(o honeyhive.Object, key string) string {
	raw, _ := get(o, key)
	if k := raw.Kind(); k == honeyhive.KindString || k == honeyhive.KindNumber {
		return raw.Text()
	}
	return ""
}

func firstText(o honeyhive.Object, keys []string) string {
	for _, k := range keys {
		if v := text(o, k); v != "" {
			return v
		}
	}
	return ""
}

func isTrue(o honeyhive.Object, key string) bool {
	raw, _ := get(o, key)
	return raw.Kind() == honeyhive.KindTrue
}

func rating(feedback honeyhive.Object) honeyhive.Optional[float64] {
	raw, _ := get(feedback, "rating")
	switch raw.Kind() {
	case honeyhive.KindTrue:
		return honeyhive.Some(1.0)
	case honeyhive.KindFalse:
		return honeyhive.Some(-1.0)
	case honeyhive.KindNumber:
		if v, err := strconv.ParseFloat(string(raw), 64); err == nil {
			return within(honeyhive.Some(v), -maxRating, maxRating)
		}
	}
	return honeyhive.Optional[float64]{}
}
