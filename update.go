package sessionspan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/content"
	"github.com/sessionspan/sessionspan/internal/fields"
	"github.com/sessionspan/sessionspan/internal/money"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/tree"
)

// Update changes a session or an event long after its end, from any process, with
// the tracer of the context, or else the default one: its feedback, metrics,
// outputs, metadata, configuration, user properties, duration and end. id is its
// UUID, or what [WithSessionID] was given. Maps are merged by top-level key.
//
// The change is queued, and delivered like everything else; the error says why it
// cannot be. [Tracer.Update] says what becomes of inputs and errors, which the API
// does not change, and which errors there are.
func Update(ctx context.Context, id string, options ...FieldOption) error {
	return tracerOf(ctx).Update(ctx, id, options...)
}

// Update changes a session or an event long after its end, from any process:
// feedback, metrics, outputs, metadata, configuration, user properties, the
// duration and the end. Maps are merged by top-level key. What the API cannot
// change (inputs, the error) goes to the metadata, as inputs and error. A zero
// end changes nothing.
//
// id is the UUID of the session or event, or the string that was given to
// [WithSessionID] in the same project. The update is queued and delivered like
// everything else; while the server does not know the id it is tried again, by
// default for ten minutes. Nothing waits for that, and a context that has ended stops
// nothing; it is an argument for the sake of [Update], which takes the tracer from it, and
// of [ContextWithoutContent].
//
// Update returns an error where the update can go nowhere: the id is empty, an
// option is of no use here, nothing would change, no destination takes updates
// (collectors do not), the session was left out ([ErrSampledOut]), or the tracer was
// shut down. Where nothing is recorded it does nothing.
func (t *Tracer) Update(ctx context.Context, id string, options ...FieldOption) error {
	if t == nil || t.disabled {
		return nil
	}
	target := honeyhive.SessionID(t.project, id)
	if target.IsZero() {
		return errors.New("sessionspan: update: the id is empty")
	}
	u := &honeyhive.Update{EventID: honeyhive.Some(target.String())}
	var problems []error
	for i := range options {
		o := &options[i]
		switch o.field {
		case fieldBucket:
			setBucket(u, o.bucket, t.encodeObject(o.bucket, o.value))
		case fieldCost:
			a, err := money.New(o.number, o.text)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", o.name(), err))
				continue
			}
			setBucket(u, convert.Metadata, canonical.Object(string(money.Append(nil, []money.Amount{a}))))
		case fieldDuration:
			u.Duration = honeyhive.Some(o.number)
		case fieldEnd:
			if !o.time.IsZero() {
				u.EndTime = honeyhive.Some(float64(o.time.UnixMilli()))
			}
		case fieldError:
			if o.text != "" {
				u.Metadata, _ = u.Metadata.With(metadataError, o.text)
			}
		case fieldNone:
		default:
			problems = append(problems, fmt.Errorf("%s cannot be updated", o.name()))
		}
	}
	if u.IsEmpty() {
		problems = append(problems, errors.New("nothing is to be changed"))
	}
	if len(problems) > 0 {
		return fmt.Errorf("sessionspan: update %s: %w", target, errors.Join(problems...))
	}
	if t.closed.Load() {
		return fmt.Errorf("sessionspan: update %s: the tracer was shut down", target)
	}
	if withoutContent(ctx) {
		u = content.Closed.Update(u)
	}
	return t.deliver(target, target, u)
}

// deliver gives an update of a session, or an event, to every destination that takes
// updates, after what opens the group that it is of.
func (t *Tracer) deliver(group, target honeyhive.UUID, u *honeyhive.Update) error {
	if err := t.updateDiscarded(target, group, target); err != nil {
		return err
	}
	taken, err := t.decided(group, target, u, pipeline.SizeOfUpdate(u), func() *honeyhive.Update { return u })
	if taken {
		return err
	}
	return t.give(func(e *exporter.Exporter) error { return e.Update(group, u) })
}

