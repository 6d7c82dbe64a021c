package evals

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// attempt runs the task once in a session of its own, and the scorers.
func attempt[I, O any](t testing.TB, r *run, s *Suite[I, O], c *namedCase[I, O], n int) *outcome {
	t.Helper()
	id := honeyhive.NewUUID().String()
	r.recorder.begin(id)
	defer r.recorder.end(id)
	ctx := context.WithValue(sessionspan.ContextWithTracer(r.ctx, r.tracer), placeKey{}, r.newPlace(id, c.ID, n))
	ctx, session := r.tracer.StartSession(ctx, r.test+"/"+c.Name, sessionspan.WithSessionID(id), sessionspan.WithInputs(c.Input), sessionspan.WithConfig(s.Config), sessionspan.WithMetadata(c.Metadata), sessionspan.WithMetadata(r.names(c.Name)))
	defer session.End() // where the test is ended below; a second End does nothing
	if !isZero(c.Expected) {
		session.SetFeedback(map[string]any{"ground_truth": c.Expected})
	}
	if !session.IsRecording() {
		t.Error("evals: the session is not recorded, since the sampler leaves it out (OTEL_TRACES_SAMPLER) or tracing is off (OTEL_SDK_DISABLED): scorers see nothing of it")
	}
	res := &Result[I, O]{Name: c.Name, ID: c.ID, Metadata: c.Metadata, Attempt: n, Input: c.Input, Expected: c.Expected}
	runTask(ctx, s, res)
	o := &outcome{session: id, duration: res.Duration}
	if res.Err != nil {
		o.err = text(res.Err)
		session.RecordError(res.Err)
		t.Logf("evals: the task failed: %s\n%s", o.err, stackOf(res.Err))
	}
	session.SetOutputs(res.Output)
	if err := look(r, res, o); err != nil {
		t.Errorf("evals: %v", err)
	}
	o.spending.set(session, res.Session)
	metrics := make(map[string]any, len(s.Score))
	var said []string
	for i := range s.Score {
		said = append(said, score(ctx, t, &s.Score[i], res, o, metrics, session.Span()))
	}
	session.SetMetrics(metrics)
	session.End()
	if _, ok := t.(*testing.B); !ok { // which has more attempts than anybody would read of
		t.Logf("evals: %s", strings.Join(said, "\n"))
	}
	return o
}

// set tells the session of an attempt what those took that the task started, since
// nobody else adds them to it.
func (s *spending) set(session *sessionspan.Session, tree *Session) {
	var below spending
	for _, b := range tree.Sessions {
		below.add(spentBy(b))
	}
	if below.usage {
		session.SetUsage(sessionspan.Usage{InputTokens: s.input, OutputTokens: s.output, TotalTokens: s.total})
	}
	if cost, ok := s.paid(); ok && below.priced {
		session.SetCost(cost, s.currency)
	}
}

// runTask calls the task and keeps what it gave.
func runTask[I, O any](ctx context.Context, s *Suite[I, O], res *Result[I, O]) {
	if s.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.Timeout, fmt.Errorf("the time of an attempt is over (%v): %w", s.Timeout, context.DeadlineExceeded))
		defer cancel()
	}
	start := time.Now()
	res.Output, res.Err = guard(ctx, grace, func(ctx context.Context) (O, error) { return s.Task(ctx, res.Input) })
	res.Duration = time.Since(start)
}

// look puts what was recorded into a result.
func look[I, O any](r *run, res *Result[I, O], o *outcome) (err error) {
	res.Session, err = r.recorded(o.session)
	// The session runs still, so that its end is not among what was recorded.
	if outputs, oerr := honeyhive.ObjectOf(res.Output); oerr == nil {
		res.Session.Outputs = outputs
	} else if outputs, oerr := honeyhive.ObjectOf(map[string]any{"result": res.Output}); oerr == nil {
		res.Session.Outputs = outputs
	}
	if o.err != "" {
		res.Session.Error = honeyhive.Some(o.err)
	}
	o.spending = spentBy(res.Session)
	res.Usage = sessionspan.Usage{InputTokens: o.spending.input, OutputTokens: o.spending.output, TotalTokens: o.spending.total}
	if o.spending.usage {
		res.Usage.Known = sessionspan.InputCount | sessionspan.OutputCount | sessionspan.TotalCount
	}
	res.Cost, _ = o.spending.paid()
	return err
}

// score runs a scorer and writes what it says: to the outcome, to the metrics of the
// session, and to its span as the result of an evaluation (GenAI conventions). It
// returns a line for the log.
func score[I, O any](ctx context.Context, t testing.TB, s *Scorer[I, O], res *Result[I, O], o *outcome, metrics map[string]any, span oteltrace.Span) string {
	t.Helper()
	v, err := s.run(ctx, res)
	if err != nil {
		o.scores = append(o.scores, Score{Value: math.NaN(), Explanation: text(err)})
		if s.must {
			t.Errorf("evals: %s: there is no score", s.name)
		}
		return strings.TrimSpace(fmt.Sprintf("%s: no score: %s\n%s", s.name, text(err), stackOf(err)))
	}
	o.scores = append(o.scores, v)
	result := []attribute.KeyValue{attribute.String("gen_ai.evaluation.name", s.name), attribute.Float64("gen_ai.evaluation.score.value", v.Value)}
	if s.bool {
		metrics[s.name] = v.Value == 1
	} else {
		metrics[s.name] = v.Value
	}
	if v.Label != "" {
		result = append(result, attribute.String("gen_ai.evaluation.score.label", v.Label))
	}
	line := s.name + ": " + short(v.Value)
	if v.Explanation != "" {
		result = append(result, attribute.String("gen_ai.evaluation.explanation", v.Explanation))
		line += ": " + v.Explanation
	}
	span.AddEvent("gen_ai.evaluation.result", oteltrace.WithAttributes(result...))
	if s.must && v.Value < s.least-rounding {
		t.Errorf("evals: %s: it must be at least %s", line, short(s.least))
	}
	return line
}

// isZero reports whether nothing is expected.
func isZero[O any](v O) bool { return reflect.ValueOf(&v).Elem().IsZero() }
