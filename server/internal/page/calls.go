package page

import (
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// offer is a call of a tool that a model asked for, and where.
type offer struct {
	*call
	node    *node // the event of the model; nil for the session
	message int   // its place among all messages
	shown   bool  // on this page
}

// joiner knows the calls that results may belong to.
type joiner struct {
	tree *tree
	byID map[string][]*offer
	like map[string][]*offer // by name and arguments
}

// joinCalls puts what tools returned under the calls that asked for it, and
// leaves it out where it stood: the messages that answer a call, and the events
// that ran one. An event that names no call ran the oldest one under its parent
// that has its name and its arguments and that nothing has run. What fits no
// call, or might fit several, stays where it is. The calls of earlier turns,
// which another page shows, take what is theirs too.
//
// Agents were called as tools: they stand under the calls that they name, and what they
// did stays where it was.
func joinCalls(t *tree, earlier, turns, agents []turn) []turn {
	j := &joiner{tree: t, byID: make(map[string][]*offer), like: make(map[string][]*offer)}
	at := j.offer(earlier, 0, false)
	j.offer(turns, at, true)
	for i := range agents {
		tn := &agents[i]
		if o := j.named(tn.Event, tn.CallID, func(o *offer) bool { return o.node == nil || o.node.SelfStart <= tn.Event.SelfStart }); o != nil {
			o.Ran = append(o.Ran, tn)
		}
	}
	var rest []turn
	for i := range turns {
		tn := &turns[i]
		first := at
		at += len(tn.Messages)
		if tn.isTool() && j.ran(tn) {
			continue
		}
		var kept []message
		for k := range tn.Messages {
			if m := &tn.Messages[k]; m.Role != "tool" || m.CallID == "" || !j.told(tn.Event, m, first+k) {
				kept = append(kept, *m)
			}
		}
		tn.Messages = kept
		rest = append(rest, *tn)
	}
	return rest
}

// offer notes the calls of turns, whose messages are counted from a number on,
// and returns the next number.
func (j *joiner) offer(turns []turn, at int, shown bool) int {
	for i := range turns {
		for k := range turns[i].Messages {
			calls := turns[i].Messages[k].Calls
			for c := range calls {
				o := &offer{&calls[c], turns[i].Event, at, shown}
				if o.ID != "" {
					j.byID[o.ID] = append(j.byID[o.ID], o)
				}
				like := o.Name + "\x00" + o.asked
				j.like[like] = append(j.like[like], o)
			}
			at++
		}
	}
	return at
}

// isTool reports whether the turn is that of a tool, and of nothing that the
// conversation shows in a way of its own.
func (tn *turn) isTool() bool {
	return tn.Event != nil && tn.Event.Type == honeyhive.TypeTool &&
		!slices.ContainsFunc(tn.Messages, func(m message) bool { return m.Role != "tool" })
}

// ran notes the event that ran a call, and reports whether it is shown there.
func (j *joiner) ran(tn *turn) bool {
	started := func(o *offer) bool { return o.node == nil || o.node.SelfStart <= tn.Event.SelfStart }
	o := j.named(tn.Event, tn.CallID, started)
	for _, asked := range tn.asked {
		for _, name := range tn.names {
			for _, like := range j.like[name+"\x00"+asked] {
				if o == nil && (like.ID == "" || tn.CallID == "") && len(like.Ran) == 0 && started(like) && j.beside(tn.Event, like.node) {
					o = like
				}
			}
		}
	}
	if o == nil {
		return false
	}
	o.Ran = append(o.Ran, tn)
	if len(tn.Messages) > 0 && o.Result == nil {
		o.Result = &tn.Messages[0]
	}
	return o.shown
}

// told puts a message under the call that it answers, and reports whether it is
// shown there.
func (j *joiner) told(n *node, m *message, at int) bool {
	o := j.named(n, m.CallID, func(o *offer) bool { return o.message < at })
	if o == nil || o.Result != nil {
		return false
	}
	o.Result = m
	return o.shown
}

// named returns the call with an id. Clients may use an id again and again, such
// as call_0: the call is then the last one of those beside the event, or of those
// that are nearest to it in the tree, if all of these are of one agent.
func (j *joiner) named(n *node, id string, fits func(*offer) bool) *offer {
	var best []*offer
	nearest := -2
	for _, o := range j.byID[id] {
		if !fits(o) {
			continue
		}
		near := j.common(n, o.node)
		if near > nearest {
			best, nearest = nil, near
		}
		if near == nearest {
			best = append(best, o)
		}
	}
	var last *offer
	for _, o := range best {
		switch {
		case last == nil:
		case nearest < beside && j.parent(o.node) != j.parent(last.node):
			return nil
		case o.message == last.message && (len(last.Ran) == 0 && last.Result == nil || len(o.Ran) > 0 || o.Result != nil):
			continue // of one message, the first one that is open
		}
		last = o
	}
	return last
}

// beside is how near an event and a call are that have one parent.
const beside = 1 << 30

// common says how near an event is to a call: how deep what is above both is.
func (j *joiner) common(n, of *node) int {
	if j.beside(n, of) || n == of {
		return beside
	}
	above := make(map[int]bool)
	for at := j.parent(of); at >= 0; at = j.tree.nodes[at].parent {
		above[at] = true
	}
	for at := j.parent(n); at >= 0; at = j.tree.nodes[at].parent {
		if above[at] {
			return j.tree.nodes[at].Depth
		}
	}
	return -1
}

func (j *joiner) parent(n *node) int {
	if n == nil {
		return -1
	}
	return n.parent
}

// beside reports whether an event has the parent of the model event that asked
// for a call, or is directly below it.
func (j *joiner) beside(n, of *node) bool {
	if n == nil || of == nil {
		return false
	}
	return n.Parent == of.Parent || n.Parent == of.ID || j.parent(n) < 0 && j.parent(of) < 0 && !n.Orphan && !of.Orphan
}
