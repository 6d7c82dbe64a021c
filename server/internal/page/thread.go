package page

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// threadPage is how many events a page of a thread has.
const threadPage = 50

// thread is a session as a conversation: what it was asked, what its models were
// told and answered, what its tools returned and its searches found, what came
// out at last.
type thread struct {
	Start, End []turn // of the session itself, on the first and the last page
	Turns      []turn
	Total      int // events that have a turn
	From, To   int
	Previous   string
	Next       string
}

// turn is what one event adds to the conversation.
type turn struct {
	Event    *node
	URL      string
	Title    string
	Question string // what a tool or search was asked
	CallID   string // of the call that it ran
	Messages []message
	Before   int // messages that were shown before
	Docs     []document
	MoreDocs int
	Text     string // of a result that is no message
	Cut      bool
	Download string
	Size     int64
	Error    string
	Chosen   bool
}

// seen counts messages, so that of a history that grows only what is new is
// shown, and what was said twice stands twice.
type seen map[uint64]int

// fresh returns the messages that were not seen, and notes them all.
func (s seen) fresh(list []message) (fresh []message, before int) {
	counts := make(seen)
	for _, m := range list {
		counts[m.key]++
		if counts[m.key] <= s[m.key] {
			before++
			continue
		}
		fresh = append(fresh, m)
	}
	for key, n := range counts {
		s[key] = max(s[key], n)
	}
	return fresh, before
}

// thread reads the part of the thread that starts at a turn.
func (p *page) thread(v *sessionView, whole *tree) (*thread, error) {
	ctx, s, from := v.ctx, v.whole, v.from
	speaking := speakers(whole)
	t := &thread{Total: len(speaking)}
	if from < 0 {
		from = 0
		if at := slices.IndexFunc(speaking, func(n *node) bool { return n.ID == v.chosen }); at >= 0 {
			from = at / threadPage * threadPage
		}
	}
	from = min(from, max(len(speaking)-1, 0))
	t.From, t.To = from, min(from+threadPage, len(speaking))
	known := make(seen)
	show := &shower{base: "/s/" + v.ID, budget: 3 * previewAll}
	if from == 0 {
		t.Start = sessionTurn(show, known, s.Payload.Inputs, "inputs")
	} else if err := p.remember(ctx, known, speaking[:from]); err != nil {
		return nil, err
	}
	for _, n := range speaking[from:t.To] {
		e, err := p.Store.Event(ctx, n.ID)
		if err != nil {
			return nil, err
		}
		tn := newTurn(show, known, n, &e.Payload)
		tn.URL, tn.Chosen = v.EventURL(n.ID.String()), n.ID == v.chosen
		t.Turns = append(t.Turns, tn)
	}
	if t.To == len(speaking) {
		show.base = "/s/" + v.ID
		t.End = sessionTurn(show, known, s.Payload.Outputs, "outputs")
	}
	if from > 0 {
		t.Previous = v.URL("from", strconv.Itoa(max(from-threadPage, 0)), "event", "")
	}
	if t.To < len(speaking) {
		t.Next = v.URL("from", strconv.Itoa(t.To), "event", "")
	}
	t.Turns = joinCalls(t.Turns)
	return t, nil
}

// speakers are the events that have a turn: models and tools, and whatever
// failed, in the order of their starts.
func speakers(t *tree) []*node {
	var list []*node
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.Type == honeyhive.TypeModel || n.Type == honeyhive.TypeTool || n.Error != "" || n.Orphan && n.Below == 0 {
			list = append(list, n)
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(a.SelfStart, b.SelfStart) })
	return list
}

// remember notes the messages of the last model event of the pages before.
func (p *page) remember(ctx context.Context, known seen, before []*node) error {
	for _, n := range slices.Backward(before) {
		if n.Type != honeyhive.TypeModel {
			continue
		}
		e, err := p.Store.Event(ctx, n.ID)
		if err == nil {
			newTurn(&shower{budget: previewAll}, known, n, &e.Payload)
		}
		return err
	}
	return nil
}

// sessionTurn is what the inputs or outputs of the session say. What its events
// have shown is left out.
func sessionTurn(show *shower, known seen, o honeyhive.Object, name string) []turn {
	list, rest := conversation(show, o, name)
	tn := turn{Title: "Session " + name}
	tn.Messages, tn.Before = known.fresh(list)
	role := "user"
	if name == "outputs" {
		role = "assistant"
	}
	if len(list) == 0 {
		for key, value := range rest.All() {
			if honeyhive.Value(value).Kind() != honeyhive.KindString || !slices.Contains(textKeys, key) {
				continue
			}
			text := honeyhive.Value(value).Text()
			m := show.message(textMessage(role, text), name)
			if m.Cut {
				m.Download = show.download(name, key)
			}
			tn.Messages = append(tn.Messages, m)
			rest = rest.Without(key)
			break
		}
	}
	if len(tn.Messages) == 0 && len(list) == 0 {
		tn.json(show, rest, name)
	}
	if len(tn.Messages) == 0 && tn.Text == "" {
		return nil
	}
	return []turn{tn}
}

