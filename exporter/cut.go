package exporter

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/internal/span"
)

// cutter shortens values that are too long to send. What it takes away is marked
// with the size and the SHA-256 of the whole.
type cutter struct{ most int }

// defaultValueBytes is the limit of one value.
const defaultValueBytes = 8 << 20

func newCutter(valueBytes int64) cutter {
	switch {
	case valueBytes < 0:
		return cutter{math.MaxInt}
	case valueBytes == 0:
		return cutter{defaultValueBytes}
	}
	return cutter{int(min(max(valueBytes, 4*leastLeft), math.MaxInt))} // which may have 32 bits
}

// leastLeft is what is left at least of a string inside a bucket, in bytes.
const leastLeft = 256

// span cuts the values of a span that keeps about the given bytes in memory.
func (c cutter) span(s *span.Span, size int64) {
	const escaped = 6 // of one byte, at most
	if size > 0 && size <= int64(c.most)/escaped {
		return // all of it is shorter than one value may be
	}
	s.Name, s.Status.Description = c.text(s.Name), c.text(s.Status.Description)
	if k := s.Known; k != nil {
		k.Name, k.SessionName, k.Error = c.text(k.Name), c.text(k.SessionName), c.text(k.Error)
		for b := range k.Buckets {
			if o := &k.Buckets[b]; c.tooLong(attribute.StringValue(o.JSONText())) {
				*o = canonical.Object(c.json(o.JSONText()))
			}
		}
	}
	s.Attributes, s.GenAI = c.attributes(s.Attributes), c.attributes(s.GenAI)
	s.Events, s.Links = slices.Clone(s.Events), slices.Clone(s.Links)
	for i := range s.Events {
		e := &s.Events[i]
		e.Name, e.Attributes = c.text(e.Name), c.attributes(e.Attributes)
	}
	for i := range s.Links {
		s.Links[i].Attributes = c.attributes(s.Links[i].Attributes)
	}
}

func (c cutter) tooLong(v attribute.Value) bool { return span.ValueSize(v) > int64(c.most) }

// attributes returns the attributes, or a copy whose values are cut. Lists and
// maps that are too long become the JSON text of themselves, cut.
func (c cutter) attributes(kvs []attribute.KeyValue) []attribute.KeyValue {
	if !slices.ContainsFunc(kvs, func(kv attribute.KeyValue) bool { return c.tooLong(kv.Value) }) {
		return kvs
	}
	out := slices.Clone(kvs)
	for i := range out {
		if c.tooLong(out[i].Value) {
			out[i].Value = attribute.StringValue(c.value(out[i].Value.String()))
		}
	}
	return out
}

// update returns the update, or a copy whose values are cut.
func (c cutter) update(u *honeyhive.Update) *honeyhive.Update {
	v := *u
	for _, o := range []*honeyhive.Object{&v.Config, &v.Outputs, &v.Metadata, &v.Metrics, &v.Feedback, &v.UserProperties} {
		if text := o.JSONText(); len(text) > c.most {
			*o = canonical.Object(c.json(text))
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
