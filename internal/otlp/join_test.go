package otlp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/internal/otlp"
)

// bodies encodes each span on its own.
func bodies(spans ...sdktrace.ReadOnlySpan) [][]byte {
	out := make([][]byte, len(spans))
	for i, span := range spans {
		out[i] = appendTraces(nil, span)
	}
	return out
}

// TestJoinOneResource compares whole requests: with one resource, the SDK too
// keeps the order.
func TestJoinOneResource(t *testing.T) {
	shared := resource.NewWithAttributes("https://example.com", attribute.String("service.name", "x"))
	var spans []sdktrace.ReadOnlySpan
	for i := range 40 {
		stub := fullSpan(t)
		stub.Name = fmt.Sprint("span ", i)
		stub.Resource = shared
		stub.InstrumentationScope = instrumentation.Scope{
			Name: fmt.Sprint("scope ", i%3), SchemaURL: fmt.Sprint(i % 2),
			Attributes: attribute.NewSet(attribute.Int("n", i%5/4)),
		}
		spans = append(spans, stub.Snapshot())
	}
	joined, err := join(nil, bodies(spans...)...)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, unmarshal(t, joined), fromSDK(t, spans...))
}

func TestJoinGroups(t *testing.T) {
	span := func(name, resourceURL, service, scope, scopeURL string) sdktrace.ReadOnlySpan {
		return tracetest.SpanStub{
			Name:                 name,
			Resource:             resource.NewWithAttributes(resourceURL, attribute.String("s", service)),
			InstrumentationScope: instrumentation.Scope{Name: scope, SchemaURL: scopeURL},
		}.Snapshot()
	}
	spans := []sdktrace.ReadOnlySpan{
		span("1", "u", "a", "x", ""),
		span("2", "u", "b", "x", ""),
		span("3", "u", "a", "y", ""),
		span("4", "v", "a", "x", ""), // another resource, by its schema URL
		span("5", "u", "a", "x", "w"),
		tracetest.SpanStub{Name: "6"}.Snapshot(), // neither resource nor scope
		span("7", "u", "a", "x", ""),             // equal resource, another pointer
		tracetest.SpanStub{Name: "8"}.Snapshot(),
		span("9", "u", "b", "x", ""),
	}
	joined, err := join([]byte("prefix"), bodies(spans...)...)
	if err != nil {
		t.Fatal(err)
	}
	body, ok := bytes.CutPrefix(joined, []byte("prefix"))
	if !ok {
		t.Fatalf("%q", joined)
	}
	const want = "u[x[1 7] y[3] xw[5]] u[x[2 9]] v[x[4]] [[6 8]]"
	traces := unmarshal(t, body)
	if got := outline(traces); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	// Every span is what it was alone, with its own resource and scope.
	for _, r := range traces.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				alone := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
					Resource: r.GetResource(), SchemaUrl: r.GetSchemaUrl(),
					ScopeSpans: []*tracepb.ScopeSpans{{Scope: s.GetScope(), SchemaUrl: s.GetSchemaUrl(), Spans: []*tracepb.Span{span}}},
				}}}
				wantEqual(t, alone, fromSDK(t, spans[span.GetName()[0]-'1']))
			}
		}
	}
}

// outline writes schema URLs, scopes and names of spans.
func outline(traces *tracepb.TracesData) string {
	var resources []string
	for _, r := range traces.GetResourceSpans() {
		var scopes []string
		for _, s := range r.GetScopeSpans() {
			var names []string
			for _, span := range s.GetSpans() {
				names = append(names, span.GetName())
			}
			scopes = append(scopes, fmt.Sprint(s.GetScope().GetName(), s.GetSchemaUrl(), names))
		}
		resources = append(resources, r.GetSchemaUrl()+fmt.Sprint(scopes))
	}
	return strings.Join(resources, " ")
}

