package page

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// spoken is a message as a payload holds it.
type spoken struct {
	value  honeyhive.Value
	bucket string
	list   string // key of the list that it is an element of; empty where it is the bucket itself
	at     int
	key    uint64 // tells messages apart
}

func (s *spoken) path() []string {
	if s.list == "" {
		return []string{s.bucket}
	}
	return []string{s.bucket, s.list, strconv.Itoa(s.at)}
}

// conversation returns the messages in a bucket, and what else it holds.
func conversation(o honeyhive.Object, bucket string) ([]spoken, honeyhive.Object) {
	var list []spoken
	for _, key := range []string{"chat_history", "messages"} {
		value, ok := o.Get(key)
		if !ok || !areMessages(honeyhive.Value(value)) {
			continue
		}
		at := 0
		for e := range honeyhive.Value(value).Elements() {
			list = append(list, spoken{e, bucket, key, at, messageKey(e)})
			at++
		}
		o = o.Without(key)
	}
	if isMessage(o) {
		value := honeyhive.Value(o.JSONText())
		list = append(list, spoken{value: value, bucket: bucket, key: messageKey(value)})
		for _, key := range messageKeys {
			o = o.Without(key)
		}
	}
	return list, o
}

// messageKeys are the keys of a message that its view shows, or that say nothing
// beyond it.
var messageKeys = []string{"role", "content", "tool_calls", "reasoning", "finish_reason", "name", "tool_call_id", "choices"}

// areMessages reports whether a value is a list of messages, of at least one.
func areMessages(list honeyhive.Value) bool {
	some := false
	for e := range list.Elements() {
		if _, ok := e.Get("role"); !ok {
			return false
		}
		some = true
	}
	return some && list.Kind() == honeyhive.KindArray
}

var messageSeed = maphash.MakeSeed()

// messageKey tells apart what messages say: who spoke, the text, the calls of
// tools. A client may write the same in another form when it sends a reply back.
func messageKey(m honeyhive.Value) uint64 {
	var b strings.Builder
	get := func(key string) honeyhive.Value {
		v, _ := m.Get(key)
		if v == "null" {
			return ""
		}
		return v
	}
	role, says := roleOf(get("role").Text())
	b.WriteString(role + "\x00" + says + "\x00" + get("tool_call_id").Text() + "\x00" + contentText(get("content")))
	for c := range get("tool_calls").Elements() {
		id, name, arguments := readCall(c)
		b.WriteString("\x00" + id + "\x00" + name + "\x00" + canonical(arguments))
	}
	return maphash.String(messageSeed, b.String())
}

// canonical writes a value so that equal ones are the same text: without the
// order of keys and the form of numbers.
func canonical(v honeyhive.Value) string {
	switch v.Kind() {
	case honeyhive.KindObject:
		var members []string
		for key, member := range v.Members() {
			members = append(members, string(honeyhive.StringValue(key))+":"+canonical(member))
		}
		slices.Sort(members)
		return "{" + strings.Join(members, ",") + "}"
	case honeyhive.KindArray:
		var elements []string
		for e := range v.Elements() {
			elements = append(elements, canonical(e))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case honeyhive.KindNumber:
		if f, err := strconv.ParseFloat(string(v), 64); err == nil && f != 0 && f > -1<<53 && f < 1<<53 {
			return strconv.FormatFloat(f+0, 'g', -1, 64)
		}
	case honeyhive.KindString:
		return string(honeyhive.StringValue(v.Text()))
	}
	return string(v)
}

// past is what calls of models said before a turn: their histories, as keys.
type past struct {
	tree *tree
	last map[place]int // the call of a model that came last at a place, as an index of the tree
	read func(*node) (*honeyhive.Event, error)
	said map[int][]uint64 // by index
	// asked holds the questions of the turns of a conversation that the page has shown,
	// by index.
	asked map[int]uint64
}

// place is an event, by its index, with all that is below it; -1 is the session.
// Where it has a name, only the events of that name count.
type place struct {
	at   int
	name string
}

// pastLevels bounds how far up a call looks for the one before it.
const pastLevels = 16

// places are where a call of a model is looked for, the nearest first.
func (p *past) places(n *node) []place {
	var list []place
	at := n.parent
	for range pastLevels {
		list = append(list, place{at, n.Name}, place{at, ""})
		if at < 0 {
			break
		}
		at = p.tree.nodes[at].parent
	}
	return list
}

// note remembers a call for those that follow.
func (p *past) note(n *node) {
	for _, at := range p.places(n) {
		p.last[at] = p.tree.index[n.ID]
	}
}

// before returns the calls that may be the one before a call, of which it
// continues the history: under the same parent, the last one, and elsewhere the
// last one that had ended, the nearest first.
func (p *past) before(n *node) []int {
	var list []int
	for _, at := range p.places(n) {
		i, ok := p.last[at]
		if !ok || slices.Contains(list, i) {
			continue
		}
		b := &p.tree.nodes[i]
		if b.parent == n.parent || !b.Open && b.SelfStart+b.Duration.Or(0) <= n.SelfStart+1 {
			list = append(list, i)
		}
	}
	return list
}

// shared returns how many of the messages that a call is told are those that the
// call before it was told or answered, from the first one on. A call under
// another parent is the one before it only where all that it said goes on: what
// merely begins alike may be another agent.
func (p *past) shared(n *node, told []spoken) (int, error) {
	most := 0
	if len(told) == 0 {
		return 0, nil
	}
	for _, i := range p.before(n) {
		keys, err := p.keys(i)
		if err != nil {
			return 0, err
		}
		same := 0
		for same < min(len(keys), len(told)) && keys[same] == told[same].key {
			same++
		}
		if same > most && (p.tree.nodes[i].parent == n.parent || same == len(keys)) {
			most = same
		}
	}
	return most, nil
}

// keys returns the messages of a call, which is read where it is not known.
func (p *past) keys(i int) ([]uint64, error) {
	keys, ok := p.said[i]
	if ok {
		return keys, nil
	}
	e, err := p.read(&p.tree.nodes[i])
	if err != nil {
		return nil, err
	}
	in, _ := conversation(e.Inputs, "inputs")
	out, _ := conversation(e.Outputs, "outputs")
	p.keep(i, in, out)
	return p.said[i], nil
}

func (p *past) keep(i int, in, out []spoken) {
	keys := make([]uint64, 0, len(in)+len(out))
	for _, list := range [][]spoken{in, out} {
		for k := range list {
			keys = append(keys, list[k].key)
		}
	}
	p.said[i] = keys
}
