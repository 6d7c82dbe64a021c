package rawjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// other writes a value of any other type by encoding/json. Where that fails
// the value is walked by reflection, so that only the part at fault is
// replaced.
func (e *encoder) other(v any, depth int) {
	if err, ok := v.(error); ok && !hasMarshaler(reflect.TypeOf(v)) {
		e.message(err)
		return
	}
	rv, steps := reflect.ValueOf(v), probeSteps
	if tooDeep(rv, depth, &steps) {
		e.walk(rv, depth)
		return
	}
	if text, err := e.marshal(v); err == nil {
		// The check bounds the depth, which encoding/json does not.
		if err := e.checked(text, depth); err == nil {
			return
		}
	}
	e.walk(rv, depth)
}

// probeSteps is how many values tooDeep looks at: enough to follow one chain of
// pointers and interfaces past MaxDepth.
const probeSteps = 4 * MaxDepth

// tooDeep reports whether it finds that a value nests deeper than MaxDepth, which
// encoding/json would write down to the bottom only for all of it to be thrown
// away. It finds long chains, such as linked lists; for others it gives up and
// the text tells.
func tooDeep(v reflect.Value, depth int, steps *int) bool {
	if *steps--; *steps < 0 || !v.IsValid() {
		return false
	}
	s := shapeOf(v.Type())
	if s.flat {
		return false
	}
	k := v.Kind()
	if k == reflect.Pointer || k == reflect.Interface {
		return tooDeep(v.Elem(), depth, steps)
	}
	if depth >= MaxDepth {
		return !nilable(v) || !v.IsNil()
	}
	switch k {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if *steps < 0 || tooDeep(v.Index(i), depth+1, steps) {
				return *steps >= 0
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if *steps < 0 || tooDeep(it.Value(), depth+1, steps) {
				return *steps >= 0
			}
		}
	case reflect.Struct:
		for _, i := range s.fields {
			if *steps < 0 || tooDeep(v.Field(i), depth+1, steps) {
				return *steps >= 0
			}
		}
	}
	return false
}

// shape is what tooDeep needs to know of a type.
type shape struct {
	flat   bool  // holds nothing to follow
	fields []int // of a struct: those to follow
}

var shapes sync.Map // of *shape by reflect.Type

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := &shape{flat: isFlat(t)}
	if !s.flat && t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-" && !isFlat(f.Type) {
				s.fields = append(s.fields, i)
			}
		}
		s.flat = len(s.fields) == 0
	}
	shapes.Store(t, s)
	return s
}

// isFlat reports whether values of a type hold no others, or only such as hold
// none, or are written by methods of their own.
func isFlat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Slice, reflect.Array, reflect.Map:
		return hasMarshaler(t) || isScalar(t.Elem().Kind())
	case reflect.Pointer, reflect.Struct:
		return hasMarshaler(t)
	}
	return true
}

func isScalar(k reflect.Kind) bool { return k < reflect.Array || k == reflect.String }

// message writes the text of an error.
func (e *encoder) message(err error) {
	defer e.recoverAt(len(e.dst), err)
	e.dst = AppendString(e.dst, err.Error())
}

// marshal is json.Marshal without HTML escapes and without panics. The text is
// good until the next call.
func (e *encoder) marshal(v any) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &json.MarshalerError{Type: reflect.TypeOf(v), Err: errPanicked}
		}
	}()
	if e.buffer.Cap() > bufferMost {
		e.buffer = bytes.Buffer{}
	}
	e.buffer.Reset()
	if err := e.json.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(e.buffer.Bytes(), []byte("\n")), nil
}

// bufferMost is how long a buffer may be to be kept.
const bufferMost = 64 << 10

type panicked struct{}

func (panicked) Error() string { return "the method panicked" }

var errPanicked = panicked{}

var (
	marshalerType     = reflect.TypeFor[json.Marshaler]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

func hasMarshaler(t reflect.Type) bool {
	return t.Implements(marshalerType) || t.Implements(textMarshalerType)
}

// walk writes a value part by part.
func (e *encoder) walk(v reflect.Value, depth int) {
	if !v.IsValid() {
		e.null()
		return
	}
	if v.CanInterface() {
		t := v.Type()
		switch _, isError := reflect.TypeAssert[error](v); {
		case v.Kind() == reflect.Interface:
		case hasMarshaler(t), v.CanAddr() && hasMarshaler(reflect.PointerTo(t)):
			e.leaf(v, depth)
			return
		case isError:
			if nilable(v) && v.IsNil() {
				e.null()
				return
			}
			e.message(v.Interface().(error))
			return
		}
	}
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() || !v.Elem().CanInterface() {
			e.walk(v.Elem(), depth)
			return
		}
		e.value(v.Elem().Interface(), depth)
	case reflect.Pointer:
		if v.IsNil() {
			e.null()
			return
		}
		// A pointer opens no level of JSON, but pointers can form a cycle of
		// their own; the path is as long as the cycle at the most.
		if e.enter(container{address: v.UnsafePointer(), pointer: v.Type()}, depth) {
			e.walk(v.Elem(), depth)
			e.leave()
		}
	case reflect.Map:
		e.walkMap(v, depth)
	case reflect.Slice:
		if v.IsNil() {
			e.null()
			return
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			e.leaf(v, depth)
			return
		}
		e.walkElements(v, container{address: v.UnsafePointer(), length: v.Len()}, depth)
	case reflect.Array:
		e.walkElements(v, container{}, depth)
	case reflect.Struct:
		e.walkStruct(v, depth)
	case reflect.Float32, reflect.Float64:
		e.float(v.Float(), v.Type().Bits())
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		e.replace("ERROR", "type %s has no JSON form", v.Type())
	default:
		e.leaf(v, depth)
	}
}

