package sessionspan

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/spansize"
)

// part is what one call set in a bucket. It is joined with the others when they
// are read, which for an event is on the worker of a destination.
type part struct {
	text   string          // canonical JSON of an object, unless the form says otherwise
	later  []rawjson.Later // strings that are to be written into the text
	usage  *usage
	model  int // where the model starts in the text
	bucket convert.Bucket
	form   form
	told   bool // the attributes that say the same are set
	ofMap  bool // it was made of a map
}

// form says what a part holds.
type form uint8

const (
	formObject form = iota
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
		return usageKeys
	}
	return nil
}

var (
	modelKeys = []string{`"provider"`, `"model"`}
	usageKeys = []string{
		`"prompt_tokens"`, `"completion_tokens"`, `"total_tokens"`,
		`"cache_read_input_tokens"`, `"cache_write_input_tokens"`, `"reasoning_tokens"`,
	}
)

// mostParts is how many parts wait at most. What comes after them is merged, so
// that values which replace each other take no more memory than the last.
const mostParts = 16

// add notes what was set. It returns false after the end.
func (r *recording) add(p part) bool {
	r.mu.Lock()
	defer r.unlock()
	if r.ended {
		return false
	}
	switch len(r.parts) {
	case 0:
		if r.parts == nil {
			r.parts = make([]part, 0, 5)
		}
	case mostParts:
		if r.later == nil {
			r.later = new(laterParts)
		}
		r.fold(r.later)
	}
	r.parts = append(r.parts, p)
	return true
}

// fold merges the parts. The lock is held.
func (r *recording) fold(later *laterParts) {
	if r.buckets == nil {
		r.buckets = new(convert.Buckets)
	}
	for i := range r.parts {
		p := &r.parts[i]
		p.tell(r)
		o, err := p.object()
		if err != nil { // reported by unlock
			r.rest().problem = errors.Join(r.rest().problem, err)
		}
		if !o.IsZero() {
			later.add(r.buckets, p.bucket, o)
		}
	}
	clear(r.parts)
	r.parts = r.parts[:0]
}

// join makes the buckets hold all that was set. The lock is held.
func (r *recording) join() {
	if len(r.parts) == 0 && r.later == nil {
		return
	}
	var later laterParts
	if r.later != nil {
		later = *r.later
	}
	r.fold(&later)
	later.join(r.buckets)
	r.parts, r.later = nil, nil
}

// weigh returns about how many bytes keep what was set. The lock is held.
func (r *recording) weigh() int64 {
	n := spansize.Attributes(r.extra)
	add := func(text string) {
		if text != "" {
			n += spansize.Value(attribute.StringValue(text))
		}
	}
	for i := range r.parts {
		n += r.parts[i].weigh()
	}
	if r.buckets != nil {
		for _, o := range r.buckets {
			add(o.JSONText())
		}
	}
	if r.later != nil {
		for _, stack := range r.later {
			for _, o := range stack {
				add(o.JSONText())
			}
		}
	}
	if r.seldom != nil {
		add(r.seldom.err)
	}
	children := len(r.children)
	if r.seldom != nil {
		children += len(r.seldom.named)
	}
	n += int64(children) * (16 + spansize.Text(idLength))
	return n
}

// weigh returns about how many bytes keep the part: its text in pieces as it is, or
// in one as it will be.
func (p *part) weigh() int64 {
	if p.usage != nil {
		return usageWeight
	}
	size, pieces := len(p.text), spansize.Text(len(p.text))
	for i := range p.later {
		const later = 24
		n := len(p.later[i].Text)
		size += n
		pieces += later + spansize.Text(n)
	}
	return spansize.Value(attribute.Value{}) + max(pieces, spansize.Text(size))
}

// weighed returns what weigh returned at the end, until the entry is measured.
// Where the span was ended past its handle at the same time, that may still be at
// it.
func (r *recording) weighed() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.finished.size
}

