package sessionspan

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/lent"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file is the short way of an event of ours to its destinations: past the
// attributes that its span would have, and past reading them again. What it shows
// is what the long way makes of the same event, which a test holds it to. It is
// for the usual event alone; anything else takes the long way.

var _ lent.Lender = (*finishedSpan)(nil)

// usual reports whether the event may take the short way. The lock of its
// recording is held.
func (f *finishedSpan) usual() bool {
	n := f.node
	r := n.rec
	return !f.past && len(f.more) == 0 && r.kind != nil && n.session != nil && n.parent != nil && n.parent.rec != nil &&
		!n.session.plain && r.later == nil && r.final == nil && !r.special
}

// LendAttributes implements [lent.Lender]: those that the span would have, and in
// front of them what HoneyHive's endpoint does not derive itself.
func (f *finishedSpan) LendAttributes(l *lent.Span) bool {
	s, ok := f.ReadOnlySpan.(*ownSpan)
	if !ok {
		return false
	}
	n := f.node
	parent := n.parentText()
	r := n.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.usual() {
		return false
	}
	buckets, ok := r.lend(l)
	if !ok {
		return false
	}
	list := l.Attributes
	if n.given.IsZero() {
		id := n.asChild().eventID()
		list = append(list, attribute.String(honeyhive.AttrEventID, l.Text(id.Append)))
	}
	list = append(list, attribute.String(honeyhive.AttrEventName, eventName(s.name)))
	list = n.appendStart(list, parent)
	for b := range buckets {
		if o := &buckets[b]; !o.IsZero() {
			list = append(list, attribute.String(convert.Bucket(b).Attribute(), o.JSONText()))
		}
	}
	list = r.appendRest(list)
	if len(r.extra) > 0 {
		for i := range r.parts {
			r.parts[i].tell(r)
		}
		list = append(list, r.extra...)
		l.Attributes = list
		return true
	}
	told := len(list)
	for i := range r.parts {
		list = r.parts[i].appendTold(list)
	}
	l.Attributes = list
	return unique(list[told:])
}

// unique reports whether no key stands twice in a short list.
func unique(list []attribute.KeyValue) bool {
	for i := range list {
		if indexKey(list[:i], list[i].Key) >= 0 {
			return false
		}
	}
	return true
}

// eventName returns the name of an event as it is written.
func eventName(name string) string {
	if name == "" {
		return "unknown"
	}
	return valid(name)
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// LendRecord implements [lent.Lender].
func (f *finishedSpan) LendRecord(l *lent.Span) bool {
	s, ok := f.ReadOnlySpan.(*ownSpan)
	if !ok {
		return false
	}
	n := f.node
	parent := n.parentText()
	r := n.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.usual() || r.toldMore {
		return false
	}
	rec := &l.Record
	var err error
	if rec.ParentID, err = honeyhive.ParseUUID(parent); err != nil {
		return false
	}
	if rec.Buckets, ok = r.lend(l); !ok || !plainBuckets(&rec.Buckets) || !r.totals() {
		return false
	}
	rec.EventID, rec.SessionID, rec.Continued = n.asChild().eventID(), n.session.id, n.session.continued
	if rec.ParentID == rec.EventID {
		return false // it is said in the metadata
	}
	for i := range n.says {
		switch n.says[i].Key {
		case honeyhive.AttrProject:
			rec.Project = valid(n.says[i].Value.AsString())
		case honeyhive.AttrSource:
			rec.Source = valid(n.says[i].Value.AsString())
		}
	}
	rec.Name, rec.Type = eventName(s.name), r.kind.stamps[0].Value.AsString()
	start, end := s.begun.Round(0), s.ended.Round(0) // by the clock of the wall
	rec.Start, rec.End = honeyhive.Some(float64(start.UnixMilli())), honeyhive.Some(float64(end.UnixMilli()))
	rec.Duration = honeyhive.Some(convert.Milliseconds(max(0, end.Sub(start))))
	if rest := r.seldom; rest != nil {
		if len(rest.named) > 0 {
			return false // some may be no ids of events
		}
		rec.Error, rec.Failed = rest.err, rest.err != ""
		if !rest.duration.IsZero() {
			rec.Duration = rest.duration
		}
	}
	if ids := r.children.ids(); len(ids) > 0 {
		rec.ChildrenIDs = honeyhive.Some(ids)
	}
	r.kind.addOperation(l, &rec.Buckets[convert.Metadata])
	return true
}

// plainBuckets reports whether the buckets are written as they are.
func plainBuckets(buckets *convert.Buckets) bool {
	for b := range buckets {
		if o := &buckets[b]; o.IsNull() || !convert.Fits(*o) {
			return false
		}
	}
	return true
}

// totals reports whether what was set of tokens has a sum. The lock is held.
func (r *recording) totals() bool {
	for i := range r.parts {
		if u := r.parts[i].usage; u != nil && !u.hasTotal {
			return false
		}
	}
	return true
}

// addOperation adds what the kind says of the operation to the metadata.
func (k *kindInfo) addOperation(l *lent.Span, metadata *honeyhive.Object) {
	const key = "operation_name"
	text := metadata.JSONText()
	switch {
	case len(k.stamps) < 2 || metadata.Has(key):
		return
	case metadata.IsEmpty():
		text = "{"
	default:
		text = text[:len(text)-1]
	}
	*metadata = honeyhive.TrustedObject(l.Text(func(dst []byte) []byte {
		if dst = append(dst, text...); len(text) > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"`+key+`":`...)
		return append(rawjson.AppendString(dst, k.stamps[1].Value.AsString()), '}')
	}))
}

// lend returns the buckets, in memory of l where they must be written first, and
// reports whether all of them could be read. The lock is held.
func (r *recording) lend(l *lent.Span) (buckets convert.Buckets, ok bool) {
	if r.buckets != nil {
		buckets = *r.buckets
	}
	for i := range r.parts {
		p := &r.parts[i]
		var o honeyhive.Object
		switch {
		case p.form == formRaw:
			text, err := rawjson.Parse(p.text)
			if err != nil || rawjson.KindOf(text) != rawjson.Object {
				return buckets, false
			}
			o = honeyhive.TrustedObject(text)
		case p.form == formObject && len(p.later) == 0:
			o = honeyhive.TrustedObject(p.text)
		default:
			o = honeyhive.TrustedObject(l.Text(p.write))
		}
		if !o.IsZero() {
			buckets[p.bucket] = buckets[p.bucket].Merge(o)
		}
	}
	return buckets, true
}
