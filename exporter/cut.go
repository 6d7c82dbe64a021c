package exporter

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/spansize"
)

// cutter shortens values that are too long to send. What it takes away is marked
// with the size and the SHA-256 of the whole.
type cutter struct{ most int }

// defaultValueBytes is the limit of one value.
const defaultValueBytes = 8 << 20

func newCutter(valueBytes int64) cutter {
	switch {
	case valueBytes < 0:
		return cutter{int(^uint(0) >> 1)}
	case valueBytes == 0:
		return cutter{defaultValueBytes}
	}
	return cutter{int(max(valueBytes, 4*leastLeft))}
}

// leastLeft is what is left at least of a string inside a bucket, in bytes.
const leastLeft = 256

// span returns the span, or a copy whose values are cut.
func (c cutter) span(s sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan {
	if !c.tooLong(s) {
		return s
	}
	r := &redactedSpan{
		ReadOnlySpan: s, name: c.text(s.Name()), attributes: c.attributes(s.Attributes()),
		events: slices.Clone(s.Events()), links: slices.Clone(s.Links()), status: s.Status(),
	}
	r.status.Description = c.text(r.status.Description)
	for i := range r.events {
		r.events[i].Name = c.text(r.events[i].Name)
		r.events[i].Attributes = c.attributes(r.events[i].Attributes)
	}
	for i := range r.links {
		r.links[i].Attributes = c.attributes(r.links[i].Attributes)
	}
	return r
}

func (c cutter) tooLong(s sdktrace.ReadOnlySpan) bool {
	const escaped = 6 // of one byte, at most
	if sizeOf(s) <= int64(c.most)/escaped {
		return false // all of it is shorter than one value may be
	}
	long := func(kvs []attribute.KeyValue) bool {
		return slices.ContainsFunc(kvs, func(kv attribute.KeyValue) bool { return spansize.Value(kv.Value) > int64(c.most) })
	}
	if len(s.Name()) > c.most || len(s.Status().Description) > c.most || long(s.Attributes()) {
		return true
	}
	for _, e := range s.Events() {
		if len(e.Name) > c.most || long(e.Attributes) {
			return true
		}
	}
	for _, l := range s.Links() {
		if long(l.Attributes) {
			return true
		}
	}
	return false
}

func (c cutter) attributes(kvs []attribute.KeyValue) []attribute.KeyValue {
	out := slices.Clone(kvs)
	for i, kv := range out {
		if spansize.Value(kv.Value) <= int64(c.most) {
			continue
		}
		// Lists and maps become the JSON text of themselves, cut.
		out[i].Value = attribute.StringValue(c.value(kv.Value.String()))
	}
	return out
}

// update returns the update, or a copy whose values are cut.
func (c cutter) update(u *honeyhive.Update) *honeyhive.Update {
	v := *u
	for _, o := range []*honeyhive.Object{&v.Config, &v.Outputs, &v.Metadata, &v.Metrics, &v.Feedback, &v.UserProperties} {
		if text := o.JSONText(); len(text) > c.most {
			*o = honeyhive.TrustedObject(c.json(text))
		}
	}
	return &v
}

// value cuts the strings inside a JSON object or array, and any other text at
// its end.
func (c cutter) value(text string) string {
	if len(text) <= c.most {
		return text
	}
	if trimmed := strings.TrimLeft(text, " \t\r\n"); trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') {
		if canonical, err := rawjson.Parse(text); err == nil {
			return c.json(canonical)
		}
	}
	return c.text(text)
}

// text cuts a text at its end.
func (c cutter) text(text string) string {
	if len(text) <= c.most {
		return text
	}
	return cutText(text, c.most)
}

// cutText keeps about the first n bytes of a text.
func cutText(text string, n int) string {
	mark := fmt.Sprintf("… [cut: %d bytes, sha256 %x]", len(text), sha256.Sum256([]byte(text)))
	n = min(max(0, n-len(mark)), len(text)-1)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}

// json cuts the longest strings of canonical JSON, all to the same length, so
// that the whole fits. Where what is not strings is too long already, an object
// takes its place that says so, with the beginning of the text.
func (c cutter) json(text string) string {
	if len(text) <= c.most {
		return text
	}
	var lengths []int
	strings := 0
	eachString(text, func(s string) {
		lengths = append(lengths, len(s))
		strings += len(s)
	})
	room := c.most - (len(text) - strings)
	slices.Sort(lengths)
	for i, n := range lengths {
		left := len(lengths) - i
		if share := room / left; n > share {
			if share < leastLeft {
				break
			}
			return string(appendCut(nil, text, share))
		}
		room -= n
	}
	b := append([]byte(`{"cut":`), fmt.Sprintf(`{"bytes":%d,"sha256":"%x"}`, len(text), sha256.Sum256([]byte(text)))...)
	b = append(b, `,"start":`...)
	b = rawjson.AppendString(b, text[:c.most/4])
	return string(append(b, '}'))
}

// eachString calls f with each string value of canonical JSON, quotes included.
func eachString(text string, f func(string)) {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		f(text)
	case rawjson.Object:
		for _, v := range rawjson.Members(text) {
			eachString(v, f)
		}
	case rawjson.Array:
		for v := range rawjson.Elements(text) {
			eachString(v, f)
		}
	}
}

// appendCut writes canonical JSON with its strings cut to n bytes.
func appendCut(dst []byte, text string, n int) []byte {
	switch rawjson.KindOf(text) {
	case rawjson.String:
		if len(text) <= n {
			break
		}
		whole := rawjson.Unquote(text)
		keep := n - 2
		quoted := rawjson.AppendString(nil, cutText(whole, keep))
		for len(quoted) > n && keep > 0 { // escapes took room
			keep = max(0, keep-max(len(quoted)-n, keep/8))
			quoted = rawjson.AppendString(quoted[:0], cutText(whole, keep))
		}
		return append(dst, quoted...)
	case rawjson.Object:
		dst = append(dst, '{')
		first := len(dst)
		for k, v := range rawjson.Members(text) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = append(rawjson.AppendString(dst, k), ':')
			dst = appendCut(dst, v, n)
		}
		return append(dst, '}')
	case rawjson.Array:
		dst = append(dst, '[')
		first := len(dst)
		for v := range rawjson.Elements(text) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = appendCut(dst, v, n)
		}
		return append(dst, ']')
	}
	return append(dst, text...)
}
