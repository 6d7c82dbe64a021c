package sessionspan_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collecttrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// played is what a program recorded of a session, or of its part of one, written down by
// the program itself: the oracle of tail sampling.
type played struct {
	session string
	part    bool     // another process holds the session
	turn    bool     // it is a turn, which posts its session too
	events  []string // ids
	spans   []string // ids of all spans, also of those that are no events
	reason  bool     // there is a reason to keep it
	keptBy  string   // which one
	updates []string // ids of what was changed afterwards
	kept    bool     // filled in at the end
	wasKept *played  // an earlier part of the same session
}

func (p *played) because(reason string) { p.reason, p.keptBy = true, reason }

func (p *played) event(e *sessionspan.Event) {
	p.events = append(p.events, e.ID())
	p.span(e.Span())
}

func (p *played) span(s trace.Span) { p.spans = append(p.spans, s.SpanContext().SpanID().String()) }

func (p *played) plain(s trace.Span) {
	sc := s.SpanContext()
	p.events = append(p.events, honeyhive.EventID(sc.TraceID(), sc.SpanID()).String())
	p.span(s)
}

// share computes what the share has, in exact numbers.
func inShare(t *testing.T, session string, share float64) bool {
	id, err := honeyhive.ParseUUID(session)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(id[:])
	place := new(big.Int).SetBytes(sum[16:24])
	place.Rsh(place, 11)
	of := new(big.Rat).SetFrac(place, new(big.Int).Lsh(big.NewInt(1), 53))
	return of.Cmp(new(big.Rat).SetFloat64(share)) < 0
}

// player makes sessions of many kinds.
type player struct {
	*rand.Rand
	tracer  *sessionspan.Tracer
	plain   trace.Tracer
	outside *[]string // spans outside of any session
}

var tailStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const tailSlow = 10 * time.Second

// took returns how long a session takes.
func (pl *player) took(p *played) time.Duration {
	switch pl.IntN(12) {
	case 0:
		p.because("slow")
		return tailSlow + time.Duration(1+pl.IntN(1000))*time.Millisecond
	case 1:
		return tailSlow // which is not slower
	}
	return time.Duration(pl.IntN(9000)) * time.Millisecond
}

// play records a session, or a part of one.
func (pl *player) play() []*played {
	ctx := sessionspan.ContextWithTracer(context.Background(), pl.tracer)
	if pl.IntN(4) == 0 { // a request around it
		var request trace.Span
		ctx, request = pl.plain.Start(ctx, "GET /", requestSpan)
		*pl.outside = append(*pl.outside, request.SpanContext().SpanID().String())
		defer request.End()
	}
	switch pl.IntN(7) {
	case 0:
		return []*played{pl.playPlain(ctx)}
	case 1:
		return pl.playParts(ctx)
	case 2:
		return pl.playTurns(ctx)
	}
	return []*played{pl.playOwn(ctx)}
}

func (pl *player) playOwn(ctx context.Context) *played {
	p := new(played)
	took := pl.took(p)
	options := []sessionspan.FieldOption{sessionspan.WithStartTime(tailStart)}
	ctx, s := pl.tracer.StartSession(ctx, "own", options...)
	p.session = s.ID()
	p.span(s.Span())
	var late *sessionspan.Event
	if pl.IntN(5) == 0 {
		_, late = sessionspan.StartEvent(ctx, sessionspan.Tool, "late")
		p.event(late)
	}
	for range pl.IntN(5) {
		pl.anEvent(ctx, p, 0)
	}
	end := []sessionspan.FieldOption{sessionspan.WithEndTime(tailStart.Add(took))}
	switch pl.IntN(20) {
	case 0:
		s.SetError("no answer")
		p.because("session error")
	case 1:
		s.SetFeedback(map[string]any{"rating": -1})
		p.because("session feedback")
	case 2:
		s.SetFeedback(map[string]any{"rating": 1, "comment": "bad"})
	case 3:
		_ = sessionspan.Update(ctx, s.ID(), sessionspan.WithFeedback(map[string]any{"rating": false}))
		p.because("update of the session")
	case 4:
		err := errors.New("failed")
		s.EndErr(&err, end...)
		p.because("EndErr")
	case 5:
		if !p.reason {
			end = []sessionspan.FieldOption{sessionspan.WithEndTime(tailStart), sessionspan.WithDuration(time.Minute)}
			p.because("duration")
		}
	case 6:
		panicking(func() { defer s.End(end...); panic("oh") })
		p.because("panic")
	case 7:
		s.Span().SetStatus(codes.Error, "by the span")
		p.because("status of the session")
	}
	s.End(end...)
	// What comes now follows the decision.
	if late != nil {
		if pl.IntN(2) == 0 {
			late.SetError("too late")
		}
		late.End()
	}
	if pl.IntN(6) == 0 {
		_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "after the end")
		p.event(e)
		e.SetError("too late")
		e.End()
		e.SetFeedback(map[string]any{"rating": -1})
		p.updates = append(p.updates, e.ID())
	}
	if pl.IntN(6) == 0 {
		s.SetFeedback(map[string]any{"rating": -1})
		p.updates = append(p.updates, s.ID())
	}
	return p
}

