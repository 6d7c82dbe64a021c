package page

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// threadPage is how many events a page of a thread has.
const threadPage = 50

// thread is a session as a conversation: what it was asked, what its models were
// told and answered, what its tools returned and its searches found, what came
// out at last.
type thread struct {
	// Start and End are of the session itself, on the first and the last page, where
	// its turns do not say it: of other sessions it stands above the thread.
	Start, End []turn
	Turns      []turn
	Blocks     []block // the turns as they are shown
	Total      int     // events that have a turn
	From, To   int
	Previous   string
	Next       string
	// Addresses of the nearest errors on other pages.
	ErrorBefore, ErrorAfter string
}

// turn is what one event adds to the conversation.
type turn struct {
	Event    *node
	URL      string
	Title    string
	Agent    string // which it is of, where there are several
	Question string // what a tool or search was asked
	CallID   string // of the call that it ran
	Messages []message
	Skipped  int // messages that are not shown, of very many
	Docs     []document
	MoreDocs int
	Text     string // of a result that is no message
	Cut      bool
	Download string
	Size     int64
	More     []*bucket // what else the inputs and outputs hold
	Error    string
	Chosen   bool
	// Incomplete says that the program ended before the event did.
	Incomplete bool

	Before        int       // messages that the call before it has shown
	Opened        []message // those, where they are unfolded
	OpenedSkipped int
	Unfold        string // address that shows them, or hides them again

	Same *turn // has answered what the session puts out

	last         uint64   // key of the last message, of a model event of its reply
	names, asked []string // of the call that it ran, if it names none
}

// thread reads the part of the thread that starts at a turn.
func (p *page) thread(v *sessionView, whole *tree) (*thread, error) {
	s, from := v.whole, v.from
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
	read := func(n *node) (*honeyhive.Event, error) {
		e, err := p.Store.Event(v.ctx, n.ID)
		return &e.Payload, err
	}
	before := &past{tree: whole, last: make(map[place]int), read: read, said: make(map[int][]uint64), asked: make(map[int]uint64)}
	for _, n := range speaking[:from] {
		if n.Type == honeyhive.TypeModel {
			before.note(n)
		}
	}
	earlier, err := before.turns(speaking[from:t.To])
	if err != nil {
		return nil, err
	}
	show := &shower{base: "/s/" + v.ID, budget: 3 * previewAll}
	unfold := &shower{budget: previewAll}
	turns := turnsOf(whole)
	if from == 0 && len(turns) > 0 {
		said, err := isSaid(s.Payload.Inputs, slices.Values(turns), read, func(e *honeyhive.Event) honeyhive.Object { return e.Inputs })
		if err != nil {
			return nil, err
		}
		if !said {
			t.Start = sessionTurn(show, s.Payload.Inputs, "inputs")
		}
	}
	for _, n := range speaking[from:t.To] {
		e, err := read(n)
		if err != nil {
			return nil, err
		}
		tn, err := newTurn(show, before, n, e)
		if err != nil {
			return nil, err
		}
		if n.Kind == store.KindTurn && !n.Closing {
			before.asked[whole.index[n.ID]] = questionKey(e.Inputs)
		}
		tn.URL, tn.Chosen = v.EventURL(n.ID.String()), n.ID == v.chosen && !n.Closing
		tn.Unfold = v.unfoldURL(from, n.ID.String())
		if slices.Contains(v.opened, n.ID.String()) {
			in, _ := conversation(e.Inputs, "inputs")
			told := turn{}
			unfold.base = show.base
			told.say(unfold, in[:tn.Before])
			tn.Opened, tn.OpenedSkipped = told.Messages, told.Skipped
		}
		t.Turns = append(t.Turns, tn)
	}
	t.foldClosings(whole)
	if t.To == len(speaking) && len(turns) > 0 {
		show.base = "/s/" + v.ID
		said, err := isSaid(s.Payload.Outputs, backward(turns), read, func(e *honeyhive.Event) honeyhive.Object { return e.Outputs })
		if err != nil {
			return nil, err
		}
		if !said {
			t.End = sessionTurn(show, s.Payload.Outputs, "outputs")
			t.foldEnd()
		}
	}
	if from > 0 {
		t.Previous = v.URL("from", strconv.Itoa(max(from-threadPage, 0)), "event", "")
		t.ErrorBefore = v.errorURL(speaking, from-1, -1)
	}
	if t.To < len(speaking) {
		t.Next = v.URL("from", strconv.Itoa(t.To), "event", "")
		t.ErrorAfter = v.errorURL(speaking, t.To, 1)
	}
	agents, err := calledAgents(show, whole, t.Turns, read, v.EventURL)
	if err != nil {
		return nil, err
	}
	nameAgents(whole, t.Turns)
	t.Turns = joinCalls(whole, earlier, t.Turns, agents)
	t.Blocks = v.arrange(whole, t.Turns)
	return t, nil
}

