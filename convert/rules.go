package convert

import (
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// rule says where an attribute lands. A table of rules is a list, in which a
// later rule gives way to an earlier one for the same key.
type rule struct {
	attribute string // full name, or a prefix that ends in a dot or a colon
	field     string // where it lands, for the documentation
	read      func(r *reader, v attribute.Value, from rank)
	readBelow func(r *reader, rest string, v attribute.Value, from rank)
	from      rank
	dialect   uint32 // a bit for each
	// tellsLate is set where the attribute may say of which kind a span is once all
	// attributes are read.
	tellsLate bool
}

// to puts the value under a key of a bucket.
func to(name string, b Bucket, key string) rule {
	return set(name, b.Field()+"."+key, func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].putValue(key, v, from)
	})
}

// toJSON puts the value under a key of a bucket; a string that holds JSON
// stands for it.
func toJSON(name string, b Bucket, key string) rule {
	return set(name, b.Field()+"."+key, func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].put(key, structured(v), from)
	})
}

// modelName is the model that a span names. One that is called is
// a model call, where nothing says otherwise.
func modelName(name string) rule {
	return set(name, "config.model, event_type", func(r *reader, v attribute.Value, from rank) {
		r.buckets[Config].putValue("model", v, from)
		r.hint(hintModel)
	})
}

// responseModel is the model that answered.
func responseModel(name string) rule {
	return set(name, "metadata.response_model, config.model, event_type", func(r *reader, v attribute.Value, from rank) {
		r.buckets[Metadata].putValue("response_model", v, from)
		r.buckets[Config].putValue("model", v, from)
		r.hint(hintModel)
	})
}

// session is a name of the session that the span belongs to, thread one of a
// conversation or thread, which counts where nothing names a session.
func session(name string) rule {
	return set(name, "session_id", func(r *reader, v attribute.Value, from rank) { r.sessionID.put(str(v), from) })
}

func thread(name string) rule {
	return set(name, "session_id", func(r *reader, v attribute.Value, from rank) { r.sessionID.put(str(v), from+rankThread) })
}

// user is the id of the user.
func user(name string) rule { return to(name, UserProperties, "user_id") }

// about is a family that holds what a user told a framework: the session, the
// thread, the user and tags under any of their names, and else metadata.
func about(prefix string) []rule {
	rules := []rule{
		session(prefix + "sessionId"), session(prefix + "session_id"), session(prefix + "session.id"),
		thread(prefix + "threadId"), thread(prefix + "thread_id"), thread(prefix + "conversationId"), thread(prefix + "conversation_id"),
		user(prefix + "userId"), user(prefix + "user_id"), user(prefix + "user.id"),
		tags(prefix + "tags"),
	}
	return append(rules, keys(prefix, Metadata))
}

// tags are words that a user put on a span: a list, its JSON, words with commas
// between them, or one word.
func tags(name string) rule {
	const key = "tags"
	return set(name, Metadata.Field()+"."+key, func(r *reader, v attribute.Value, from rank) {
		text := structured(v)
		if rawjson.KindOf(text) == rawjson.String {
			var words []string
			for word := range strings.SplitSeq(rawjson.Unquote(text), ",") {
				if word = strings.TrimSpace(word); word != "" {
					words = append(words, quoted(word))
				}
			}
			text = list(words)
		}
		r.buckets[Metadata].put(key, text, from)
	})
}

// firstToken is the time from the start to the first part of an answer, in units
// of so many milliseconds.
func firstToken(name string, unit float64) rule {
	return set(name, "metadata."+firstTokenKey, func(r *reader, v attribute.Value, from rank) { r.firstToken(v, unit, from) })
}

const firstTokenKey = "time_to_first_chunk_ms"

func (r *reader) firstToken(v attribute.Value, unit float64, from rank) {
	if n, ok := number(v); ok {
		const digits = 1e6 // a nanosecond
		v = attribute.Float64Value(math.Round(n*unit*digits) / digits)
	}
	r.buckets[Metadata].putValue(firstTokenKey, v, from)
}

