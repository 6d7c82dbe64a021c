package local

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/store"
)

func parsePrices(t *testing.T, text string) *prices.Table {
	t.Helper()
	table, err := prices.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ask runs a pipeline: an agent that repeats the sum of its calls, one that says its cost,
// one in another currency, and one of a model that has no price.
func askPriced(t *testing.T, options ...sessionspan.Option) {
	t.Helper()
	tracer, err := sessionspan.New(append([]sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, session := tracer.StartSession(t.Context(), "s", sessionspan.WithSessionID(sessionID))
	actx, agent := sessionspan.StartEvent(ctx, sessionspan.Agent, "agent", sessionspan.WithModel("openai", "dear"))
	call := func(model string, cost float64, currency string) {
		_, e := sessionspan.StartEvent(actx, sessionspan.Model, model, sessionspan.WithModel("openai", model))
		e.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: 2, CacheReadTokens: 8})
		if currency != "" {
			e.SetCost(cost, currency)
		}
		e.End()
	}
	call("cheap-2025-04-14", 0, "")
	call("cheap", 5, "USD")
	call("cheap", 0.5, "EUR")
	call("new", 0, "")
	agent.SetUsage(sessionspan.Usage{InputTokens: 40, OutputTokens: 8})
	agent.End()
	session.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestCosts derives costs of calls that say none, whichever way they come, counts each
// once, and shows old sessions by the prices that the server is started with.
func TestCosts(t *testing.T) {
	first := parsePrices(t, `{"name":"ours","date":"2026-11-30","sources":["test"],"providers":[{"name":"openai","models":[
		{"name":"cheap","input":500000,"output":1000000,"cache_read":250000},{"name":"dear","input":1000000,"output":1000000}]}]}`)
	second := parsePrices(t, `{"name":"newer","date":"2026-12-01","sources":["test"],"providers":[{"name":"openai","models":[
		{"name":"cheap","input":1000000,"output":1000000},{"name":"new","input":500000,"output":500000}]}]}`)
	for way, options := range map[string]func(url string) []sessionspan.Option{
		"HTTP": func(url string) []sessionspan.Option { return []sessionspan.Option{sessionspan.WithAPIURL(url)} },
		"OTLP": func(url string) []sessionspan.Option {
			return []sessionspan.Option{sessionspan.WithOTLP(exporter.OTLPConfig{URL: url})}
		},
	} {
		t.Run(way, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sessions.db")
			for i, c := range []struct {
				table *prices.Table
				want  map[string]any
				calls []string
			}{
				{first, map[string]any{
					// The call that says nothing: 2 tokens at 0.5, 8 of a cache at 0.25, 2 at 1.
					"cost": 10.0, "cost_currency": "USD", "cost_derived": 5.0, "costs": map[string]any{"USD": 10.0, "EUR": 0.5}, "costs_derived": map[string]any{"USD": 5.0},
					"cost_unknown_models": []any{"new (openai)"},
				}, []string{"agent", "cheap", "cheap", "cheap-2025-04-14 5 USD", "new unknown"}},
				{second, map[string]any{
					"cost": 23.0, "cost_currency": "USD", "cost_derived": 18.0, "costs": map[string]any{"USD": 23.0, "EUR": 0.5}, "costs_derived": map[string]any{"USD": 18.0},
				}, []string{"agent", "cheap", "cheap", "cheap-2025-04-14 12 USD", "new 6 USD"}},
				{nil, map[string]any{"cost": 5.0, "cost_currency": "USD", "costs": map[string]any{"USD": 5.0, "EUR": 0.5}}, []string{"agent", "cheap", "cheap", "cheap-2025-04-14", "new"}},
			} {
				s, err := Start(t.Context(), WithAddress("127.0.0.1:0"), WithFile(file), WithPrices(c.table))
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					askPriced(t, options(s.URL())...)
				}
				if err := s.store.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				got, calls := costsOf(t, s)
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("with %s (-want +got):\n%s", c.table.Name(), diff)
				}
				if diff := cmp.Diff(c.calls, calls); diff != "" {
					t.Errorf("calls with %s (-want +got):\n%s", c.table.Name(), diff)
				}
				for id, payload := range content(t, s) {
					if strings.Contains(payload, "derived") || strings.Contains(payload, "unknown") {
						t.Errorf("the record %s holds what was derived: %s", id, payload)
					}
				}
				_, list := send(t, http.MethodGet, s.URL()+"/", "", nil)
				if shows := strings.Contains(list, "derived from tokens by "+c.table.Name()+" of "+c.table.Date()); shows != (c.table != nil) {
					t.Errorf("the list says that it is of %s: %v", c.table.Name(), shows)
				}
				if says := strings.Contains(list, "no price for new (openai)"); says != (i == 0) {
					t.Errorf("the list says that a model has no price: %v", says)
				}
				http.DefaultClient.CloseIdleConnections()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// costsOf returns what the API says that a session costs, and its events, in the order of
// their names.
func costsOf(t *testing.T, s *Server) (all map[string]any, calls []string) {
	t.Helper()
	type node struct {
		Name     string `json:"event_name"`
		Metadata map[string]any
		Children []node
	}
	status, text := send(t, http.MethodGet, s.URL()+"/v1/sessions/"+sessionID, "", nil)
	var root node
	if err := json.Unmarshal([]byte(text), &root); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v: %s", status, err, text)
	}
	all = make(map[string]any)
	for key, v := range root.Metadata {
		if strings.HasPrefix(key, "cost") {
			all[key] = v
		}
	}
	var walk func(n node)
	walk = func(n node) {
		call := n.Name
		if v, ok := n.Metadata["cost_derived"]; ok {
			call += fmt.Sprint(" ", v, " ", n.Metadata["cost_derived_currency"])
		}
		if n.Metadata["cost_unknown"] == true {
			call += " unknown"
		}
		calls = append(calls, call)
		for _, c := range n.Children {
			walk(c)
		}
	}
	for _, c := range root.Children {
		walk(c)
	}
	slices.Sort(calls)
	return all, calls
}

// TestCostsOfOtherClients reads what OpenInference and others say a call costs, in US
// dollars, and the usage of Anthropic's API as clients of HTTP pass it on.
func TestCostsOfOtherClients(t *testing.T) {
	table := parsePrices(t, `{"date":"2026-11-30","currency":"EUR","sources":["test"],"providers":[{"name":"anthropic","models":[{"name":"c","input":1000000,"output":1000000,"cache_read":250000,"cache_write":500000}]}]}`)
	s := start(t, WithPrices(table))
	id, err := honeyhive.ParseUUID(sessionID)
	if err != nil {
		t.Fatal(err)
	}
	post(t, s.URL()+"/v1/events", `{"event":{"session_id":"`+sessionID+`","event_name":"raw","event_type":"model","inputs":{},"config":{"provider":"anthropic","model":"c"},
		"metadata":{"input_tokens":8,"output_tokens":4,"cache_read_input_tokens":4,"cache_creation_input_tokens":2}}}`)
	if err := s.store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, err := s.store.Session(t.Context(), id)
	if err != nil || row.Cost.Or(0) != 14 || row.Currency != "EUR" || row.CostDerived != 14 {
		t.Errorf("%v %s, %v derived, %v", row.Cost, row.Currency, row.CostDerived, err)
	}

	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithOTLP(exporter.OTLPConfig{URL: s.URL()}))
	if err != nil {
		t.Fatal(err)
	}
	provider := tracer.TracerProvider().(*sdktrace.TracerProvider).Tracer("other")
	for _, kv := range []attribute.KeyValue{attribute.Float64("llm.cost.total", 0.25), attribute.Float64("gen_ai.usage.cost", 0.25), attribute.Float64("operation.cost", 0.25)} {
		_, span := provider.Start(t.Context(), "chat "+string(kv.Key))
		span.SetAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.request.model", "c"), attribute.Int("gen_ai.usage.input_tokens", 5), kv)
		span.End()
	}
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	series, err := s.store.Aggregate(t.Context(), store.Filter{}, store.Grouping{})
	if err != nil {
		t.Fatal(err)
	}
	sum := series[0].Total
	if diff := cmp.Diff([]store.Cost{{Currency: "USD", Amount: 0.75}}, sum.OtherCosts); diff != "" || sum.Cost != 14 || sum.Currency != "EUR" {
		t.Errorf("in total %v %s (-want +got):\n%s", sum.Cost, sum.Currency, diff)
	}
}
