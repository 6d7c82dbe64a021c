package sessionspan_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/await"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// onErrors keeps sessions with errors alone.
var onErrors = sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true})

// TestTailSamplingOptions gives New conditions that it must not take, and says by name
// what is wrong with them.
func TestTailSamplingOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		of   sessionspan.TailSampling
		want []string // nil where it is fine
	}{
		"errors":            {sessionspan.TailSampling{Errors: true}, nil},
		"all":               {sessionspan.TailSampling{Share: 1}, nil},
		"feedback":          {sessionspan.TailSampling{BadFeedback: sessionspan.NegativeRating}, nil},
		"slow":              {sessionspan.TailSampling{SlowerThan: 1, MaxBytes: 1}, nil},
		"nothing":           {sessionspan.TailSampling{}, []string{"no session would be kept"}},
		"nothing but bytes": {sessionspan.TailSampling{MaxBytes: 1}, []string{"no session would be kept"}},
		"below 0":           {sessionspan.TailSampling{Share: -0.1, Errors: true}, []string{"Share is -0.1"}},
		"above 1":           {sessionspan.TailSampling{Share: math.Nextafter(1, 2)}, []string{"Share is 1.0000000000000002"}},
		"NaN":               {sessionspan.TailSampling{Share: math.NaN()}, []string{"Share is NaN"}},
		"infinite":          {sessionspan.TailSampling{Share: math.Inf(1)}, []string{"Share is +Inf"}},
		"several":           {sessionspan.TailSampling{Share: 2, SlowerThan: -1, MaxBytes: -1}, []string{"Share is 2", "SlowerThan is negative", "MaxBytes is negative"}},
	} {
		tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithWriter(new(bytes.Buffer)), sessionspan.WithTailSampling(tc.of))
		if err == nil {
			_ = tracer.Shutdown(context.Background())
		}
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), "WithTailSampling: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v says nothing of %q", name, err, want)
			}
		}
	}
	var none *sessionspan.Tracer
	if none.KeptEarly() != 0 || nowhereAtAll(t).KeptEarly() != 0 {
		t.Error("a tracer without tail sampling kept something early")
	}
}

// nowhereAtAll returns a tracer without a destination, that is asked for tail sampling.
func nowhereAtAll(t *testing.T) *sessionspan.Tracer {
	return newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), onErrors)
}

func TestNegativeRating(t *testing.T) {
	for text, want := range map[string]bool{
		`{"rating":-1}`: true, `{"rating":-0.5}`: true, `{"rating":false}`: true, `{"rating":-1e400}`: true, `{"rating":-1e-9}`: true,
		`{"rating":1}`: false, `{"rating":0}`: false, `{"rating":-0}`: false, `{"rating":true}`: false, `{"rating":null}`: false,
		`{"rating":"-1"}`: false, `{"rating":{"x":-1}}`: false, `{"score":-1}`: false, `{}`: false,
	} {
		if got := sessionspan.NegativeRating(object(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if sessionspan.NegativeRating(honeyhive.Object{}) || sessionspan.NegativeRating(honeyhive.NullObject()) {
		t.Error("no feedback is bad")
	}
}

// inAndOut returns ids of sessions of which one is in a share of a half.
func inAndOut(t *testing.T) (in, out string) {
	for in == "" || out == "" {
		if id := honeyhive.NewUUID().String(); inShare(t, id, 0.5) {
			in = id
		} else {
			out = id
		}
	}
	return in, out
}

// TestTailSamplingAnnouncesNothingUndecided has live sessions: what may still be left out
// is neither announced, nor sent by a flush, nor waited for. A session of the share is
// sent at once, and one with an error from then on.
func TestTailSamplingAnnouncesNothingUndecided(t *testing.T) {
	var lines lockedBuffer
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithWriter(&lines, exporter.WithLiveSessions()),
		sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true, Share: 0.5}))
	in, out := inAndOut(t)
	ictx, inside := tracer.StartSession(t.Context(), "in the share", sessionspan.WithSessionID(in))
	octx, outside := tracer.StartSession(t.Context(), "undecided", sessionspan.WithSessionID(out))
	for _, ctx := range []context.Context{ictx, octx} {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "event")
		e.End()
	}
	flush(t, tracer)
	if text := lines.String(); strings.Contains(text, out) || strings.Count(text, in) < 2 {
		t.Errorf("while they run: %s", text)
	}
	if s := tracer.Stats()[0]; s.Undecided != 1 || s.Waiting != 1 || s.Created != s.Delivered+1 {
		t.Errorf("%+v", s)
	}
	_, e := sessionspan.StartEvent(octx, sessionspan.Tool, "fails")
	e.SetError("no")
	e.End()
	flush(t, tracer)
	if text := lines.String(); strings.Count(text, `{"session":`) != 2 || !strings.Contains(text, `"error":"no"`) {
		t.Errorf("when it has failed: %s", text)
	}
	inside.End()
	outside.End()
	flush(t, tracer)
	if s := tracer.Stats()[0]; s.Undecided != 0 || s.Waiting != 0 || len(s.Dropped) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTailSamplingAtShutdown shuts down with a session that runs, which is sent as