// firstTokenEvent reads the first of the events that tell of the parts of an answer.
// It stays among the events.
func (r *reader) firstTokenEvent(e *Event, from rank) bool {
	if after := e.Time.Sub(r.span.Start); r.buckets[Metadata].place(firstTokenKey) < 0 && !e.Time.IsZero() && !r.span.Start.IsZero() && after >= 0 {
		r.buckets[Metadata].putValue(firstTokenKey, attribute.Float64Value(Milliseconds(after)), from.last())
	}
	return false
}

// hold keeps the value until all attributes are read, for the dialect to take.
func hold(name, field string) rule {
	return set(name, field, func(r *reader, v attribute.Value, _ rank) { r.held = append(r.held, held{name, v}) })
}

// late marks a rule whose attribute may say of which kind the span is once all
// attributes are read.
func late(rl rule) rule {
	rl.field += ", event_type"
	rl.tellsLate = true
	return rl
}

// place is where the value of an attribute that was held goes.
type place struct {
	name   string
	bucket Bucket
	key    string
}

// putHeld puts values that were held into their places, each by a reading of its own.
func (r *reader) putHeld(places []place, read func(attribute.Value) string, from rank) {
	for _, p := range places {
		if v, ok := r.take(p.name); ok {
			r.buckets[p.bucket].put(p.key, read(v), from)
		}
	}
}

// snake is each, with names in camel case written with underscores.
func snake(prefix string, b Bucket, lead string) rule {
	return rule{attribute: prefix, field: b.Field() + "." + lead + "*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
		r.buckets[b].put(lead+underscores(rest), structured(v), from)
	}}
}

// underscores writes a name in camel case, or with dots, with underscores.
func underscores(name string) string {
	var b strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' || c == '-':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			if i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// spreadTyped is spread for a value that is always written as JSON, whatever it is.
func spreadTyped(name string, b Bucket, otherwise string) rule {
	return set(name, b.Field()+".*", func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].putObject(otherwise, typed(v), from)
	})
}

// finishReasons keeps why the choices of a model ended: one reason alone as a
// list of one.
func finishReasons(name string) rule {
	const key = "finish_reasons"
	return set(name, Metadata.Field()+"."+key, func(r *reader, v attribute.Value, from rank) {
		text := structured(v)
		if text[0] != '[' {
			text = list([]string{text})
		}
		r.buckets[Metadata].put(key, text, from)
	})
}

// spread adds the keys of a JSON object to a bucket. What is no object goes
// under the key.
func spread(name string, b Bucket, otherwise string) rule {
	return set(name, b.Field()+".*", func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].putObject(otherwise, structured(v), from)
	})
}

// set gives the value to a function.
func set(name, field string, read func(r *reader, v attribute.Value, from rank)) rule {
	return rule{attribute: name, field: field, read: read}
}

// setText gives a value to a text of the record.
func setText(name, field string, at func(*reader) *ranked) rule {
	return set(name, field, func(r *reader, v attribute.Value, from rank) { at(r).put(str(v), from) })
}

// each puts the attributes that start with a prefix under keys of a bucket:
// what follows the prefix, with underscores for dots, behind lead.
func each(prefix string, b Bucket, lead string) rule {
	return rule{attribute: prefix, field: b.Field() + "." + lead + "*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
		r.buckets[b].putValue(lead+strings.ReplaceAll(rest, ".", "_"), v, from)
	}}
}

// keys puts the attributes that start with a prefix into a bucket, under what
// follows the prefix: names that the user chose.
func keys(prefix string, b Bucket) rule {
	return rule{attribute: prefix, field: b.Field() + ".*", readBelow: func(r *reader, rest string, v attribute.Value, from rank) {
		r.buckets[b].putValue(rest, v, from)
	}}
}