// decided hands an update to tail sampling, and reports whether that took it.
func (t *Tracer) decided(group, target honeyhive.UUID, u *honeyhive.Update, size int64, build func() *honeyhive.Update) (taken bool, err error) {
	if t.tail == nil {
		return false, nil
	}
	taken, err = t.tail.update(group, target, u, size, build) // which is a reason to keep a session, whoever takes it
	if !slices.ContainsFunc(t.queues, func(q pipeline.Destination) bool { return !q.TakesSpans() }) {
		return false, nil
	}
	if err != nil {
		err = fmt.Errorf("sessionspan: update %s: %w", target, err)
	}
	return taken, err
}

// give hands something to every destination that takes updates.
func (t *Tracer) give(to func(*exporter.Exporter) error) error {
	taken := false
	for _, e := range t.exporters {
		err := to(e)
		if err == nil {
			taken = true
		} else if !errors.Is(err, exporter.ErrNoUpdates) {
			return err
		}
	}
	if !taken {
		return fmt.Errorf("sessionspan: update: %w", exporter.ErrNoUpdates)
	}
	return nil
}

// setBucket merges an object into a map of an update. Inputs cannot be updated
// and are kept in the metadata.
func setBucket(u *honeyhive.Update, b convert.Bucket, o honeyhive.Object) {
	switch b {
	case convert.Config:
		u.Config = u.Config.Merge(o)
	case convert.Outputs:
		u.Outputs = u.Outputs.Merge(o)
	case convert.Metadata:
		u.Metadata = u.Metadata.Merge(o)
	case convert.Metrics:
		u.Metrics = u.Metrics.Merge(o)
	case convert.Feedback:
		u.Feedback = u.Feedback.Merge(o)
	case convert.UserProperties:
		u.UserProperties = u.UserProperties.Merge(o)
	case convert.Inputs:
		if !o.IsZero() {
			if before, ok := u.Metadata.Get(metadataInputs); ok {
				if whole, err := honeyhive.ParseObject(before); err == nil {
					o = whole.Merge(o)
				}
			}
			u.Metadata, _ = u.Metadata.With(metadataInputs, o)
		}
	}
}

// encodeObject returns a value as an object, and reports what is wrong with it.
func (t *Tracer) encodeObject(b convert.Bucket, v any) honeyhive.Object {
	o, err := fields.EncodeObject(b, v)
	t.reportSet(b, err)
	return o
}

func (t *Tracer) reportSet(b convert.Bucket, err error) {
	if err != nil {
		t.reports.Report("encode "+b.Field(), err)
	}
}

// update delivers a change of a recording that has ended, or was continued.
func (r *recording) update(change func(*honeyhive.Update)) {
	t, session := r.reporter(), r.node.Session
	if !r.recorded() {
		return // but measured
	}
	if session == nil {
		t.reports.Report("outside update", errOutside)
		return
	}
	target := r.node.Ref().ID()
	u := &honeyhive.Update{EventID: honeyhive.Some(target.String())}
	change(u)
	if t.updateDiscarded(target, session.ID) != nil {
		return
	}
	u = r.passes(u)
	if err := t.deliver(session.Group(), target, u); err != nil && !errors.Is(err, ErrSampledOut) {
		t.reports.Report("update", err)
	}
}

// updateChildren sends the list of children of a node once more, after the end. The
// list is made when the update is sent, so that children which come in the meantime
// need none of their own.
func (t *Tracer) updateChildren(n *tree.Node) error {
	group, target := n.Session.Group(), n.Ref().ID()
	if err := t.updateDiscarded(target, n.Session.ID); err != nil {
		return nil //nolint:nilerr // that nothing of a discarded session is sent is no error
	}
	build := func() *honeyhive.Update {
		ids := t.tree.LateChildren(n).IDs()
		return &honeyhive.Update{EventID: honeyhive.Some(target.String()), ChildrenIDs: honeyhive.Some(ids)}
	}
	taken, err := t.decided(group, target, new(honeyhive.Update), pipeline.UpdateOverhead, build)
	if !taken {
		err = t.give(func(e *exporter.Exporter) error { return pipeline.Of(e).Update(group, build) })
	}
	if errors.Is(err, ErrSampledOut) {
		return nil // nor is anybody to be told of the next ones
	}
	if err != nil {
		t.tree.LateChildren(n) // so that the next ones are told of
	}
	return err
}
