package traces

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// Proto returns the request that a body in the protobuf encoding holds. The body
// must not change while the request is in use.
func Proto(body []byte) *Request {
	return &Request{walk: func(d *decoder) error { return d.protoRequest(body, (*decoder).protoSpan) }}
}

// A FormatError says that a body is no request, and why.
type FormatError struct{ Problem string }

func (e *FormatError) Error() string { return e.Problem }

// fields walks the fields of a message. A field that stands twice counts as it
// stands last, where it is no list.
type fields struct {
	rest   []byte
	number protowire.Number
	kind   protowire.Type
	bytes  []byte // of a field of this kind
	value  uint64 // of the other kinds
	err    error  // that ended the walk
}

func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	var n int
	if f.number, f.kind, n = protowire.ConsumeTag(f.rest); f.failed(n) {
		return false
	}
	f.rest = f.rest[n:]
	switch f.kind {
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(f.rest)
	case protowire.VarintType:
		f.value, n = protowire.ConsumeVarint(f.rest)
	case protowire.Fixed64Type:
		f.value, n = protowire.ConsumeFixed64(f.rest)
	default:
		n = protowire.ConsumeFieldValue(f.number, f.kind, f.rest)
	}
	if f.failed(n) {
		return false
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) failed(n int) bool {
	if n < 0 {
		// The module varies the space in its errors on purpose.
		text := strings.ReplaceAll(protowire.ParseError(n).Error(), "\u00a0", " ")
		f.err = valueError("malformed: " + strings.TrimPrefix(text, "proto: "))
	}
	return n < 0
}

func (f *fields) is(number protowire.Number, kind protowire.Type) bool {
	return f.number == number && f.kind == kind
}

// message reports whether the field is a message, a text or bytes with a number.
func (f *fields) message(number protowire.Number) bool { return f.is(number, protowire.BytesType) }

// raw returns the field as a text, which refers to the body and may be no UTF-8.
func (f *fields) raw() string {
	return unsafe.String(unsafe.SliceData(f.bytes), len(f.bytes)) //nolint:gosec // the body does not change
}

// text returns the field as a text, which refers to the body where it is UTF-8.
func (f *fields) text() string { return validText(f.raw()) }

// protoRequest reads a request whose messages are nested in lists: resources, scopes,
// and what read reads. The numbers of these fields are the same in all kinds of
// requests.
func (d *decoder) protoRequest(body []byte, read func(*decoder, []byte) error) error {
	f := fields{rest: body}
	for f.next() {
		if !f.message(1) { // resource_spans
			continue
		}
		if err := d.protoOfResource(f.bytes, read); err != nil {
			return err
		}
	}
	if f.err != nil {
		return &FormatError{"read OTLP protobuf: " + f.err.Error()}
	}
	return nil
}

func (d *decoder) protoOfResource(b []byte, read func(*decoder, []byte) error) error {
	d.resource = resource{}
	d.open(len(b))
	d.mended = 0
	f := fields{rest: b}
	for f.next() {
		if f.message(1) { // resource
			if err := d.protoResource(f.bytes); err != nil {
				return err
			}
		}
	}
	d.tell("resource")
	if err := d.count(partWork); err != nil {
		return err
	}
	for f = (fields{rest: b}); f.next(); {
		if f.message(2) { // scope_spans
			if err := d.protoOfScope(f.bytes, read); err != nil {
				return err
			}
		}
	}
	if f.err != nil {
		d.leaveOut("resource: " + f.err.Error())
	}
	return nil
}

// protoResource reads a resource, as far as it is one.
func (d *decoder) protoResource(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) { // attributes
			continue
		}
		kv, err := d.protoPair(f.bytes, valueDepth)
		if problem, isOfSpan := err.(spanError); isOfSpan { //nolint:errorlint // it is never wrapped
			d.mend(valueError(problem)) // the rest is not read
			break
		}
		if err != nil {
			return err
		}
		d.resource.add(kv)
	}
	d.mendRest(&f)
	return nil
}

// mendRest notes that a message is malformed behind what was read of it.
func (d *decoder) mendRest(f *fields) {
	if f.err != nil {
		d.mend(valueError(f.err.Error()))
	}
}

