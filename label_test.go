package sessionspan_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// in returns the JSON of a key, "" where there is none.
func in(o honeyhive.Object, key string) string {
	v, _ := o.Get(key)
	return string(v)
}

// TestLabels sets a prompt, a release and tags in every place that takes them: each
// lands where the conversion has it, the later release counts, tags add up.
func TestLabels(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	defer func() { _ = provider.Shutdown(t.Context()) }()
	given := []string{"team a"}
	for name, options := range map[string][]sessionspan.Option{"own provider": {sessionspan.WithSpanExporter(spans)}, "provider of the user": {sessionspan.WithTracerProvider(provider)}} {
		t.Run(name, func(t *testing.T) {
			spans.Reset()
			given[0] = "team a"
			p := sessiontest.New(t, append(options, sessionspan.WithRelease("1.0"), sessionspan.WithTags(given...), sessionspan.WithTags("beta"))...)
			given[0] = "changed afterwards"
			ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithPrompt("answer", "3"), sessionspan.WithTags("beta", "plan:free", ""[:0]+"é\xff"), sessionspan.WithRelease(""))
			_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "e", sessionspan.WithPrompt("first", "1"), sessionspan.WithTags("x"))
			e.AddTags("y", "x")
			e.End(sessionspan.WithPrompt("rewrite", ""), sessionspan.WithTags("z"), sessionspan.WithRelease("of the event"))
			e.AddTags("late", "x")
			e.AddTags("x")
			s.AddTags()
			s.End(sessionspan.WithRelease("1.1"), sessionspan.WithTags("end"))
			_, other := p.Tracer.StartSession(t.Context(), "other")
			other.End()

			got := p.Session("s")
			for what, pair := range map[string][2]string{
				"session tags":    {in(got.Metadata, "tags"), `["team a","beta","plan:free","é�","end"]`},
				"session release": {in(got.Metadata, "release"), `"1.1"`},
				"session config":  {got.Config.String(), `{"prompt_name":"answer","prompt_version":"3"}`},
				"event tags":      {in(got.Event("e").Metadata, "tags"), `["x","y","z","late"]`},
				"event release":   {in(got.Event("e").Metadata, "release"), `"of the event"`},
				"event config":    {got.Event("e").Config.String(), `{"prompt_name":"rewrite","prompt_version":"1"}`},
				"other tags":      {in(p.Session("other").Metadata, "tags"), `["team a","beta"]`},
				"other release":   {in(p.Session("other").Metadata, "release"), `"1.0"`},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %s, want %s", what, pair[0], pair[1])
				}
			}
			for _, span := range spans.GetSpans() {
				if span.Name == "e" && (!slices.Contains(span.Attributes, attribute.String("gen_ai.prompt.name", "rewrite")) || !slices.Contains(span.Attributes, attribute.String("gen_ai.prompt.version", "1"))) {
					t.Errorf("the span says %v", span.Attributes)
				}
			}
		})
	}
}

// TestBadLabels gives labels that are empty, too long or too many: they are left out
// and reported, and by New they are errors.
func TestBadLabels(t *testing.T) {
	long, most := strings.Repeat("é", 201), strings.Repeat("é", 200)
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, tc := range map[string]struct {
		option sessionspan.FieldOption
		report string
		want   string // of the metadata
	}{
		"long tag":            {sessionspan.WithTags("a", long, "b"), "WithTags", `{"tags":["a","b"]}`},
		"longest tag":         {sessionspan.WithTags(most), "", `{"tags":["` + most + `"]}`},
		"blank tags":          {sessionspan.WithTags("", " \t", "a"), "WithTags: a tag is empty", `{"tags":["a"]}`},
		"nothing but blanks":  {sessionspan.WithTags(""), "WithTags: a tag is empty", `{}`},
		"no tags":             {sessionspan.WithTags(), "", `{}`},
		"too many tags":       {sessionspan.WithTags(many...), "1 of them are more than 64", `{"tags":["` + strings.Join(many[:64], `","`) + `"]}`},
		"long release":        {sessionspan.WithRelease(long), "WithRelease", `{}`},
		"no release":          {sessionspan.WithRelease(""), "", `{}`},
		"long prompt":         {sessionspan.WithPrompt(long, "1"), "WithPrompt", `{}`},
		"long version":        {sessionspan.WithPrompt("p", long), "WithPrompt", `{}`},
		"prompt without name": {sessionspan.WithPrompt("", "7"), `WithPrompt: version "7" of a prompt without a name`, `{}`},
		"no prompt":           {sessionspan.WithPrompt("", ""), "", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			if tc.report != "" {
				p.ExpectReport(tc.report)
			}
			_, s := p.Tracer.StartSession(t.Context(), "s", tc.option)
			s.End()
			got := p.Session("s")
			if got.Metadata.String() != tc.want && (tc.want != "{}" || !got.Metadata.IsEmpty()) || !got.Config.IsEmpty() {
				t.Errorf("metadata %s, want %s; config %s", got.Metadata, tc.want, got.Config)
			}
			_, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), tc.option)
			if prompt := strings.Contains(name, "prompt") || name == "long version"; (err != nil) != (tc.report != "" || prompt) {
				t.Errorf("New: %v", err)
			}
			if err := p.Tracer.Update(t.Context(), s.ID(), tc.option); err == nil {
				t.Error("Update took it")
			}
		})
	}
}

