package honeyhive

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// A FieldError says what is wrong with one field of a payload. Validate and
// UnmarshalJSON return one for each such field, joined by [errors.Join].
type FieldError struct {
	Field   string // name on the wire, such as "session_name"
	Problem string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// field describes one field of the payload type P: its two names, and how it
// is written, read and checked. One table of fields serves every method of a
// payload, so that they cannot drift apart.
type field[P any] struct {
	name, camel string
	// members are the names as they stand in an object, with their quotes and colon.
	members  [2]string
	required bool
	nullable bool             // the schema of the API takes a null
	object   func(*P) *Object // of a field that is a map
	state    func(*P) state
	write    func([]byte, *P) []byte // appends a present value
	read     func(*P, string) error  // sets the value from canonical JSON, not null
	setNull  func(*P)
	check    func(*P) string // says what is wrong with a present value, or ""
}

func (f field[P]) isRequired() field[P] { f.required = true; return f }

func (f field[P]) isNullable() field[P] { f.nullable = true; return f }

// codec is what a field does with values of the type V.
type codec[V any] struct {
	write func([]byte, V) []byte
	read  func(string) (V, error)
	check func(V) string
}

// optionalField describes a field that at finds in a payload.
func optionalField[P, V any](name, camel string, c codec[V], at func(*P) *Optional[V]) field[P] {
	return field[P]{
		name: name, camel: camel, members: [2]string{`"` + name + `":`, `"` + camel + `":`},
		state: func(p *P) state { return at(p).state },
		write: func(dst []byte, p *P) []byte { return c.write(dst, at(p).value) },
		read: func(p *P, text string) error {
			v, err := c.read(text)
			if err == nil {
				*at(p) = Some(v)
			}
			return err
		},
		setNull: func(p *P) { *at(p) = Null[V]() },
		check:   func(p *P) string { return c.check(at(p).value) },
	}
}

// objectField describes a map of the payload.
func objectField[P any](name, camel string, at func(*P) *Object) field[P] {
	return field[P]{
		name: name, camel: camel, members: [2]string{`"` + name + `":`, `"` + camel + `":`}, object: at,
		state: func(p *P) state {
			switch o := at(p); {
			case o.IsZero():
				return absent
			case o.IsNull():
				return null
			}
			return present
		},
		write: func(dst []byte, p *P) []byte { return append(dst, at(p).text...) },
		read: func(p *P, text string) error {
			if k := rawjson.KindOf(text); k != rawjson.Object {
				return kindError{k}
			}
			*at(p) = Object{text: text}
			return nil
		},
		setNull: func(p *P) { *at(p) = NullObject() },
		check:   func(*P) string { return "" },
	}
}

// Strings: any, those that must not be empty, and those that must be a UUID.
var (
	textCodec = codec[string]{
		write: rawjson.AppendString,
		read: func(raw string) (string, error) {
			if k := rawjson.KindOf(raw); k != rawjson.String {
				return "", fmt.Errorf("is a JSON %s, not a string", k)
			}
			return rawjson.Unquote(raw), nil
		},
		check: func(string) string { return "" },
	}
	nonEmptyCodec = codec[string]{write: textCodec.write, read: textCodec.read, check: func(v string) string {
		if v == "" {
			return "is empty"
		}
		return ""
	}}
	idCodec = codec[string]{write: textCodec.write, read: textCodec.read, check: checkID}
)

func checkID(v string) string {
	if _, err := ParseUUID(v); err != nil {
		return err.Error()
	}
	return ""
}

// Numbers: any that is finite, and those without a fraction, which the schema
// asks of end_time.
var (
	numberCodec = codec[float64]{
		write: func(dst []byte, v float64) []byte { return rawjson.AppendFloat(dst, v, 64) },
		read: func(raw string) (float64, error) {
			if k := rawjson.KindOf(raw); k != rawjson.Number {
				return 0, fmt.Errorf("is a JSON %s, not a number", k)
			}
			v, err := strconv.ParseFloat(raw, 64)
			if err != nil {
				return 0, errors.New("is out of the range of a 64-bit float")
			}
			return v, nil
		},
		check: func(v float64) string {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return "is not a finite number"
			}
			return ""
		},
	}
	instantCodec = codec[float64]{write: numberCodec.write, read: numberCodec.read, check: func(v float64) string {
		if v != math.Trunc(v) { // true of NaN as well
			return "is not a whole number of milliseconds"
		}
		return numberCodec.check(v)
	}}
)