func (d *decoder) protoOfScope(b []byte, read func(*decoder, []byte) error) error {
	if err := d.count(partWork); err != nil {
		return err
	}
	// The scope counts for spans that stand before it, too.
	d.scope = ""
	f := fields{rest: b}
	for f.next() {
		if f.message(1) { // scope
			d.protoScope(f.bytes)
		}
	}
	for f = (fields{rest: b}); f.next(); {
		if !f.message(2) { // spans
			continue
		}
		if err := d.begin(len(f.bytes)); err != nil {
			return err
		}
		if err := d.end(read(d, f.bytes)); err != nil {
			return err
		}
	}
	if f.err != nil {
		d.leaveOut("scope: " + f.err.Error())
	}
	return nil
}

// protoScope reads the name of a scope. One that cannot be read tells nothing.
func (d *decoder) protoScope(b []byte) {
	f := fields{rest: b}
	for f.next() {
		if f.message(1) {
			d.scope = f.text()
			d.scope = brief.Name(d.scope)
		}
	}
}

func (d *decoder) protoSpan(b []byte) error {
	s := &d.span
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.message(1):
			d.id("trace id", copyID(s.TraceID[:], f.bytes))
		case f.message(2):
			d.id("span id", copyID(s.SpanID[:], f.bytes))
		case f.message(4):
			s.ParentSpanID = [8]byte{}
			if len(f.bytes) > 0 {
				d.id("parent span id", copyID(s.ParentSpanID[:], f.bytes))
			}
		case f.message(5):
			s.Name, err = d.protoText(&f)
			s.Name = brief.Name(s.Name)
		case f.is(6, protowire.VarintType):
			s.Kind = kindOf(f.value)
		case f.is(7, protowire.Fixed64Type):
			s.Start = instant(f.value)
		case f.is(8, protowire.Fixed64Type):
			s.End = instant(f.value)
		case f.message(9):
			s.Attributes, err = d.protoAppend(s.Attributes, f.bytes, valueDepth)
		case f.message(11):
			err = d.protoEvent(f.bytes)
		case f.message(13):
			err = d.protoLink(f.bytes)
		case f.message(15):
			err = d.protoStatus(f.bytes)
		}
		if err != nil {
			return err
		}
	}
	return f.err
}

// protoText reads a text that goes into the record.
func (d *decoder) protoText(f *fields) (string, error) {
	s := f.raw()
	if !utf8.ValidString(s) {
		if err := d.grow(max(0, validLength(s)-len(s))); err != nil { // before there is such a text
			return "", err
		}
		s = validText(s)
	}
	return s, d.text(s)
}

func (d *decoder) protoStatus(b []byte) error {
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.message(2):
			d.span.Status, err = d.protoText(&f)
		case f.is(3, protowire.VarintType):
			d.span.Failed = f.value == statusError
		}
		if err != nil {
			return err
		}
	}
	d.mendRest(&f)
	return nil
}

// statusError is the code of the status of a span that failed.
const statusError = 2

func (d *decoder) protoEvent(b []byte) error {
	if err := d.part(1); err != nil {
		return err
	}
	var e convert.Event
	from := len(d.below)
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.is(1, protowire.Fixed64Type):
			e.Time = instant(f.value)
		case f.message(2):
			e.Name, err = d.protoText(&f)
			e.Name = brief.Name(e.Name)
		case f.message(3):
			d.below, err = d.protoAppend(d.below, f.bytes, valueDepth+1)
		}
		if err != nil {
			return err
		}
	}
	e.Attributes = since(d.below, from)
	d.span.Events = append(d.span.Events, e)
	d.mendRest(&f)
	return nil
}

func (d *decoder) protoLink(b []byte) error {
	if err := d.part(1); err != nil {
		return err
	}
	var l convert.Link
	var traceErr, spanErr error = errNoID, errNoID
	from := len(d.below)
	f := fields{rest: b}
	for f.next() {
		var err error
		switch {
		case f.message(1):
			traceErr = copyID(l.TraceID[:], f.bytes)
		case f.message(2):
			spanErr = copyID(l.SpanID[:], f.bytes)
		case f.message(4):
			d.below, err = d.protoAppend(d.below, f.bytes, valueDepth+1)
		}
		if err != nil {
			return err
		}
	}
	d.link(l, from, traceErr, spanErr)
	d.mendRest(&f)
	return nil
}

// copyID copies an id.
func copyID(dst, field []byte) error {
	if len(field) != len(dst) {
		return valueError(fmt.Sprintf("is %d bytes long, not %d", len(field), len(dst)))
	}
	copy(dst, field)
	return nil
}

