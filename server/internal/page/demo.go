package page

import (
	"net/http"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// demo makes a session to look at, and leads to it.
func (p *page) demo(w http.ResponseWriter, r *http.Request) error {
	if _, err := form(w, r); err != nil {
		return err
	}
	now := p.Now()
	end := float64(now.UnixMilli())
	id := honeyhive.NewUUID()
	writes := demoWrites(id, end)
	for i := range writes {
		writes[i].At = now
	}
	if err := p.Store.Write(r.Context(), writes); err != nil {
		return err
	}
	back(w, r, SessionPath(id.String()))
	return nil
}

// What the session says. The result of the call is what the tool returned.
const (
	demoQuestion  = "Can I still return the headphones I bought three weeks ago?"
	demoSystem    = "You answer customers of a shop. Use the passages and the tools alone, and say where an answer comes from."
	demoDocuments = `[
		{"id":"returns.md#2","score":0.91,"content":"Goods can be returned within **30 days** of delivery, unused and in their box. The shop pays for the parcel.","metadata":{"section":"Time limits"}},
		{"id":"returns.md#5","score":0.64,"content":"Headphones that go into the ear are taken back only while their seal is whole, for reasons of hygiene.","metadata":{"section":"Exceptions"}},
		{"id":"warranty.md#1","score":0.22,"content":"Whatever breaks within two years is repaired or replaced.","metadata":{"section":"Warranty"}}]`
	demoCall   = `[{"id":"call_1","type":"function","function":{"name":"find_order","arguments":{"customer":"c-1042","product":"headphones"}}}]`
	demoResult = `{"order":"A-7731","product":"over-ear headphones","delivered":"20 days ago","opened":true}`
	demoAnswer = "Yes. Your order **A-7731** was delivered 20 days ago, and you have 30 days to return it.\n\n" +
		"1. Put the headphones back into their box.\n2. Print the label from *My orders*; the parcel is free.\n\n" +
		"The rule on broken seals is for in-ear models, so it does not apply to yours. (returns.md, sections 2 and 5)"
)

// demoWrites returns the records of a session that ended at a time: a search, a
// model that calls a tool, and an answer.
func demoWrites(id honeyhive.UUID, end float64) []store.Write {
	const took = 3120.0
	start := end - took
	object := func(pairs ...any) honeyhive.Object {
		var o honeyhive.Object
		for i := 0; i+1 < len(pairs); i += 2 {
			o, _ = o.With(pairs[i].(string), pairs[i+1]) // all of it has a JSON form
		}
		return o
	}
	parsed := func(key, text string) honeyhive.Object {
		o, _ := honeyhive.ParseObject(`{"` + key + `":` + text + `}`) // constants
		return o
	}
	message := func(role, content string) map[string]any { return map[string]any{"role": role, "content": content} }
	history := []any{message("system", demoSystem), message("user", demoQuestion)}
	asked := object("role", "assistant").Merge(parsed("tool_calls", demoCall))
	answered := append(slices.Clone(history), asked, map[string]any{"role": "tool", "tool_call_id": "call_1", "content": demoResult})
	config := object("provider", "demo", "model", "demo-large", "temperature", 0.2)

	var writes []store.Write
	var children []string
	event := func(name, kind string, from, duration float64, e honeyhive.Event) {
		child := honeyhive.NewUUID().String()
		children = append(children, child)
		e.EventID, e.SessionID, e.ParentID = honeyhive.Some(child), honeyhive.Some(id.String()), honeyhive.Some(id.String())
		e.EventName, e.EventType = honeyhive.Some(name), honeyhive.Some(kind)
		e.Project, e.Source = honeyhive.Some("demo"), honeyhive.Some("playground")
		e.StartTime, e.Duration = honeyhive.Some(start+from), honeyhive.Some(duration)
		e.EndTime = honeyhive.Some(start + from + duration)
		writes = append(writes, store.Write{Event: &e})
	}
	event("retrieve", honeyhive.TypeTool, 4, 86, honeyhive.Event{
		Inputs: object("query", "return headphones after three weeks"), Outputs: parsed("documents", demoDocuments),
		Metrics: object("recall", 1), Metadata: object("event_kind", "retriever"),
	})
	event("plan", honeyhive.TypeModel, 95, 1010, honeyhive.Event{
		Config: config, Inputs: object("chat_history", history), Outputs: asked,
		Metadata: object("prompt_tokens", 412, "completion_tokens", 31, "cost", 0.00134, "time_to_first_chunk_ms", 380),
	})
	event("find_order", honeyhive.TypeTool, 1112, 143, honeyhive.Event{
		Inputs: object("customer", "c-1042", "product", "headphones"), Outputs: parsed("order", demoResult),
		Metadata: object("tool_call_id", "call_1"),
	})
	event("answer", honeyhive.TypeModel, 1260, 1855, honeyhive.Event{
		Config: config, Inputs: object("chat_history", answered), Outputs: object("role", "assistant", "content", demoAnswer, "finish_reason", "stop"),
		Metadata: object("prompt_tokens", 498, "completion_tokens", 104, "cost", 0.00231, "time_to_first_chunk_ms", 420),
	})
	session := &honeyhive.SessionStartRequest{
		Project: honeyhive.Some("demo"), SessionName: honeyhive.Some("Return of headphones"), Source: honeyhive.Some("playground"),
		SessionID: honeyhive.Some(id.String()), ChildrenIDs: honeyhive.Some(children),
		Config: object("index", "returns-2026"), Inputs: object("question", demoQuestion), Outputs: object("role", "assistant", "content", demoAnswer),
		Duration: honeyhive.Some(took), UserProperties: object("user_id", "c-1042", "plan", "free"),
		Metrics: object("groundedness", 0.96), Feedback: object("rating", 1, "comment", "Quick and to the point."),
		Metadata: object("app_version", "1.4.2"), StartTime: honeyhive.Some(start), EndTime: honeyhive.Some(end),
	}
	return append(writes, store.Write{Session: session})
}
