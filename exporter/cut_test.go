package exporter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// markOf is what stands at the end of a text that was cut.
func markOf(text string) string {
	return fmt.Sprintf("… [cut: %d bytes, sha256 %x]", len(text), sha256.Sum256([]byte(text)))
}

// lines reads what an exporter of JSON lines wrote.
func lines(t *testing.T, text string) (sessions []honeyhive.SessionStartRequest, events []honeyhive.Event, updates []honeyhive.Update) {
	t.Helper()
	for line := range strings.Lines(text) {
		var l struct {
			Session *honeyhive.SessionStartRequest
			Event   *honeyhive.Event
			Update  *honeyhive.Update
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%.200s: %v", line, err)
		}
		switch {
		case l.Session != nil:
			sessions = append(sessions, *l.Session)
		case l.Event != nil:
			events = append(events, *l.Event)
		case l.Update != nil:
			updates = append(updates, *l.Update)
		}
	}
	return sessions, events, updates
}

func TestCut(t *testing.T) {
	const most = 4096
	limits := exporter.WithLimits(exporter.Limits{ValueBytes: most})
	srv := newServer(t, accept)
	col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL}, limits)
	if err != nil {
		t.Fatal(err)
	}
	var b buffer
	e, err := exporter.NewLines(&b, limits)
	tracer := tracerFor(t, e, err, sessionspan.WithDestination(col))

	long, middle := strings.Repeat("é\"\n", 50_000), strings.Repeat("x", 3000)
	ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{
		"question": "short", "n": int64(1)<<62 + 1, "context": long, "more": []any{map[string]any{"text": middle}},
	}))
	_, ev := sessionspan.StartEvent(ctx, sessionspan.Model, "model", sessionspan.WithInputs(map[string]any{"numbers": slices.Repeat([]int{7}, 100_000)}))
	ev.SetUsage(sessionspan.Usage{InputTokens: 10, OutputTokens: 20})
	ev.SetOutputs(map[string]any{"answer": "fine"})
	ev.End()
	_, plain := tracer.TracerProvider().Tracer("other").Start(ctx, strings.Repeat("n", 10_000), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"), attribute.String("a", long), attribute.StringSlice("b", slices.Repeat([]string{middle}, 10))))
	plain.AddEvent("e", trace.WithAttributes(attribute.String("c", long)))
	plain.End()
	s.End()
	s.SetOutputs(map[string]any{"late": long})
	flush(t, tracer)

	sessions, events, updates := lines(t, b.String())
	if len(sessions) != 1 || len(events) != 2 || len(updates) != 1 {
		t.Fatalf("%d sessions, %d events, %d updates", len(sessions), len(events), len(updates))
	}
	in := sessions[0].Inputs
	var inputs struct {
		Question, Context string
		N                 json.Number
		More              []struct{ Text string }
	}
	if err := in.Decode(&inputs); err != nil {
		t.Fatal(err)
	}
	if inputs.Question != "short" || inputs.N != "4611686018427387905" || len(in.JSONText()) > most || len(in.JSONText()) < most*3/4 {
		t.Errorf("%d bytes of inputs: %s", len(in.JSONText()), in)
	}
	if !strings.HasSuffix(inputs.Context, markOf(long)) || !strings.HasPrefix(long, strings.TrimSuffix(inputs.Context, markOf(long))) || !utf8.ValidString(inputs.Context) {
		t.Errorf("context %q", inputs.Context)
	}
	if got := inputs.More[0].Text; got != middle && !strings.HasSuffix(got, markOf(middle)) {
		t.Errorf("more %q", got)
	}
	for _, ev := range events {
		if ev.EventName.Or("") != "model" {
			if name := ev.EventName.Or(""); len(name) > most || !strings.HasSuffix(name, markOf(strings.Repeat("n", 10_000))) {
				t.Errorf("name %q", name)
			}
			continue
		}
		var cut struct {
			Cut struct {
				Bytes  int
				SHA256 string
			}
			Start string
		}
		whole := fmt.Sprintf(`{"numbers":[%s]}`, strings.TrimSuffix(strings.Repeat("7,", 100_000), ","))
		if err := ev.Inputs.Decode(&cut); err != nil || cut.Cut.Bytes != len(whole) ||
			cut.Cut.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(whole))) || !strings.HasPrefix(whole, cut.Start) || cut.Start == "" {
			t.Errorf("%s %v", ev.Inputs, err)
		}
		if !strings.Contains(ev.Metadata.String(), `"total_tokens":30`) || ev.Outputs.String() != `{"answer":"fine"}` {
			t.Errorf("metadata %s outputs %s", ev.Metadata, ev.Outputs)
		}
	}
	var late struct{ Late string }
	if err := updates[0].Outputs.Decode(&late); err != nil || !strings.HasSuffix(late.Late, markOf(long)) || len(late.Late) > most {
		t.Errorf("%s %v", updates[0].Outputs, err)
	}
	for _, span := range collected(t, srv) {
		if len(span.Name) > most {
			t.Errorf("a name of %d bytes", len(span.Name))
		}
		for _, kv := range span.Attributes {
			if n := len(kv.Value.GetStringValue()); n > most {
				t.Errorf("%s has %d bytes", kv.Key, n)
			}
		}
		for _, e := range span.Events {
			if got := e.Attributes[0].Value.GetStringValue(); !strings.HasSuffix(got, markOf(long)) || len(got) > most {
				t.Errorf("event attribute of %d bytes", len(got))
			}
		}
	}
}

