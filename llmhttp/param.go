package llmhttp

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// A param is a field of a request that says how the model is to work.
type param struct {
	field  string // of the provider's API
	key    string // in the configuration
	name   attribute.Key
	typing typing
}

type typing uint8

const (
	asIs typing = iota // not an attribute
	asInt
	asFloat
	asText
	asTexts
	asSaid // texts that are content: words of the conversation
)

// param reads a field, if it is in the table.
func (x *exchange) param(table []param, field, value string) {
	if value == "" || value == "null" {
		return
	}
	for i := range table {
		p := &table[i]
		if p.field != field {
			continue
		}
		if x.blind && (p.typing == asSaid || !plainValue(value)) {
			return
		}
		x.config.json(p.key, value)
		kind := rawjson.KindOf(value)
		switch {
		case p.typing == asInt && kind == rawjson.Number:
			x.attributes = append(x.attributes, p.name.Int64(number(value)))
		case p.typing == asFloat && kind == rawjson.Number:
			x.attributes = append(x.attributes, p.name.Float64(float(value)))
		case p.typing == asText && kind == rawjson.String:
			x.attributes = append(x.attributes, p.name.String(word(value)))
		case p.typing == asTexts && (kind == rawjson.String || kind == rawjson.Array):
			x.attributes = append(x.attributes, p.name.StringSlice(x.words(value)))
		case p.typing == asSaid && (kind == rawjson.String || kind == rawjson.Array):
			x.said = append(x.said, p.name.StringSlice(x.words(value)))
		}
		return
	}
}

// words returns a text or texts as a list.
func (x *exchange) words(value string) (list []string) {
	if rawjson.KindOf(value) == rawjson.String {
		return []string{word(value)}
	}
	for v := range x.elements(value) {
		list = append(list, word(v))
	}
	return list
}

// plainValue reports whether a value is neither a list nor an object.
func plainValue(json string) bool {
	kind := rawjson.KindOf(json)
	return kind != rawjson.Array && kind != rawjson.Object
}
