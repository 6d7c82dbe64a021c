package convert

import (
	"cmp"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// reader collects what one span says, attribute by attribute.
type reader struct {
	span    *Span
	buckets [numBuckets]bucketReader
	trees   map[string]*tree // by the prefix of the rule that asked for it

	sessionID, sessionName, project, source ranked
	eventID, eventName, parentID            ranked
	eventType, err, errType                 ranked
	continued                               bool
	duration                                honeyhive.Optional[float64]
	children                                honeyhive.Optional[[]string]
	exception                               *Event
	genAI                                   genAIParts
}

// ranked is a text whose best source counts.
type ranked struct {
	text string
	from rank
	set  bool
}

func (t *ranked) put(text string, from rank) {
	if text != "" && (!t.set || from < t.from) {
		*t = ranked{text, from, true}
	}
}

// attributes reads every attribute by the rule of its name.
func (r *reader) attributes() {
	for _, kv := range r.span.Attributes {
		key := string(kv.Key)
		if key == "" || kv.Value.Type() == attribute.EMPTY {
			continue
		}
		if found, ok := exactRules[key]; ok {
			found.read(r, kv.Value, found.from)
			continue
		}
		if found, rest := prefixRule(key); found != nil {
			found.readBelow(r, rest, kv.Value, found.from)
			continue
		}
		r.buckets[Metadata].put(key, plain(kv.Value), rankRest)
	}
	for i := range dialects {
		if d := &dialects[i]; d.finish != nil {
			d.finish(r, d.base)
		}
	}
}

// below collects an attribute of a family that is read as a whole later.
func (r *reader) below(prefix, path string, v attribute.Value) {
	if r.trees == nil {
		r.trees = make(map[string]*tree)
	}
	t := r.trees[prefix]
	if t == nil {
		t = new(tree)
		r.trees[prefix] = t
	}
	t.set(path, v)
}

// whole reads an attribute that holds a bucket. What is no object is wrapped.
func (r *reader) whole(b Bucket, v attribute.Value) {
	if r.span.Parsed != nil && !r.span.Parsed[b].IsZero() {
		r.buckets[b].whole = r.span.Parsed[b]
		return
	}
	text := structured(v)
	if rawjson.KindOf(text) == rawjson.Object {
		r.buckets[b].whole = honeyhive.TrustedObject(text)
		return
	}
	r.buckets[b].put(b.Wrap(), text, rankOwn)
}

// merge adds the keys of a JSON object to a bucket, or the text under a key
// where it is none.
func (r *reader) merge(b Bucket, otherwise, text string, from rank) {
	if rawjson.KindOf(text) != rawjson.Object {
		r.buckets[b].put(otherwise, text, from)
		return
	}
	for k, v := range rawjson.Members(text) {
		r.buckets[b].put(k, v, from)
	}
}

// events reads what happened during the span: exceptions give the error its
// text, evaluations are metrics, anything else is kept in the metadata.
func (r *reader) events() {
	var kept []byte
	for i := range r.span.Events {
		e := &r.span.Events[i]
		switch {
		case e.Name == "exception":
			r.exception = e // the last one ended the span
		case e.Name == "gen_ai.evaluation.result":
			r.evaluation(e)
		default:
			if kept == nil {
				kept = append(kept, '[')
			} else {
				kept = append(kept, ',')
			}
			kept = append(rawjson.AppendString(append(kept, `{"name":`...), e.Name), `,"time":`...)
			kept = rawjson.AppendFloat(kept, float64(e.Time.UnixMilli()), 64)
			kept = appendMap(append(kept, `,"attributes":`...), e.Attributes, 1)
			kept = append(kept, '}')
		}
	}
	if kept != nil {
		r.buckets[Metadata].put("span_events", string(append(kept, ']')), rankRest)
	}
	if r.exception == nil {
		return
	}
	about := []byte{'{'}
	for _, kv := range r.exception.Attributes {
		name, ok := strings.CutPrefix(string(kv.Key), "exception.")
		if !ok || name == "message" {
			continue
		}
		if len(about) > 1 {
			about = append(about, ',')
		}
		about = append(rawjson.AppendString(about, name), ':')
		about = appendValue(about, kv.Value, 1)
	}
	if len(about) > 1 {
		r.buckets[Metadata].put("exception", string(append(about, '}')), rankRest)
	}
}

// links keeps the links to other spans in the metadata.
func (r *reader) links() {
	if len(r.span.Links) == 0 {
		return
	}
	text := appendList(nil, r.span.Links, func(dst []byte, l Link) []byte {
		dst = append(appendHex(append(dst, `{"trace_id":"`...), l.TraceID[:]), `","span_id":"`...)
		dst = append(appendHex(dst, l.SpanID[:]), '"')
		if len(l.Attributes) > 0 {
			dst = appendMap(append(dst, `,"attributes":`...), l.Attributes, 1)
		}
		return append(dst, '}')
	})
	r.buckets[Metadata].put("links", string(text), rankRest)
}

func appendHex(dst, b []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}

// record puts together what was read.
func (r *reader) record() Record {
	s := r.span
	rec := Record{
		Project: r.project.text, Source: r.source.text, SessionName: r.sessionName.text,
		IsSession: r.eventType.text == honeyhive.TypeSession, Continued: r.continued,
		Type: r.eventType.text, ChildrenIDs: r.children, Failed: s.Failed || r.err.set,
	}
	if rec.Type == "" {
		rec.Type = honeyhive.TypeTool
	}
	rec.Name = r.eventName.text
	if rec.IsSession && r.sessionName.set {
		rec.Name = r.sessionName.text
	}
	if rec.Name == "" {
		rec.Name = cmp.Or(s.Name, "unknown")
	}
	rec.SessionID = honeyhive.SessionID(rec.Project, r.sessionID.text)
	r.ids(&rec)
	r.times(&rec)
	r.error(&rec)
	for b := range r.buckets {
		rec.Buckets[b] = r.buckets[b].object()
	}
	return rec
}

func (r *reader) ids(rec *Record) {
	s := r.span
	rec.EventID = r.id("event_id", r.eventID)
	if rec.IsSession {
		// Without an id of its own a session is named by its root span.
		if rec.SessionID.IsZero() {
			rec.SessionID = honeyhive.EventID(s.TraceID, s.SpanID)
		}
		if rec.SessionID.String() != strings.ToLower(r.sessionID.text) && r.sessionID.set {
			r.buckets[Metadata].put(OriginalSessionID, quoted(r.sessionID.text), rankRest)
		}
		rec.EventID = rec.SessionID
		return
	}
	if rec.EventID.IsZero() {
		rec.EventID = honeyhive.EventID(s.TraceID, s.SpanID)
	}
	rec.ParentID = r.id("parent_id", r.parentID)
	if rec.ParentID.IsZero() && s.ParentSpanID != [8]byte{} {
		rec.ParentID = honeyhive.EventID(s.TraceID, s.ParentSpanID)
	}
	if rec.ParentID.IsZero() {
		rec.ParentID = rec.SessionID
	}
}

// id reads an id that the span gives itself. The API refuses what is no UUID,
// so that is kept in the metadata.
func (r *reader) id(field string, given ranked) honeyhive.UUID {
	u, err := honeyhive.ParseUUID(given.text)
	if err != nil && given.set {
		r.buckets[Metadata].put("original_"+field, quoted(given.text), rankRest)
	}
	return u
}

// OriginalSessionID is the metadata key that keeps the name of a session whose
// user did not name it by a UUID.
const OriginalSessionID = "original_session_id"

func (r *reader) times(rec *Record) {
	s := r.span
	if !s.Start.IsZero() {
		rec.Start = honeyhive.Some(float64(s.Start.UnixMilli()))
	}
	rec.Duration = r.duration
	if s.End.IsZero() {
		return
	}
	rec.End = honeyhive.Some(float64(s.End.UnixMilli()))
	if rec.Duration.IsZero() && !s.Start.IsZero() {
		// A clock that was set back gives no negative duration.
		rec.Duration = honeyhive.Some(Milliseconds(max(0, s.End.Sub(s.Start))))
	}
}

// Milliseconds returns a duration in milliseconds, with its fraction.
func Milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}