// textKeys are where a question or an answer stands that is no message.
var textKeys = []string{"question", "query", "input", "prompt", "message", "text", "answer", "output", "result", "response", "content"}

func textMessage(role, text string) honeyhive.Value {
	b := append([]byte(`{"role":"`+role+`","content":`), honeyhive.StringValue(text)...)
	return honeyhive.Value(append(b, '}'))
}

// conversation returns the messages in a bucket, and what else it holds.
func conversation(show *shower, o honeyhive.Object, name string) ([]message, honeyhive.Object) {
	var list []message
	for _, key := range []string{"chat_history", "messages"} {
		value, ok := o.Get(key)
		if !ok || honeyhive.Value(value).Kind() != honeyhive.KindArray {
			continue
		}
		found, more := show.tail(honeyhive.Value(value), name, key)
		if found != nil || more > 0 {
			list = append(list, found...)
			o = o.Without(key)
		}
	}
	if isMessage(o) {
		list = append(list, show.message(honeyhive.Value(o.JSONText()), name))
		for _, key := range []string{"role", "content", "tool_calls", "reasoning", "finish_reason", "choices"} {
			o = o.Without(key)
		}
	}
	return list, o
}

// tail reads the messages of a history, of a long one its end.
func (s *shower) tail(list honeyhive.Value, path ...string) (found []message, skipped int) {
	var elements []honeyhive.Value
	for e := range list.Elements() {
		if _, ok := e.Get("role"); !ok {
			return nil, 0
		}
		elements = append(elements, e)
	}
	skipped = max(len(elements)-previewList, 0)
	for i, e := range elements[skipped:] {
		found = append(found, s.message(e, append(slices.Clone(path), strconv.Itoa(skipped+i))...))
	}
	return found, skipped
}

// newTurn is what an event adds.
func newTurn(show *shower, known seen, n *node, p *honeyhive.Event) turn {
	show.base = "/s/" + n.Session.String() + "/e/" + n.ID.String()
	tn := turn{Event: n, Title: line(n.Name, 120)}
	failed, _ := cut(p.Error.Or(""), 1000)
	tn.Error = visible(failed)
	in, question := conversation(show, p.Inputs, "inputs")
	out, rest := conversation(show, p.Outputs, "outputs")
	tn.Messages, tn.Before = known.fresh(append(in, out...))
	if documents, ok := rest.Get("documents"); ok {
		tn.Docs, tn.MoreDocs = show.documents(honeyhive.Value(documents), "outputs", "documents")
		if tn.Docs != nil {
			rest = rest.Without("documents")
		}
	}
	if id, ok := p.Metadata.Get("tool_call_id"); ok {
		tn.CallID = honeyhive.Value(id).Text()
	}
	if len(in) == 0 && !question.IsEmpty() {
		tn.Question = asked(show, question)
	}
	if len(out) == 0 {
		tn.json(show, rest, "outputs")
	}
	return tn
}

// asked shows the inputs of a tool or search: a single text as it is.
func asked(show *shower, o honeyhive.Object) string {
	if o.Len() == 1 {
		for _, value := range o.All() {
			if honeyhive.Value(value).Kind() == honeyhive.KindString {
				text, _ := show.text(honeyhive.Value(value).Text())
				return text
			}
		}
	}
	text, _ := show.json(honeyhive.Value(o.JSONText()))
	return text
}

// json shows an object: a single text as it is.
func (tn *turn) json(show *shower, o honeyhive.Object, name string) {
	if o.IsEmpty() {
		return
	}
	if o.Len() == 1 {
		for key, value := range o.All() {
			if honeyhive.Value(value).Kind() == honeyhive.KindString {
				text := honeyhive.Value(value).Text()
				tn.Size = int64(len(text))
				if tn.Text, tn.Cut = show.text(text); tn.Cut {
					tn.Download = show.download(name, key)
				}
				return
			}
		}
	}
	tn.Size = int64(len(o.JSONText()))
	if tn.Text, tn.Cut = show.json(honeyhive.Value(o.JSONText())); tn.Cut {
		tn.Download = show.download(name)
	}
}
