package traces

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
	"github.com/sessionspan/sessionspan/store"
)

// Bounds of what a request may hold, in units of about a microsecond of work, of which
// a request takes two seconds or so at most. A
// part is a level of the dotted name of an attribute, an event, a link, or a value in
// a list or map, also of JSON that stands in a text: dialects take names and JSON
// apart.
const (
	spanWork = 150
	partWork = 1
	maxWork  = 3_000_000
	// maxParts bounds the parts of one span, which is in memory as a whole.
	maxParts = 200_000
	// numbersPart is how many numbers of a list of numbers count as one part.
	numbersPart = 8
	// passWork is how many bytes are passed in a unit of work.
	passWork = 1 << 10
)

// A TooLargeError says that a request holds more than is taken at once.
type TooLargeError struct{}

func (*TooLargeError) Error() string {
	return "the request holds more spans, attributes, events and values than are taken at once, which are 10,000 spans with 150 each: send fewer spans at once"
}

// A spanError says why a span is left out.
type spanError string

func (e spanError) Error() string { return string(e) }

// A valueError says what is wrong with a value. It costs the value alone.
type valueError string

func (e valueError) Error() string { return string(e) }

// Problems with a span as a whole.
const (
	errParts   = spanError("it has more than 200,000 attributes, events, links and values")
	errControl = spanError("most of its text is control characters")
	errRecord  = spanError("it is larger than the 32 MiB that a record may have")
	errDepth   = spanError("its values are nested deeper than 200 messages")
	errName    = spanError("the name of an attribute is longer than 64 KiB")
)

// budget counts what a request and the span at hand come to.
type budget struct {
	work  int // of the request
	parts int // of the span
	// size is how many bytes the span has, grown how many its texts take more
	// when they are written as JSON. In a request in JSON they are as long as they
	// will be, and size is 0.
	size, grown int
}

// open begins a span of so many bytes.
func (b *budget) open(size int) { b.parts, b.size, b.grown = 0, size, 0 }

// count takes work that is not of parts.
func (b *budget) count(work int) error {
	if b.work += work; b.work > maxWork {
		return &TooLargeError{}
	}
	return nil
}

// part takes n parts.
func (b *budget) part(n int) error {
	if b.parts += n; b.parts > maxParts {
		return errParts
	}
	return b.count(n * partWork)
}

// pair takes an attribute. Its value is cut where it names what the span belongs to.
func (b *budget) pair(kv *attribute.KeyValue) error {
	key := string(kv.Key)
	if len(key) > brief.MaxName {
		return errName
	}
	if s := kv.Value; s.Type() == attribute.STRING && len(s.AsString()) > brief.MaxName && names(key) {
		kv.Value = attribute.StringValue(brief.Name(s.AsString()))
	}
	return b.part(1 + strings.Count(key, "."))
}

// names reports whether an attribute names what its span is or belongs to, rather
// than holds content.
func names(key string) bool {
	for _, bucket := range convert.AllBuckets() {
		if strings.HasPrefix(key, bucket.Attribute()) {
			return false
		}
	}
	return convert.Identifies(key) && key != honeyhive.AttrError && key != honeyhive.AttrChildrenIDs
}

// spareGrowth is what small texts may grow by, whatever they hold.
const spareGrowth = 64 << 10

// text takes the text of a value: what it grows by, and the parts of the JSON that
// it may hold.
func (b *budget) text(s string) error {
	if b.size > 0 {
		if err := b.grow(growth(s)); err != nil {
			return err
		}
	}
	if start := strings.TrimLeft(s, " \t\r\n"); start != "" && (start[0] == '{' || start[0] == '[') {
		return b.part(elements(start, maxParts+1))
	}
	return nil
}

// grow takes what a value takes more as JSON.
func (b *budget) grow(n int) error {
	switch b.grown += n; {
	case b.grown > b.size+spareGrowth:
		return errControl
	case b.size+b.grown > store.MaxRecordBytes:
		return errRecord
	}
	return nil
}

// growth returns how many bytes a text takes more as a JSON string.
func growth(s string) int {
	n := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			n += len(`\u0000`) - 1
		case c == '"', c == '\\':
			n++
		case c == 0xe2 && (strings.HasPrefix(s[i:], "\u2028") || strings.HasPrefix(s[i:], "\u2029")):
			n += len(`\u2028`) - len("\u2028")
		}
	}
	return n
}

// elements counts the values and containers in JSON, up to about a number of
// them. What is no JSON has none or some.
func elements(text string, most int) int {
	n := 0
	for i := 0; i < len(text) && n < most; i++ {
		switch text[i] {
		case ',', '{', '[':
			n++
		case '"':
			i = stringEnd(text, i)
		}
	}
	return n
}

// stringEnd returns the place of the quote that ends the JSON string which begins
// at i, or the end of the text.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		next := strings.IndexByte(text[i:], '"')
		if next < 0 {
			return len(text)
		}
		i += next
		escapes := 0
		for text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(text)
}