// TestTagsAtOnce adds tags from many goroutines: each is there once.
func TestTagsAtOnce(t *testing.T) {
	p := sessiontest.New(t)
	_, s := p.Tracer.StartSession(t.Context(), "s")
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { s.AddTags(fmt.Sprint(i%10), "all") })
	}
	wg.Wait()
	s.End()
	var tags []string
	if err := p.Session("s").Metadata.Decode(&struct{ Tags *[]string }{&tags}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(tags)
	if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "all"}; !slices.Equal(tags, want) {
		t.Errorf("%q, want %q", tags, want)
	}
	var none *sessionspan.Session
	none.AddTags("x")
	var nothing *sessionspan.Event
	nothing.AddTags("x")
	_, c := p.Tracer.ContinueSession(t.Context(), s.ID())
	c.AddTags("later")
	if got := in(p.Session("s").Metadata, "tags"); got != `["later"]` {
		t.Errorf("tags of a session that was continued: %s", got)
	}
}

// TestReleaseOfTheService looks at the resource of a provider that New makes.
func TestReleaseOfTheService(t *testing.T) {
	named := resource.NewSchemaless(attribute.String("service.version", "of the resource"), attribute.String("service.name", "n"))
	for name, tc := range map[string]struct {
		options []sessionspan.Option
		want    string
	}{
		"release":          {[]sessionspan.Option{sessionspan.WithRelease("1.0"), sessionspan.WithRelease("1.1"), sessionspan.WithRelease("")}, "1.1"},
		"resource":         {[]sessionspan.Option{sessionspan.WithRelease("1.0"), sessionspan.WithResource(named)}, "of the resource"},
		"another resource": {[]sessionspan.Option{sessionspan.WithRelease("1.0"), sessionspan.WithResource(resource.NewSchemaless(attribute.String("service.name", "n")))}, "1.0"},
		"none":             {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			tracer := newTracer(t, append(tc.options, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(spans))...)
			_, s := tracer.StartSession(context.Background(), "s")
			s.End()
			flush(t, tracer)
			v, _ := spans.GetSpans()[0].Resource.Set().Value("service.version")
			if v.AsString() != tc.want {
				t.Errorf("service.version %q, want %q", v.AsString(), tc.want)
			}
		})
	}
}

// TestLabelsAreNoContent keeps labels and ids of calls where content is switched off.
func TestLabelsAreNoContent(t *testing.T) {
	var lines bytes.Buffer
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithWriter(&lines), sessionspan.WithoutContent())
	ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithTags("a"), sessionspan.WithRelease("1"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithPrompt("p", "2"), sessionspan.WithInputs(sessionspan.ToolCall{ID: "c", Name: "f", Arguments: `{"x":"secret"}`}))
	e.End()
	s.End()
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"tags":["a"]`, `"release":"1"`, `"config":{"prompt_name":"p","prompt_version":"2"}`, `"tool_call_id":"c"`, `"tool_name":"f"`} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("%s is not there: %s", want, &lines)
		}
	}
	if strings.Contains(lines.String(), "secret") {
		t.Errorf("the arguments are there: %s", &lines)
	}
}
