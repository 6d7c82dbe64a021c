package convert

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
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
	return rule{attribute: name, field: b.Field() + "." + key, read: func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].put(key, plain(v), from)
	}}
}

// toJSON puts the value under a key of a bucket; a string that holds JSON
// stands for it.
func toJSON(name string, b Bucket, key string) rule {
	return rule{attribute: name, field: b.Field() + "." + key, read: func(r *reader, v attribute.Value, from rank) {
		r.buckets[b].put(key, structured(v), from)
	}}
}

// spread adds the keys of a JSON object to a bucket. What is no object goes
// under the key.
func spread(name string, b Bucket, otherwise string) rule {
	return rule{attribute: name, field: b.Field(), read: func(r *reader, v attribute.Value, from rank) {
		r.merge(b, otherwise, structured(v), from)
	}}
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
		r.buckets[b].put(lead+strings.ReplaceAll(rest, ".", "_"), plain(v), from)
	}}
}

// indexed collects the attributes that start with a prefix into a tree, which
// the dialect reads at the end, when all are there.
func indexed(prefix, field string) rule {
	return rule{attribute: prefix, field: field, readBelow: func(r *reader, rest string, v attribute.Value, _ rank) {
		r.below(prefix, rest, v)
	}}
}

// ignore is for attributes that say nothing of the record.
func ignore(name string) rule {
	return set(name, "", func(*reader, attribute.Value, rank) {})
}

// dialect is one way to write what a span is about.
type dialect struct {
	name     string
	base     rank
	rules    []rule
	prefixes []string // a span with an attribute that starts so speaks the dialect
	// finish runs when all attributes are read, for what several of them say
	// together.
	finish func(r *reader, from rank)
}

// dialects in the order of their ranks.
var dialects = []dialect{honeyHive, genAI}

var (
	exactRules  = make(map[string]rule)
	prefixRules []rule
)

func init() {
	for _, d := range dialects {
		for i, rl := range d.rules {
			rl.from = d.base + rank(min(i, 99))
			if rl.readBelow != nil {
				prefixRules = append(prefixRules, rl)
			} else if _, taken := exactRules[rl.attribute]; !taken { // a better dialect has it
				exactRules[rl.attribute] = rl
			}
		}
	}
}

// prefixRule returns the rule for a family of attributes, and what follows its
// prefix.
func prefixRule(key string) (*rule, string) {
	for i := range prefixRules {
		if rest, ok := strings.CutPrefix(key, prefixRules[i].attribute); ok && rest != "" {
			return &prefixRules[i], rest
		}
	}
	return nil, ""
}

// Mapping is a line of the tables: an attribute, or all that start with it where
// it ends in a dot, and the field of the record where it lands.
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
// in any dialect, rather than a plain HTTP or database span.
func Speaks(attributes []attribute.KeyValue) bool {
	for _, kv := range attributes {
		for _, d := range dialects {
			for _, prefix := range d.prefixes {
				if strings.HasPrefix(string(kv.Key), prefix) {
					return true
				}
			}
		}
	}
	return false
}