// panicking calls f, which panics.
func panicking(f func()) {
	defer func() { _ = recover() }()
	f()
}

// anEvent records an event, or several below one another.
func (pl *player) anEvent(ctx context.Context, p *played, depth int) {
	if pl.IntN(3) == 0 {
		pl.aSpan(ctx, p)
		return
	}
	ctx, e := sessionspan.StartEvent(ctx, sessionspan.Model, "event", sessionspan.WithInputs(map[string]any{"q": "hi"}))
	p.event(e)
	e.SetModel("p", "m")
	for depth < 2 && pl.IntN(3) == 0 {
		pl.anEvent(ctx, p, depth+1)
	}
	switch pl.IntN(60) {
	case 0:
		e.RecordError(errors.New("event"))
		p.because("event error")
	case 1:
		e.SetFeedback(map[string]any{"rating": -0.5})
		p.because("event feedback")
	case 2:
		panicking(func() { defer e.End(); panic("event") })
		p.because("panic in an event")
	case 3:
		e.Span().SetStatus(codes.Error, "x")
		p.because("status of an event")
	case 4:
		e.SetAttributes(attribute.String("honeyhive_error", "x"))
		p.because("an attribute that says an error")
	case 5:
		e.Span().SetAttributes(attribute.String("honeyhive_feedback", `{"rating":-1}`))
		p.because("an attribute that says feedback")
	case 6:
		e.End()
		_ = sessionspan.Update(ctx, e.ID(), sessionspan.WithFeedback(map[string]any{"rating": -2}))
		p.because("update of an event")
	case 7:
		e.End()
		e.SetFeedback(map[string]any{"rating": -2})
		p.because("setter of an event that has ended")
	case 8:
		e.End()
		e.SetFeedback(map[string]any{"rating": 2})
		p.updates = append(p.updates, e.ID())
	case 9:
		e.Span().End() // past the handle
	case 10:
		e.SetFeedback(map[string]any{"boom": true})
		p.because("a condition that panics")
	}
	e.End()
}

// aSpan records a span of another tracer.
func (pl *player) aSpan(ctx context.Context, p *played) {
	switch pl.IntN(3) {
	case 0: // no event, so its status does not count
		_, s := pl.plain.Start(ctx, "GET /x", requestSpan)
		p.span(s)
		s.SetStatus(codes.Error, "429")
		s.End()
	case 1:
		_, s := pl.plain.Start(ctx, "chat", genAISpan)
		p.plain(s)
		switch pl.IntN(30) {
		case 0:
			s.SetStatus(codes.Error, "plain")
			p.because("status of a span")
		case 1:
			s.SetAttributes(attribute.String("honeyhive_error", "plain"))
			p.because("error of a span")
		case 2:
			s.SetAttributes(attribute.Int("honeyhive_feedback.rating", -3))
			p.because("feedback of a span")
		}
		s.End()
	default: // a step of the program
		_, s := pl.plain.Start(ctx, "step")
		p.plain(s)
		s.End()
	}
}

