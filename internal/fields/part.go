package fields

import (
	"encoding/json"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// Part is what one call set in a bucket.
type Part struct {
	text   string          // canonical JSON of an object, unless the form says otherwise
	later  []rawjson.Later // strings that are to be written into the text
	usage  *tokens.Usage   // of formUsage
	model  int             // where the model starts in the text of formModel
	bucket convert.Bucket
	form   form
}

// form says what a part holds.
type form uint8

const (
	formObject form = iota
	formMap         // an object that was made of a map, which has no key twice
	formRaw         // the text is what the user gave, and was not checked yet
	formModel       // the text is a provider and a model
	formUsage
)

// keys returns the keys that a part of the form may have, as JSON; nil where they
// are the user's.
func (f form) keys() []string {
	switch f {
	case formModel:
		return modelKeys
	case formUsage:
		return tokens.MetadataKeys()
	}
	return nil
}

var modelKeys = []string{`"provider"`, `"model"`}

// Raw returns raw JSON as a part, which is checked when it is read.
func Raw(b convert.Bucket, text string) Part { return Part{text: text, bucket: b, form: formRaw} }

// Object returns the canonical JSON of an object as a part.
func Object(b convert.Bucket, text string) Part { return Part{text: text, bucket: b} }

// Model returns a part of the configuration for a provider and a model, whose names
// stand one behind the other.
func Model(names string, provider int) Part {
	return Part{text: names, model: provider, bucket: convert.Config, form: formModel}
}

// Bucket returns the bucket that the part is for.
func (p *Part) Bucket() convert.Bucket { return p.bucket }

// Usage returns the usage that the part sets, which must not change, or nil.
func (p *Part) Usage() *tokens.Usage { return p.usage }

// IsZero reports whether the part sets nothing.
func (p *Part) IsZero() bool { return p.text == "" && p.usage == nil }

// Encode returns a value as a part; what encodes to no object is wrapped. Of long
// strings only the place is noted. The part is whole where there is an error.
func Encode(b convert.Bucket, v any) (Part, error) { return encode(b, v, rawjson.AppendOutline) }

// EncodeObject is Encode for a value that is needed as an object.
func EncodeObject(b convert.Bucket, v any) (honeyhive.Object, error) {
	p, err := encode(b, v, func(dst []byte, v any) ([]byte, []rawjson.Later, error) {
		dst, err := rawjson.Append(dst, v)
		return dst, nil, err
	})
	return canonical.Object(p.text), err
}

func encode(b convert.Bucket, v any, write func([]byte, any) ([]byte, []rawjson.Later, error)) (Part, error) {
	p := Part{bucket: b}
	if o, ok := v.(honeyhive.Object); ok {
		p.text = o.JSONText()
		return p, nil
	}
	scratch := scratches.Get().(*[]byte)
	data, later, err := write((*scratch)[:0], v)
	if err != nil {
		err = fmt.Errorf("sessionspan: set %s: %w", b.Field(), err)
	}
	switch rawjson.KindOf(peek(data)) {
	case rawjson.Object:
		p.text, p.later = string(data), later
		switch v.(type) {
		case map[string]any, map[string]string:
			p.form = formMap
		}
	case rawjson.Null:
	default:
		head := string(append(rawjson.AppendString([]byte{'{'}, b.Wrap()), ':'))
		p.text, p.later = head+string(data)+"}", later
		for i := range later {
			later[i].At += len(head)
		}
	}
	KeepScratch(scratch, data)
	return p, err
}

// peek returns the first byte of a text.
func peek(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	return string(data[:1])
}

// scratches are buffers for encoding.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// Scratch returns a buffer for encoding, to be given back by KeepScratch.
func Scratch() *[]byte { return scratches.Get().(*[]byte) }

// scratchMost is how large a buffer may have grown that is used again.
const scratchMost = 64 << 10

// KeepScratch gives a buffer back in which data was written.
func KeepScratch(scratch *[]byte, data []byte) {
	if cap(data) <= scratchMost {
		*scratch = data[:0]
		scratches.Put(scratch)
	}
}

// Object returns the part as an object, which is whole where there is an error.
func (p *Part) Object() (honeyhive.Object, error) { return p.object() }

func (p *Part) object() (honeyhive.Object, error) {
	switch {
	case p.form == formRaw:
		return parse(p.bucket, p.text)
	case p.form <= formMap && len(p.later) == 0:
		return canonical.Object(p.text), nil
	}
	scratch := Scratch()
	data := p.write((*scratch)[:0])
	o := canonical.Object(string(data))
	KeepScratch(scratch, data)
	return o, nil
}

// parse returns raw JSON as an object.
func parse(b convert.Bucket, raw string) (honeyhive.Object, error) {
	if text, err := rawjson.Parse(raw); err == nil && rawjson.KindOf(text) == rawjson.Object {
		return canonical.Object(text), nil
	}
	return EncodeObject(b, json.RawMessage(raw))
}

// write appends the JSON of a part that is no raw JSON.
func (p *Part) write(dst []byte) []byte {
	switch p.form {
	case formModel:
		dst = append(dst, '{')
		for i, name := range [...]string{p.text[:p.model], p.text[p.model:]} {
			if name == "" {
				continue
			}
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = rawjson.AppendString(append(append(dst, modelKeys[i]...), ':'), name)
		}
		return append(dst, '}')
	case formUsage:
		return p.usage.Append(dst)
	}
	return rawjson.Fill(dst, p.text, p.later)
}

// mostGenAI is how many attributes appendGenAI appends at most.
const mostGenAI = tokens.MostGenAI

// usageSize is about how many bytes a usage keeps in memory, with its attributes.
const usageSize = 512

// appendGenAI appends the attributes of the GenAI conventions that say the same as
// the part.
func (p *Part) appendGenAI(list []attribute.KeyValue) []attribute.KeyValue {
	switch p.form {
	case formModel:
		if provider := p.text[:p.model]; provider != "" {
			list = append(list, genai.ProviderName.String(provider))
		}
		if model := p.text[p.model:]; model != "" {
			list = append(list, genai.RequestModel.String(model))
		}
	case formUsage:
		list = p.usage.AppendGenAI(list)
	}
	return list
}

// size returns about how many bytes keep the part: its text in pieces as it is, or
// in one as it will be.
func (p *Part) size() int64 {
	if p.usage != nil {
		return usageSize
	}
	size, pieces := len(p.text), span.TextSize(len(p.text))
	for i := range p.later {
		const later = 24
		n := len(p.later[i].Text)
		size += n
		pieces += later + span.TextSize(n)
	}
	return span.ValueSize(attribute.Value{}) + max(pieces, span.TextSize(size))
}
