package redact

import (
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
)

// Object returns an object as it may leave the program. Where a rule is for all of it,
// what is left stands under the key redacted. path is the name of the bucket (inputs),
// or of its attribute.
func (p *Policy) Object(path string, o honeyhive.Object) honeyhive.Object {
	if p.off() || o.IsEmpty() {
		return o
	}
	out := p.JSON(path, o.JSONText())
	if strings.HasPrefix(out, "{") {
		return canonical.Object(out)
	}
	return canonical.Object(`{"redacted":` + out + `}`)
}

// Session returns a copy of a payload as it may leave the program. Ids that are UUIDs,
// and times, stay. Session returns nil for nil.
func (p *Policy) Session(s *honeyhive.SessionStartRequest) *honeyhive.SessionStartRequest {
	if s == nil || p.off() {
		return s
	}
	v := *s
	for _, f := range []field{{"project", &v.Project}, {"session_name", &v.SessionName}, {"source", &v.Source}, {"error", &v.Error}} {
		p.field(f)
	}
	p.ids(&v.SessionID, &v.ChildrenIDs)
	for _, b := range []bucket{
		{"config", &v.Config},
		{"inputs", &v.Inputs},
		{"outputs", &v.Outputs},
		{"user_properties", &v.UserProperties},
		{"metrics", &v.Metrics},
		{"feedback", &v.Feedback},
		{"metadata", &v.Metadata},
		{"evaluations", &v.Evaluations},
		{"", &v.Unknown},
	} {
		*b.object = p.Object(b.name, *b.object)
	}
	return &v
}

// Event is [Policy.Session] for an event.
func (p *Policy) Event(e *honeyhive.Event) *honeyhive.Event {
	if e == nil || p.off() {
		return e
	}
	v := *e
	for _, f := range []field{
		{"project", &v.Project},
		{"event_name", &v.EventName},
		{"event_type", &v.EventType},
		{"source", &v.Source},
		{"error", &v.Error},
	} {
		p.field(f)
	}
	p.ids(&v.EventID, &v.ChildrenIDs)
	p.ids(&v.SessionID, nil)
	p.ids(&v.ParentID, nil)
	for _, b := range []bucket{
		{"config", &v.Config},
		{"inputs", &v.Inputs},
		{"outputs", &v.Outputs},
		{"user_properties", &v.UserProperties},
		{"metrics", &v.Metrics},
		{"feedback", &v.Feedback},
		{"metadata", &v.Metadata},
		{"evaluations", &v.Evaluations},
		{"", &v.Unknown},
	} {
		*b.object = p.Object(b.name, *b.object)
	}
	return &v
}

// Update is [Policy.Session] for a change.
func (p *Policy) Update(u *honeyhive.Update) *honeyhive.Update {
	if u == nil || p.off() {
		return u
	}
	v := *u
	p.ids(&v.EventID, &v.ChildrenIDs)
	for _, b := range []bucket{
		{"config", &v.Config},
		{"outputs", &v.Outputs},
		{"user_properties", &v.UserProperties},
		{"metrics", &v.Metrics},
		{"feedback", &v.Feedback},
		{"metadata", &v.Metadata},
		{"", &v.Unknown},
	} {
		*b.object = p.Object(b.name, *b.object)
	}
	return &v
}

type field struct {
	name string
	text *honeyhive.Optional[string]
}

type bucket struct {
	name   string
	object *honeyhive.Object
}

func (p *Policy) field(f field) {
	if text, ok := f.text.Get(); ok {
		*f.text = honeyhive.Some(p.Text(f.name, text))
	}
}

// ids redacts what stands in place of UUIDs.
func (p *Policy) ids(id *honeyhive.Optional[string], children *honeyhive.Optional[[]string]) {
	if text, ok := id.Get(); ok {
		*id = honeyhive.Some(p.id(text))
	}
	if children == nil {
		return
	}
	if list, ok := children.Get(); ok {
		out := make([]string, len(list))
		for i, text := range list {
			out[i] = p.id(text)
		}
		*children = honeyhive.Some(out)
	}
}

func (p *Policy) id(text string) string {
	if _, err := honeyhive.ParseUUID(text); err == nil {
		return text
	}
	return p.Text("id", text)
}