// foldEnd leaves out the outputs of the session where they are what the last
// model has just answered.
func (t *thread) foldEnd() {
	for i := range slices.Backward(t.Turns) {
		tn := &t.Turns[i]
		if tn.Event.Type != honeyhive.TypeModel {
			continue
		}
		if len(t.End) == 1 && len(t.End[0].Messages) == 1 && len(tn.Messages) > 0 && t.End[0].last == tn.last && tn.last != 0 {
			t.End[0].Messages, t.End[0].Same = nil, tn
		}
		return
	}
}

// errorURL is the address of the nearest event with an error from a place on, on
// its page; empty where there is none.
func (v *sessionView) errorURL(speaking []*node, at, by int) string {
	for ; at >= 0 && at < len(speaking); at += by {
		if n := speaking[at]; n.Error != "" {
			return v.URL("from", strconv.Itoa(at/threadPage*threadPage), "event", "") + "#e-" + n.ID.String()
		}
	}
	return ""
}

// speakers are the events that have a turn: models and tools, turns of a conversation,
// and whatever failed, in the order of their starts.
func speakers(t *tree) []*node {
	var list []*node
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.Type == honeyhive.TypeModel || n.Type == honeyhive.TypeTool || n.Kind == store.KindTurn || n.Error != "" || n.Below == 0 && (n.Orphan || n.Kind == kindAgent) {
			list = append(list, n)
		}
	}
	list = append(list, closings(t)...)
	slices.SortStableFunc(list, func(a, b *node) int { return cmp.Compare(a.SelfStart, b.SelfStart) })
	return list
}