// incomplete, also where the queue has no room for all at once.
func TestTailSamplingAtShutdown(t *testing.T) {
	for name, end := range map[string]func(*sessionspan.Tracer, *sdktrace.TracerProvider) error{
		"the tracer":   func(t *sessionspan.Tracer, _ *sdktrace.TracerProvider) error { return t.Shutdown(context.Background()) },
		"the provider": func(_ *sessionspan.Tracer, p *sdktrace.TracerProvider) error { return p.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			api := newAPI(t)
			var wrapped spanList
			provider := sdktrace.NewTracerProvider()
			tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithAPIURL(api.URL),
				sessionspan.WithSpanExporter(&wrapped), sessionspan.WithProject("p"), onErrors,
				sessionspan.WithDefaults(exporter.WithLimits(exporter.Limits{QueueBytes: 20_000})))
			const sessions, events = 5, 3
			ctx, left := tracer.StartSession(t.Context(), "left out")
			left.End()
			for range sessions {
				ctx, _ := tracer.StartSession(t.Context(), "runs", sessionspan.WithInputs(map[string]any{"q": "hi"}))
				for range events {
					_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(strings.Repeat("x", 2000)))
					e.End()
				}
			}
			if err := end(tracer, provider); err != nil {
				t.Error(err)
			}
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "afterwards")
			e.End()
			got := api.arrived(t)
			if len(got.sessions) != sessions || len(got.events) != sessions*events || len(wrapped) != sessions*events {
				t.Errorf("%d sessions, %d events, %d spans", len(got.sessions), len(got.events), len(wrapped))
			}
			// Where there is no room for all at once a session is announced, and then changed.
			all := strings.Join(append(api.bodies("POST", "/session/start"), api.bodies("PUT", "/events")...), "\n")
			if strings.Count(all, `"incomplete":true`) != sessions || strings.Count(all, `"q":"hi"`) != sessions {
				t.Error(all)
			}
		})
	}
}

