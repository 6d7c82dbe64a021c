package llmhttp

import (
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// An object is a JSON object being written to b, from start.
type object struct {
	b     []byte
	start int
}

func (o *object) empty() bool { return len(o.b) == o.start }

func (o *object) key(key string) {
	if o.empty() {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(rawjson.AppendString(o.b, key), ':')
}

// always writes a string.
func (o *object) always(key, value string) {
	o.key(key)
	o.b = rawjson.AppendString(o.b, value)
}

// text writes a string, unless it is empty.
func (o *object) text(key, value string) {
	if value != "" {
		o.always(key, value)
	}
}

// json writes what is JSON already, unless it is empty.
func (o *object) json(key, value string) {
	if value != "" {
		o.key(key)
		o.b = append(o.b, value...)
	}
}

// flag writes what is so.
func (o *object) flag(key string, is bool) {
	if is {
		o.json(key, "true")
	}
}

func (o *object) count(key string, n int64) {
	o.key(key)
	o.b = strconv.AppendInt(o.b, n, 10)
}

func (o *object) bytes() []byte {
	if o.empty() {
		o.b = append(o.b, '{')
	}
	return append(o.b, '}')
}

// fields are members of an object that is put together in no certain order: what
// is set again is replaced.
type fields []field

type field struct {
	key, value string
	plain      bool // the value is a string, not JSON yet
}

// set sets a member, unless its value is empty.
func (f *fields) set(m field) {
	if m.value == "" {
		return
	}
	for i := range *f {
		if (*f)[i].key == m.key {
			(*f)[i] = m
			return
		}
	}
	*f = append(*f, m)
}

// json sets a member to what is JSON already, unless it is empty.
func (f *fields) json(key, value string) { f.set(field{key: key, value: value}) }

// text sets a member to a string, unless it is empty.
func (f *fields) text(key, value string) { f.set(field{key: key, value: value, plain: true}) }

func (f *fields) count(key string, n int64) { f.json(key, strconv.FormatInt(n, 10)) }

func (f *fields) decimal(key string, n float64) {
	f.json(key, strconv.FormatFloat(n, 'f', 3, 64))
}

// object returns the object.
func (f fields) object() honeyhive.Object {
	return canonical.Object(build(f.bytes(), func(b []byte) []byte {
		o := object{b: b}
		o.fields(f)
		return o.bytes()
	}))
}

// bytes returns about how long the object is.
func (f fields) bytes() int {
	size := 2
	for i := range f {
		size += len(f[i].key) + len(f[i].value) + len(`"":"",`)
	}
	return size
}

// fields writes members.
func (o *object) fields(f fields) {
	for i := range f {
		if m := &f[i]; m.plain {
			o.text(m.key, m.value)
		} else {
			o.json(m.key, m.value)
		}
	}
}