// sessionTurn is what the inputs or outputs of the session say.
func sessionTurn(show *shower, o honeyhive.Object, name string) []turn {
	tn := turn{Title: "Session " + name}
	role := "user"
	if name == "outputs" {
		role = "assistant"
	}
	list, rest := conversation(o, name)
	tn.say(show, list)
	tn.tell(show, rest, name, role, list)
	if len(tn.Messages) == 0 && tn.Text == "" && tn.More == nil && tn.Skipped == 0 {
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

// say shows messages, of very many the last ones.
func (tn *turn) say(show *shower, list []spoken) {
	skipped := max(len(list)-previewList, 0)
	tn.Skipped += skipped
	for i := range list[skipped:] {
		s := &list[skipped+i]
		tn.Messages = append(tn.Messages, show.message(s.value, s.path()...))
		tn.last = s.key
	}
}

// tell shows what a bucket holds beside messages: a text that is a question or an
// answer as a message where there is none but the instructions, and what else there is
// below it.
func (tn *turn) tell(show *shower, rest honeyhive.Object, name, role string, list []spoken) {
	said := len(list) > 0
	if !slices.ContainsFunc(list, isSpoken) {
		for key, value := range rest.All() {
			text := honeyhive.Value(value)
			if text.Kind() != honeyhive.KindString || !slices.Contains(textKeys, key) {
				continue
			}
			asMessage := textMessage(role, text.Text())
			tn.last = messageKey(asMessage)
			m := show.message(asMessage, name)
			m.Raw = show.download(name, key)
			if m.Download = ""; m.Cut {
				m.Download = m.Raw
			}
			tn.Messages = append(tn.Messages, m)
			rest, said = rest.Without(key), true
			break
		}
	}
	if said {
		tn.more(show, rest, name)
	} else {
		tn.json(show, rest, name)
	}
}

// isSpoken reports whether a message is one of those who speak: instructions are not.
func isSpoken(s spoken) bool {
	role, _ := s.value.Get("role")
	return role != `"system"` && role != `"developer"`
}

// more shows what else a bucket holds, folded.
func (tn *turn) more(show *shower, rest honeyhive.Object, name string) {
	if b := show.bucket(name, name, rest); b != nil {
		tn.More = append(tn.More, b)
	}
}

// newTurn is what an event adds.
func newTurn(show *shower, before *past, n *node, p *honeyhive.Event) (turn, error) {
	show.base = "/s/" + n.Session.String() + "/e/" + n.ID.String()
	tn := turn{Event: n, Title: line(n.Name, 120)}
	if n.Kind == store.KindTurn {
		tn.converse(show, p, n.Closing, n.Closing || !before.tree.callsModel(before.tree.index[n.ID]))
		return tn, nil
	}
	failed, _ := cut(p.Error.Or(""), 1000)
	tn.Error = visible(failed)
	in, question := conversation(p.Inputs, "inputs")
	out, rest := conversation(p.Outputs, "outputs")
	if n.Type == honeyhive.TypeModel {
		var err error
		if tn.Before, err = before.shared(n, in); err != nil {
			return tn, err
		}
		before.keep(before.tree.index[n.ID], in, out)
		before.note(n)
	}
	tn.say(show, in[tn.Before:])
	before.pointToTurn(&tn, in[tn.Before+tn.Skipped:])
	if tn.last = 0; len(out) > 0 {
		tn.say(show, out)
	}
	if documents, ok := rest.Get("documents"); ok {
		tn.Docs, tn.MoreDocs = show.documents(honeyhive.Value(documents), "outputs", "documents")
		if tn.Docs != nil {
			rest = rest.Without("documents")
		}
	}
	if id, ok := p.Metadata.Get("tool_call_id"); ok {
		tn.CallID = honeyhive.Value(id).Text()
	}
	for i := range tn.Messages {
		if m := &tn.Messages[i]; tn.CallID == "" && m.Role == "tool" {
			tn.CallID = m.CallID
		}
	}
	tn.runs(p)
	if len(in) == 0 && !question.IsEmpty() {
		tn.Question = asked(show, question)
	} else {
		tn.more(show, question, "inputs")
	}
	if len(out) == 0 && tn.Docs == nil {
		tn.json(show, rest, "outputs")
	} else {
		tn.more(show, rest, "outputs")
	}
	return tn, nil
}

// runs notes which calls of tools the event may have run: their names and
// arguments.
func (tn *turn) runs(p *honeyhive.Event) {
	tn.names = []string{line(tn.Event.Name, 120)}
	if name, ok := p.Metadata.Get("tool_name"); ok {
		tn.names = append(tn.names, line(honeyhive.Value(name).Text(), 120))
	}
	inputs := honeyhive.Value(p.Inputs.JSONText())
	if p.Inputs.IsEmpty() {
		inputs = "{}"
	}
	tn.asked = []string{canonical(inputs)}
	if p.Inputs.IsEmpty() {
		tn.asked = append(tn.asked, "")
	}
	if p.Inputs.Len() == 1 { // what is no object stands in one
		for key, value := range p.Inputs.All() {
			if slices.Contains([]string{"input", "arguments", "args", "parameters"}, key) {
				tn.asked = append(tn.asked, canonical(inText(honeyhive.Value(value))))
			}
		}
	}
}

// turns reads the last calls of models before a page, as far as those of the page
// continue them: what their tools returned may stand on the page.
func (p *past) turns(page []*node) ([]turn, error) {
	var list []turn
	var known []int
	for _, n := range page {
		for _, i := range p.before(n) {
			if slices.Contains(known, i) {
				continue
			}
			known = append(known, i)
			e, err := p.read(&p.tree.nodes[i])
			if err != nil {
				return nil, err
			}
			in, _ := conversation(e.Inputs, "inputs")
			out, _ := conversation(e.Outputs, "outputs")
			p.keep(i, in, out)
			tn := turn{Event: &p.tree.nodes[i]}
			tn.say(&shower{budget: previewAll}, out)
			list = append(list, tn)
		}
	}
	slices.SortStableFunc(list, func(a, b turn) int { return cmp.Compare(a.Event.SelfStart, b.Event.SelfStart) })
	return list, nil
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
