package exporter_test

import (
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
)

// TestContentByFamily gives a destination without content every attribute of the
// tables, and what hangs below each: one that is content by any family that it is
// of stays out, whatever the tables say of its own name.
func TestContentByFamily(t *testing.T) {
	// Families of content that the tables send elsewhere than to inputs and outputs.
	families := []string{"llm.tools", "llm.prompt_template", "llm.request.functions", "gen_ai.tool.definitions", "traceloop.prompt.template"}
	var names []string
	for _, m := range convert.Tables() {
		name := strings.TrimSuffix(m.Attribute, ".")
		names = append(names, name, name+".0", name+".0.content", name+".version")
		if strings.Contains(m.Field, "inputs") || strings.Contains(m.Field, "outputs") {
			families = append(families, name)
		}
	}
	for _, f := range families {
		names = append(names, f, f+".template", f+".name")
	}
	// What a prompt is called says nothing of what stands in it.
	labels := []string{"gen_ai.prompt.name", "gen_ai.prompt.version", "llm.prompt_template.version"}
	slices.Sort(names)
	names = slices.Compact(names)
	var attributes []attribute.KeyValue
	for _, name := range names {
		attributes = append(attributes, attribute.String(name, canary))
	}

	got := make(map[string]bool)
	for _, closed := range []bool{true, false} {
		memory := tracetest.NewInMemoryExporter()
		var options []exporter.Option
		if closed {
			options = append(options, exporter.WithoutContent())
		}
		e, err := exporter.Wrap(memory, options...)
		if err != nil {
			t.Fatal(err)
		}
		span := tracetest.SpanStub{Name: "s", Attributes: attributes}.Snapshot()
		if err := e.ExportSpans(t.Context(), []sdktrace.ReadOnlySpan{span}); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, kv := range memory.GetSpans()[0].Attributes {
			seen[string(kv.Key)] = true
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !closed {
			if len(seen) != len(names) {
				t.Errorf("%d of %d attributes with content let in", len(seen), len(names))
			}
			continue
		}
		got = seen
	}
	through := 0
	for _, name := range names {
		said := slices.ContainsFunc(families, func(f string) bool { return name == f || strings.HasPrefix(name, f+".") })
		if said && got[name] && !slices.Contains(labels, name) {
			t.Errorf("%s got through", name)
		}
		if !said && got[name] {
			through++
		}
	}
	for _, name := range append(labels, "gen_ai.request.model", "gen_ai.usage.input_tokens", "llm.token_count.prompt", "traceloop.prompt.key", "user.id") {
		if !got[name] {
			t.Errorf("%s is no content and stayed out", name)
		}
	}
	if through < 100 {
		t.Errorf("%d attributes got through: most are no content", through)
	}
}
