package exporter

import (
	"slices"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/content"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/redact"
)

// privacy is what a destination may not see: content that its gate does not let through,
// and then what policies redact of the rest. Its methods change copies, since a span is
// shared with other destinations and processors.
type privacy struct {
	gate     *content.Gate // nil for everything
	policies []*redact.Policy
	common   *common
	converts bool     // the span is converted afterwards
	closed   *privacy // of spans of which the program wants no content to leave
}

func (p *privacy) off() bool { return p.gate == nil && len(p.policies) == 0 }

// of returns what holds for a span.
func (p *privacy) of(s *span.Span) *privacy {
	if !s.NoContent {
		return p
	}
	if p.closed == nil { // an exporter that nobody made
		return &privacy{gate: content.Closed, common: new(common), converts: p.converts}
	}
	return p.closed
}

// span leaves of a span what a destination may see.
func (p *privacy) span(s *span.Span) {
	if p.gate != nil {
		p.gate.Span(s)
	}
	s.Name = p.text("name", s.Name)
	if s.Known != nil && len(p.policies) > 0 {
		p.known(s.Known, s.Name)
	}
	if len(p.policies) > 0 {
		s.Attributes, s.GenAI = p.redacted(s.Attributes), p.redacted(s.GenAI)
		s.Status.Description = p.text("status", s.Status.Description)
		s.Events = slices.Clone(s.Events)
		for i := range s.Events {
			e := &s.Events[i]
			e.Name, e.Attributes = p.text("event", e.Name), p.redacted(e.Attributes)
		}
		s.Links = slices.Clone(s.Links)
		for i := range s.Links {
			l := &s.Links[i]
			l.SpanContext, l.Attributes = p.spanContext(l.SpanContext), p.redacted(l.Attributes)
		}
		s.Context = p.spanContext(s.Context)
	}
	s.Resource, s.Scope = p.common.resource(p, s.Resource), p.common.scope(p, s.Scope)
}

// known redacts what is known. Its ids and types are never texts of users; name is what
// became of the name of the span.
func (p *privacy) known(k *convert.Record, name string) {
	text := func(key string, field *string) {
		if *field != "" {
			*field = p.text(key, *field)
		}
	}
	text(honeyhive.AttrProject, &k.Project)
	text(honeyhive.AttrSource, &k.Source)
	text(honeyhive.AttrSessionName, &k.SessionName)
	switch {
	case k.Name == "":
	case k.Type == honeyhive.TypeSession:
		k.Name = k.SessionName
	default:
		k.Name = name
	}
	text(honeyhive.AttrError, &k.Error)
	text("gen_ai.operation.name", &k.Operation)
	for b := range k.Buckets {
		if o := &k.Buckets[b]; !o.IsEmpty() {
			*o = p.object(convert.Bucket(b).Attribute(), *o)
		}
	}
}

// update returns what a destination may see of an update.
func (p *privacy) update(u *honeyhive.Update) *honeyhive.Update {
	if p.off() {
		return u
	}
	v := *p.gate.Update(u)
	for _, f := range []struct {
		path   string
		object *honeyhive.Object
	}{
		{convert.Config.Attribute(), &v.Config},
		{convert.Outputs.Attribute(), &v.Outputs},
		{convert.Metadata.Attribute(), &v.Metadata},
		{convert.Metrics.Attribute(), &v.Metrics},
		{convert.Feedback.Attribute(), &v.Feedback},
		{convert.UserProperties.Attribute(), &v.UserProperties},
		{"", &v.Unknown},
	} {
		*f.object = p.object(f.path, *f.object)
	}
	return &v
}

// session is update for a session that was read back from a spool, where a process that
// had other options may have left it.
func (p *privacy) session(s *honeyhive.SessionStartRequest) *honeyhive.SessionStartRequest {
	s = p.gate.Session(s)
	for _, policy := range p.policies {
		s = policy.Session(s)
	}
	return s
}

// event is session for an event.
func (p *privacy) event(e *honeyhive.Event) *honeyhive.Event {
	e = p.gate.Event(e)
	for _, policy := range p.policies {
		e = policy.Event(e)
	}
	return e
}

// identity are the attributes that hold ids and types. What stands there and is none
// is a text of users.
var identity = map[string]bool{
	honeyhive.AttrSessionID: true, honeyhive.AttrSessionAutoCreate: true, honeyhive.AttrSessionContinued: true, honeyhive.AttrTurn: true,
	honeyhive.AttrEventType: true, honeyhive.AttrEventID: true, honeyhive.AttrParentID: true, honeyhive.AttrChildrenIDs: true,
	honeyhive.AttrDuration: true,
}