func nilable(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.Interface:
		return true
	}
	return false
}

// leaf writes a value that is not taken apart: a scalar, or what a marshaler
// makes of it.
func (e *encoder) leaf(v reflect.Value, depth int) {
	if !v.CanInterface() {
		e.replace("ERROR", "type %s is not exported", v.Type())
		return
	}
	if nilable(v) && v.IsNil() {
		e.null()
		return
	}
	value := v.Interface()
	if v.CanAddr() {
		value = v.Addr().Interface() // for methods on the pointer
	}
	text, err := e.marshal(value)
	switch {
	case err == nil:
		e.raw(text, depth)
	case strings.HasSuffix(err.Error(), errPanicked.Error()):
		e.replace("PANIC", "%s: its marshaler panicked", v.Type())
	default:
		e.replace("ERROR", "%v", err)
	}
}

func (e *encoder) walkElements(v reflect.Value, c container, depth int) {
	if !e.enter(c, depth) {
		return
	}
	e.dst = append(e.dst, '[')
	for i := range v.Len() {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		e.walk(v.Index(i), depth+1)
	}
	e.dst = append(e.dst, ']')
	e.leave()
}

func (e *encoder) walkMap(v reflect.Value, depth int) {
	if v.IsNil() {
		e.null()
		return
	}
	if !e.enter(container{address: v.UnsafePointer()}, depth) {
		return
	}
	type entry struct {
		key   string
		value reflect.Value
	}
	entries := make([]entry, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		key, ok := mapKey(it.Key())
		if !ok {
			e.report(fmt.Errorf("a key of type %s has no JSON form", it.Key().Type()))
		}
		entries = append(entries, entry{key, it.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	e.dst = append(e.dst, '{')
	for i, entry := range entries {
		e.key(i, entry.key)
		e.walk(entry.value, depth+1)
	}
	e.dst = append(e.dst, '}')
	e.leave()
}

// mapKey returns the key of a map as encoding/json has it, or what stands in
// for one that has no JSON form.
func mapKey(k reflect.Value) (key string, ok bool) {
	defer func() {
		if recover() != nil {
			key, ok = "!PANIC: "+k.Type().String(), false
		}
	}()
	if k.Kind() == reflect.String {
		return k.String(), true
	}
	if k.CanInterface() {
		if m, isText := reflect.TypeAssert[encoding.TextMarshaler](k); isText {
			if text, err := m.MarshalText(); err == nil {
				return string(text), true
			}
			return "!ERROR: " + k.Type().String(), false
		}
	}
	switch {
	case k.Kind() == reflect.Interface && !k.IsNil():
		return mapKey(k.Elem())
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), true
	case k.CanUint():
		return strconv.FormatUint(k.Uint(), 10), true
	case k.CanFloat():
		return strings.Trim(string(AppendFloat(nil, k.Float(), k.Type().Bits())), `"`), true
	case k.Kind() == reflect.Bool:
		return strconv.FormatBool(k.Bool()), true
	}
	return "!ERROR: " + k.Type().String(), false
}

// walkStruct writes the fields that encoding/json would write: exported ones
// and those promoted from embedded structs, by the names of their tags.
func (e *encoder) walkStruct(v reflect.Value, depth int) {
	if !e.enter(container{}, depth) {
		return
	}
	e.dst = append(e.dst, '{')
	n := 0
	e.walkFields(v, depth, &n, map[string]bool{})
	e.dst = append(e.dst, '}')
	e.leave()
}

func (e *encoder) walkFields(v reflect.Value, depth int, n *int, seen map[string]bool) {
	t := v.Type()
	var embedded []reflect.Value
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		fv := v.Field(i)
		switch {
		case tagged && tag == "-":
			continue
		case f.Anonymous && name == "":
			if fv.Kind() == reflect.Pointer {
				fv = fv.Elem()
			}
			if fv.Kind() == reflect.Struct {
				embedded = append(embedded, fv) // outer fields win
				continue
			}
			if !fv.IsValid() || !f.IsExported() {
				continue
			}
		case !f.IsExported():
			continue
		}
		if name == "" {
			name = f.Name
		}
		if seen[name] || omitted(fv, options) {
			continue
		}
		seen[name] = true
		e.key(*n, name)
		*n++
		e.walk(fv, depth+1)
	}
	for _, fv := range embedded {
		if depth < MaxDepth { // a struct can embed a pointer to itself
			e.walkFields(fv, depth+1, n, seen)
		}
	}
}

func omitted(v reflect.Value, options string) bool {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitzero":
			if v.IsZero() {
				return true
			}
		case "omitempty":
			switch v.Kind() {
			case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
				if v.Len() == 0 {
					return true
				}
			case reflect.Struct:
			default:
				if v.IsZero() {
					return true
				}
			}
		}
	}
	return false
}
