// Package record holds what every store does alike with a payload, apart from
// any database: how payloads of one id are merged, and what is read from them
// for lists, plots and search.
package record

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// What is known of an id is a row of layers, one for each write that still says
// something, from the earliest to the latest. A write is divided into cells:
// its fields, and the keys of those fields that are maps. Of two cells of the
// same place the later one stays, so that a layer is what a write says and no
// later one does. Since a place has one winner whichever cell came first, the
// layers do not depend on the order of arrival, and there are never more of
// them than places.

// Rank orders layers before their time does.
type Rank uint8

// The ranks; see the documentation of package store on what wins.
const (
	Announced Rank = iota // a record without an end
	Whole                 // a record with one
	Updated               // an update
	perOrigin
)

// with returns the rank of a write that only fills in, which is below all
// others, or else of one that does not.
func (r Rank) with(fill bool) Rank {
	if fill {
		return r
	}
	return r + perOrigin
}

// isRecord reports whether the rank is of a record, not of an update.
func (r Rank) isRecord() bool { return r%perOrigin != Updated }

// Stamp is when a write was made, in the order of what wins.
type Stamp struct {
	Rank Rank
	At   int64  // Unix nanoseconds
	Hash uint64 // of the payload
}

// Compare orders stamps from the earliest to the latest.
func (s Stamp) Compare(t Stamp) int {
	return cmp.Or(cmp.Compare(s.Rank, t.Rank), cmp.Compare(s.At, t.At), cmp.Compare(s.Hash, t.Hash))
}

// Layer is what a write says and no later one does.
type Layer struct {
	Stamp
	Text string // canonical JSON of a payload
}

// NewLayer returns the layer of a whole payload, in canonical JSON.
func NewLayer(rank Rank, at int64, text string) Layer {
	sum := sha256.Sum256(bytesOf(text))
	return Layer{Stamp{rank, at, binary.BigEndian.Uint64(sum[:8])}, text}
}

// mapFields are the fields that are merged by key.
var mapFields = map[string]bool{
	"config": true, "inputs": true, "outputs": true, "metadata": true, "metrics": true, "feedback": true, "user_properties": true, "evaluations": true,
}

// place is where a cell stands: a field, or a key in a field.
type place struct {
	field, key string
	inside     bool
}

// cell is the value at a place, and the layer that it came with.
type cell struct {
	place
	text  string
	layer int
}

// isNull reports whether the cell gives way to any other.
func (c cell) isNull() bool { return !c.inside && c.text == "null" }