// tell sets the attributes of the GenAI conventions that say the same as a part.
// The lock of the recording is held.
func (p *part) tell(r *recording) {
	if p.told {
		return
	}
	p.told = true
	var list [6]attribute.KeyValue
	r.setExtra(p.appendTold(list[:0])...)
}

// appendTold appends the attributes that tell sets.
func (p *part) appendTold(list []attribute.KeyValue) []attribute.KeyValue {
	switch p.form {
	case formModel:
		if provider := p.text[:p.model]; provider != "" {
			list = append(list, genai.ProviderName.String(provider))
		}
		if model := p.text[p.model:]; model != "" {
			list = append(list, genai.RequestModel.String(model))
		}
	case formUsage:
		list = p.usage.appendTold(list)
	}
	return list
}

// object returns the part as an object.
func (p *part) object() (honeyhive.Object, error) {
	switch {
	case p.form == formRaw:
		return parsed(p.bucket, p.text)
	case p.form == formObject && len(p.later) == 0:
		return honeyhive.TrustedObject(p.text), nil
	}
	scratch := scratches.Get().(*[]byte)
	data := p.write((*scratch)[:0])
	o := honeyhive.TrustedObject(string(data))
	keepScratch(scratch, data)
	return o, nil
}

// write appends the JSON of a part that is no raw JSON.
func (p *part) write(dst []byte) []byte {
	switch p.form {
	case formModel:
		return appendModel(dst, p.text[:p.model], p.text[p.model:])
	case formUsage:
		return p.usage.append(dst)
	}
	return rawjson.Fill(dst, p.text, p.later)
}

// unlock lets go of the lock and reports what is wrong with values that were
// checked meanwhile. Whoever is told may set more.
func (r *recording) unlock() {
	var problem error
	if r.seldom != nil {
		problem, r.seldom.problem = r.seldom.problem, nil
	}
	r.mu.Unlock()
	if problem != nil {
		r.tracer().reports.Report("encode raw JSON", problem)
	}
}

// parsed returns raw JSON as an object.
func parsed(b convert.Bucket, raw string) (honeyhive.Object, error) {
	if text, err := rawjson.Parse(raw); err == nil && rawjson.KindOf(text) == rawjson.Object {
		return honeyhive.TrustedObject(text), nil
	}
	return encode(b, json.RawMessage(raw))
}

// encode returns a value as an object, and reports what is wrong with it.
func (t *Tracer) encode(b convert.Bucket, v any) honeyhive.Object {
	o, err := encode(b, v)
	t.reportSet(b, err)
	return o
}

func (t *Tracer) reportSet(b convert.Bucket, err error) {
	if err != nil {
		t.reports.Report("encode "+b.Field(), err)
	}
}

// encode returns a value as an object; what is none is wrapped. The object is
// whole where there is an error.
func encode(b convert.Bucket, v any) (honeyhive.Object, error) {
	p, err := newPart(b, v, appendWhole)
	return honeyhive.TrustedObject(p.text), err
}

func appendWhole(dst []byte, v any) ([]byte, []rawjson.Later, error) {
	dst, err := rawjson.Append(dst, v)
	return dst, nil, err
}

// newPart returns a value as a part that holds an object; what is none is wrapped.
func newPart(b convert.Bucket, v any, write func([]byte, any) ([]byte, []rawjson.Later, error)) (part, error) {
	p := part{bucket: b}
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
			p.ofMap = true
		}
	case rawjson.Null:
	default:
		head := string(append(rawjson.AppendString([]byte{'{'}, b.Wrap()), ':'))
		p.text, p.later = head+string(data)+"}", later
		for i := range later {
			later[i].At += len(head)
		}
	}
	keepScratch(scratch, data)
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

// scratchMost is how large a buffer may have grown that is used again.
const scratchMost = 64 << 10

// keepScratch gives a buffer back in which data was written.
func keepScratch(scratch *[]byte, data []byte) {
	if cap(data) <= scratchMost {
		*scratch = data[:0]
		scratches.Put(scratch)
	}
}
