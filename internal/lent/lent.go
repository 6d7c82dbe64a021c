// Package lent is how a finished span shows a worker what it holds, in memory that
// the worker uses again for the next one.
package lent

import (
	"unsafe"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
)

// A Lender is a finished span that may fill in a [Span]. Its methods report false
// where it must be read as any other span is, and are safe for concurrent use.
type Lender interface {
	// LendAttributes fills in the attributes, and the buckets of the record.
	LendAttributes(s *Span) bool
	// LendRecord fills in the record, as package convert would make it of the span.
	LendRecord(s *Span) bool
}

// Span is what a lender shows. It holds until Clear.
type Span struct {
	// The attributes are those of three lists together.
	Attributes []attribute.KeyValue
	Clean      []attribute.KeyValue // whose texts are known to be valid UTF-8
	Identity   []attribute.KeyValue // of the session, shared by its spans
	Encoded    []byte               // the identity as OTLP has it

	Record convert.Record
	text   []byte
}

// textMost is how long a text may have grown whose memory is used again.
const textMost = 1 << 20

// Clear forgets what was shown, and keeps the memory.
func (s *Span) Clear() {
	clear(s.Attributes)
	clear(s.Clean)
	s.Attributes, s.Clean, s.Identity, s.Encoded = s.Attributes[:0], s.Clean[:0], nil, nil
	s.Record = convert.Record{}
	if cap(s.text) > textMost {
		s.text = nil
	}
	s.text = s.text[:0]
}

// Text returns a text that write appends, in the memory of the span. That is not
// written to any more until Clear: what follows stands behind it, or elsewhere.
func (s *Span) Text(write func(dst []byte) []byte) string {
	from := len(s.text)
	s.text = write(s.text)
	if from == len(s.text) {
		return ""
	}
	return unsafe.String(&s.text[from], len(s.text)-from) //nolint:gosec // see above
}