// error chooses the text of the error: what the span says of it, the
// description of its status, its exception, its type.
func (r *reader) error(rec *Record) {
	if r.errType.set {
		r.buckets[Metadata].put("error_type", quoted(r.errType.text), r.errType.from)
	}
	if !rec.Failed {
		return
	}
	rec.Error = r.err.text
	if rec.Error == "" {
		rec.Error = r.span.Status
	}
	if rec.Error == "" && r.exception != nil {
		rec.Error = r.exceptionText()
	}
	if rec.Error == "" {
		rec.Error = r.errType.text
	}
	if rec.Error == "" {
		rec.Error = "error"
	}
	rec.Error = strings.ToValidUTF8(rec.Error, "\uFFFD")
}

func (r *reader) exceptionText() string {
	var kind, message string
	for _, kv := range r.exception.Attributes {
		switch kv.Key {
		case "exception.type":
			kind = str(kv.Value)
		case "exception.message":
			message = str(kv.Value)
		}
	}
	if message == "" {
		return kind
	}
	return message
}

// evaluation reads the result of an evaluation of the span.
func (r *reader) evaluation(e *Event) {
	var name string
	values := make(map[string]string)
	for _, kv := range e.Attributes {
		switch kv.Key {
		case "gen_ai.evaluation.name":
			name = str(kv.Value)
		case "gen_ai.evaluation.score.value":
			values[""] = plain(kv.Value)
		case "gen_ai.evaluation.score.label":
			values["_label"] = plain(kv.Value)
		case "gen_ai.evaluation.explanation":
			values["_explanation"] = plain(kv.Value)
		}
	}
	if name == "" {
		name = "evaluation"
	}
	for _, suffix := range []string{"", "_label", "_explanation"} {
		if v, ok := values[suffix]; ok {
			r.buckets[Metrics].put(name+suffix, v, rankGenAI)
		}
	}
}

// finite returns a number of an attribute, whatever its type.
func finite(v attribute.Value) (float64, bool) {
	var f float64
	switch v.Type() {
	case attribute.INT64:
		f = float64(v.AsInt64())
	case attribute.FLOAT64:
		f = v.AsFloat64()
	default:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}
