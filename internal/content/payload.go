package content

import (
	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Bucket leaves of a bucket what may pass.
func (g *Gate) Bucket(b convert.Bucket, o honeyhive.Object) honeyhive.Object {
	kind := kindOfBucket[b]
	if g == nil || g.modes[kind] == Full || o.IsEmpty() {
		return o
	}
	dst := make([]byte, 0, len(o.JSONText()))
	dst = append(dst, '{')
	first := len(dst)
	for key, v := range rawjson.Members(o.JSONText()) {
		r := ofField(b.Field() + "." + key)
		if b == convert.Metadata && key == convert.OriginalSessionID {
			r = exact
		}
		passes := r != nothing && r.allowsJSON(v)
		if !passes && g.modes[kind] == None {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		if passes {
			dst = append(append(rawjson.AppendString(dst, key), ':'), v...)
			continue
		}
		dst = append(rawjson.AppendString(dst, g.key(key)), ':')
		dst = g.appendHashed(dst, v)
	}
	if len(dst) == first {
		return honeyhive.Object{}
	}
	return canonical.Object(string(append(dst, '}')))
}

// unknown leaves of what the contract does not name what may pass.
func (g *Gate) unknown(o honeyhive.Object) honeyhive.Object {
	switch {
	case g.modes[Other] == Full || o.IsEmpty():
		return o
	case g.modes[Other] == None:
		return honeyhive.Object{}
	}
	return canonical.Object(g.hash(o.JSONText()))
}

// failure leaves of the error of a payload what may pass: one that has passed before is
// the type of the error, or says no more than that there was one.
func (g *Gate) failure(text honeyhive.Optional[string], metadata *honeyhive.Object) honeyhive.Optional[string] {
	v, ok := text.Get()
	if !ok || v == "" {
		return text
	}
	kind, _ := metadata.Get("error_type")
	if rawjson.KindOf(string(kind)) == rawjson.String && rawjson.Unquote(string(kind)) == v && isLabel(v) {
		return text
	}
	if v = g.Text(Errors, v); v == "" {
		return honeyhive.Some(errorLeftOut)
	}
	return honeyhive.Some(v)
}

// errorLeftOut takes the place of the text of an error, so that the record still says
// that there was one.
const errorLeftOut = "error"

// buckets are the maps of a payload, by the bucket that each of them is.
type buckets map[convert.Bucket]*honeyhive.Object

func (g *Gate) buckets(list buckets, metadata *honeyhive.Object) {
	for kind, b := range map[Kind]convert.Bucket{Inputs: convert.Inputs, Outputs: convert.Outputs} {
		if o := list[b]; o != nil && metadata != nil && g.modes[kind] != Full && !o.IsEmpty() && !metadata.Has(sizes[kind]) {
			*metadata, _ = metadata.With(sizes[kind], len(o.JSONText()))
		}
	}
	for b, o := range list {
		*o = g.Bucket(b, *o)
	}
}

// record leaves of what sessions and events have in common what may pass.
func (g *Gate) record(failure *honeyhive.Optional[string], list buckets, evaluations, unknown *honeyhive.Object) {
	metadata := list[convert.Metadata]
	*failure = g.failure(*failure, metadata)
	g.buckets(list, metadata)
	*evaluations, *unknown = g.Bucket(convert.Metrics, *evaluations), g.unknown(*unknown)
}

// Session returns a copy of a payload with what may pass. What is in evaluations goes as
// notes do.
func (g *Gate) Session(s *honeyhive.SessionStartRequest) *honeyhive.SessionStartRequest {
	if g == nil || s == nil {
		return s
	}
	v := *s
	g.record(&v.Error, buckets{
		convert.Config: &v.Config, convert.Inputs: &v.Inputs, convert.Outputs: &v.Outputs, convert.Metadata: &v.Metadata,
		convert.Metrics: &v.Metrics, convert.Feedback: &v.Feedback, convert.UserProperties: &v.UserProperties,
	}, &v.Evaluations, &v.Unknown)
	return &v
}

// Event is Session for an event.
func (g *Gate) Event(e *honeyhive.Event) *honeyhive.Event {
	if g == nil || e == nil {
		return e
	}
	v := *e
	g.record(&v.Error, buckets{
		convert.Config: &v.Config, convert.Inputs: &v.Inputs, convert.Outputs: &v.Outputs, convert.Metadata: &v.Metadata,
		convert.Metrics: &v.Metrics, convert.Feedback: &v.Feedback, convert.UserProperties: &v.UserProperties,
	}, &v.Evaluations, &v.Unknown)
	return &v
}

// Update is Session for a change. What an update cannot carry as itself stands in its
// metadata, where it is no field that may pass.
func (g *Gate) Update(u *honeyhive.Update) *honeyhive.Update {
	if g == nil || u == nil {
		return u
	}
	v := *u
	// Inputs and errors that came late stand in the metadata, each of its own kind.
	late := make(map[string]honeyhive.Object)
	for key, kind := range map[string]Kind{"inputs": Inputs, "error": Errors} {
		value, ok := v.Metadata.Get(key)
		if !ok {
			continue
		}
		var o honeyhive.Object
		switch text := string(value); g.modes[kind] {
		case Full:
			o, _ = o.With(key, value)
		case Hashed:
			o = canonical.Object(`{"` + key + `":` + string(g.appendHashed(nil, text)) + `}`)
		}
		late[key] = o
		v.Metadata = v.Metadata.Without(key)
	}
	g.buckets(buckets{
		convert.Config: &v.Config, convert.Outputs: &v.Outputs, convert.Metadata: &v.Metadata,
		convert.Metrics: &v.Metrics, convert.Feedback: &v.Feedback, convert.UserProperties: &v.UserProperties,
	}, &v.Metadata)
	for _, key := range []string{"inputs", "error"} {
		if o := late[key]; !o.IsEmpty() {
			v.Metadata = v.Metadata.Merge(o)
		}
	}
	v.Unknown = g.unknown(v.Unknown)
	return &v
}