// TestCutFitsAlways cuts random JSON and checks the bound, that it is JSON, and
// that short values are left alone.
func TestCutFitsAlways(t *testing.T) {
	const most = 2048
	var b buffer
	e, err := exporter.NewLines(&b, exporter.WithLimits(exporter.Limits{ValueBytes: most}))
	tracer := tracerFor(t, e, err)
	ctx, s := tracer.StartSession(t.Context(), "s")
	const n = 300
	for i := range n {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint(i))
		ev.SetInputs(map[string]any{"v": anyValue(random, 4), "short": "kept"})
		ev.End()
	}
	s.End()
	flush(t, tracer)
	_, events, _ := lines(t, b.String())
	if len(events) != n {
		t.Errorf("%d events", len(events))
	}
	cut := 0
	for _, ev := range events {
		text := ev.Inputs.JSONText()
		if len(text) > most {
			t.Errorf("event %s: %d bytes", ev.EventName.Or(""), len(text))
		}
		if strings.Contains(text, "sha256") {
			cut++
		}
		if !ev.Inputs.Has("cut") && !strings.Contains(text, `"short":"kept"`) {
			t.Errorf("a short value was cut: %s", text)
		}
	}
	if cut < n/10 || cut > n*9/10 {
		t.Errorf("%d of %d were cut", cut, n)
	}
}

// anyValue makes JSON of random shape and size.
func anyValue(random *rand.Rand, depth int) any {
	switch k := random.IntN(6); {
	case depth == 0 || k < 2:
		return strings.Repeat([]string{"a", "\"", "\u2028", "é", "\x00", "😀"}[random.IntN(6)], random.IntN(800))
	case k == 2:
		return random.Int64()
	case k < 5:
		list := make([]any, random.IntN(5))
		for i := range list {
			list[i] = anyValue(random, depth-1)
		}
		return list
	}
	m := make(map[string]any)
	for i := range random.IntN(5) {
		m[fmt.Sprint("key", i)] = anyValue(random, depth-1)
	}
	return m
}

// TestHugeValueAmongOthers sends a value larger than the queue in the midst of
// small ones.
func TestHugeValueAmongOthers(t *testing.T) {
	srv := newServer(t, ok)
	e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL}, exporter.WithLimits(exporter.Limits{QueueBytes: 8 << 20, ValueBytes: 1 << 20}))
	tracer := tracerFor(t, e, err)
	ctx, s := tracer.StartSession(t.Context(), "s")
	for i := range 3 {
		_, ev := sessionspan.StartEvent(ctx, sessionspan.Tool, fmt.Sprint("small ", i))
		ev.End()
		if i == 1 {
			_, huge := sessionspan.StartEvent(ctx, sessionspan.Tool, "huge", sessionspan.WithInputs(json.RawMessage(
				slices.Concat([]byte(`{"q":"`), bytes.Repeat([]byte("x"), 10<<20), []byte(`"}`)))))
			huge.End()
		}
	}
	s.End()
	flush(t, tracer)
	var got []string
	for _, r := range srv.seen() {
		if strings.HasSuffix(r.path, "batch") {
			for _, ev := range eventsOf(t, r.body) {
				got = append(got, ev.EventName.Or(""))
				if n := len(ev.Inputs.JSONText()); n > 1<<20 || ev.EventName.Or("") == "huge" && n < 900<<10 {
					t.Errorf("%s has inputs of %d bytes", ev.EventName.Or(""), n)
				}
			}
		}
	}
	slices.Sort(got)
	if want := "huge small 0 small 1 small 2"; strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}