// playPlain records a session of the plain OpenTelemetry API.
func (pl *player) playPlain(ctx context.Context) *played {
	p := new(played)
	took := pl.took(p)
	id := honeyhive.NewUUID().String()
	ctx, root := pl.plain.Start(ctx, "plain", trace.WithTimestamp(tailStart),
		trace.WithAttributes(sessionType, attribute.String(honeyhive.AttrSessionID, id)))
	p.session = id
	p.span(root)
	for range pl.IntN(4) {
		pl.aSpan(ctx, p)
	}
	switch pl.IntN(12) {
	case 0:
		root.SetStatus(codes.Error, "plain root")
		p.because("status of a plain root")
	case 1:
		root.SetAttributes(attribute.String("honeyhive_feedback", `{"rating":-1}`))
		p.because("feedback of a plain root")
	}
	root.End(trace.WithTimestamp(tailStart.Add(took)))
	return p
}

// playParts records parts of a session that another process holds, one after the other.
func (pl *player) playParts(ctx context.Context) []*played {
	id := honeyhive.NewUUID().String()
	ctx, _ = pl.tracer.ContinueSession(ctx, id)
	var parts []*played
	var before *played
	for range 1 + pl.IntN(2) {
		p := &played{session: id, part: true, wasKept: before}
		took := pl.took(p)
		ectx, top := sessionspan.StartEvent(ctx, sessionspan.Chain, "top", sessionspan.WithStartTime(tailStart))
		p.event(top)
		var sibling *sessionspan.Event
		if pl.IntN(3) == 0 { // which runs on, so the part is longer than its first event
			_, sibling = sessionspan.StartEvent(ctx, sessionspan.Chain, "sibling", sessionspan.WithStartTime(tailStart))
			p.event(sibling)
		}
		for range pl.IntN(3) {
			_, e := sessionspan.StartEvent(ectx, sessionspan.Tool, "inner", sessionspan.WithStartTime(tailStart))
			p.event(e)
			if pl.IntN(20) == 0 {
				e.SetError("part")
				p.because("error in a part")
			}
			e.End(sessionspan.WithEndTime(tailStart))
		}
		top.End(sessionspan.WithEndTime(tailStart.Add(took)))
		if sibling != nil {
			if pl.IntN(4) == 0 {
				sibling.SetError("part")
				p.because("error of the last event of a part")
			}
			sibling.End(sessionspan.WithEndTime(tailStart))
		}
		parts, before = append(parts, p), p
	}
	return parts
}

// playTurns records turns of a conversation.
func (pl *player) playTurns(ctx context.Context) []*played {
	id := honeyhive.NewUUID().String()
	var turns []*played
	var before *played
	for range 1 + pl.IntN(3) {
		p := &played{session: id, turn: true, wasKept: before}
		took := pl.took(p)
		tctx, turn := pl.tracer.StartTurn(ctx, id, "turn", sessionspan.WithStartTime(tailStart))
		p.event(turn)
		for range pl.IntN(3) {
			pl.anEvent(tctx, p, 1)
		}
		if pl.IntN(8) == 0 {
			turn.SetError("turn")
			p.because("error of a turn")
		}
		turn.End(sessionspan.WithEndTime(tailStart.Add(took)))
		if pl.IntN(5) == 0 {
			_, e := sessionspan.StartEvent(tctx, sessionspan.Tool, "after the turn")
			p.event(e)
			e.SetError("too late")
			e.End()
		}
		turns, before = append(turns, p), p
	}
	return turns
}

// otlpSpans is a collector that notes the ids of spans.
type otlpSpans struct {
	*httptest.Server
	mu  sync.Mutex
	ids []string
}

func newOTLPSpans(t *testing.T) *otlpSpans {
	c := new(otlpSpans)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collecttrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					c.ids = append(c.ids, fmt.Sprintf("%x", s.GetSpanId()))
				}
			}
		}
	}))
	t.Cleanup(func() { c.CloseClientConnections(); c.Close() })
	return c
}

// arrived is what a destination of sessions got, by ids.
type arrived struct{ sessions, events, updates []string }

