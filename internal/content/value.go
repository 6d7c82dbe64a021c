package content

import (
	"strings"
	"unicode"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// allows reports whether the value of an attribute is one that the rule allows.
func (r rule) allows(v attribute.Value) bool {
	switch v.Type() {
	case attribute.BOOL, attribute.INT64, attribute.FLOAT64, attribute.BOOLSLICE, attribute.INT64SLICE, attribute.FLOAT64SLICE:
		return r != uuid
	case attribute.STRING:
		return r.allowsText(v.AsString())
	case attribute.STRINGSLICE:
		for _, text := range v.AsStringSlice() {
			if !r.allowsText(text) {
				return false
			}
		}
		return true
	case attribute.SLICE:
		for _, e := range v.AsSlice() {
			if !r.allows(e) {
				return false
			}
		}
		return r != uuid
	case attribute.MAP:
		for _, kv := range v.AsMap() {
			if !isName(string(kv.Key)) || !number.allows(kv.Value) {
				return false
			}
		}
		return r == number || r == label
	}
	return false
}

// allowsText reports whether an attribute, which may hold JSON, may have a text.
func (r rule) allowsText(text string) bool {
	switch r {
	case exact:
		return true
	case label:
		return isLabel(text)
	case uuid:
		_, err := honeyhive.ParseUUID(text)
		return err == nil
	case number:
		canonical, err := rawjson.Parse(text)
		return err == nil && r.allowsJSON(canonical)
	}
	return false
}

// allowsJSON reports whether canonical JSON is a value that the rule allows.
func (r rule) allowsJSON(text string) bool {
	switch rawjson.KindOf(text) {
	case rawjson.Number, rawjson.True, rawjson.False, rawjson.Null:
		return r != uuid
	case rawjson.String:
		return r == exact || r == label && isLabel(rawjson.Unquote(text))
	case rawjson.Array:
		for e := range rawjson.Elements(text) {
			if !r.allowsJSON(e) {
				return false
			}
		}
		return r != uuid
	case rawjson.Object:
		for key, v := range rawjson.Members(text) {
			if !isName(key) || !number.allowsJSON(v) {
				return false
			}
		}
		return r == number || r == label
	}
	return false
}

// isLabel reports whether a text is short enough to be a name, an id or a type, and
// stands in one line.
func isLabel(text string) bool {
	const most = 256
	return len(text) <= most && strings.IndexFunc(text, unicode.IsControl) < 0
}
