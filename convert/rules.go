package convert

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// rule says where an attribute lands. A table of rules is a list, in which a
// later rule gives way to an earlier one for the same key.
type rule struct {
	attribute string // full name, or a prefix that ends in a dot
	field     string // where it lands, for the documentation
	read      func(r *reader, v attribute.Value, from rank)
	readBelow func(r *reader, rest string, v attribute.Value, from rank)
	from      rank
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
	// finish runs when all attributes are read, for what several of them say
	// together.
	finish func(r *reader, from rank)
	// events reads events of the span by their names.
	events map[string]eventReader
}

// eventReader reads an event, and reports whether it has read all of it.
type eventReader func(r *reader, e *Event, from rank) bool

// dialects in the order of their ranks.
var dialects = []dialect{honeyHive, genAI, openInference, traceloop}

// Indexes of the rules and of the readers of events.
var (
	exactRules   = make(map[string]*rule)
	prefixRules  []*rule
	eventReaders = make(map[string]func(*reader, *Event) bool)
)

func init() {
	for i := range dialects {
		d := &dialects[i]
		for j := range d.rules {
			rl := &d.rules[j]
			rl.from = d.base + rank(j)
			if rl.readBelow != nil {
				prefixRules = append(prefixRules, rl)
			} else if exactRules[rl.attribute] == nil { // a better dialect has it
				exactRules[rl.attribute] = rl
				indexIdentity(rl)
			}
		}
		for name, read := range d.events {
			eventReaders[name] = func(r *reader, e *Event) bool { return read(r, e, d.base) }
		}
	}
}

// prefixRule returns the rule for a family of attributes, and what follows its
// prefix. The first that fits counts.
func prefixRule(key string) (*rule, string) {
	for _, rl := range prefixRules {
		if rest, ok := strings.CutPrefix(key, rl.attribute); ok && rest != "" {
			return rl, rest
		}
	}
	return nil, ""
}

// Mapping is a line of the tables: an attribute, or all that start with it where
// it ends in a dot, and the fields of the record where it lands. A field that
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

// Speaks reports whether a span with these attributes is about an LLM pipeline
// in any dialect, rather than a plain HTTP or database span. Attributes that
// only say which session the span belongs to do not count: a processor may
// write them on every span.
func Speaks(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		key := string(kv.Key)
		for i := range dialects {
			if d := &dialects[i]; hasPrefix(key, d.prefixes) && !hasPrefix(key, d.identity) {
				return true
			}
		}
	}
	return false
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
