package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
	"unsafe"
)

// MaxBytes bounds the text that one Append writes. What comes after it is
// replaced, so that a value that refers to itself many times over cannot use
// up the memory of the program.
const MaxBytes = 64 << 20

// Texter is a value that holds its own canonical JSON.
type Texter interface {
	// JSONText returns the text, or "" for a value that is absent, which is
	// written as null.
	JSONText() string
}

// Append writes v to dst as canonical JSON and returns the longer slice.
//
// Append writes what encoding/json writes without HTML escapes, and differs where
// that package would fail or panic: the part that has no JSON form (a channel,
// a cycle, a marshaler that fails or panics, a level deeper than [MaxDepth])
// becomes a string that starts with "!ERROR: " or "!PANIC: ", not-a-number and
// the infinities become "NaN", "Infinity" and "-Infinity", and an error value
// without a JSON form becomes its message. Everything beside that part is
// written. The error joins what was replaced; dst holds valid JSON all the same.
//
// v must not change while Append reads it.
func Append(dst []byte, v any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	dst, err := e.write(dst, v)
	encoders.Put(e)
	return dst, err
}

func (e *encoder) write(dst []byte, v any) ([]byte, error) {
	e.dst, e.limit = dst, len(dst)+MaxBytes
	e.value(v, 0)
	dst, err := e.dst, errors.Join(e.problems...)
	e.dst, e.problems = nil, nil
	if cap(e.keys) > keysMost {
		e.keys = nil
	}
	return dst, err
}

// keysMost is how many keys an encoder that is kept has room for.
const keysMost = 1 << 10

// encoders holds encoders for their path, keys and buffer.
var encoders = sync.Pool{New: func() any { return newEncoder() }}

func newEncoder() *encoder {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}

// maxProblems bounds the problems that one Append reports.
const maxProblems = 8

type encoder struct {
	dst      []byte
	limit    int
	problems []error
	// path holds the maps, slices and pointers that are open, to find cycles.
	path []container
	// keys holds those of the open maps, sorted, those of the innermost last.
	keys []string
	// long is how long a string is that is left out, for later; 0 for none.
	long       int
	later      []Later
	laterBytes int
	// buffer is where encoding/json writes.
	buffer bytes.Buffer
	json   *json.Encoder
}

// container identifies a map, slice or pointer. The type tells a pointer to a
// struct from one to its first field; it is nil where the address is enough.
type container struct {
	address unsafe.Pointer
	length  int
	pointer reflect.Type
}

func (e *encoder) report(problem error) {
	if len(e.problems) < maxProblems {
		e.problems = append(e.problems, problem)
	}
}

// replace writes a marker in place of a part that has no JSON form.
func (e *encoder) replace(kind, format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	e.report(errors.New(problem))
	e.dst = AppendString(e.dst, "!"+kind+": "+problem)
}

// enter opens a container, or replaces it where that is not possible. The
// caller leaves it by leave, and calls that only if enter returned true.
func (e *encoder) enter(c container, depth int) bool {
	switch {
	case depth >= MaxDepth:
		e.replace("ERROR", "nested deeper than %d levels", MaxDepth)
		return false
	case len(e.dst)+e.laterBytes > e.limit:
		e.replace("ERROR", "larger than %d bytes", MaxBytes)
		return false
	}
	if c.address != nil && slices.Contains(e.path, c) {
		e.replace("ERROR", "value contains itself")
		return false
	}
	e.path = append(e.path, c)
	return true
}

// leave closes a container. What is not open any more is not kept in memory.
func (e *encoder) leave() {
	last := len(e.path) - 1
	e.path[last] = container{}
	e.path = e.path[:last]
}

// value writes the types that pipelines hold most without reflection.
func (e *encoder) value(v any, depth int) {
	switch v := v.(type) {
	case nil:
		e.null()
	case string:
		e.text(v, depth)
	case bool:
		e.dst = strconv.AppendBool(e.dst, v)
	case int:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case int64:
		e.dst = strconv.AppendInt(e.dst, v, 10)
	case int32:
		e.dst = strconv.AppendInt(e.dst, int64(v), 10)
	case uint64:
		e.dst = strconv.AppendUint(e.dst, v, 10)
	case float64:
		e.float(v, 64)
	case float32:
		e.float(float64(v), 32)
	case json.Number:
		e.number(v)
	case json.RawMessage:
		e.raw(v, depth)
	case map[string]any:
		appendMap(e, v, depth, (*encoder).value)
	case map[string]string:
		appendMap(e, v, depth, (*encoder).text)
	case map[string]int:
		appendMap(e, v, depth, (*encoder).integer)
	case map[string]float64:
		appendMap(e, v, depth, (*encoder).double)
	case []any:
		appendSlice(e, v, depth, (*encoder).value)
	case []map[string]any:
		appendSlice(e, v, depth, (*encoder).object)
	case []map[string]string:
		appendSlice(e, v, depth, (*encoder).texts)
	case []string:
		appendSlice(e, v, depth, (*encoder).text)
	case []int:
		appendSlice(e, v, depth, (*encoder).integer)
	case []float64:
		appendSlice(e, v, depth, (*encoder).double)
	case []float32:
		appendSlice(e, v, depth, (*encoder).single)
	case time.Time:
		e.time(v)
	case Texter:
		e.texter(v)
	default:
		e.other(v, depth)
	}
}

func (e *encoder) null() { e.dst = append(e.dst, "null"...) }

// The elements of typed maps and slices.

