package rawjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
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
// It writes what encoding/json writes without HTML escapes, and differs where
// that package would fail or panic: the part that has no JSON form (a channel,
// a cycle, a marshaler that fails or panics, a level deeper than [MaxDepth])
// becomes a string that starts with "!ERROR: " or "!PANIC: ", not-a-number and
// the infinities become "NaN", "Infinity" and "-Infinity", and an error value
// without a JSON form becomes its message. Everything beside that part is
// written. The error joins what was replaced; dst holds valid JSON all the same.
//
// v must not change while Append reads it.
func Append(dst []byte, v any) ([]byte, error) {
	e := encoder{dst: dst, limit: len(dst) + MaxBytes}
	e.value(v, 0)
	return e.dst, errors.Join(e.problems...)
}

// maxProblems bounds the problems that one Append reports.
const maxProblems = 8

type encoder struct {
	dst      []byte
	limit    int
	problems []error
	// path holds the maps, slices and pointers that are open, to find cycles.
	path []container
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
	case len(e.dst) > e.limit:
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

func (e *encoder) leave() { e.path = e.path[:len(e.path)-1] }

// value writes the types that pipelines hold most without reflection.
func (e *encoder) value(v any, depth int) {
	switch v := v.(type) {
	case nil:
		e.dst = append(e.dst, "null"...)
	case string:
		e.dst = AppendString(e.dst, v)
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
		e.raw(string(v))
	case map[string]any:
		if v == nil {
			e.dst = append(e.dst, "null"...)
			return
		}
		if e.enter(container{address: reflect.ValueOf(v).UnsafePointer()}, depth) {
			e.dst = append(e.dst, '{')
			for i, k := range sortedKeys(v) {
				e.key(i, k)
				e.value(v[k], depth+1)
			}
			e.dst = append(e.dst, '}')
			e.leave()
		}
	case map[string]string:
		if v == nil {
			e.dst = append(e.dst, "null"...)
			return
		}
		e.dst = append(e.dst, '{')
		for i, k := range sortedKeys(v) {
			e.key(i, k)
			e.dst = AppendString(e.dst, v[k])
		}
		e.dst = append(e.dst, '}')
	case []any:
		appendSlice(e, v, depth, e.value)
	case []map[string]any:
		appendSlice(e, v, depth, func(m map[string]any, depth int) { e.value(m, depth) })
	case []string:
		appendSlice(e, v, depth, func(s string, _ int) { e.dst = AppendString(e.dst, s) })
	case time.Time:
		e.time(v)
	case Texter:
		e.texter(v)
	default:
		e.other(v, depth)
	}
}

func appendSlice[T any](e *encoder, s []T, depth int, element func(T, int)) {
	if s == nil {
		e.dst = append(e.dst, "null"...)
		return
	}
	if !e.enter(container{address: reflect.ValueOf(s).UnsafePointer(), length: len(s)}, depth) {
		return
	}
	e.dst = append(e.dst, '[')
	for i, v := range s {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		element(v, depth+1)
	}
	e.dst = append(e.dst, ']')
	e.leave()
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
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
func (e *encoder) raw(text string) {
	if text == "" {
		e.dst = append(e.dst, "null"...)
		return
	}
	clean, err := Parse(text)
	if err != nil {
		e.report(err)
		e.dst = AppendString(e.dst, text)
		return
	}
	e.dst = append(e.dst, clean...)
}

func (e *encoder) texter(v Texter) {
	defer e.recoverAt(len(e.dst), v)
	if text := v.JSONText(); text != "" {
		e.dst = append(e.dst, text...)
		return
	}
	e.dst = append(e.dst, "null"...)
}

func (e *encoder) time(t time.Time) {
	if text, err := t.MarshalText(); err == nil {
		e.dst = AppendString(e.dst, string(text))
		return
	}
	// The year is out of the range of RFC 3339, or the zone is.
	e.dst = AppendString(e.dst, t.String())
}

// recoverAt replaces what was written since the offset by a marker when the
// method of a value panics.
func (e *encoder) recoverAt(offset int, v any) {
	if r := recover(); r != nil {
		e.dst = e.dst[:offset]
		if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
			e.dst = append(e.dst, "null"...)
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

const hex = "0123456789abcdef"

// AppendString writes s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD; the line separators U+2028 and U+2029 are escaped.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, `\b`...)
			case '\f':
				dst = append(dst, `\f`...)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xF])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[start:i]...), '\\', 'u', '2', '0', '2', hex[r&0xF])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
