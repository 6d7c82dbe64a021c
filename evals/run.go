package evals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// A run is a suite while it runs, without its types.
type run struct {
	test     string
	id       string // run_id
	dataset  string
	page     string
	named    bool // the suite names the page
	gates    []Gate
	report   *reporting
	table    table
	was      *baseline // nil where there is none
	wasErr   error     // why it cannot be read
	times    int
	tracer   *sessionspan.Tracer
	recorder *recorder
	lines    *exporter.Exporter // into the recorder
	ctx      context.Context    // of the attempts
	stop     context.CancelFunc

	mu      sync.Mutex
	reports []string // of the tracer, each once
}

// Bounds of time.
const (
	grace    = time.Second      // that code has to return after its context ended
	patience = 30 * time.Second // that the recorder has to show what was recorded
	farewell = 5 * time.Second  // that destinations have to take the last sessions
)

// newRun returns a run, its cases, and what is wrong with some. The run is nil where
// it cannot be.
func newRun[I, O any](t testing.TB, s *Suite[I, O]) (*run, []namedCase[I, O], []error) {
	problems := s.check()
	if len(problems) > 0 {
		return nil, nil, problems
	}
	cases, problems := collect(s.Cases)
	if len(cases) == 0 {
		return nil, nil, append(problems, errors.New("there are no cases"))
	}
	r := &run{test: t.Name(), id: honeyhive.NewUUID().String(), dataset: s.Dataset, page: pageOf(s.Page), named: s.Page != "", gates: s.Require, times: s.times(), recorder: newRecorder()}
	r.table.scorers = s.infos()
	all := sha256.New()
	for _, c := range cases {
		r.table.cases = append(r.table.cases, row{c.Name, c.sum, make([]*outcome, s.times())})
		for n := range s.times() {
			r.table.cases[len(r.table.cases)-1].attempts[n] = new(outcome)
		}
		_, _ = all.Write([]byte(c.sum))
	}
	r.was, r.wasErr = readBaseline(baselineFile(r.test))
	if r.dataset == "" {
		r.dataset = "EXT-" + hex.EncodeToString(all.Sum(nil))[:24]
	}
	if err := r.trace(s.Tracing); err != nil {
		return nil, nil, append(problems, err)
	}
	ctx := s.Context
	if ctx == nil {
		ctx = t.Context()
	}
	r.ctx, r.stop = context.WithCancel(ctx)
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ok := d.Deadline(); ok {
			r.ctx, r.stop = context.WithDeadlineCause(ctx, end.Add(-min(5*time.Second, time.Until(end)/4)), errors.New("the time of -timeout is nearly over"))
		}
	}
	var err error
	if r.report, err = s.Report.start(r.ctx, r, datapoints(cases)); err != nil {
		problems = append(problems, err)
	}
	return r, cases, problems
}

// datapoints returns the ids of cases.
func datapoints[I, O any](cases []namedCase[I, O]) (ids []string) {
	for _, c := range cases {
		ids = append(ids, c.ID)
	}
	return ids
}

// trace makes the tracer of the run.
func (r *run) trace(options []sessionspan.Option) (err error) {
	r.lines, err = exporter.NewLines(r.recorder, exporter.WithName("evals"), exporter.WithErrorHandler(r.reported), exporter.WithLiveSessions(),
		exporter.WithLimits(exporter.Limits{QueueBytes: 1 << 30, BatchWait: time.Nanosecond, AnnounceAfter: 24 * time.Hour}))
	if err != nil {
		return err
	}
	defaults := []sessionspan.Option{sessionspan.WithErrorHandler(r.reported), sessionspan.WithDestination(r.lines)}
	if os.Getenv("HH_PROJECT") == "" {
		defaults = append(defaults, sessionspan.WithProject("evals"))
	}
	if os.Getenv("HH_SOURCE") == "" {
		defaults = append(defaults, sessionspan.WithSource("evaluation"))
	}
	if r.tracer, err = sessionspan.New(append(defaults, options...)...); err != nil {
		return err
	}
	if p, ok := r.tracer.TracerProvider().(interface {
		RegisterSpanProcessor(sdktrace.SpanProcessor)
	}); ok {
		p.RegisterSpanProcessor(stamps{r.recorder})
	}
	return nil
}

// reported keeps an error of the background.
func (r *run) reported(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, err.Error())
}

// close delivers what is left, and returns what went wrong with that and while the
// suite ran.
func (r *run) close() []string {
	r.stop()
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := r.tracer.Shutdown(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.reports = append(r.reports, err.Error())
	}
	if r.recorder.broken != nil {
		r.reports = append(r.reports, r.recorder.broken.Error())
	}
	return r.reports
}

// placeKey is the key of the attempt in contexts.
type placeKey struct{}

// A place is the attempt that a context belongs to.
type place struct {
	session string
	stamps  []attribute.KeyValue // for the spans of the session
	nested  []attribute.KeyValue // for those of sessions that the task starts
}

// newPlace returns the place of an attempt.
func (r *run) newPlace(session, datapoint string, attempt int) *place {
	key := func(name string) attribute.Key { return attribute.Key(honeyhive.AttrMetadata + "." + name) }
	p := &place{session: session, stamps: []attribute.KeyValue{
		key("run_id").String(r.id), key("dataset_id").String(r.dataset), key("datapoint_id").String(datapoint),
	}, nested: []attribute.KeyValue{key("attempt_session_id").String(session)}}
	if r.times > 1 {
		p.stamps = append(p.stamps, key("attempt").Int(attempt))
	}
	return p
}

// names are what the session of an attempt says of its run and its case beside their
// ids: what they are called, and which run the baseline is.
func (r *run) names(testCase string) map[string]any {
	m := map[string]any{"run_name": r.test, "datapoint_name": testCase}
	if r.was != nil && r.was.Run != "" && !*update {
		m["baseline_run_id"] = r.was.Run
	}
	return m
}

// stamps is a span processor that writes to each span of an attempt which run it
// belongs to, and tells the recorder of sessions that the task starts.
type stamps struct{ recorder *recorder }

// OnStart implements [sdktrace.SpanProcessor].
func (p stamps) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	at, _ := ctx.Value(placeKey{}).(*place)
	session := sessionspan.SessionFromContext(ctx)
	if at == nil || session == nil {
		return
	}
	if id := session.ID(); id == at.session {
		s.SetAttributes(at.stamps...)
	} else {
		p.recorder.adopt(id, at.session)
		s.SetAttributes(at.nested...)
	}
}

// OnEnd implements [sdktrace.SpanProcessor].
func (stamps) OnEnd(sdktrace.ReadOnlySpan) {}

// Shutdown implements [sdktrace.SpanProcessor].
func (stamps) Shutdown(context.Context) error { return nil }

// ForceFlush implements [sdktrace.SpanProcessor].
func (stamps) ForceFlush(context.Context) error { return nil }

// recorded returns what an attempt has recorded by now.
func (r *run) recorded(id string) (*Session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.lines.ExportSpans(ctx, nil); err != nil { // waits for what has ended, and announces nothing
		return r.recorder.tree(id), fmt.Errorf("wait for what was recorded: %w", err)
	}
	return r.recorder.tree(id), nil
}