// afterKill returns what a kill at this moment would leave of a spool: its files, and no
// locks.
func afterKill(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// TestTailSamplingKilled kills a process whose sessions run: the next one sends those that
// were undecided, as incomplete, and nothing of those that were left out.
func TestTailSamplingKilled(t *testing.T) {
	api, collector := newAPI(t), newOTLPSpans(t)
	options := func(dir string) []sessionspan.Option {
		return []sessionspan.Option{
			sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), onErrors, sessionspan.WithSpool(dir),
			sessionspan.WithAPIURL(api.URL), sessionspan.WithOTLP(exporter.OTLPConfig{URL: collector.URL}),
		}
	}
	dir := t.TempDir()
	first := newTracer(t, options(dir)...)
	_, left := first.StartSession(t.Context(), "left out")
	lctx, late := first.StartSession(t.Context(), "left out with an event")
	_, e := sessionspan.StartEvent(lctx, sessionspan.Tool, "e")
	e.End()
	ctx, runs := first.StartSession(t.Context(), "runs", sessionspan.WithInputs(map[string]any{"q": "hi"}))
	_, e = sessionspan.StartEvent(ctx, sessionspan.Tool, "of the one that runs")
	e.End()
	e.SetFeedback(map[string]any{"rating": 1})
	part, _ := first.ContinueSession(t.Context(), honeyhive.NewUUID().String())
	pctx, open := sessionspan.StartEvent(part, sessionspan.Chain, "runs in a part")
	_, inner := sessionspan.StartEvent(pctx, sessionspan.Tool, "inner")
	inner.End()
	late.End()
	left.End()
	flush(t, first) // all before it is in the spool by now
	if got := api.arrived(t); len(got.sessions)+len(got.events)+len(collector.ids) != 0 {
		t.Fatalf("%v was sent, and %v", got, collector.ids)
	}

	second := newTracer(t, options(afterKill(t, dir))...)
	if err := second.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	got := api.arrived(t)
	if want := []string{runs.ID()}; !slices.Equal(got.sessions, want) {
		t.Errorf("sessions %v, want %v", got.sessions, want)
	}
	if want := sorted([]string{e.ID(), inner.ID()}); !slices.Equal(sorted(got.events), want) {
		t.Errorf("events %v, want %v", got.events, want)
	}
	if want := []string{e.ID()}; !slices.Equal(got.updates, want) {
		t.Errorf("updates %v, want %v", got.updates, want)
	}
	if len(collector.ids) != 2 {
		t.Errorf("spans %v", collector.ids)
	}
	if body := strings.Join(api.bodies("POST", "/session/start"), ""); !strings.Contains(body, `"incomplete":true`) {
		t.Error(body)
	}
	for _, s := range second.Stats() {
		if s.Adopted == 0 || s.Adopted != s.Delivered {
			t.Errorf("%+v", s)
		}
	}
	open.End()
	runs.End()
	if err := first.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if n := len(api.arrived(t).sessions); n != 1 {
		t.Errorf("%d sessions when the first process has gone on", n)
	}
	// Nothing is left for a next process.
	third := newTracer(t, options(dir)...)
	if err := third.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for _, s := range third.Stats() {
		if s.Adopted != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTailSamplingKeptIsNotSentTwice kills a process that has kept a session and could not
// deliver it: the next one sends each of its records once.
func TestTailSamplingKeptIsNotSentTwice(t *testing.T) {
	dir := t.TempDir()
	down := newAPI(t)
	down.Close()
	api := newAPI(t)
	// Both name the destination, whose address differs, and so its directory.
	options := func(dir, url string) []sessionspan.Option {
		return []sessionspan.Option{sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), onErrors, sessionspan.WithErrorHandler(nil),
			sessionspan.WithSpool(dir), sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://localhost:1", Transport: redirected(url)})}
	}
	first, err := sessionspan.New(options(dir, down.URL)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := first.StartSession(t.Context(), "fails")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.SetError("no")
	s.End()
	_, behind := first.StartSession(t.Context(), "fails behind it")
	behind.SetError("no")
	behind.End()
	_ = await.Until(t, func() bool { return first.Stats()[0].Spooled == 3 }, first.ForceFlush)
	second := newTracer(t, options(afterKill(t, dir), api.URL)...)
	if err := second.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := api.arrived(t); !slices.Equal(sorted(got.sessions), sorted([]string{s.ID(), behind.ID()})) || !slices.Equal(got.events, []string{e.ID()}) {
		t.Errorf("%v", got)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = first.Shutdown(gone)
}

// TestTailSamplingUpdates changes sessions and events that were left out.
func TestTailSamplingUpdates(t *testing.T) {
	p := sessiontest.New(t, onErrors)
	p.ExpectReport("was started twice")
	ctx, s := p.Tracer.StartSession(t.Context(), "left out")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	bad := sessionspan.WithFeedback(map[string]any{"rating": -1})
	for what, id := range map[string]string{"session": s.ID(), "event": e.ID()} {
		if err := sessionspan.Update(ctx, id, bad); !errors.Is(err, sessionspan.ErrSampledOut) || !strings.Contains(err.Error(), id) {
			t.Errorf("the %s is updated: %v", what, err)
		}
	}
	s.SetFeedback(map[string]any{"rating": -1})
	e.SetOutputs(map[string]any{"x": 1})
	s.AddChildren(seedChild)
	cctx, again := p.Tracer.ContinueSession(t.Context(), s.ID())
	again.SetMetrics(map[string]any{"m": 1})
	_, late := sessionspan.StartEvent(cctx, sessionspan.Tool, "late")
	late.SetError("late")
	late.End()
	// Of a session of another process nothing is known.
	if err := p.Tracer.Update(ctx, honeyhive.NewUUID().String(), bad); err != nil {
		t.Error(err)
	}
	p.Flush()
	st := p.Tracer.Stats()[0]
	if len(p.Sessions())+len(p.Orphans()) != 0 || st.Delivered != 1 || st.Dropped[exporter.SampledOut] < 8 {
		t.Errorf("%d sessions, %d orphans, %+v", len(p.Sessions()), len(p.Orphans()), st)
	}
	// Started once more it is another run, which is decided by itself.
	_, s = p.Tracer.StartSession(t.Context(), "once more", sessionspan.WithSessionID(s.ID()))
	s.SetError("no")
	s.End()
	_, s = p.Tracer.StartSession(t.Context(), "and again", sessionspan.WithSessionID(s.ID()))
	s.End()
	p.Flush()
	if got := p.Tracer.Stats()[0]; got.Delivered != st.Delivered+2 {
		t.Errorf("%+v", got)
	}
}

// TestTailSamplingTurns has a conversation whose turns are decided each by itself, until
// one of them is kept. A turn that is left out leaves nothing at all, nor a put.
func TestTailSamplingTurns(t *testing.T) {
	var lines lockedBuffer
	var wrapped spanList
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithWriter(&lines), sessionspan.WithSpanExporter(&wrapped),
		sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true, BadFeedback: sessionspan.NegativeRating}))
	id := honeyhive.NewUUID().String()
	turn := func(set func(ctx context.Context, turn *sessionspan.Event)) (ids []string) {
		ctx, turn := tracer.StartTurn(t.Context(), id, "turn", sessionspan.WithInputs(map[string]any{"q": "hi"}))
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
		if set != nil {
			set(ctx, turn)
		}
		e.End()
		turn.End()
		return []string{turn.ID(), e.ID()}
	}
	nothing := func(what string) {
		t.Helper()
		flush(t, tracer)
		if text := lines.String(); text != "" || len(wrapped) != 0 {
			t.Errorf("%s: %s, %d spans", what, text, len(wrapped))
		}
	}
	left := turn(nil)
	nothing("a turn that is left out")
	if err := tracer.Update(t.Context(), left[0], sessionspan.WithMetrics(map[string]any{"m": 1})); !errors.Is(err, sessionspan.ErrSampledOut) {
		t.Error(err)
	}
	want := turn(func(ctx context.Context, _ *sessionspan.Event) {
		nothing("a turn that runs")
		// What is said of the conversation while a turn runs is said of the turn.
		if err := sessionspan.Update(ctx, id, sessionspan.WithFeedback(map[string]any{"rating": -1})); err != nil {
			t.Error(err)
		}
	})
	want = append(want, turn(nil)...) // a conversation of which a turn was kept is kept
	flush(t, tracer)
	got := arrivedLines(t, lines.String())
	if !slices.Equal(sorted(got.events), sorted(want)) || len(wrapped) != 4 {
		t.Errorf("events %q, want %q; %d spans", got.events, want, len(wrapped))
	}
	for _, id := range got.sessions {
		if id != got.sessions[0] {
			t.Errorf("sessions %q", got.sessions)
		}
	}
	for _, st := range tracer.Stats() {
		if st.Dropped[exporter.SampledOut] < 2 || st.Undecided != 0 || st.Created != st.Delivered+st.Dropped[exporter.SampledOut] {
			t.Errorf("%+v", st)
		}
	}
}

// TestTailSamplingForgets keeps sessions that are forgotten since they do not end.
func TestTailSamplingForgets(t *testing.T) {
	p := sessiontest.New(t, onErrors, sessionspan.WithOpenSpans(sessionspan.OpenSpans{Most: 64}))
	p.ExpectReport("was forgotten")
	p.ExpectReport("was kept before it was known how it ends")
	ctx, s := p.Tracer.StartSession(t.Context(), "never ends")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	part, _ := p.Tracer.ContinueSession(t.Context(), honeyhive.NewUUID().String())
	var held []*sessionspan.Event
	for i := 0; p.Tracer.KeptEarly() == 0; i++ { // spans that do not end push the session out
		if i > 1<<16 {
			t.Fatal("nothing was forgotten")
		}
		_, e := sessionspan.StartEvent(part, sessionspan.Tool, "never ends either")
		held = append(held, e)
	}
	p.Flush()
	if n := p.Tracer.Stats()[0].Delivered; n != 2 {
		t.Errorf("%d records were delivered", n)
	}
	s.End() // after all
	for _, e := range held {
		e.End()
	}
	p.Flush()
	if got := p.Session("never ends"); len(got.Events) != 1 {
		t.Errorf("%d events", len(got.Events))
	}
	if st := p.Tracer.Stats()[0]; st.Undecided != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTailSamplingNames has spans of other tracers that name a session by their attributes
// alone: they are decided when the topmost span of their trace has ended.
func TestTailSamplingNames(t *testing.T) {
	p := sessiontest.New(t, onErrors)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	play := func(fails bool) {
		ctx, request := plain.Start(t.Context(), "GET /", requestSpan)
		_, first := plain.Start(ctx, "first", genAISpan, trace.WithAttributes(elsewhere))
		first.End()
		_, second := plain.Start(ctx, "second", genAISpan, trace.WithAttributes(elsewhere))
		if fails {
			second.SetStatus(codes.Error, "no")
		}
		second.End()
		request.End()
	}
	play(false)
	if st := p.Tracer.Stats()[0]; st.Dropped[exporter.SampledOut] != 2 || st.Created != 2 {
		t.Errorf("%+v", st)
	}
	play(true)
	play(false) // a session of which a part was kept is kept from then on
	p.Flush()
	if st := p.Tracer.Stats()[0]; st.Dropped[exporter.SampledOut] != 2 || len(p.Orphans()) != 4 {
		t.Errorf("%+v, %d events", st, len(p.Orphans()))
	}
}

// TestTailSamplingTracers has two tracers on a provider. The sessions of the first are
// decided by the first; a collector of the second sees all spans.
func TestTailSamplingTracers(t *testing.T) {
	provider := sdktrace.NewTracerProvider()
	var first, second spanList
	a := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(&first), onErrors)
	b := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithSpanExporter(&second), onErrors)
	ctx, s := a.StartSession(t.Context(), "left out")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	flush(t, a)
	flush(t, b)
	if len(first) != 0 || len(second) != 2 {
		t.Errorf("%d spans and %d", len(first), len(second))
	}
}

