package exporter

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
)

// A Redactor returns the text that may leave the program in place of text. key
// says where it stands: the name of an attribute, with a dotted path inside a
// bucket or other JSON (honeyhive_inputs.chat_history.0.content), or "name",
// "status", or "event" for the name of a span event.
//
// It runs on a worker goroutine, may be called for the same text more than
// once, and must be safe for concurrent use. Where it panics the text becomes
// "[redaction failed]": nothing leaves unredacted.
type Redactor func(key, text string) string

// redactionFailed stands for a text whose redactor panicked.
const redactionFailed = "[redaction failed]"

// privacy is what a destination may not see. Its methods change copies, since a span is
// shared with other destinations and processors.
type privacy struct {
	noContent bool
	redactors []Redactor
	converts  bool // the span is converted afterwards
}

func (p *privacy) off() bool { return !p.noContent && len(p.redactors) == 0 }

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
		s.Links[i].Attributes = p.attributes(s.Links[i].Attributes)
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
			*field = p.jsonOrText(key, *field)
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
			*o = honeyhive.TrustedObject(string(p.appendJSON(nil, key, o.JSONText())))
		}
	}
}

// text passes a text through the redactors.
func (p *privacy) text(key, text string) (out string) {
	if text == "" || len(p.redactors) == 0 {
		return text
	}
	defer func() {
		if recover() != nil {
			out = redactionFailed
		}
	}()
	for _, redact := range p.redactors {
		text = redact(key, text)
	}
	return text
}

// attributes returns a copy without content, its texts redacted.
func (p *privacy) attributes(kvs []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(kvs))
	for _, kv := range kvs {
		key := string(kv.Key)
		switch {
		case identity[key]:
			out = append(out, p.identity(kv, kvs))
		case p.noContent && isContent(key):
		default:
			out = append(out, attribute.KeyValue{Key: kv.Key, Value: p.value(key, kv.Value)})
		}
	}
	return out
}

// identity returns an attribute with an id. Text that is none may be anything,
// such as an address.
func (p *privacy) identity(kv attribute.KeyValue, all []attribute.KeyValue) attribute.KeyValue {
	if len(p.redactors) == 0 {
		return kv
	}
	text := kv.Value.AsString()
	switch kv.Key {
	case honeyhive.AttrSessionID:
		// The conversion derives the id from the text. Other destinations are
		// given what it derives.
		if _, err := honeyhive.ParseUUID(text); err != nil && text != "" && !p.converts {
			return kv.Key.String(honeyhive.SessionID(textOf(all, honeyhive.AttrProject), text).String())
		}
	case honeyhive.AttrEventID, honeyhive.AttrParentID:
		if _, err := honeyhive.ParseUUID(text); err != nil {
			return attribute.KeyValue{Key: kv.Key, Value: p.value(string(kv.Key), kv.Value)}
		}
	case honeyhive.AttrChildrenIDs:
		ids := slices.Clone(kv.Value.AsStringSlice())
		for i, id := range ids {
			if _, err := honeyhive.ParseUUID(id); err != nil {
				ids[i] = p.text(string(kv.Key), id)
			}
		}
		if kv.Value.Type() == attribute.STRINGSLICE {
			return kv.Key.StringSlice(ids)
		}
		return attribute.KeyValue{Key: kv.Key, Value: p.value(string(kv.Key), kv.Value)}
	}
	return kv
}

func textOf(kvs []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value.AsString()
		}
	}
	return ""
}

// originals redacts what the conversion kept of a session id that was none.
func (p *privacy) originals(rec *convert.Record) {
	metadata := &rec.Buckets[convert.Metadata]
	if v, ok := metadata.Get(convert.OriginalSessionID); ok && len(p.redactors) > 0 {
		text := p.jsonOrText(honeyhive.AttrSessionID, rawjson.Unquote(string(v)))
		*metadata, _ = metadata.With(convert.OriginalSessionID, text)
	}
}

// value redacts the texts of an attribute.
func (p *privacy) value(key string, v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(p.jsonOrText(key, v.AsString()))
	case attribute.STRINGSLICE:
		list := slices.Clone(v.AsStringSlice())
		for i, s := range list {
			list[i] = p.jsonOrText(key+"."+strconv.Itoa(i), s)
		}
		return attribute.StringSliceValue(list)
	case attribute.BYTESLICE:
		return attribute.ByteSliceValue([]byte(p.text(key, string(v.AsByteSlice()))))
	case attribute.SLICE:
		list := slices.Clone(v.AsSlice())
		for i, e := range list {
			list[i] = p.value(key+"."+strconv.Itoa(i), e)
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		list := slices.Clone(v.AsMap())
		for i, kv := range list {
			list[i].Value = p.value(key+"."+string(kv.Key), kv.Value)
		}
		return attribute.MapValue(list...)
	}
	return v
}

// jsonOrText redacts the strings inside a JSON object or array, and any other
// text as a whole.
func (p *privacy) jsonOrText(key, text string) string {
	if trimmed := strings.TrimLeft(text, " \t\r\n"); trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') {
		if canonical, err := rawjson.Parse(text); err == nil {
			return string(p.appendJSON(nil, key, canonical))
		}
	}
	return p.text(key, text)
}

// appendJSON writes canonical JSON with its strings redacted.
func (p *privacy) appendJSON(dst []byte, key, text string) []byte {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		return rawjson.AppendString(dst, p.text(key, rawjson.Unquote(text)))
	case rawjson.Object:
		dst = append(dst, '{')
		first := len(dst)
		for k, v := range rawjson.Members(text) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = append(rawjson.AppendString(dst, k), ':')
			dst = p.appendJSON(dst, key+"."+k, v)
		}
		return append(dst, '}')
	case rawjson.Array:
		dst = append(dst, '[')
		i := 0
		for v := range rawjson.Elements(text) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = p.appendJSON(dst, key+"."+strconv.Itoa(i), v)
			i++
		}
		return append(dst, ']')
	}
	return append(dst, text...)
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
		bucket convert.Bucket
		object *honeyhive.Object
	}{
		{convert.Config, &v.Config},
		{convert.Outputs, &v.Outputs},
		{convert.Metadata, &v.Metadata},
		{convert.Metrics, &v.Metrics},
		{convert.Feedback, &v.Feedback},
		{convert.UserProperties, &v.UserProperties},
	} {
		if !f.object.IsEmpty() {
			*f.object = honeyhive.TrustedObject(string(p.appendJSON(nil, f.bucket.Attribute(), f.object.JSONText())))
		}
	}
	return &v
}

// identity are the attributes that hold ids and types, never texts of users.
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
