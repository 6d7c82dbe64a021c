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
		if x.blind && !plainValue(value) {
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
		case p.typing == asTexts && kind == rawjson.String:
			x.attributes = append(x.attributes, p.name.StringSlice([]string{word(value)}))
		case p.typing == asTexts && kind == rawjson.Array:
			var list []string
			for v := range rawjson.Elements(value) {
				list = append(list, word(v))
			}
			x.attributes = append(x.attributes, p.name.StringSlice(list))
		}
		return
	}
}

// plainValue reports whether a value is neither a list nor an object.
func plainValue(json string) bool {
	kind := rawjson.KindOf(json)
	return kind != rawjson.Array && kind != rawjson.Object
}