// TestTailSamplingGoexit has a condition that ends the goroutine: the session is kept.
func TestTailSamplingGoexit(t *testing.T) {
	p := sessiontest.New(t, sessionspan.WithTailSampling(sessionspan.TailSampling{
		BadFeedback: func(honeyhive.Object) bool { runtime.Goexit(); return false },
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, s := p.Tracer.StartSession(t.Context(), "s")
		s.SetFeedback(map[string]any{"x": 1})
		s.End()
	}()
	<-done
	p.Session("s")
}

// TestTailSamplingFullQueue keeps sessions for which a queue has no room: a session is
// delivered whole or not at all in each destination.
func TestTailSamplingFullQueue(t *testing.T) {
	let := make(chan struct{})
	var lines lockedBuffer
	stuck := writerFunc(func(p []byte) (int, error) { <-let; return lines.Write(p) })
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil), onErrors,
		sessionspan.WithWriter(stuck, exporter.WithLimits(exporter.Limits{QueueBytes: 60_000, QueueWait: -1})))
	const sessions, events = 30, 4
	for range sessions {
		ctx, s := tracer.StartSession(t.Context(), "s")
		for range events {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(strings.Repeat("x", 1000)))
			e.End()
		}
		s.SetError("no")
		s.End()
	}
	close(let)
	flushed := tracer.ForceFlush(t.Context())
	got := arrivedLines(t, lines.String())
	if n := len(got.sessions); n == 0 || n == sessions || len(got.events) != n*events {
		t.Errorf("%d sessions with %d events", n, len(got.events))
	}
	if st := tracer.Stats()[0]; flushed == nil || st.Dropped[exporter.QueueFull] != int64((sessions-len(got.sessions))*(events+1)) || st.WaitingBytes != 0 {
		t.Errorf("%v; %+v", flushed, st)
	}
}

