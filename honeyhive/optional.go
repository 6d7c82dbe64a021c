package honeyhive

import "reflect"

// Optional is the value of a field that may be absent or null. The zero value
// is absent. A value is not shared unless T is a slice, which must not change
// while the payload that holds it is in use.
type Optional[T any] struct {
	value T
	state state
}

type state uint8

const (
	absent state = iota
	null
	present
)

// Some returns a field that holds v.
func Some[T any](v T) Optional[T] { return Optional[T]{value: v, state: present} }

// Null returns a field that is null, which is written as such.
func Null[T any]() Optional[T] { return Optional[T]{state: null} }

// Get returns the value, and whether there is one: false for a field that is
// absent or null.
func (o Optional[T]) Get() (T, bool) { return o.value, o.state == present }

// Or returns the value, or otherwise where there is none.
func (o Optional[T]) Or(otherwise T) T {
	if o.state == present {
		return o.value
	}
	return otherwise
}

// IsNull reports whether the field is null.
func (o Optional[T]) IsNull() bool { return o.state == null }

// IsZero reports whether the field is absent.
func (o Optional[T]) IsZero() bool { return o.state == absent }

// Equal reports whether both fields are in the same state and hold deeply
// equal values.
func (o Optional[T]) Equal(p Optional[T]) bool {
	return o.state == p.state && (o.state != present || reflect.DeepEqual(o.value, p.value))
}
