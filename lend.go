package sessionspan

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/lent"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file is the short way of an event or session of ours to its destinations:
// past the attributes that its span would have, and past reading them again. What
// it shows is what the long way makes of the same span, which a test holds it to.
// It is for the usual event alone, and for payloads for the usual session; anything
// else takes the long way.

var _ lent.Lender = (*finishedSpan)(nil)

// lend calls show with a span that may take the short way, and the id of what it
// hangs on, and returns what that does. The lock of the recording is held
// meanwhile.
func (f *finishedSpan) lend(show func(s *ownSpan, above honeyhive.UUID) bool) bool {
	s, ok := f.ReadOnlySpan.(*ownSpan)
	if !ok {
		return false
	}
	above := f.node.above()
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return f.usual() && show(s, above)
}

// usual reports whether the span may take the short way. The lock of its recording
// is held.
func (f *finishedSpan) usual() bool {
	n := f.node
	r := n.rec
	if f.past() || len(f.more) > 0 || n.session == nil || n.session.plain || r.later != nil || r.final != nil || r.special {
		return false
	}
	if n == n.session.root {
		// The end has joined its parts, so that nothing of it is lent: its payload is
		// kept for an update that may be made of it.
		return len(r.parts) == 0 && len(r.extra) == 0 && !r.toldMore && n.given.IsZero()
	}
	return r.kind != nil && n.parent != nil && n.parent.rec != nil
}

// LendAttributes implements [lent.Lender]: those that the span would have, and in
// front of them what HoneyHive's endpoint does not derive itself.
func (f *finishedSpan) LendAttributes(l *lent.Span) bool {
	return f.lend(func(s *ownSpan, above honeyhive.UUID) bool { return s.lendAttributes(l, above) })
}

func (s *ownSpan) lendAttributes(l *lent.Span, above honeyhive.UUID) bool {
	r := s.rec
	n := &r.node
	if n == n.session.root {
		return false
	}
	buckets, ok := r.lend(l)
	if !ok {
		return false
	}
	list := l.Clean
	if n.given.IsZero() {
		id := n.asChild().eventID()
		list = append(list, attribute.String(honeyhive.AttrEventID, l.Text(id.Append)))
	}
	list = append(list, attribute.String(honeyhive.AttrEventName, eventName(s.name)))
	list = n.appendStamps(list)
	if !above.IsZero() {
		list = append(list, attribute.String(honeyhive.AttrParentID, l.Text(above.Append)))
	}
	for b := range buckets {
		if o := &buckets[b]; !o.IsZero() {
			list = append(list, attribute.String(convert.Bucket(b).Attribute(), o.JSONText()))
		}
	}
	l.Clean, l.Record.Buckets = r.appendRest(list), buckets
	l.Identity, l.Encoded = n.says.attributes(), n.says.otlp()
	if len(r.extra) > 0 {
		for i := range r.parts {
			r.parts[i].tell(r)
		}
		l.Attributes = append(l.Attributes, r.extra...)
		return true
	}
	for i := range r.parts {
		l.Attributes = r.parts[i].appendTold(l.Attributes)
	}
	return unique(l.Attributes)
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
	return validText(name)
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// LendRecord implements [lent.Lender].
func (f *finishedSpan) LendRecord(l *lent.Span) bool {
	return f.lend(func(s *ownSpan, above honeyhive.UUID) bool { return s.lendRecord(l, above) })
}

func (s *ownSpan) lendRecord(l *lent.Span, above honeyhive.UUID) bool {
	r := s.rec
	n := &r.node
	root := n == n.session.root
	if r.toldMore || above.IsZero() && !root {
		return false
	}
	buckets, ok := r.lend(l)
	if !ok || !plainBuckets(&buckets) || !r.totals() {
		return false
	}
	rec := &l.Record
	rec.Buckets, rec.SessionID, rec.Continued = buckets, n.session.id, n.session.continued
	rec.Project, rec.Source = validText(n.says.project), validText(n.says.source)
	if root {
		rec.IsSession, rec.EventID = true, rec.SessionID
		rec.SessionName = cmp.Or(validText(n.session.name), eventName(s.name))
		rec.Name, rec.Type = rec.SessionName, honeyhive.TypeSession
	} else {
		rec.EventID, rec.ParentID = n.asChild().eventID(), above
		if rec.ParentID == rec.EventID {
			return false // it is said in the metadata
		}
		rec.Name, rec.Type = eventName(s.name), r.kind.stamps[0].Value.AsString()
		r.kind.addOperation(l, &rec.Buckets[convert.Metadata])
	}
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
	var only [len(buckets)]*part // what a bucket is of, as long as that is one part
	for i := range r.parts {
		p := &r.parts[i]
		b := &buckets[p.bucket]
		switch before := only[p.bucket]; {
		case b.IsZero():
			only[p.bucket] = p
		case before != nil && p.follows(before, b.JSONText()):
			*b = honeyhive.TrustedObject(l.Text(func(dst []byte) []byte { return p.extend(dst, b.JSONText()) }))
			only[p.bucket] = nil
			continue
		default:
			only[p.bucket] = nil
		}
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
			*b = b.Merge(o)
		}
	}
	return buckets, true
}

// follows reports whether it can be seen at a glance that the part and the one
// before it, which was written as the text, have no key twice.
func (p *part) follows(before *part, text string) bool {
	if !before.plain() || !p.plain() || len(text) <= len("{}") {
		return false
	}
	keys := p.form.keys()
	if keys == nil {
		keys, text = before.form.keys(), p.text
	}
	for _, key := range keys {
		if strings.Contains(text, key) {
			return false
		}
	}
	return keys != nil
}

// plain reports whether the part is an object whose keys are all different, and
// stand in its text as they are.
func (p *part) plain() bool {
	return p.form.keys() != nil || p.ofMap && !strings.Contains(p.text, `\`)
}

// extend appends an object with the keys of the part behind its own.
func (p *part) extend(dst []byte, object string) []byte {
	dst = append(dst, object[:len(object)-1]...)
	from := len(dst)
	if dst = p.write(dst); len(dst) == from+len("{}") {
		return append(dst[:from], '}')
	}
	dst[from] = ','
	return dst
}
