package convert

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/canonical"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// rank orders the sources of one key: the lowest counts. Each dialect has room
// for the lines of its table, so that they can order their own aliases.
type rank int

// rankRoom is how many ranks a dialect has.
const rankRoom = 1000

const rankKnown rank = -1 // what is known beside the attributes

const (
	rankOwn           rank = iota * rankRoom // HoneyHive's attributes and this library's
	rankLangfuse                             // what users say to Langfuse's SDK, and to LangSmith's, counts more
	rankLangSmith                            // than what the instrumentations beside them say
	rankGenAI                                // OpenTelemetry GenAI
	rankOpenInference                        // OpenInference
	rankTraceloop                            // Traceloop (OpenLLMetry)
	rankVercel                               // Vercel AI SDK
	rankMastra
	rankGenkit
	rankPydantic // pydantic-ai and Logfire
	rankLiveKit
	rankMLflow
	rankMCP
	rankVector  // databases with vectors
	rankAgents  // agent frameworks that speak GenAI with a few names of their own
	rankValue   // what a step took or gave as one value, beside what says more
	rankHint    // what a span must be where nothing says what it is
	rankRest    // what no table names
	rankDerived // what the conversion says itself
)

// rankThread is added to the rank of a name of a conversation or thread, so that any
// name of a session goes before it.
const rankThread = 1 << 20

// own reports whether the source is HoneyHive's attributes, or better.
func (r rank) own() bool { return r < rankOwn+rankRoom }

// last is the rank of what counts only if nothing else in the dialect says it.
func (r rank) last() rank { return r + rankRoom - 1 }

// member is one key of a bucket. Its value is a text, or an attribute that is
// written when it is known to be needed.
type member struct {
	key, text string
	value     attribute.Value
	unwritten bool // the value stands for the text
	rank      rank
}

func (m *member) append(dst []byte) []byte {
	if m.unwritten {
		return appendValue(dst, m.value, 0)
	}
	return append(dst, m.text...)
}

// json returns the value as text.
func (m *member) json() string {
	if m.unwritten {
		return plain(m.value)
	}
	return m.text
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
	whole   honeyhive.Object // from the attribute that holds the bucket
	had     []pair           // the members of the whole, once they are asked for
	hadAt   map[string]int   // of them by key, where there are many
	members []member
	places  map[string]int // of members by key, once there are many
	groups  []group
	scratch []byte // in which objects are written
	last    string // what closed returned last, if that was short
}

// few is how many keys are looked through without an index.
const few = 32

// put sets a key, unless a better source has set it. Its place is that of the
// first that did.
func (b *bucketReader) put(key, text string, from rank) {
	b.putMember(member{key: key, text: text, rank: from})
}

// putValue is put for the value of an attribute, a string as a JSON string.
func (b *bucketReader) putValue(key string, v attribute.Value, from rank) {
	b.putMember(member{key: key, value: v, unwritten: true, rank: from})
}

func (b *bucketReader) putMember(m member) {
	if i := b.place(m.key); i >= 0 {
		if m.rank <= b.members[i].rank {
			b.members[i] = m
		}
		return
	}
	b.members = append(b.members, m)
	if b.places != nil {
		b.places[m.key] = len(b.members) - 1
	}
}

