package sessionspan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// costsIn returns what metadata says of costs, as JSON.
func costsIn(metadata honeyhive.Object) string {
	var out []string
	for _, key := range []string{"cost", "cost_currency", "costs"} {
		if v, ok := metadata.Get(key); ok {
			out = append(out, key+" "+string(v))
		}
	}
	return strings.Join(out, ", ")
}

func TestCost(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, a := sessionspan.StartEvent(ctx, sessionspan.Model, "a", sessionspan.WithCost(0.25, " eur "))
	a.End()
	_, b := sessionspan.StartEvent(ctx, sessionspan.Model, "b", sessionspan.WithCost(7, "EUR"))
	b.SetCost(0.5, "") // the later counts, in its currency
	b.End(sessionspan.WithCost(0.125, "USD"))
	_, c := sessionspan.StartEvent(ctx, sessionspan.Model, "c")
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1), 1.7e308, 1e9 + 1} {
		c.SetCost(bad, "EUR")
	}
	for _, bad := range []string{"euro", "€", "E1R", "U\x00D", strings.Repeat("A", 1<<20)} {
		c.SetCost(1, bad)
	}
	c.End()
	s.End()
	var none *sessionspan.Event
	none.SetCost(1, "EUR")
	p.ExpectReport("sessionspan: set cost: -1 is no amount from 0 to 1e+09")
	got := p.Session("s")
	for name, want := range map[string]string{
		"a": `cost 0.25, cost_currency "EUR"`, "b": `cost 0.125, cost_currency "USD"`, "c": "",
	} {
		if costs := costsIn(got.Event(name).Metadata); costs != want {
			t.Errorf("%s: %s, want %s", name, costs, want)
		}
	}
	if costs := costsIn(got.Metadata); costs != `costs {"EUR":0.25,"USD":0.125}` {
		t.Errorf("the session: %s", costs)
	}
}