// TestTailSamplingMemory holds the memory that undecided sessions take against the bound,
// on the heap.
func TestTailSamplingMemory(t *testing.T) {
	const most, size = 8 << 20, 2000
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithErrorHandler(nil),
		sessionspan.WithWriter(new(discardedLines)), sessionspan.WithSpanExporter(discarding{}),
		sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true, MaxBytes: most}))
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	var open []*sessionspan.Session
	for range 400 {
		ctx, s := tracer.StartSession(t.Context(), "s")
		open = append(open, s)
		for range 30 {
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e", sessionspan.WithInputs(strings.Repeat("x", size)))
			e.End()
		}
	}
	flush(t, tracer) // what was kept early is gone
	st := tracer.Stats()[0]
	took := heap() - before
	t.Logf("%d records undecided, %d sessions kept early; %d bytes on the heap, for a bound of %d", st.Undecided, tracer.KeptEarly(), took, int64(most))
	if tracer.KeptEarly() == 0 || st.Undecided == 0 || took > most*5/4 {
		t.Errorf("%d bytes on the heap, for a bound of %d; %d kept early; %+v", took, int64(most), tracer.KeptEarly(), st)
	}
	early := int(tracer.KeptEarly())
	for _, s := range open {
		s.End()
	}
	flush(t, tracer)
	if st := tracer.Stats()[0]; st.Dropped[exporter.SampledOut] != int64((len(open)-early)*31) || st.Undecided != 0 {
		t.Errorf("%+v", st)
	}
	runtime.KeepAlive(open)
}

