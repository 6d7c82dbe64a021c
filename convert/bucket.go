package convert

import (
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// rank orders the sources of one key: the lowest counts. Ranks below dialect
// are spaced so that a table can order its own aliases.
type rank int

const (
	rankOwn           rank = iota * 100 // HoneyHive's attributes and this library's
	rankGenAI                           // OpenTelemetry GenAI
	rankOpenInference                   // OpenInference
	rankTraceloop                       // Traceloop (OpenLLMetry)
	rankRest                            // what no table names
)

// member is one key of a bucket.
type member struct {
	key, text string
	rank      rank
}

// group stands for several keys that come from one attribute, or from a family
// of them. It is taken as a whole, and only if the bucket has none of its
// marks from a better source; build runs only then.
type group struct {
	rank  rank
	marks []string
	build func() []member
}

// bucketReader collects one bucket of a record.
type bucketReader struct {
	whole   honeyhive.Object // from the attribute that holds the bucket
	members []member
	places  map[string]int // of members by key, once there are many
	groups  []group
}

// put sets a key, unless a better source has set it. Its place is that of the
// first that did.
func (b *bucketReader) put(key, text string, from rank) {
	if i := b.place(key); i >= 0 {
		if m := &b.members[i]; from <= m.rank {
			m.text, m.rank = text, from
		}
		return
	}
	b.members = append(b.members, member{key, text, from})
	if b.places != nil {
		b.places[key] = len(b.members) - 1
	}
}

// place returns the index of the member with the key, or -1.
func (b *bucketReader) place(key string) int {
	const few = 32
	if len(b.members) <= few {
		return slices.IndexFunc(b.members, func(m member) bool { return m.key == key })
	}
	if b.places == nil {
		b.places = make(map[string]int, 2*len(b.members))
		for i := range b.members {
			b.places[b.members[i].key] = i
		}
	}
	if i, ok := b.places[key]; ok {
		return i
	}
	return -1
}

// putGroup adds a group.
func (b *bucketReader) putGroup(from rank, marks []string, build func() []member) {
	b.groups = append(b.groups, group{from, marks, build})
}

// object returns the bucket: first the keys of the whole, then the others in
// the order in which they came. A key of its own attribute wins over the whole,
// the whole over every other dialect.
func (b *bucketReader) object() honeyhive.Object {
	if len(b.members) == 0 && len(b.groups) == 0 {
		return b.whole
	}
	wholeKeys := make(map[string]bool)
	for k := range rawjson.Members(b.whole.JSONText()) {
		wholeKeys[k] = true
	}
	slices.SortStableFunc(b.groups, func(x, y group) int { return int(x.rank - y.rank) })
	for _, g := range b.groups {
		taken := slices.ContainsFunc(g.marks, func(mark string) bool {
			i := b.place(mark)
			return wholeKeys[mark] || i >= 0 && b.members[i].rank <= g.rank
		})
		if taken {
			continue
		}
		for _, m := range g.build() {
			b.put(m.key, m.text, g.rank)
		}
	}
	var text []byte
	for _, m := range b.members {
		if m.rank >= rankGenAI && wholeKeys[m.key] {
			continue
		}
		if text == nil {
			text = append(text, '{')
		} else {
			text = append(text, ',')
		}
		text = append(rawjson.AppendString(text, m.key), ':')
		text = append(text, m.text...)
	}
	if text == nil {
		return b.whole
	}
	return b.whole.Merge(honeyhive.TrustedObject(string(append(text, '}'))))
}