func (a *api) arrived(t *testing.T) (out arrived) {
	for _, body := range a.bodies("POST", "/session/start") {
		var s struct{ Session honeyhive.SessionStartRequest }
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		out.sessions = append(out.sessions, s.Session.SessionID.Or(""))
	}
	for _, body := range a.bodies("POST", "/v1/sessions") { // of turns
		var s honeyhive.SessionStartRequest
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		out.sessions = append(out.sessions, s.SessionID.Or(""))
	}
	for _, e := range a.events(t) {
		out.events = append(out.events, e.EventID.Or(""))
	}
	for _, body := range a.bodies("PUT", "/events") {
		var u honeyhive.Update
		if err := json.Unmarshal([]byte(body), &u); err != nil {
			t.Fatal(err)
		}
		out.updates = append(out.updates, u.EventID.Or(""))
	}
	return out
}

// arrivedLines reads what was written.
func arrivedLines(t *testing.T, text string) (out arrived) {
	for line := range strings.Lines(text) {
		var l struct {
			Session *honeyhive.SessionStartRequest
			Event   *honeyhive.Event
			Update  *honeyhive.Update
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Session != nil:
			out.sessions = append(out.sessions, l.Session.SessionID.Or(""))
		case l.Event != nil:
			out.events = append(out.events, l.Event.EventID.Or(""))
		default:
			out.updates = append(out.updates, l.Update.EventID.Or(""))
		}
	}
	return out
}

// TestTailSamplingEverywhere records 10,000 sessions of all kinds from several goroutines,
// and compares what all kinds of destinations got with what the program says of each.
func TestTailSamplingEverywhere(t *testing.T) {
	for _, users := range []bool{false, true} {
		t.Run(fmt.Sprint("provider of the user ", users), func(t *testing.T) { testTailSampling(t, users, tailSessions/2) })
	}
}