type discardedLines struct{}

func (*discardedLines) Write(p []byte) (int, error) { return len(p), nil }

type discarding struct{}

func (discarding) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discarding) Shutdown(context.Context) error                             { return nil }

// TestTailSamplingHead has a head sampler too: it goes first, and the share is one of what
// it takes.
func TestTailSamplingHead(t *testing.T) {
	var lines lockedBuffer
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sessionspan.SessionSampler(sdktrace.TraceIDRatioBased(0.5))))
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithTracerProvider(provider), sessionspan.WithWriter(&lines),
		sessionspan.WithTailSampling(sessionspan.TailSampling{Errors: true, Share: 0.5}))
	const sessions = 2000
	recorded := 0
	for range sessions {
		_, s := tracer.StartSession(t.Context(), "s", sessionspan.WithMetadata(map[string]any{"a": attribute.String("b", "c").Key}))
		if s.IsRecording() {
			recorded++
		}
		s.End()
	}
	flush(t, tracer)
	got := len(arrivedLines(t, lines.String()).sessions)
	if recorded < sessions*4/10 || recorded > sessions*6/10 || got < recorded*4/10 || got > recorded*6/10 {
		t.Errorf("%d of %d were taken at the head, and %d of them at the end", recorded, sessions, got)
	}
	if st := tracer.Stats()[0]; st.Created != int64(recorded) || st.Dropped[exporter.SampledOut] != int64(recorded-got) {
		t.Errorf("%+v", st)
	}
}

// redirected sends requests to another server than they name.
func redirected(to string) http.RoundTripper {
	u, err := url.Parse(to)
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = u.Scheme, u.Host, ""
		return http.DefaultTransport.RoundTrip(r)
	})
}

// TestTailSamplingLive keeps a session at its end, in a destination of live sessions: it is
// sent once, not announced and changed.
func TestTailSamplingLive(t *testing.T) {
	api := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), onErrors,
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: api.URL}, exporter.WithLiveSessions()))
	ctx, s := tracer.StartSession(t.Context(), "s")
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.SetError("no")
	s.End()
	flush(t, tracer)
	if got := api.arrived(t); len(got.sessions) != 1 || len(got.events) != 1 || len(got.updates) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestTailSamplingReasonsElsewhere says why a session is to be kept in ways that no span
