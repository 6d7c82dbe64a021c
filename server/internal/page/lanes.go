package page

import (
	"github.com/sessionspan/sessionspan/honeyhive"
)

// Agents that run at the same time have lanes beside each other in a thread: each is
// read by itself, instead of turn by turn as the clock has it. A lane is an event below
// which models are called, and which runs while another such event with the same parent
// does; inside of a lane there are none.

// kindAgent is the kind of an event that is the run of an agent, in metadata.event_kind.
const kindAgent = "agent"

// lane is what one of them said on a page.
type lane struct {
	*node
	URL   string
	Turns []turn
}

// block is a part of a thread: a turn, or lanes.
type block struct {
	Turn  *turn
	Lanes []lane
}

// lanesOf returns for each event the place of the lane that it is in, or -1, and for
// each lane the place of the first lane beside it.
func lanesOf(t *tree) (of []int, group map[int]int) {
	of, group = make([]int, len(t.nodes)), make(map[int]int)
	calls := make([]bool, len(t.nodes)) // models are called below it
	for i := len(t.nodes) - 1; i >= 0; i-- {
		of[i] = -1
		if n := &t.nodes[i]; n.parent >= 0 && (calls[i] || n.Type == honeyhive.TypeModel) {
			calls[n.parent] = true
		}
	}
	levels := []int{-1}
	for len(levels) > 0 {
		at := levels[len(levels)-1]
		levels = levels[:len(levels)-1]
		var beside []int // that run at the same time, one after the other
		end := 0.0
		settle := func() {
			for _, c := range beside {
				if len(beside) == 1 {
					levels = append(levels, c)
					continue
				}
				group[c] = beside[0]
				for i := c; i <= c+t.nodes[c].Below; i++ {
					of[i] = c
				}
			}
			beside = beside[:0]
		}
		for _, c := range t.children(at) {
			p, ok := t.period(&t.nodes[c])
			if !calls[c] || !ok || p.To <= p.From {
				if t.nodes[c].Below > 0 {
					levels = append(levels, c)
				}
				continue
			}
			if len(beside) > 0 && p.From >= end {
				settle()
			}
			if len(beside) == 0 {
				end = p.To
			}
			beside, end = append(beside, c), max(end, p.To)
		}
		settle()
	}
	return of, group
}

// arrange divides the turns of a page into blocks: lanes stand where the first turn of
// one of them does, in the order of the events.
func (v *sessionView) arrange(t *tree, turns []turn) []block {
	of, group := lanesOf(t)
	var blocks []block
	at := make(map[int]int) // the block of a group
	for i := range turns {
		tn := &turns[i]
		place := -1
		if tn.Event != nil {
			place = of[t.index[tn.Event.ID]]
		}
		if place < 0 {
			blocks = append(blocks, block{Turn: tn})
			continue
		}
		k, ok := at[group[place]]
		if !ok {
			k = len(blocks)
			at[group[place]] = k
			blocks = append(blocks, block{})
		}
		blocks[k].add(v, t, place, tn)
	}
	return blocks
}

// add puts a turn into its lane.
func (b *block) add(v *sessionView, t *tree, place int, tn *turn) {
	n := &t.nodes[place]
	tn.Agent = ""
	i := 0
	for i < len(b.Lanes) && t.index[b.Lanes[i].ID] < place {
		i++
	}
	if i == len(b.Lanes) || b.Lanes[i].ID != n.ID {
		b.Lanes = append(b.Lanes[:i], append([]lane{{node: n, URL: v.EventURL(n.ID.String())}}, b.Lanes[i:]...)...)
	}
	b.Lanes[i].Turns = append(b.Lanes[i].Turns, *tn)
}

// agentAbove returns the agent that an event is part of, or -1.
func (t *tree) agentAbove(i int) int {
	for i = t.nodes[i].parent; i >= 0; i = t.nodes[i].parent {
		if t.nodes[i].Kind == kindAgent {
			return i
		}
	}
	return -1
}

// nameAgents says of each turn which agent it is of, where there are several.
func nameAgents(t *tree, turns []turn) {
	agents := 0
	for i := range t.nodes {
		if t.nodes[i].Kind == kindAgent {
			agents++
		}
	}
	if agents < 2 {
		return
	}
	for i := range turns {
		if at := t.agentAbove(t.index[turns[i].Event.ID]); at >= 0 {
			turns[i].Agent = line(t.nodes[at].Name, 80)
		}
	}
}

// calledAgents are the agents of a page that were called as tools, by the ids of their
// calls: of those that have turns on it.
func calledAgents(show *shower, t *tree, turns []turn, read func(*node) (*honeyhive.Event, error), url func(string) string) ([]turn, error) {
	var list []turn
	known := make(map[int]bool)
	for i := range turns {
		for at := t.agentAbove(t.index[turns[i].Event.ID]); at >= 0 && !known[at]; at = t.agentAbove(at) {
			known[at] = true
			n := &t.nodes[at]
			e, err := read(n)
			if err != nil {
				return nil, err
			}
			id, ok := e.Metadata.Get("tool_call_id")
			if !ok {
				continue
			}
			show.base = "/s/" + n.Session.String() + "/e/" + n.ID.String()
			tn := turn{Event: n, Title: line(n.Name, 120), URL: url(n.ID.String()), CallID: honeyhive.Value(id).Text()}
			failed, _ := cut(e.Error.Or(""), 1000)
			tn.Error = visible(failed)
			tn.answer(show, e)
			list = append(list, tn)
		}
	}
	return list, nil
}

// answer shows what an agent gave back, as a tool's result is shown.
func (tn *turn) answer(show *shower, e *honeyhive.Event) {
	out, rest := conversation(e.Outputs, "outputs")
	if len(out) == 0 {
		tn.json(show, rest, "outputs")
		return
	}
	last := &out[len(out)-1]
	content, _ := last.value.Get("content")
	text := contentText(content)
	tn.Size = int64(len(text))
	if tn.Text, tn.Cut = show.text(text); tn.Cut {
		tn.Download = show.download(append(last.path(), "content")...)
	}
}
