package content

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/span"
)

// A Gate lets through what one destination may have. It does not change once it is in
// use, and may be used by many goroutines. A nil Gate lets everything through.
type Gate struct {
	modes   [Kinds]Mode
	salt    []byte
	allowed map[string]bool // attributes, and families with the dot at their end, by the user
}

// Closed lets no content through.
var Closed = func() *Gate {
	g := new(Gate)
	for k := range g.modes {
		g.modes[k] = None
	}
	return g
}()

// Settings are what a gate is made of.
type Settings struct {
	Modes   [Kinds]Mode
	Salt    []byte   // of the hashes
	Allowed []string // attributes that are no content, and families of them with the dot at their end
}

// New returns a gate, or nil where everything is let through.
func New(c Settings) *Gate {
	if c.Modes == [Kinds]Mode{} {
		return nil
	}
	return newGate(c)
}

// NewClosed returns a gate that lets no content through but what the user allows.
func NewClosed(c Settings) *Gate {
	if len(c.Allowed) == 0 {
		return Closed
	}
	c.Modes = Closed.modes
	return newGate(c)
}

func newGate(c Settings) *Gate {
	g := &Gate{modes: c.Modes, salt: slices.Clone(c.Salt)}
	for _, name := range c.Allowed {
		if g.allowed == nil {
			g.allowed = make(map[string]bool)
		}
		g.allowed[name] = true
	}
	return g
}

// allows reports whether the user says of an attribute that it is no content.
func (g *Gate) allows(key string) bool {
	if g.allowed == nil {
		return false
	}
	for i := len(key); i > 0; i = strings.LastIndexByte(key[:i-1], '.') + 1 {
		if g.allowed[key[:i]] {
			return true
		}
	}
	return false
}

// The metadata that says how much was left out, in bytes.
var sizes = [...]string{Inputs: "inputs_bytes", Outputs: "outputs_bytes"}

// Span leaves of a span what may pass, but for its resource and its scope, which many
// spans share: Attributes is for those. It changes copies of what the span shares.
func (g *Gate) Span(s *span.Span) {
	if g == nil {
		return
	}
	said := g.said(s)
	if s.Known != nil {
		g.Known(s.Known)
	}
	s.Attributes, s.GenAI = g.Attributes(s.Attributes), g.Attributes(s.GenAI)
	s.Status.Description = g.Text(Errors, s.Status.Description)
	s.Events = slices.Clone(s.Events)
	for i := range s.Events {
		e := &s.Events[i]
		e.Name, e.Attributes = g.eventName(e.Name), g.Attributes(e.Attributes)
	}
	s.Links = slices.Clone(s.Links)
	for i := range s.Links {
		s.Links[i].Attributes = g.Attributes(s.Links[i].Attributes)
	}
	for kind, n := range said {
		if key := honeyhive.AttrMetadata + "." + sizes[kind]; n > 0 && !span.HasKey(s.Attributes, attribute.Key(key)) {
			s.Attributes = append(slices.Clip(s.Attributes), attribute.Int(key, n))
		}
	}
}

// said returns how many bytes of inputs and outputs do not pass.
func (g *Gate) said(s *span.Span) (n [len(sizes)]int) {
	buckets := [...]convert.Bucket{Inputs: convert.Inputs, Outputs: convert.Outputs}
	for kind := range n {
		if g.modes[kind] == Full {
			continue
		}
		if s.Known != nil && !s.Known.Buckets[buckets[kind]].IsEmpty() {
			n[kind] = len(s.Known.Buckets[buckets[kind]].JSONText())
			continue
		}
		for i := range s.Attributes {
			if c := classify(string(s.Attributes[i].Key)); c.kind == Kind(kind) && c.rule == nothing {
				n[kind] += sizeOf(s.Attributes[i].Value)
			}
		}
	}
	return n
}

// sizeOf returns how many bytes a value has as text.
func sizeOf(v attribute.Value) int {
	switch v.Type() {
	case attribute.STRING:
		return len(v.AsString())
	case attribute.BYTESLICE:
		return len(v.AsByteSlice())
	}
	return len(v.String())
}

// Known leaves of what is known what may pass: names, ids, types and times do.
func (g *Gate) Known(k *convert.Record) {
	k.Error = g.Text(Errors, k.Error)
	for b := range k.Buckets {
		k.Buckets[b] = g.Bucket(convert.Bucket(b), k.Buckets[b])
	}
}

// Text leaves of a text of a kind what may pass.
func (g *Gate) Text(kind Kind, text string) string {
	switch {
	case text == "" || g.modes[kind] == Full:
		return text
	case g.modes[kind] == None:
		return ""
	}
	return g.hash(text)
}

func (g *Gate) eventName(name string) string {
	if g.modes[Other] == Full || events[name] || g.allows(name) {
		return name
	}
	return eventName
}

// Attributes returns a copy with what may pass.
func (g *Gate) Attributes(list []attribute.KeyValue) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, len(list))
	for _, kv := range list {
		key := string(kv.Key)
		c := classify(key)
		switch {
		case g.modes[c.kind] == Full || g.allows(key):
		case c.rule != nothing && c.rule.allows(kv.Value):
		case isBucket(key):
			text := g.attributeBucket(key, kv.Value)
			if text == "" {
				continue
			}
			kv.Value = attribute.StringValue(text)
		case g.modes[c.kind] == None || c.known == 0:
			continue
		default:
			kv = attribute.KeyValue{Key: attribute.Key(g.name(key, c.known)), Value: g.value(kv.Value)}
		}
		out = append(out, kv)
	}
	return out
}

// attributeBucket leaves of a bucket that stands in an attribute what may pass.
func (g *Gate) attributeBucket(key string, v attribute.Value) string {
	if v.Type() != attribute.STRING {
		return ""
	}
	for _, b := range convert.AllBuckets() {
		if key == b.Attribute() {
			o, err := honeyhive.ParseObject([]byte(v.AsString()))
			if err != nil {
				return g.Text(kindOfBucket[b], v.AsString())
			}
			if o = g.Bucket(b, o); !o.IsEmpty() {
				return o.JSONText()
			}
		}
	}
	return ""
}

func isBucket(key string) bool {
	for _, b := range convert.AllBuckets() {
		if key == b.Attribute() {
			return true
		}
	}
	return false
}

// name returns the name of an attribute of a family, as far as it is known, with hashes
// for the rest.
func (g *Gate) name(key string, known int) string {
	if known >= len(key) {
		return key
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(key[:known], ".:"))
	for part := range strings.SplitSeq(strings.TrimLeft(key[known:], ".:"), ".") {
		if _, err := strconv.Atoi(part); err != nil {
			part = g.key(part)
		}
		b.WriteByte('.')
		b.WriteString(part)
	}
	return b.String()
}
