package convert

import (
	"maps"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// rank orders the sources of one key: the lowest counts. Each dialect has room
// for the lines of its table, so that they can order their own aliases.
type rank int

// rankRoom is how many ranks a dialect has.
const rankRoom = 1000

const (
	rankOwn           rank = iota * rankRoom // HoneyHive's attributes and this library's
	rankGenAI                                // OpenTelemetry GenAI
	rankOpenInference                        // OpenInference
	rankTraceloop                            // Traceloop (OpenLLMetry)
	rankRest                                 // what no table names
	rankDerived                              // what the conversion says itself
)

// last is the rank of what counts only if nothing else in the dialect says it.
func (r rank) last() rank { return r + rankRoom - 1 }

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
	build func(*bucketReader) []member
}

// bucketReader collects one bucket of a record.
type bucketReader struct {
	whole     honeyhive.Object // from the attribute that holds the bucket
	wholeKeys map[string]string
	members   []member
	places    map[string]int // of members by key, once there are many
	groups    []group
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
func (b *bucketReader) putGroup(from rank, marks []string, build func(*bucketReader) []member) {
	b.groups = append(b.groups, group{from, marks, build})
}

// putObject adds the keys of a JSON object, or the text under a key where it is
// none.
func (b *bucketReader) putObject(otherwise, text string, from rank) {
	if rawjson.KindOf(text) != rawjson.Object {
		b.put(otherwise, text, from)
		return
	}
	for k, v := range rawjson.Members(text) {
		b.put(k, v, from)
	}
}

// get returns the value that a key has so far. It is for the building of
// groups.
func (b *bucketReader) get(key string) (string, bool) {
	text, ok := b.wholeKeys[key]
	if i := b.place(key); i >= 0 && (!ok || b.members[i].rank < rankGenAI) {
		return b.members[i].text, true
	}
	return text, ok
}

// taken reports whether a better source has one of the marks of a group.
func (b *bucketReader) taken(g group) bool {
	return slices.ContainsFunc(g.marks, func(mark string) bool {
		if _, ok := b.wholeKeys[mark]; ok {
			return true
		}
		i := b.place(mark)
		return i >= 0 && b.members[i].rank <= g.rank
	})
}

// bucketDepth is how deep a bucket may be nested: with the payload around it,
// and the list of a batch around that, it must stay within what this library
// reads itself.
const bucketDepth = rawjson.MaxDepth - 3

// object returns the bucket: first the keys of the whole, then the others in
// the order in which they came. A key of its own attribute wins over the whole,
// the whole over every other dialect.
func (b *bucketReader) object() honeyhive.Object {
	whole := b.whole
	if len(b.members) > 0 || len(b.groups) > 0 {
		whole = b.merged()
	}
	return honeyhive.TrustedObject(shallow(whole.JSONText(), bucketDepth))
}

func (b *bucketReader) merged() honeyhive.Object {
	if !b.whole.IsEmpty() {
		b.wholeKeys = maps.Collect(rawjson.Members(b.whole.JSONText()))
	}
	slices.SortStableFunc(b.groups, func(x, y group) int { return int(x.rank - y.rank) })
	for _, g := range b.groups {
		if b.taken(g) {
			continue
		}
		for _, m := range g.build(b) {
			b.put(m.key, m.text, g.rank)
		}
	}
	if text := b.text(); text != "{}" {
		return b.whole.Merge(honeyhive.TrustedObject(text))
	}
	return b.whole
}

// text returns the members as a JSON object, but those that the whole has from
// a better source.
func (b *bucketReader) text() string {
	text := []byte{'{'}
	for _, m := range b.members {
		if _, ok := b.wholeKeys[m.key]; ok && m.rank >= rankGenAI {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(rawjson.AppendString(text, m.key), ':')
		text = append(text, m.text...)
	}
	return string(append(text, '}'))
}
