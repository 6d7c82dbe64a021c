package content

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// A hash is the first 128 bits of the HMAC-SHA-256 of a text, keyed by the salt: the same
// text has the same hash wherever it stands and on every machine that has the salt.
const (
	hashStart, hashEnd = "[hashed:", "]"
	hashBytes          = 16
)

// mark returns what takes the place of a text: of one that is a mark already that mark, so
// that what was read back from a disk may pass once more.
func (g *Gate) mark(text string) string {
	if text == "" || marked(text) {
		return text
	}
	mac := hmac.New(sha256.New, g.salt)
	_, _ = mac.Write([]byte(text))
	return hashStart + hex.EncodeToString(mac.Sum(nil)[:hashBytes]) + hashEnd
}

func marked(text string) bool {
	rest, ok := strings.CutPrefix(text, hashStart)
	if !ok || len(rest) != 2*hashBytes+len(hashEnd) || rest[2*hashBytes:] != hashEnd {
		return false
	}
	_, err := hex.DecodeString(rest[:2*hashBytes])
	return err == nil
}

// hash returns a text with hashes: of each text and number in it, where it is an object or
// a list in JSON.
func (g *Gate) hash(text string) string {
	if canonical, err := rawjson.Parse(text); err == nil {
		switch rawjson.KindOf(canonical) {
		case rawjson.Object, rawjson.Array:
			return string(g.appendHashed(make([]byte, 0, len(canonical)), canonical))
		}
	}
	return g.mark(text)
}

// appendHashed appends canonical JSON with hashes of its texts and numbers.
func (g *Gate) appendHashed(dst []byte, text string) []byte {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		return rawjson.AppendString(dst, g.hash(rawjson.Unquote(text)))
	case rawjson.Number:
		return rawjson.AppendString(dst, g.mark(text))
	case rawjson.Array:
		dst = append(dst, '[')
		first := len(dst)
		for e := range rawjson.Elements(text) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = g.appendHashed(dst, e)
		}
		return append(dst, ']')
	case rawjson.Object:
		dst = append(dst, '{')
		first := len(dst)
		for key, v := range rawjson.Members(text) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = append(rawjson.AppendString(dst, g.key(key)), ':')
			if words[key][v] {
				dst = append(dst, v...)
				continue
			}
			dst = g.appendHashed(dst, v)
		}
		return append(dst, '}')
	}
	return append(dst, text...)
}

// words are the texts of messages, in JSON, that are part of their shape.
var words = func() map[string]map[string]bool {
	m := make(map[string]map[string]bool)
	for key, list := range map[string]string{
		"role": "system developer user assistant tool function model",
		"type": "text input_text output_text image image_url input_image audio file document reasoning thinking tool_call tool_call_response tool_use tool_result function function_call",
	} {
		m[key] = make(map[string]bool)
		for word := range strings.FieldsSeq(list) {
			m[key][`"`+word+`"`] = true
		}
	}
	return m
}()

// key returns a key of JSON: one of the conventions as it is, of others the hash.
func (g *Gate) key(key string) string {
	if keys[key] {
		return key
	}
	return g.mark(key)
}

// value returns the value of an attribute with hashes. Numbers become texts.
func (g *Gate) value(v attribute.Value) attribute.Value {
	switch v.Type() {
	case attribute.STRING:
		return attribute.StringValue(g.hash(v.AsString()))
	case attribute.BYTESLICE:
		return attribute.StringValue(g.mark(string(v.AsByteSlice())))
	case attribute.STRINGSLICE:
		list := make([]string, 0, len(v.AsStringSlice()))
		for _, text := range v.AsStringSlice() {
			list = append(list, g.hash(text))
		}
		return attribute.StringSliceValue(list)
	case attribute.SLICE:
		list := make([]attribute.Value, 0, len(v.AsSlice()))
		for _, e := range v.AsSlice() {
			list = append(list, g.value(e))
		}
		return attribute.SliceValue(list...)
	case attribute.MAP:
		list := make([]attribute.KeyValue, 0, len(v.AsMap()))
		for _, kv := range v.AsMap() {
			list = append(list, attribute.KeyValue{Key: attribute.Key(g.key(string(kv.Key))), Value: g.value(kv.Value)})
		}
		return attribute.MapValue(list...)
	case attribute.BOOL:
		return v
	}
	return attribute.StringValue(g.mark(v.String()))
}