func (e *encoder) integer(n, _ int)                     { e.dst = strconv.AppendInt(e.dst, int64(n), 10) }
func (e *encoder) double(f float64, _ int)              { e.float(f, 64) }
func (e *encoder) single(f float32, _ int)              { e.float(float64(f), 32) }
func (e *encoder) object(m map[string]any, depth int)   { appendMap(e, m, depth, (*encoder).value) }
func (e *encoder) texts(m map[string]string, depth int) { appendMap(e, m, depth, (*encoder).text) }

func (e *encoder) text(s string, depth int) {
	if e.long == 0 || len(s) < e.long || depth == 0 {
		e.dst = AppendString(e.dst, s)
		return
	}
	e.later = append(e.later, Later{len(e.dst), s})
	e.laterBytes += len(s)
}

func appendSlice[T any](e *encoder, s []T, depth int, element func(*encoder, T, int)) {
	if s == nil {
		e.null()
		return
	}
	address := unsafe.Pointer(unsafe.SliceData(s)) //nolint:gosec // compared, never followed
	if !e.enter(container{address: address, length: len(s)}, depth) {
		return
	}
	e.dst = append(e.dst, '[')
	for i, v := range s {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		element(e, v, depth+1)
	}
	e.dst = append(e.dst, ']')
	e.leave()
}

// appendMap writes a map with its keys sorted.
func appendMap[T any](e *encoder, m map[string]T, depth int, element func(*encoder, T, int)) {
	if m == nil {
		e.null()
		return
	}
	if !e.enter(container{address: reflect.ValueOf(m).UnsafePointer()}, depth) {
		return
	}
	start := len(e.keys)
	for k := range m {
		e.keys = append(e.keys, k)
	}
	keys := e.keys[start:]
	slices.Sort(keys)
	e.dst = append(e.dst, '{')
	for i, k := range keys {
		e.key(i, k)
		element(e, m[k], depth+1)
	}
	e.dst = append(e.dst, '}')
	clear(keys)
	e.keys = e.keys[:start]
	e.leave()
}

// key writes the i-th key of an object and its colon.
func (e *encoder) key(i int, k string) {
	if i > 0 {
		e.dst = append(e.dst, ',')
	}
	e.dst = AppendString(e.dst, k)
	e.dst = append(e.dst, ':')
}

func (e *encoder) float(f float64, bits int) {
	if e.dst = AppendFloat(e.dst, f, bits); math.IsNaN(f) || math.IsInf(f, 0) {
		e.report(fmt.Errorf("%v is no JSON number", f))
	}
}

func (e *encoder) number(n json.Number) {
	text, err := Parse(string(n))
	switch {
	case n == "": // as encoding/json has it
		e.dst = append(e.dst, '0')
	case err != nil || KindOf(text) != Number:
		e.dst = AppendString(e.dst, string(n))
	default:
		e.dst = append(e.dst, text...)
	}
}

// raw writes JSON that the caller made, or the text as a string where it is
// not valid.
func (e *encoder) raw(text []byte, depth int) {
	if len(text) == 0 {
		e.null()
		return
	}
	if err := e.checked(text, depth); err != nil {
		e.report(err)
		e.dst = AppendString(e.dst, string(text))
	}
}

// checked writes JSON in canonical form if it is valid and, with what is open
// around it, not nested too deep.
func (e *encoder) checked(text []byte, depth int) error {
	s := scanner[[]byte]{text: text}
	if s.document(depth) == nil && s.spaces == 0 && (!s.wide() || utf8.Valid(text)) {
		e.dst = append(e.dst, text...)
		return nil
	}
	clean, err := parse(string(text), depth)
	e.dst = append(e.dst, clean...)
	return err
}

func (e *encoder) texter(v Texter) {
	defer e.recoverAt(len(e.dst), v)
	if text := v.JSONText(); text != "" {
		e.dst = append(e.dst, text...)
		return
	}
	e.null()
}

func (e *encoder) time(t time.Time) {
	start := len(e.dst)
	e.dst = append(e.dst, '"')
	text, err := t.AppendText(e.dst)
	if err != nil { // the year is out of the range of RFC 3339, or the zone is
		e.dst = AppendString(e.dst[:start], t.String())
		return
	}
	e.dst = text
	e.dst = append(e.dst, '"')
}

// recoverAt replaces what was written since the offset by a marker when the
// method of a value panics.
func (e *encoder) recoverAt(offset int, v any) {
	if r := recover(); r != nil {
		e.dst = e.dst[:offset]
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			e.null()
			return
		}
		e.replace("PANIC", "%T: %s", v, panicText(r))
	}
}

// panicText prints a recovered value without trusting its methods.
func panicText(r any) string {
	switch r := r.(type) {
	case string:
		return r
	case fmt.Stringer, error:
		return fmt.Sprintf("%T", r)
	}
	return fmt.Sprint(r)
}

// AppendFloat writes f as encoding/json does, and the values that are no JSON
// numbers as the strings "NaN", "Infinity" and "-Infinity", as the JSON form of
// protocol buffers has them. bits is the size of the Go type, 32 or 64.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 {
		if bits == 64 && (abs < 1e-6 || abs >= 1e21) || bits == 32 && (float32(abs) < 1e-6 || float32(abs) >= 1e21) {
			format = 'e'
		}
	}
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if n := len(dst); format == 'e' && n >= 4 && (dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0') {
		dst[n-2] = dst[n-1] // e-09 becomes e-9
		dst = dst[:n-1]
	}
	return dst
}
