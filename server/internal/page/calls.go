package page

import (
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// joinCalls puts what tools returned to the calls that asked for it, and leaves
// it out where it stood: the messages that answer a call, and the events that
// ran one, known by the id of the call or else by its name.
func joinCalls(turns []turn) []turn {
	var open []*call
	take := func(fits func(*call) bool) *call {
		for _, c := range slices.Backward(open) {
			if fits(c) {
				return c
			}
		}
		return nil
	}
	var rest []turn
	for _, tn := range turns {
		if tn.isTool() {
			c := take(func(c *call) bool { return tn.CallID != "" && c.ID == tn.CallID && c.Event == "" })
			if c == nil && tn.CallID == "" {
				c = take(func(c *call) bool { return c.Name == tn.Title && c.Event == "" })
			}
			if c != nil {
				c.ran(&tn)
				continue
			}
		}
		var kept []message
		for _, m := range tn.Messages {
			if m.Role == "tool" && m.CallID != "" {
				if c := take(func(c *call) bool { return c.ID == m.CallID }); c != nil {
					c.Result = &m
					continue
				}
			}
			kept = append(kept, m)
		}
		tn.Messages = kept
		for i := range kept {
			for k := range kept[i].Calls {
				open = append(open, &kept[i].Calls[k])
			}
		}
		rest = append(rest, tn)
	}
	return rest
}

// isTool reports whether the turn is that of a tool, and of nothing that the
// conversation shows in a way of its own.
func (tn *turn) isTool() bool {
	return tn.Event != nil && tn.Event.Type == honeyhive.TypeTool && tn.Docs == nil && len(tn.Messages) == 0
}

// ran notes the event that ran a call. What it returned counts until a message
// says what the model was told.
func (c *call) ran(tn *turn) {
	c.Event, c.Failed, c.Took = tn.URL, tn.Error, known(tn.Event.Duration, duration)
	if c.Result == nil && tn.Text != "" {
		c.Result = &message{Role: "tool", Content: plainText(tn.Text), Size: tn.Size, Cut: tn.Cut, Download: tn.Download}
	}
}
