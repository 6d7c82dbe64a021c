package page

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// A conversation is a session that is made of turns, each an event with what it was
// asked and what it answered. In the thread a turn stands where it started, with its
// question; its answer stands there too, or, where models were called in it, behind the
// last of what is below it.

// turnsOf are the turns of a conversation, in the order of their starts.
func turnsOf(t *tree) []*node {
	var list []*node
	for i := range t.nodes {
		if t.nodes[i].Kind == store.KindTurn {
			list = append(list, &t.nodes[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(a.SelfStart, b.SelfStart) })
	return list
}

func backward(list []*node) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for _, n := range slices.Backward(list) {
			if !yield(n) {
				return
			}
		}
	}
}

// isSaid reports whether what the session holds is what the first of its turns holds
// that holds anything.
func isSaid(o honeyhive.Object, turns iter.Seq[*node], read func(*node) (*honeyhive.Event, error), bucket func(*honeyhive.Event) honeyhive.Object) (bool, error) {
	for n := range turns {
		e, err := read(n)
		if err != nil {
			return false, err
		}
		if own := bucket(e); !own.IsEmpty() {
			return canonical(honeyhive.Value(own.JSONText())) == canonical(honeyhive.Value(o.JSONText())), nil
		}
	}
	return false, nil
}

// below are the events below one.
func (t *tree) below(i int) []node { return t.nodes[i+1 : i+1+t.nodes[i].Below] }

// callsModel reports whether there are calls of models below an event.
func (t *tree) callsModel(i int) bool {
	return slices.ContainsFunc(t.below(i), func(n node) bool { return n.Type == honeyhive.TypeModel })
}

// closings are where the answers of turns stand that called models.
func closings(t *tree) []*node {
	var list []*node
	for i := range t.nodes {
		if t.nodes[i].Kind != store.KindTurn || !t.callsModel(i) {
			continue
		}
		n := t.nodes[i]
		n.Closing, n.Error = true, "" // which the turn itself shows
		for _, b := range t.below(i) {
			n.SelfStart = max(n.SelfStart, b.SelfStart)
		}
		list = append(list, &n)
	}
	return list
}

// converse fills in what a turn of a conversation was asked, and what it answered.
func (tn *turn) converse(show *shower, p *honeyhive.Event, closing, answers bool) {
	if closing {
		tn.Title += ": outputs"
	} else {
		failed, _ := cut(p.Error.Or(""), 1000)
		tn.Error = visible(failed)
		incomplete, _ := p.Metadata.Get("incomplete")
		tn.Incomplete = honeyhive.Value(incomplete) == "true"
		list, rest := conversation(p.Inputs, "inputs")
		tn.say(show, list)
		tn.tell(show, rest, "inputs", "user", list)
	}
	if tn.last = 0; answers {
		list, rest := conversation(p.Outputs, "outputs")
		tn.say(show, list)
		tn.tell(show, rest, "outputs", "assistant", list)
	}
}

// questionKey tells what a turn of a conversation was asked apart from other messages.
func questionKey(inputs honeyhive.Object) uint64 {
	list, rest := conversation(inputs, "inputs")
	for i := range slices.Backward(list) {
		if role, _ := list[i].value.Get("role"); role == `"user"` {
			return list[i].key
		}
	}
	for key, value := range rest.All() {
		if text := honeyhive.Value(value); text.Kind() == honeyhive.KindString && slices.Contains(textKeys, key) {
			return messageKey(textMessage("user", text.Text()))
		}
	}
	return 0
}

// pointToTurn leaves out of what a model was told the question of the turn that it is
// called in, which the page has shown, and says where. The messages are those of list.
func (p *past) pointToTurn(tn *turn, list []spoken) {
	for at := tn.Event.parent; at >= 0; at = p.tree.nodes[at].parent {
		key, ok := p.asked[at]
		if !ok || key == 0 {
			continue
		}
		for k := range slices.Backward(tn.Messages) {
			if m := &tn.Messages[k]; m.Role == "user" && list[k].key == key {
				*m = message{Role: m.Role, Above: &p.tree.nodes[at]}
				return
			}
		}
	}
}

// foldClosings leaves out the answers of turns that are what the last model in the turn
// has just answered.
func (t *thread) foldClosings(whole *tree) {
	kept := t.Turns[:0]
	for i := range t.Turns {
		tn := t.Turns[i]
		if tn.Event.Closing && tn.last != 0 && len(tn.Messages) == 1 {
			for j := range slices.Backward(kept) {
				model := &kept[j]
				if model.Event.Type == honeyhive.TypeModel && whole.isBelow(whole.index[model.Event.ID], whole.index[tn.Event.ID]) {
					if model.last == tn.last {
						tn.Messages, tn.Same = nil, model
					}
					break
				}
			}
		}
		if !tn.Event.Closing || len(tn.Messages) > 0 || tn.More != nil || tn.Text != "" {
			kept = append(kept, tn)
		}
	}
	t.Turns = kept
}

// isBelow reports whether an event is below another.
func (t *tree) isBelow(i, above int) bool { return i > above && i <= above+t.nodes[above].Below }