// cells walks the places of a payload in their order. A map without keys, and
// one that is null, is a cell itself.
func cells(text string, layer int) func(yield func(cell) bool) {
	return func(yield func(cell) bool) {
		for field, value := range honeyhive.Value(text).Members() {
			for c := range cellsOf(field, value, layer) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// cellsOf walks the places of a field.
func cellsOf(field string, value honeyhive.Value, layer int) func(yield func(cell) bool) {
	return func(yield func(cell) bool) {
		if !mapFields[field] || value == "{}" || value.Kind() != honeyhive.KindObject {
			yield(cell{place{field: field}, string(value), layer})
			return
		}
		for key, v := range value.Members() {
			if !yield(cell{place{field, key, true}, string(v), layer}) {
				return
			}
		}
	}
}

// together returns layers and others in order, each once, and whether there is nothing
// to merge: nothing is new, or there is one alone.
func together(layers, more []Layer) (all []Layer, settled bool) {
	all = append(make([]Layer, 0, len(layers)+len(more)), layers...)
	for i := range more {
		if !slices.ContainsFunc(all, func(known Layer) bool { return known.Stamp == more[i].Stamp }) {
			all = append(all, more[i])
		}
	}
	if len(all) == len(layers) || len(all) == 1 {
		return all, true
	}
	slices.SortFunc(all, func(a, b Layer) int { return a.Compare(b.Stamp) })
	return all, false
}

// Merge adds layers to others, and returns them in order. It changes none of its
// arguments.
func Merge(layers []Layer, more ...Layer) []Layer {
	all, settled := together(layers, more)
	if settled {
		return all
	}

	winners := make(map[place]cell)
	for i := range all {
		for c := range cells(all[i].Text, i) {
			old, known := winners[c.place]
			if !known || old.isNull() || !c.isNull() {
				winners[c.place] = c
			}
		}
	}
	out := all[:0]
	for i := range all {
		if text := remaining(all[i].Text, i, winners); text != "{}" {
			out = append(out, Layer{all[i].Stamp, text})
		}
	}
	return out
}

// remaining returns the part of a payload that won.
func remaining(text string, layer int, winners map[place]cell) string {
	whole := true
	for c := range cells(text, layer) {
		if winners[c.place].layer != layer {
			whole = false
			break
		}
	}
	if whole {
		return text
	}
	var w writer
	for c := range cells(text, layer) {
		if winners[c.place].layer == layer {
			w.add(c)
		}
	}
	return w.object()
}

// Keys returns how many keys the maps of a payload have, or one more than most.
func Keys(text string, most int) int {
	n := 0
	for c := range cells(text, 0) {
		if c.inside {
			n++
		}
		if n > most {
			break
		}
	}
	return n
}

// Fold returns the payload that layers come to, its fields in the order in which
// they first stand.
func Fold(layers []Layer) string {
	if len(layers) == 1 {
		return layers[0].Text
	}
	var out writer
	for field, value := range fold(layers) {
		out.member(field, string(value))
	}
	return out.object()
}

// fold walks the fields of the payload that layers come to. What one layer alone has of
// a field is a part of its text.
func fold(layers []Layer) iter.Seq2[string, honeyhive.Value] {
	if len(layers) == 1 {
		return honeyhive.Value(layers[0].Text).Members()
	}
	var order []string
	values := make(map[string][]honeyhive.Value)
	for i := range layers {
		for field, value := range honeyhive.Value(layers[i].Text).Members() {
			if values[field] == nil {
				order = append(order, field)
			}
			values[field] = append(values[field], value)
		}
	}
	return func(yield func(string, honeyhive.Value) bool) {
		for _, field := range order {
			if !yield(field, foldValues(field, values[field])) {
				return
			}
		}
	}
}

// foldValues returns what the values of a field come to, the earliest first.
func foldValues(field string, values []honeyhive.Value) honeyhive.Value {
	if len(values) == 1 {
		return values[0]
	}
	var w writer
	for i, value := range values {
		for c := range cellsOf(field, value, i) {
			w.fold(c)
		}
	}
	return honeyhive.Value(w.value())
}

// writer writes an object from cells.
type writer struct {
	buf   []byte
	field string // whose map is open
	open  bool
	plain string // the value of a field that is no map, or a map without keys
}

func (w *writer) member(key, value string) {
	if len(w.buf) == 0 {
		w.buf = append(w.buf, '{')
	} else if w.buf[len(w.buf)-1] != '{' {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(append(w.buf, honeyhive.StringValue(key)...), ':')
	w.buf = append(w.buf, value...)
}

// add writes cells that come field by field.
func (w *writer) add(c cell) {
	if w.open && (!c.inside || w.field != c.field) {
		w.buf, w.open = append(w.buf, '}'), false
	}
	if c.inside && !w.open {
		w.member(c.field, "{")
		w.field, w.open = c.field, true
	}
	if c.inside {
		w.member(c.key, c.text)
	} else {
		w.member(c.field, c.text)
	}
}

func (w *writer) object() string {
	if w.open {
		w.buf, w.open = append(w.buf, '}'), false
	}
	if len(w.buf) == 0 {
		return "{}"
	}
	return textOf(append(w.buf, '}'))
}

// fold writes cells of one field.
func (w *writer) fold(c cell) {
	switch {
	case c.inside:
		w.member(c.key, c.text)
	case w.plain == "" || c.text != "null":
		w.plain = c.text
	}
}

func (w *writer) value() string {
	if len(w.buf) > 0 {
		return w.object()
	}
	return w.plain
}

// EncodeLayers writes layers for a database: nil for a single record, of which
// its stamp and the payload say all.
func EncodeLayers(layers []Layer) []byte {
	if len(layers) == 1 && layers[0].Rank.isRecord() {
		return nil
	}
	var b []byte
	for i := range layers {
		l := &layers[i]
		b = append(b, byte(l.Rank))
		b = binary.AppendVarint(b, l.At)
		b = binary.BigEndian.AppendUint64(b, l.Hash)
		b = binary.AppendUvarint(b, uint64(len(l.Text)))
		b = append(b, l.Text...)
	}
	return b
}

// DecodeLayers reads what EncodeLayers wrote, and reports whether it is whole.
func DecodeLayers(b []byte) ([]Layer, bool) {
	var layers []Layer
	for len(b) > 0 {
		l, start, end, ok := layerAt(textOf(b))
		if !ok {
			return nil, false
		}
		l.Text, b = string(b[start:end]), b[end:]
		layers = append(layers, l)
	}
	return layers, true
}

// layerAt reads the first of encoded layers, but for its text, which stands between two
// places.
func layerAt(encoded string) (l Layer, start, end int, ok bool) {
	b := bytesOf(encoded)
	l.Rank = Rank(b[0])
	at, n := binary.Varint(b[1:])
	if n <= 0 || len(b) < 1+n+8 {
		return l, 0, 0, false
	}
	l.At, start = at, 1+n+8
	l.Hash = binary.BigEndian.Uint64(b[1+n:])
	size, n := binary.Uvarint(b[start:])
	if start += n; n <= 0 || size > uint64(len(b)-start) {
		return l, 0, 0, false
	}
	return l, start, start + int(size), true //nolint:gosec // at most what is left, see above
}

// Has reports whether a layer is of a record, not of an update.
func Has(layers []Layer) bool {
	return slices.ContainsFunc(layers, func(l Layer) bool { return l.Rank.isRecord() })
}