func TestJoinNothing(t *testing.T) {
	if got, err := join([]byte("prefix")); string(got) != "prefix" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestJoinRefuses(t *testing.T) {
	good := appendTraces(nil, fullSpan(t).Snapshot())
	marshal := func(r ...*tracepb.ResourceSpans) []byte {
		body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: r})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	one := &tracepb.ScopeSpans{Spans: []*tracepb.Span{{Name: "one"}}}
	// field nests a field into the message of a span's place.
	inSpan := func(content ...byte) []byte {
		for _, number := range []protowire.Number{2, 2, 1} {
			content = protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
		}
		return content
	}
	const one31 = 31
	deepValue := bytes.Clone(appendTraces(nil, tracetest.SpanStub{
		Attributes: []attribute.KeyValue{{Key: "k", Value: deep(6000)}},
	}.Snapshot()))
	tests := map[string]struct {
		body []byte
		want string
	}{
		"empty":               {nil, "not the traces of one span"},
		"text":                {[]byte("hello, this is text"), ""},
		"no scope spans":      {marshal(&tracepb.ResourceSpans{SchemaUrl: "u"}), "not the traces of one span"},
		"no span":             {marshal(&tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{{}}}), "not the traces of one span"},
		"two resources":       {append(bytes.Clone(good), good...), "not the traces of one span"},
		"two scopes":          {marshal(&tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{one, one}}), "not the traces of one span"},
		"two spans":           {marshal(&tracepb.ResourceSpans{ScopeSpans: []*tracepb.ScopeSpans{{Spans: append(one.Spans, one.Spans...)}}}), "not the traces of one span"},
		"byte behind":         {append(bytes.Clone(good), 0), "not the traces of one span"},
		"invalid name":        {inSpan(0x2a, 1, 0xff), "text is not valid UTF-8"},
		"name as number":      {inSpan(0x28, 1), "unknown field"},
		"field of the future": {inSpan(one31<<3&0x7f|0x80, one31>>4, 1), "unknown field"},
		"name cut off":        {inSpan(0x2a, 5, 'a'), ""},
		"time cut off":        {inSpan(0x39, 5), ""},
		"field 0":             {inSpan(0x02, 0), ""},
		"too deep":            {deepValue, "values are nested too deeply"},
		"bad resource":        {bytes.Replace(good, []byte("service.name"), []byte("service.nam\xff"), 1), "text is not valid UTF-8"},
		"bad resource schema": {bytes.Replace(good, []byte("/resource"), []byte("/resourc\xff"), 1), "text is not valid UTF-8"},
		"bad scope":           {bytes.Replace(good, []byte("scope"), []byte("scop\xff"), 1), "text is not valid UTF-8"},
		"bad scope schema":    {bytes.Replace(good, []byte("/scope"), []byte("/scop\xff"), 1), "text is not valid UTF-8"},
		"bad event":           {bytes.Replace(good, []byte("first"), []byte("firs\xff"), 1), "text is not valid UTF-8"},
		"bad link":            {bytes.Replace(good, []byte("weight"), []byte("weigh\xff"), 1), "text is not valid UTF-8"},
		"bad status":          {bytes.Replace(good, []byte("broke"), []byte("brok\xff"), 1), "text is not valid UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := join([]byte("prefix"), good, test.body, good)
			if err == nil || !strings.HasPrefix(err.Error(), "join traces: body 1: ") || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("error %v, want one of body 1: %s", err, test.want)
			}
			if string(got) != "prefix" {
				t.Errorf("appended %q", got)
			}
		})
	}
	for n := range good {
		if _, err := join(nil, good[:n]); err == nil {
			t.Errorf("accepted the first %d bytes", n)
		}
	}
}

// join adds what Join returns to dst.
func join(dst []byte, bodies ...[]byte) ([]byte, error) {
	pieces, err := otlp.Join(bodies...)
	for _, p := range pieces {
		dst = append(dst, p...)
	}
	return dst, err
}