func testTailSampling(t *testing.T, users bool, sessions int) {
	const share = 0.05
	plenty := exporter.Limits{QueueBytes: 1 << 30, AnnounceAfter: 24 * time.Hour}
	spooled, direct, otlp, otlpDirect := newAPI(t), newAPI(t), newOTLPSpans(t), newOTLPSpans(t)
	var lines bytes.Buffer
	var wrapped, others spanList
	second, err := exporter.NewHTTP(exporter.HTTPConfig{URL: direct.URL, Project: "p"}, exporter.WithLimits(plenty))
	if err != nil {
		t.Fatal(err)
	}
	collector, err := exporter.NewOTLP(exporter.OTLPConfig{URL: otlpDirect.URL}, exporter.WithLimits(plenty), exporter.WithName("another collector"))
	if err != nil {
		t.Fatal(err)
	}
	var reports errorList
	options := []sessionspan.Option{
		sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(reports.add),
		sessionspan.WithDefaults(exporter.WithLimits(plenty)),
		sessionspan.WithAPIURL(spooled.URL), sessionspan.WithOTLP(exporter.OTLPConfig{URL: otlp.URL}), sessionspan.WithSpool(t.TempDir()),
		sessionspan.WithDestination(second), sessionspan.WithDestination(collector), sessionspan.WithWriter(&lines), sessionspan.WithSpanExporter(&wrapped),
		sessionspan.WithTailSampling(sessionspan.TailSampling{
			Errors: true, SlowerThan: tailSlow, Share: share, MaxBytes: 1 << 30,
			BadFeedback: func(feedback honeyhive.Object) bool {
				if feedback.Has("boom") {
					panic("boom")
				}
				return sessionspan.NegativeRating(feedback)
			},
		}),
	}
	var provider *sdktrace.TracerProvider
	if users {
		provider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(&others))
		defer func() { _ = provider.Shutdown(context.Background()) }()
		options = append(options, sessionspan.WithTracerProvider(provider))
	}
	tracer := newTracer(t, options...)
	const lanes = 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var all [lanes][]*played
	var outside [lanes][]string
	var wg sync.WaitGroup
	for i := range lanes {
		wg.Go(func() {
			pl := player{rand.New(rand.NewPCG(seed, uint64(i))), tracer, tracer.TracerProvider().Tracer("plain"), &outside[i]}
			for range sessions / lanes {
				all[i] = append(all[i], pl.play()...)
			}
		})
	}
	wg.Wait()
	for _, s := range tracer.Stats() {
		if s.Undecided != 0 {
			t.Errorf("%s: %d records are undecided, though all sessions have ended", s.Destination, s.Undecided)
		}
	}
	if err := tracer.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}

	var want arrived
	kept, spans, left, leftSpans := 0, slices.Concat(outside[:]...), 0, 0
	changed := make(map[string]bool) // what may be changed
	byReason := make(map[string]int)
	for _, p := range slices.Concat(all[:]...) {
		shared := inShare(t, p.session, share)
		p.kept = p.reason || shared || p.wasKept != nil && p.wasKept.kept
		byReason[fmt.Sprint(p.kept, " ", p.keptBy)]++
		if !p.kept {
			left += len(p.events)
			if leftSpans += len(p.spans); !p.part && !p.turn {
				left++
			}
			continue
		}
		kept++
		want.events, spans = append(want.events, p.events...), append(spans, p.spans...)
		if !p.part {
			want.sessions = append(want.sessions, p.session)
		}
		changed[p.session] = true
		for _, id := range p.events {
			changed[id] = true
		}
		want.updates = append(want.updates, p.updates...)
	}
	t.Logf("%d of %d kept: %v", kept, sessions, byReason)
	if kept == 0 || left == 0 || len(byReason) < 25 {
		t.Error("not all was tested")
	}
	for name, got := range map[string]arrived{"HTTP with a spool": spooled.arrived(t), "HTTP": direct.arrived(t), "lines": arrivedLines(t, lines.String())} {
		same := func(what string, got, want []string) {
			if got, want = sorted(got), sorted(want); !slices.Equal(got, want) {
				t.Errorf("%s: %d %s, want %d; %s", name, len(got), what, len(want), firstDifference(got, want))
			}
		}
		same("sessions", got.sessions, want.sessions)
		same("events", got.events, want.events)
		were := make(map[string]bool)
		for _, id := range got.updates {
			were[id] = true
			if !changed[id] {
				t.Errorf("%s: %s was changed, which was left out", name, id)
			}
		}
		for _, id := range want.updates {
			if !were[id] {
				t.Errorf("%s: %s was not changed", name, id)
			}
		}
	}
	ids := func(list spanList) (ids []string) {
		for _, s := range list {
			ids = append(ids, s.SpanContext().SpanID().String())
		}
		return ids
	}
	for name, got := range map[string][]string{"OTLP with a spool": otlp.ids, "OTLP": otlpDirect.ids, "an exporter": ids(wrapped)} {
		if got, want := sorted(got), sorted(spans); !slices.Equal(got, want) {
			t.Errorf("%s: %d spans, want %d; %s", name, len(got), len(want), firstDifference(got, want))
		}
	}
	if users && len(others) != len(spans)+leftSpans {
		t.Errorf("another processor saw %d spans, want all %d", len(others), len(spans)+leftSpans)
	}
	for _, s := range tracer.Stats() {
		out := s.Dropped[exporter.SampledOut]
		wantOut := int64(left)
		if strings.Contains(s.Destination, "otlp") || strings.Contains(s.Destination, "another") || strings.Contains(s.Destination, "spanList") {
			if wantOut = int64(leftSpans); out != wantOut {
				t.Errorf("%s: %d spans are counted as sampled out, want %d", s.Destination, out, wantOut)
			}
		}
		if out < wantOut || len(s.Dropped) != 1 || s.Created != s.Delivered+out || s.Waiting != 0 {
			t.Errorf("%s: %+v, want %d records sampled out", s.Destination, s, wantOut)
		}
	}
	if tracer.KeptEarly() != 0 {
		t.Errorf("%d sessions were kept early", tracer.KeptEarly())
	}
	for _, text := range []string{"boom", "was ended by the End of its span"} {
		if !strings.Contains(reports.text(), text) {
			t.Errorf("no report of %q: %s", text, reports.text())
		}
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// firstDifference says what one of two sorted lists has and the other has not.
func firstDifference(got, want []string) string {
	count := make(map[string]int)
	for _, id := range got {
		count[id]++
	}
	for _, id := range want {
		count[id]--
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n == 0 })
	for _, id := range slices.Sorted(maps.Keys(count)) {
		return fmt.Sprintf("%d differ: %s %+d", len(count), id, count[id])
	}
	return "the order differs"
}