func (d *decoder) protoAppend(dst []attribute.KeyValue, b []byte, depth int) ([]attribute.KeyValue, error) {
	kv, err := d.protoPair(b, depth)
	return append(dst, kv), err
}

// protoPair reads a key and a value that is so many messages deep.
func (d *decoder) protoPair(b []byte, depth int) (kv attribute.KeyValue, err error) {
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			if kv.Key = attribute.Key(f.raw()); len(kv.Key) <= brief.MaxName { // longer ones are refused below
				kv.Key = attribute.Key(f.text())
			}
		case f.message(2):
			kv.Value, err = d.protoValue(f.bytes, depth)
		}
		if err != nil {
			return kv, err
		}
	}
	d.mendRest(&f)
	return kv, d.pair(&kv)
}

// protoValue reads a value. One that is not set is empty.
func (d *decoder) protoValue(b []byte, depth int) (v attribute.Value, err error) {
	if depth > MaxDepth {
		return v, errDepth
	}
	f := fields{rest: b}
	for f.next() {
		switch {
		case f.message(1):
			var s string
			s, err = d.protoText(&f)
			v = attribute.StringValue(s)
		case f.is(2, protowire.VarintType):
			v = attribute.BoolValue(f.value != 0)
		case f.is(3, protowire.VarintType):
			v = attribute.Int64Value(int64(f.value))
		case f.is(4, protowire.Fixed64Type):
			v = attribute.Float64Value(math.Float64frombits(f.value))
		case f.message(5):
			v, err = d.protoList(f.bytes, depth+2)
		case f.message(6):
			v, err = d.protoMap(f.bytes, depth+3)
		case f.message(7):
			if err = d.grow(len(f.bytes) / 3); err == nil { // in base64
				v = attribute.ByteSliceValue(f.bytes)
			}
		}
		if err != nil {
			return v, err
		}
	}
	d.mendRest(&f)
	return v, nil
}

func (d *decoder) protoList(b []byte, depth int) (attribute.Value, error) {
	if v, ok, err := d.protoNumbers(b); ok {
		return v, err
	}
	from := len(d.values)
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) {
			continue
		}
		if err := d.part(1); err != nil {
			return attribute.Value{}, err
		}
		v, err := d.protoValue(f.bytes, depth)
		if err != nil {
			return v, err
		}
		d.values = append(d.values, v)
	}
	d.mendRest(&f)
	return d.list(from), nil
}

// protoNumbers reads a list that holds integers alone, or doubles alone.
func (d *decoder) protoNumbers(b []byte) (v attribute.Value, ok bool, err error) {
	const integer, double = 3, 4
	n, kind := 0, protowire.Number(0)
	f := fields{rest: b}
	for ; f.next(); n++ {
		e := fields{rest: f.bytes}
		if !f.message(1) || !e.next() || len(e.rest) > 0 || n > 0 && e.number != kind || !e.is(integer, protowire.VarintType) && !e.is(double, protowire.Fixed64Type) {
			return v, false, nil
		}
		kind = e.number
	}
	if all := f.err == nil; !all || n == 0 {
		return v, false, nil
	}
	if err := d.part(1 + n/numbersPart); err != nil {
		return v, true, err
	}
	integers, doubles := make([]int64, 0, n), []float64(nil)
	if kind == double {
		integers, doubles = nil, make([]float64, 0, n)
	}
	for f = (fields{rest: b}); f.next(); {
		e := fields{rest: f.bytes}
		e.next()
		if kind == double {
			doubles = append(doubles, math.Float64frombits(e.value))
		} else {
			integers = append(integers, int64(e.value))
		}
	}
	if kind == double {
		return attribute.Float64SliceValue(doubles), true, nil
	}
	return attribute.Int64SliceValue(integers), true, nil
}

func (d *decoder) protoMap(b []byte, depth int) (attribute.Value, error) {
	from := len(d.pairs)
	f := fields{rest: b}
	for f.next() {
		if !f.message(1) {
			continue
		}
		kv, err := d.protoPair(f.bytes, depth)
		if err != nil {
			return attribute.Value{}, err
		}
		d.pairs = append(d.pairs, kv)
	}
	d.mendRest(&f)
	return d.mapping(from), nil
}