// idListCodec is for lists of UUIDs.
var idListCodec = codec[[]string]{
	write: func(dst []byte, list []string) []byte {
		dst = append(dst, '[')
		for i, v := range list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = rawjson.AppendString(dst, v)
		}
		return append(dst, ']')
	},
	read: func(raw string) ([]string, error) {
		if k := rawjson.KindOf(raw); k != rawjson.Array {
			return nil, fmt.Errorf("is a JSON %s, not an array", k)
		}
		list := []string{}
		for v := range rawjson.Elements(raw) {
			s, err := textCodec.read(v)
			if err != nil {
				return nil, fmt.Errorf("element %d %w", len(list), err)
			}
			list = append(list, s)
		}
		return list, nil
	},
	check: func(list []string) string {
		for i, v := range list {
			if problem := checkID(v); problem != "" {
				return fmt.Sprintf("element %d: %s", i, problem)
			}
		}
		return ""
	},
}

// appendPayload writes the fields that are not absent, in the order of the
// table, and then the unknown ones.
func appendPayload[P any](dst []byte, p *P, fields []field[P], unknown Object, camel bool) []byte {
	if size := textBytes(p, fields, unknown); size >= largePayload {
		const perField = 64
		dst = slices.Grow(dst, size+perField*len(fields))
	}
	dst = append(dst, '{')
	first := len(dst)
	spelling := 0
	if camel {
		spelling = 1
	}
	for i := range fields {
		f := &fields[i]
		s := f.state(p)
		if s == absent {
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(dst, f.members[spelling]...)
		if s == null {
			dst = append(dst, "null"...)
		} else {
			dst = f.write(dst, p)
		}
	}
	for k, v := range rawjson.Members(unknown.text) {
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(append(rawjson.AppendString(dst, k), ':'), v...)
	}
	return append(dst, '}')
}

// largePayload is how long a payload is for which room is made at once: room that grows
// would be there twice for a while.
const largePayload = 64 << 10

// textBytes returns how many bytes the objects of a payload have.
func textBytes[P any](p *P, fields []field[P], unknown Object) int {
	n := len(unknown.text)
	for i := range fields {
		if fields[i].object != nil {
			n += len(fields[i].object(p).text)
		}
	}
	return n
}

// readPayload is readMembers for JSON of any form, of which it keeps a copy.
func readPayload[P any](data []byte, p *P, fields []field[P], unknown *Object) error {
	body, err := rawjson.Parse(string(data))
	if err != nil {
		return err
	}
	if k := rawjson.KindOf(body); k != rawjson.Object {
		return kindError{k}
	}
	return readMembers(Value(body).Members(), p, fields, unknown)
}

// readMembers sets the fields that canonical JSON holds, in either spelling; their texts
// refer to it. It reads as much as it can, and returns a [FieldError] for each field of
// a wrong type and for each that stands twice.
func readMembers[P any](members iter.Seq2[string, Value], p *P, fields []field[P], unknown *Object) error {
	var problems []error
	var rest objectBuilder
	seen := make(map[string]bool, len(fields))
	for k, v := range members {
		f := find(fields, k)
		wire := k
		if f != nil {
			wire = f.name
		}
		if seen[wire] {
			problems = append(problems, &FieldError{Field: wire, Problem: "stands more than once"})
			continue
		}
		seen[wire] = true
		switch {
		case f == nil:
			rest.add(k, string(v))
		case v == "null":
			f.setNull(p)
		default:
			if err := f.read(p, string(v)); err != nil {
				problems = append(problems, &FieldError{Field: wire, Problem: err.Error()})
			}
		}
	}
	if len(rest.text) > 0 {
		*unknown = rest.object()
	}
	return errors.Join(problems...)
}

func find[P any](fields []field[P], key string) *field[P] {
	for i := range fields {
		if fields[i].name == key || fields[i].camel == key {
			return &fields[i]
		}
	}
	return nil
}

// validate returns a [FieldError] for each field that is missing or wrong.
func validate[P any](p *P, fields []field[P]) []error {
	var problems []error
	for i := range fields {
		f := &fields[i]
		problem := ""
		switch f.state(p) {
		case absent:
			if f.required {
				problem = "is missing"
			}
		case null:
			if !f.nullable {
				problem = "is null"
			}
		case present:
			problem = f.check(p)
		}
		if problem != "" {
			problems = append(problems, &FieldError{Field: f.name, Problem: problem})
		}
	}
	return problems
}