// indexed collects the attributes that start with a prefix into a tree, which
// the dialect reads at the end, when all are there.
func indexed(prefix, field string) rule {
	return rule{attribute: prefix, field: field, readBelow: func(r *reader, rest string, v attribute.Value, _ rank) {
		r.tree(prefix).set(rest, v)
	}}
}

// dialect is one way to write what a span is about.
type dialect struct {
	name  string
	base  rank
	rules []rule
	// prefixes start the names of the attributes that tell a span of the
	// dialect; identity those among them that any span of a session may carry.
	prefixes, identity []string
	sometimes          bool
	// ofSteps is set where a span of the dialect that does not say what it is, is a
	// step.
	ofSteps bool
	// speaks looks at the value of such an attribute, where that tells; or nil.
	speaks func(kv *attribute.KeyValue) bool
	// finish runs when all attributes are read, for what several of them say
	// together. That of a dialect which is sometimes runs where it has a rule for one
	// of them.
	finish func(r *reader, from rank)
	// events reads events of the span by their names. An event of these names tells
	// a span of the dialect, too.
	events map[string]eventReader
}

// eventReader reads an event, and reports whether it has read all of it.
type eventReader func(r *reader, e *Event, from rank) bool

// dialects in the order of their ranks.
var dialects = []dialect{
	honeyHive, langfuse, langSmith, genAI, openInference, traceloop, vercel, mastra, genkit, pydantic, liveKit, mlFlow, mcp, vectorDB, agents,
}

// Indexes of the rules and of the readers of events. Prefixes are found by their
// first byte.
var (
	exactRules   = make(map[string]*rule)
	prefixRules  [256][]*rule
	eventReaders = make(map[string]func(*reader, *Event) bool)
	speakers     [256][]*dialect
)

func init() {
	for i := range dialects {
		d := &dialects[i]
		for j := range d.rules {
			rl := &d.rules[j]
			rl.from, rl.dialect = d.base+rank(j), 1<<i
			if rl.readBelow != nil {
				first := rl.attribute[0]
				prefixRules[first] = append(prefixRules[first], rl)
				if rl.tellsLate {
					jointPrefixes = append(jointPrefixes, rl.attribute)
				}
			} else if exactRules[rl.attribute] == nil { // a better dialect has it
				exactRules[rl.attribute] = rl
				indexIdentity(rl)
			}
		}
		for name, read := range d.events {
			eventReaders[name] = func(r *reader, e *Event) bool { return read(r, e, d.base) }
		}
		for _, prefix := range d.prefixes {
			if first := prefix[0]; !slices.Contains(speakers[first], d) {
				speakers[first] = append(speakers[first], d)
			}
		}
	}
}

// prefixRule returns the rule for a family of attributes, and what follows its
// prefix. The first that fits counts.
func prefixRule(key string) (*rule, string) {
	for _, rl := range prefixRules[key[0]] {
		if rest, ok := strings.CutPrefix(key, rl.attribute); ok && rest != "" {
			return rl, rest
		}
	}
	return nil, ""
}

// Mapping is a line of the tables: an attribute, or all that start with it where
// it ends in a dot or a colon, and the fields of the record where it lands. A field that
// ends in a star stands for several keys.
type Mapping struct {
	Dialect, Attribute, Field string
}

// Tables returns which attribute lands in which field, dialect by dialect.
// Within a dialect an earlier line wins over a later one for the same field.
func Tables() []Mapping {
	var lines []Mapping
	for _, d := range dialects {
		for _, rl := range d.rules {
			if rl.field != "" {
				lines = append(lines, Mapping{d.name, rl.attribute, rl.field})
			}
		}
	}
	return lines
}

// InSession reports whether the attributes name the session that the span
// belongs to, in any dialect, or make it the root of one.
func InSession(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		rl := exactRules[string(kv.Key)]
		switch {
		case rl == nil:
		case strings.HasPrefix(rl.field, "session_id") && str(kv.Value) != "":
			return true
		case rl.field == "event_type" && str(kv.Value) == honeyhive.TypeSession:
			return true
		}
	}
	return false
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}