// place returns the index of the member with the key, or -1.
func (b *bucketReader) place(key string) int {
	if len(b.members) <= few {
		for i := range b.members {
			if b.members[i].key == key {
				return i
			}
		}
		return -1
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

// get returns the value that a key has so far. get is for the building of
// groups.
func (b *bucketReader) get(key string) (string, bool) {
	text, ok := b.inWhole(key)
	if i := b.place(key); i >= 0 && (!ok || b.members[i].rank.own()) {
		return b.members[i].json(), true
	}
	return text, ok
}

// replace sets the value of a key that a member has, whichever source it came from.
func (b *bucketReader) replace(key, text string) {
	if i := b.place(key); i >= 0 {
		b.members[i].text, b.members[i].unwritten = text, false
	}
}

// taken reports whether a better source has one of the marks of a group.
func (b *bucketReader) taken(g group) bool {
	return slices.ContainsFunc(g.marks, func(mark string) bool {
		if _, ok := b.inWhole(mark); ok {
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
	return canonical.Object(shallow(whole.JSONText(), bucketDepth))
}

func (b *bucketReader) merged() honeyhive.Object {
	b.readWhole()
	slices.SortStableFunc(b.groups, func(x, y group) int { return int(x.rank - y.rank) })
	for _, g := range b.groups {
		if b.taken(g) {
			continue
		}
		for _, m := range g.build(b) {
			m.rank = g.rank
			b.putMember(m)
		}
	}
	more, fresh := false, true
	for i := range b.members {
		if m := &b.members[i]; b.counts(m) {
			_, had := b.inWhole(m.key)
			more, fresh = true, fresh && !had
		}
	}
	switch {
	case !more:
		return b.whole
	case !fresh || b.whole.IsEmpty():
		return b.whole.Merge(canonical.Object(b.text()))
	}
	// Nothing is replaced: the members stand behind those of the whole.
	const perMember = 48
	whole := b.whole.JSONText()
	text := append(slices.Grow(b.scratch[:0], len(whole)+perMember*len(b.members)), whole[:len(whole)-1]...)
	return canonical.Object(b.closed(b.appendMembers(text)))
}

// readWhole reads the keys of the whole.
func (b *bucketReader) readWhole() {
	if b.whole.IsEmpty() {
		return
	}
	for k, v := range rawjson.Members(b.whole.JSONText()) {
		b.had = append(b.had, pair{k, v})
	}
	if len(b.had) > few {
		b.hadAt = make(map[string]int, len(b.had))
		for i := range b.had {
			b.hadAt[b.had[i].key] = i
		}
	}
}

// inWhole returns what the whole has under a key. Where it has it more than once
// the last one counts.
func (b *bucketReader) inWhole(key string) (string, bool) {
	if b.hadAt != nil {
		if i, ok := b.hadAt[key]; ok {
			return b.had[i].text, true
		}
		return "", false
	}
	for _, p := range slices.Backward(b.had) {
		if p.key == key {
			return p.text, true
		}
	}
	return "", false
}

// counts reports whether a member is written: the attribute that holds the whole
// bucket does not have its key, or the member is of our own dialect, which counts more
// than that attribute.
func (b *bucketReader) counts(m *member) bool {
	if m.rank.own() {
		return true
	}
	_, ok := b.inWhole(m.key)
	return !ok
}

// reset makes the reader as new. reset keeps no more room than a span takes.
func (b *bucketReader) reset() {
	if b.whole.IsZero() && len(b.had)+len(b.members)+len(b.groups) == 0 {
		return // it was not used
	}
	clear(b.had)
	clear(b.members)
	clear(b.groups)
	*b = bucketReader{had: b.had[:0], members: b.members[:0], groups: b.groups[:0], scratch: b.scratch[:0], last: b.last}
	if cap(b.had)+cap(b.members)+cap(b.groups) > 4*few {
		*b = bucketReader{}
	}
}

// text returns those of the members that count as a JSON object.
func (b *bucketReader) text() string { return b.closed(b.appendMembers(append(b.scratch[:0], '{'))) }

// closed returns the object that was written into the scratch buffer, with its end.
// The buckets of one span after the other often say the same, such as the name of an
// operation: then it is the text of the last, rather than another copy.
func (b *bucketReader) closed(object []byte) string {
	const short, most = 128, 16 << 10
	object = append(object, '}')
	if cap(object) > most {
		b.scratch = nil
		return rawjson.Text(object)
	}
	b.scratch = object
	if string(object) == b.last {
		return b.last
	}
	text := string(object)
	if len(text) <= short {
		b.last = text
	}
	return text
}

// appendMembers writes what text returns into an object that is open.
func (b *bucketReader) appendMembers(text []byte) []byte {
	for i := range b.members {
		m := &b.members[i]
		if !b.counts(m) {
			continue
		}
		if text[len(text)-1] != '{' {
			text = append(text, ',')
		}
		text = append(rawjson.AppendString(text, m.key), ':')
		text = m.append(text)
	}
	return text
}