// shows: by an update where no destination takes any, and on the handle of a session that
// another process holds.
func TestTailSamplingReasonsElsewhere(t *testing.T) {
	var wrapped spanList
	var lines lockedBuffer
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithSpanExporter(&wrapped),
		sessionspan.WithTailSampling(sessionspan.TailSampling{BadFeedback: sessionspan.NegativeRating}))
	_, s := tracer.StartSession(t.Context(), "s")
	err := tracer.Update(t.Context(), s.ID(), sessionspan.WithFeedback(map[string]any{"rating": -1}))
	if !errors.Is(err, exporter.ErrNoUpdates) {
		t.Error(err)
	}
	s.End()
	flush(t, tracer)
	if len(wrapped) != 1 {
		t.Errorf("%d spans", len(wrapped))
	}

	tracer = newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithWriter(&lines), onErrors)
	for name, set := range map[string]func(*sessionspan.Session){
		"an error":   func(s *sessionspan.Session) { s.SetError("no") },
		"one by End": func(s *sessionspan.Session) { err := errors.New("no"); s.EndErr(&err) },
		"no error":   func(s *sessionspan.Session) { s.SetMetadata(map[string]any{"fine": true}) },
		"by Update":  func(s *sessionspan.Session) { _ = tracer.Update(t.Context(), s.ID(), sessionspan.WithError("no")) },
		"other by it": func(s *sessionspan.Session) {
			_ = tracer.Update(t.Context(), s.ID(), sessionspan.WithMetrics(map[string]any{"m": 1}))
		},
	} {
		ctx, s := tracer.ContinueSession(t.Context(), honeyhive.NewUUID().String())
		_, e := sessionspan.StartEvent(ctx, sessionspan.Chain, "part")
		set(s)
		e.End()
		flush(t, tracer)
		kept := strings.Contains(lines.String(), e.ID())
		if want := name != "no error" && name != "other by it"; kept != want {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
}

// TestTailSamplingTopEndsMeanwhile ends the topmost span of a trace just when one below it,
// which names a session, is about to wait for it.
func TestTailSamplingTopEndsMeanwhile(t *testing.T) {
	var request trace.Span
	p := sessiontest.New(t, sessionspan.WithTailSampling(sessionspan.TailSampling{
		BadFeedback: func(honeyhive.Object) bool { request.End(); return false },
	}))
	plain := p.Tracer.TracerProvider().Tracer("plain")
	ctx, _ := startSpan(t.Context(), plain, &request)
	_, named := plain.Start(ctx, "named", genAISpan, trace.WithAttributes(elsewhere, attribute.String("honeyhive_feedback", `{"x":1}`)))
	named.End()
	request.End()
	if st := p.Tracer.Stats()[0]; st.Undecided != 0 || st.Dropped[exporter.SampledOut] != 1 {
		t.Errorf("%+v", st)
	}
}

// startSpan starts a span that others find in to.
func startSpan(ctx context.Context, tracer trace.Tracer, to *trace.Span) (context.Context, trace.Span) {
	ctx, *to = tracer.Start(ctx, "GET /", requestSpan)
	return ctx, *to
}

// TestTailSamplingNamesAnother has a span in a session that says of itself that it is part
// of another: it is decided with that one, when the session that it runs in has ended.
func TestTailSamplingNamesAnother(t *testing.T) {
	p := sessiontest.New(t, onErrors)
	plain := p.Tracer.TracerProvider().Tracer("plain")
	for _, fails := range []bool{false, true} {
		ctx, s := p.Tracer.StartSession(t.Context(), "s")
		_, span := plain.Start(ctx, "of another", genAISpan, trace.WithAttributes(elsewhere))
		if fails {
			span.SetStatus(codes.Error, "no")
		}
		span.End()
		s.End()
	}
	p.Flush()
	// Of the other session nothing is known but that event.
	if got := p.Session("unknown"); len(got.Events) != 1 || got.Events[0].Error.Or("") != "no" || len(p.Sessions()) != 1 {
		t.Errorf("%d sessions, with the events %v", len(p.Sessions()), got.Events)
	}
	if st := p.Tracer.Stats()[0]; st.Undecided != 0 || st.Dropped[exporter.SampledOut] != 3 {
		t.Errorf("%+v", st)
	}
}
