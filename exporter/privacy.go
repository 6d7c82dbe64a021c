package exporter

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/redact"
)

// privacy is what a destination may not see. Its methods change copies, since a span is
// shared with other destinations and processors.
type privacy struct {
	noContent bool
	policies  []*redact.Policy
	common    *common
	converts  bool // the span is converted afterwards
}

func (p *privacy) off() bool { return !p.noContent && len(p.policies) == 0 }

// span leaves of a span what a destination may see.
func (p *privacy) span(s *span.Span) {
	if p.off() {
		return
	}
	s.Name = p.text("name", s.Name)
	if s.Known != nil {
		p.known(s.Known, s.Name)
	}
	s.Attributes = p.attributes(s.Attributes)
	s.GenAI = p.attributes(s.GenAI)
	s.Status.Description = p.text("status", s.Status.Description)
	if p.noContent {
		s.Status.Description = ""
	}
	s.Events = slices.Clone(s.Events)
	for i := range s.Events {
		e := &s.Events[i]
		e.Name, e.Attributes = p.text("event", e.Name), p.attributes(e.Attributes)
	}
	s.Links = slices.Clone(s.Links)
	for i := range s.Links {
		l := &s.Links[i]
		l.SpanContext, l.Attributes = p.spanContext(l.SpanContext), p.attributes(l.Attributes)
	}
	if len(p.policies) > 0 {
		s.Context = p.spanContext(s.Context)
		s.Resource, s.Scope = p.common.resource(p, s.Resource), p.common.scope(p, s.Scope)
	}
}

// known leaves of what is known what a destination may see. Its ids and types are
// never texts of users; name is what became of the name of the span.
func (p *privacy) known(k *convert.Record, name string) {
	text := func(key string, field *string) {
		switch {
		case *field == "":
		case p.noContent && isContent(key):
			*field = ""
		default:
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
		key, o := convert.Bucket(b).Attribute(), &k.Buckets[b]
		switch {
		case o.IsEmpty():
		case p.noContent && isContent(key):
			*o = honeyhive.Object{}
		default:
			*o = p.object(key, *o)
		}
	}
}

// update returns what a destination may see of an update.
func (p *privacy) update(u *honeyhive.Update) *honeyhive.Update {
	if p.off() {
		return u
	}
	v := *u
	if p.noContent {
		v.Outputs = honeyhive.Object{}
		// What an update cannot carry as itself is in the metadata.
		v.Metadata = v.Metadata.Without("inputs").Without("error")
	}
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

// identity are the attributes that hold ids and types. What stands there and is none
// is a text of users.
var identity = map[string]bool{
	honeyhive.AttrSessionID: true, honeyhive.AttrSessionAutoCreate: true, honeyhive.AttrSessionContinued: true, honeyhive.AttrTurn: true,
	honeyhive.AttrEventType: true, honeyhive.AttrEventID: true, honeyhive.AttrParentID: true, honeyhive.AttrChildrenIDs: true,
	honeyhive.AttrDuration: true,
}

// moreContent are attributes with content that the tables of the conversion do
// not send to inputs or outputs.
var moreContent = []string{
	honeyhive.AttrError, "gen_ai.tool.definitions", "gen_ai.evaluation.explanation", "content",
	"llm.tools", "llm.prompt_template", "traceloop.prompt.template", "llm.function_call", "llm.request.functions", "tool.parameters",
	"db.query.text", "db.statement", "exception.message", "exception.stacktrace",
}

// content are the attributes, and the families of them without the dot at the
// end, that hold what users, models and tools say. labels are the names and versions
// of prompts, which stand among the prompts themselves.
var content, labels = func() (content, labels map[string]bool) {
	content, labels = make(map[string]bool), make(map[string]bool)
	for _, m := range convert.Tables() {
		for field := range strings.SplitSeq(m.Field, ", ") {
			switch {
			case strings.HasPrefix(field, "inputs"), strings.HasPrefix(field, "outputs"):
				content[strings.TrimSuffix(m.Attribute, ".")] = true
			case field == "config.prompt_name", field == "config.prompt_version", field == "config.prompt_id":
				labels[m.Attribute] = true
			}
		}
	}
	for _, name := range moreContent {
		content[name] = true
	}
	return content, labels
}()

// isContent reports whether an attribute holds content: by its own name, or by
// any family that it is of, whatever else the tables say of its own name, unless that
// is the name or the version of a prompt.
func isContent(key string) bool {
	if labels[key] {
		return false
	}
	for i := len(key); i > 0; i = strings.LastIndexByte(key[:i], '.') {
		if content[key[:i]] {
			return true
		}
	}
	return false
}