// TestCostThatTheUserSets keeps what a session says itself.
func TestCostThatTheUserSets(t *testing.T) {
	p := sessiontest.New(t)
	for name, c := range map[string]struct {
		set  func(*sessionspan.Session)
		want string
	}{
		"cost":     {func(s *sessionspan.Session) { s.SetCost(1, "EUR") }, `cost 1, cost_currency "EUR"`},
		"metadata": {func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"total_cost": 7}) }, ""},
		"costs":    {func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"costs": map[string]any{"EUR": 7}}) }, `costs {"EUR":7}`},
		"nothing":  {func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"a": 1}) }, `cost 0.5, cost_currency "USD"`},
		"at end":   {func(s *sessionspan.Session) { s.End(sessionspan.WithCost(2, "")) }, `cost 2, cost_currency "USD"`},
		"late":     {func(s *sessionspan.Session) { s.End(); s.SetCost(3, "") }, `cost 3, cost_currency "USD"`},
	} {
		ctx, s := p.Tracer.StartSession(t.Context(), name)
		_, m := sessionspan.StartEvent(ctx, sessionspan.Model, "call", sessionspan.WithCost(0.5, ""))
		m.End()
		c.set(s)
		s.End()
		if got := costsIn(p.Session(name).Metadata); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestCostOfPlainSpans adds up what spans of other libraries say, under a session of
// ours and under a plain one.
func TestCostOfPlainSpans(t *testing.T) {
	p := sessiontest.New(t)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	calls := func(ctx context.Context) {
		for _, kv := range []attribute.KeyValue{
			attribute.Float64("llm.cost.total", 0.25), attribute.Float64("operation.cost", 0.5), attribute.Float64("gen_ai.usage.cost", 0.125), attribute.Int("llm.cost.total", 1),
			attribute.Float64("llm.cost.total", -1), attribute.Float64("llm.cost.total", math.NaN()), attribute.String("llm.cost.total", "much"),
		} {
			_, span := plain.Start(ctx, "call", genAISpan)
			span.SetAttributes(kv)
			span.End()
		}
	}
	ctx, s := p.Tracer.StartSession(t.Context(), "ours")
	calls(ctx)
	s.End()
	ctx, root := plain.Start(t.Context(), "root", trace.WithAttributes(attribute.String("honeyhive_event_type", "session")))
	calls(ctx)
	root.End()
	ctx, said := plain.Start(t.Context(), "said", trace.WithAttributes(attribute.String("honeyhive_event_type", "session"), attribute.Float64("honeyhive_metadata.cost", 9)))
	calls(ctx)
	said.End()
	for name, want := range map[string]string{"ours": `cost 1.875, cost_currency "USD"`, "root": `cost 1.875, cost_currency "USD"`, "said": "cost 9"} {
		if got := costsIn(p.Session(name).Metadata); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestCostInUpdates(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s")
	s.End()
	if err := p.Tracer.Update(t.Context(), s.ID(), sessionspan.WithCost(0.5, "chf")); err != nil {
		t.Error(err)
	}
	if got := costsIn(p.Session("s").Metadata); got != `cost 0.5, cost_currency "CHF"` {
		t.Error(got)
	}
	for _, o := range []sessionspan.FieldOption{sessionspan.WithCost(-1, ""), sessionspan.WithCost(1, "francs")} {
		if err := p.Tracer.Update(t.Context(), s.ID(), o); err == nil || !strings.Contains(err.Error(), "WithCost: ") {
			t.Errorf("the error is %v", err)
		}
	}
}

// TestCostCountedOnce makes any tree of events, which say what they cost in any order,
// some more than once and in other currencies, from several goroutines: the session
// costs what the tree says, counted once, in each currency.
func TestCostCountedOnce(t *testing.T) {
	p := sessiontest.New(t)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		name := fmt.Sprint("run ", runs)
		ctx, s := p.Tracer.StartSession(t.Context(), name)
		n := rapid.IntRange(1, 8).Draw(r, "events")
		contexts, events, parents := []context.Context{ctx}, []*sessionspan.Event{nil}, []int{-1}
		for range n {
			parent := rapid.IntRange(0, len(events)-1).Draw(r, "parent")
			ctx, e := sessionspan.StartEvent(contexts[parent], sessionspan.Chain, "e")
			contexts, events, parents = append(contexts, ctx), append(events, e), append(parents, parent)
		}
		type said struct {
			currency string
			units    int64 // of 1/8
		}
		says := make([]*said, n+1)
		calls := make([][]said, n+1)
		for range rapid.IntRange(0, 12).Draw(r, "calls") {
			i := rapid.IntRange(1, n).Draw(r, "event")
			c := said{rapid.SampledFrom([]string{"USD", "EUR"}).Draw(r, "currency"), rapid.Int64Range(0, 20).Draw(r, "amount")}
			calls[i] = append(calls[i], c)
			says[i] = &c
		}
		var wait sync.WaitGroup
		for i := range calls {
			wait.Go(func() {
				for _, c := range calls[i] {
					events[i].SetCost(float64(c.units)/8, c.currency)
				}
			})
		}
		wait.Wait()
		for _, e := range events[1:] {
			e.End()
		}
		s.End()
		// The same by definition: c(e) = max(own, Σ c(children)).
		want := make(map[string]float64)
		for _, currency := range []string{"USD", "EUR"} {
			var count func(int) (int64, bool)
			count = func(e int) (sum int64, some bool) {
				for child := range parents {
					if parents[child] == e {
						v, ok := count(child)
						sum, some = sum+v, some || ok
					}
				}
				if own := says[e]; own != nil && own.currency == currency {
					sum, some = max(sum, own.units), true
				}
				return sum, some
			}
			if sum, some := count(0); some {
				want[currency] = float64(sum) / 8
			}
		}
		metadata := p.Session(name).Metadata
		got := make(map[string]float64)
		if v, ok := metadata.Get("costs"); ok {
			if err := json.Unmarshal(v, &got); err != nil {
				r.Fatal(err)
			}
		} else if v, ok := metadata.Get("cost"); ok {
			currency, _ := metadata.Get("cost_currency")
			var amount float64
			if err := json.Unmarshal(v, &amount); err != nil {
				r.Fatal(err)
			}
			got[strings.Trim(string(currency), `"`)] = amount
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			r.Fatalf("the session costs %v, want %v: %s", got, want, metadata)
		}
	})
}
