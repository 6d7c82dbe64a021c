package sessionspan

import (
	"errors"
	"fmt"
	"time"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tail"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// tailing is tail sampling of a tracer: what spans and updates say of the outcome of their
// session goes to the sampler with them.
type tailing struct {
	TailSampling
	tracer  *Tracer
	sampler *tail.Sampler
}

// newTailing returns the tail sampling that the options ask for, or nil where nothing is
// to be decided.
func (t *Tracer) newTailing(s *TailSampling) *tailing {
	if s == nil || len(t.queues) == 0 {
		return nil
	}
	most := s.MaxBytes
	if most == 0 {
		most = defaultTailBytes
	}
	return &tailing{*s, t, tail.New(tail.Config{
		Share: s.Share, SlowerThan: s.SlowerThan, MaxBytes: most, To: t.queues,
		Early: func() {
			t.reports.Report("kept early", fmt.Errorf("%w (%d of them by now)", errKeptEarly, t.KeptEarly()))
		},
	})}
}

// errKeptEarly is reported where sessions are kept before their end.
var errKeptEarly = errors.New("sessionspan: a session was kept before it was known how it ends: " +
	"more than TailSampling.MaxBytes were undecided, or WithOpenSpans has forgotten it")

// handOver hands a span that has finished now to the destinations, or to who decides of
// its session. n is its place in the tree; inSession says that it is an event, or the
// session itself.
func (t *Tracer) handOver(source span.Source, now time.Time, k tree.Key, n *tree.Node, inSession bool) {
	if t.tail != nil {
		defer t.tail.sampler.Ended(k)
	}
	if s, ok := source.(ofSession); ok && t.discards.Has(s.InSession()) {
		t.countDiscarded(func(q pipeline.Destination) bool { return inSession || q.TakesSpans() })
		return
	}
	if t.tail == nil {
		pipeline.Deliver(source, now, t.queues, inSession)
		return
	}
	sp := tail.Span{Held: pipeline.Held{Source: source, SpansOnly: !inSession, Size: source.Size()}, Key: k}
	switch {
	case n != nil && n.Owner == nil && n.Session != nil && n.Session.Recorded():
		sp.Group, sp.Session, sp.Root = n.Session.Group(), n.Session.ID, n.IsRoot() || n.IsTurn()
		if f, ok := source.(*foreignEntry); ok && inSession && !sp.Root && !silent(f.Attributes(), honeyhive.AttrSessionID, f.identity.Text) {
			sp.Group, sp.Session = honeyhive.UUID{}, honeyhive.UUID{} // it says of itself that it is part of another
		}
	case !inSession:
		pipeline.Deliver(source, now, t.queues, false)
		return
	}
	sp.Bad = true  // unless it turns out otherwise
	defer func() { // also where code of the user does not return
		t.tail.sampler.Put(now, &sp)
		if sp.Above != (tree.Key{}) && !t.tree.Runs(sp.Above) {
			t.tail.sampler.Ended(sp.Above) // in the meantime
		}
	}()
	sp.Bad = t.tail.examine(source, &sp)
}

// examine reports whether a span is a reason to keep its session, and fills in what
// else counts.
func (t *tailing) examine(source span.Source, sp *tail.Span) bool {
	switch e := source.(type) {
	case *ownEntry:
		sp.Start, sp.End, sp.Event = e.Start, e.End, e.self.ID()
		sp.Took = e.End.Sub(e.Start)
		if ms, ok := e.set.Duration().Get(); ok {
			sp.Took = time.Duration(ms * float64(time.Millisecond))
		}
		others := e.Attributes()
		if e.endedBySpan || t.BadFeedback != nil && (e.set.Has(convert.Feedback) || tail.HaveFeedback(others)) {
			return t.read(source, sp)
		}
		return t.Errors && (e.set.Failure() != "" || e.Failed(e.set.Attributes()))
	case *foreignEntry:
		sp.Start, sp.End = e.Start, e.End
		if sp.SpansOnly {
			return false
		}
		if sp.Session.IsZero() || sp.Root || t.BadFeedback != nil && tail.HaveFeedback(e.Attributes()) {
			return t.read(source, sp)
		}
		sp.Event = e.self.ID()
		return t.Errors && e.Failed(nil)
	}
	return t.read(source, sp)
}

// read reads all that counts from the record of a span.
func (t *tailing) read(source span.Source, sp *tail.Span) bool {
	s := new(span.Span)
	source.Show(s)
	var n convert.Span
	s.Neutral(&n)
	n.Project = t.tracer.project
	rec := convert.Convert(&n)
	sp.Start, sp.End, sp.Event = s.Start, s.End, rec.EventID
	if ms, ok := rec.Duration.Get(); ok {
		sp.Took = time.Duration(ms * float64(time.Millisecond))
	}
	if sp.Session.IsZero() {
		sp.Group, sp.Session = rec.SessionID, rec.SessionID
		sp.Above = t.tracer.tree.Top(tree.KeyOf(s.Parent))
	}
	return t.Errors && rec.Failed || t.bad(rec.Buckets[convert.Feedback])
}

// bad reports whether feedback is bad, as it is where the condition panics.
func (t *tailing) bad(feedback honeyhive.Object) bool {
	if t.BadFeedback == nil || feedback.IsEmpty() {
		return false
	}
	bad := true
	func() {
		defer t.tracer.guard("judge feedback")
		bad = t.BadFeedback(feedback)
	}()
	return bad
}

// begin tells of a span that has started, at a place in the tree.
func (t *tailing) begin(n *tree.Node) {
	if t != nil && n != nil && n.Session != nil && n.Session.Continued && n.Session.Turn.IsZero() && n.Session.Recorded() && !t.tracer.discards.Has(n.Session.ID) {
		t.sampler.Begin(n.Session.ID, n.Key)
	}
}

// forgot tells of a span that was forgotten.
func (t *tailing) forgot(n *tree.Node) {
	switch {
	case n.IsRoot() || n.IsTurn():
		t.sampler.Gone(n.Session.Group(), n.Session.ID)
	case n.Session != nil && n.Session.Continued && n.Session.Turn.IsZero():
		t.sampler.Forgot(n.Session.ID, n.Key)
	}
	t.sampler.Ended(n.Key)
}

// update hands a change to who decides of its session, and reports whether that took it.
// change is what is known of it by now. The error says that the session was left out.
func (t *tailing) update(group, target honeyhive.UUID, change *honeyhive.Update, size int64, build func() *honeyhive.Update) (taken bool, err error) {
	bad := t.Errors && change.Metadata.Has(metadataError) || t.bad(change.Feedback)
	h := &pipeline.Held{Build: build, Target: group, Size: size}
	switch t.sampler.Update(group, target, h, bad) {
	case tail.Taken:
		return true, nil
	case tail.LeftOut:
		return true, ErrSampledOut
	}
	return false, nil
}
