package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/store"
)

// talk writes the events of a session, one after the other.
type talk struct {
	t      *testing.T
	n      int
	now    int64
	writes []store.Write
}

func newTalk(t *testing.T) *talk {
	k := &talk{t: t, n: 100}
	k.writes = append(k.writes, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"talk","start_time":%s}`, agentID, at(0))))
	return k
}

// event adds an event that starts where the last one ended, and returns its id.
func (k *talk) event(parent, kind, name, rest string) string {
	k.now += 10
	return k.at(k.now-10, 10, parent, kind, name, rest)
}

func (k *talk) at(start, took int64, parent, kind, name, rest string) string {
	k.n++
	id := testID(k.n)
	if rest == "" {
		rest = `"inputs":{}`
	}
	k.writes = append(k.writes, eventWrite(k.t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":%q,"event_name":%q,"start_time":%s,"duration":%d,%s}`,
		id, agentID, parent, kind, name, at(start), took, rest)))
	return id
}

func said(role, text string) string {
	return fmt.Sprintf(`{"role":%q,"content":%s}`, role, quote(text))
}

func chat(reply string, told ...string) string {
	return `"inputs":{"chat_history":[` + strings.Join(told, ",") + `]},"outputs":` + reply
}

// calls is a reply that calls tools: id, name, arguments, and so on.
func calls(parts ...string) string {
	var list []string
	for i := 0; i+2 < len(parts); i += 3 {
		list = append(list, fmt.Sprintf(`{"id":%q,"type":"function","function":{"name":%q,"arguments":%s}}`, parts[i], parts[i+1], quote(parts[i+2])))
	}
	return `{"role":"assistant","content":"","tool_calls":[` + strings.Join(list, ",") + `]}`
}

// thread shows the session, the events in any order of arrival.
func (k *talk) thread(query string) element {
	k.t.Helper()
	slices.Reverse(k.writes[1:])
	return newSite(k.t, k.writes...).get("/s/" + agentID + query).id("thread")
}

// shownCalls are the calls of a thread as they are read.
func shownCalls(thread element) []string { return texts(thread.all(is("div", "call"))) }

func shownTurns(thread element) []string {
	var list []string
	for _, turn := range thread.all(is("section", "turn")) {
		text := turn.text()
		_, text, _ = strings.Cut(text, " 10 ms ")
		list = append(list, text)
	}
	return list
}

func TestResultsStandUnderTheirCalls(t *testing.T) {
	weather := func(city string) string { return fmt.Sprintf(`{"city":%q}`, city) }
	tool := func(in, out string) string {
		return `"inputs":` + in + `,"outputs":{"result":` + quote(out) + `}`
	}
	for _, c := range []struct {
		name  string
		make  func(*talk)
		calls []string // the parts that each call must hold, in turn; a part after a ! must not be there
		turns int
	}{
		{"equal names, the arguments tell them apart, whichever order they run in", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "weather", weather("Paris"), "b", "weather", weather("Rome")), said("user", "?")))
			k.event(agentID, "tool", "weather", tool(`{"city":"Rome"}`, "wet"))
			k.event(agentID, "tool", "weather", tool(`{"city":"Paris"}`, "dry"))
		}, []string{"Paris dry !wet", "Rome wet !dry"}, 1},
		{"equal calls, the oldest first", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "roll", `{"n":6.0,"of":"dice"}`, "b", "roll", `{"of":"dice","n":6}`), said("user", "?")))
			k.event(agentID, "tool", "roll", tool(`{"of":"dice","n":6}`, "one"))
			k.event(agentID, "tool", "roll", tool(`{"input":"{\"n\":6,\"of\":\"dice\"}"}`, "two"))
		}, []string{"one !two", "two !one"}, 1},
		{"other arguments are another call", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "search", `{"q":"pgvector benchmark 0"}`), said("user", "?")))
			k.event(agentID, "tool", "search", tool(`{"q":"pgvector"}`, "found"))
		}, []string{"!found"}, 2},
		{"another name is another call", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "weather", weather("Paris"), "b", "time", weather("Paris")), said("user", "?")))
			k.event(agentID, "tool", "time", tool(weather("Paris"), "noon"))
		}, []string{"!noon", "noon"}, 1},
		{"agents side by side do not mix", func(k *talk) {
			for i, who := range []string{"left", "right"} {
				agent := k.at(int64(i), 100, agentID, "chain", who, "")
				k.at(int64(i), 10, agent, "model", "ask", chat(calls("", "search", `{"q":"x"}`), said("user", who)))
			}
			k.at(20, 10, testID(103), "tool", "search", tool(`{"q":"x"}`, "of the right"))
			k.at(30, 10, testID(101), "tool", "search", tool(`{"q":"x"}`, "of the left"))
		}, []string{"of the left !right", "of the right !left"}, 2},
		{"nor do their ids", func(k *talk) {
			for i, who := range []string{"left", "right"} {
				agent := k.at(int64(i), 100, agentID, "chain", who, "")
				k.at(int64(i), 10, agent, "model", "ask", chat(calls("call_0", "search", `{"q":"x"}`), said("user", who)))
			}
			k.at(20, 10, testID(103), "tool", "search", tool(`{}`, "of the right")+`,"metadata":{"tool_call_id":"call_0"}`)
			k.at(30, 10, testID(101), "tool", "search", tool(`{}`, "of the left")+`,"metadata":{"tool_call_id":"call_0"}`)
			k.at(40, 10, agentID, "tool", "search", tool(`{}`, "of nobody knows whom")+`,"metadata":{"tool_call_id":"call_0"}`)
		}, []string{"of the left !right", "of the right !left"}, 3},
		{"an id goes before arguments", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "weather", weather("Paris"), "b", "weather", weather("Rome")), said("user", "?")))
			k.event(agentID, "tool", "weather", tool(weather("Paris"), "dry")+`,"metadata":{"tool_call_id":"b"}`)
			k.event(agentID, "tool", "weather", tool(weather("Paris"), "lost")+`,"metadata":{"tool_call_id":"c"}`)
		}, []string{"!dry !lost", "dry !lost"}, 2},
		{"an id that is used again is that of the last call", func(k *talk) {
			for _, day := range []string{"today", "tomorrow"} {
				k.event(agentID, "model", "ask", chat(calls("call_0", "weather", fmt.Sprintf(`{"day":%q}`, day)), said("user", day)))
				k.event(agentID, "tool", "weather", tool(`{}`, "result of "+day)+`,"metadata":{"tool_call_id":"call_0"}`)
			}
		}, []string{"result of today !tomorrow", "result of tomorrow !today"}, 2},
		{"what the model was told", func(k *talk) {
			asks := calls("a", "weather", weather("Paris"), "b", "weather", weather("Rome"))
			k.event(agentID, "model", "ask", chat(asks, said("user", "?")))
			k.event(agentID, "model", "answer", chat(said("assistant", "so"), said("user", "?"), asks,
				`{"role":"tool","tool_call_id":"b","content":"wet"}`, `{"role":"tool","tool_call_id":"a","content":"dry"}`))
		}, []string{"dry !wet", "wet !dry"}, 2},
		{"a search that a model called", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "find", `{"query":"x"}`), said("user", "?")))
			k.event(agentID, "tool", "find", `"inputs":{"query":"x"},"outputs":{"documents":[{"id":"d-1","score":1,"content":"of it"}]}`)
		}, []string{"d-1 1 of it"}, 1},
		{"a call that was run twice", func(k *talk) {
			k.event(agentID, "model", "ask", chat(calls("a", "find", `{}`), said("user", "?")))
			k.event(agentID, "tool", "find", `"inputs":{},"error":"too slow","metadata":{"tool_call_id":"a"}`)
			k.event(agentID, "tool", "find", tool(`{}`, "at last")+`,"metadata":{"tool_call_id":"a"}`)
		}, []string{"too slow at last"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t)
			c.make(k)
			thread := k.thread("")
			got := shownCalls(thread)
			if len(got) != len(c.calls) {
				t.Fatalf("the calls are %q", got)
			}
			for i, want := range c.calls {
				wants, nots, _ := strings.Cut(want, "!")
				for not := range strings.SplitSeq(nots, "!") {
					if not = strings.TrimSpace(not); not != "" && strings.Contains(got[i], not) {
						t.Errorf("call %d is shown as %q", i, got[i])
					}
				}
				for part := range strings.FieldsSeq(wants) {
					if !strings.Contains(got[i], part) {
						t.Errorf("call %d lacks %q: %q", i, part, got[i])
					}
				}
			}
			if turns := shownTurns(thread); len(turns) != c.turns {
				t.Errorf("%d turns: %q", len(turns), turns)
			}
		})
	}
}

// TestNothingThatWasSaidIsHidden folds what the call before has shown, from the
// first message on, and nothing else.
func TestNothingThatWasSaidIsHidden(t *testing.T) {
	system, user := said("system", "Be brief."), said("user", "fix it")
	for _, c := range []struct {
		name string
		make func(*talk)
		want []string
	}{
		{"an agent in a loop", func(k *talk) {
			for range 3 {
				k.event(agentID, "model", "answer", chat(said("assistant", "again"), user))
			}
		}, []string{"user fix it assistant again", "1 earlier message as above assistant again", "1 earlier message as above assistant again"}},
		{"a conversation whose turns have chains of their own", func(k *talk) {
			history := []string{system}
			for i, q := range []string{"one?", "yes", "yes"} {
				chain := k.at(k.now, 10, agentID, "chain", fmt.Sprint("turn ", i), "")
				history = append(history, said("user", q))
				k.event(chain, "model", "answer", chat(said("assistant", "well"), history...))
				history = append(history, said("assistant", "well"))
			}
		}, []string{"system Be brief. user one? assistant well", "3 earlier messages as above user yes assistant well", "5 earlier messages as above user yes assistant well"}},
		{"another agent that is told the same", func(k *talk) {
			for range 2 {
				chain := k.at(k.now, 10, agentID, "chain", "agent", "")
				k.event(chain, "model", "answer", chat(said("assistant", "done"), system, user))
			}
		}, []string{"system Be brief. user fix it assistant done", "system Be brief. user fix it assistant done"}},
		{"a step between with another prompt", func(k *talk) {
			k.event(agentID, "model", "rewrite", chat(said("assistant", "repair it"), said("system", "Rewrite."), user))
			k.event(agentID, "model", "answer", chat(said("assistant", "done"), system, user))
			k.event(agentID, "model", "rewrite", chat(said("assistant", "thank"), said("system", "Rewrite."), said("user", "thanks")))
			k.event(agentID, "model", "answer", chat(said("assistant", "bye"), system, user, said("assistant", "done"), said("user", "thanks")))
		}, []string{
			"system Rewrite. user fix it assistant repair it", "system Be brief. user fix it assistant done",
			"1 earlier message as above user thanks assistant thank", "3 earlier messages as above user thanks assistant bye",
		}},
		{"a history that was cut at its beginning", func(k *talk) {
			k.event(agentID, "model", "answer", chat(said("assistant", "b"), system, said("user", "a")))
			k.event(agentID, "model", "answer", chat(said("assistant", "d"), system, said("assistant", "b"), said("user", "c")))
		}, []string{"system Be brief. user a assistant b", "1 earlier message as above assistant b user c assistant d"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t)
			c.make(k)
			if diff := cmp.Diff(c.want, shownTurns(k.thread(""))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestALongConversationIsShownWhole reads 130 turns over three pages: every
// question and every answer stands once, and what is folded opens.
func TestALongConversationIsShownWhole(t *testing.T) {
	k := newTalk(t)
	var history []string
	var want []string
	for i := range 110 {
		q, a := fmt.Sprintf("question %d", i), fmt.Sprintf("answer %d %s", i, strings.Repeat("word ", 1000))
		if i%3 == 0 {
			q = "yes, please"
		}
		history = append(history, said("user", q))
		k.event(agentID, "model", "answer", chat(said("assistant", a), history...))
		history = append(history, said("assistant", a))
		want = append(want, "user "+q, fmt.Sprintf("assistant answer %d word", i))
	}
	s := newSite(t, k.writes...)
	var got []string
	for _, from := range []int{0, 50, 100} {
		page := s.answer(200, fmt.Sprintf("/s/%s?from=%d", agentID, from))
		if page.Body.Len() > 700_000 {
			t.Errorf("the page has %d bytes", page.Body.Len())
		}
		for _, m := range parse(t, page.Body.String()).id("thread").all(is("article", "message")) {
			got = append(got, m.text())
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("message %d is %.40q, want %q", i, got[i], want[i])
		}
	}
	last := testID(k.n)
	unfold := s.get("/s/" + agentID + "?from=100").id("before-" + last).all(is("a"))[0].attr("href")
	unfold, _, _ = strings.Cut(unfold, "#")
	open := s.get(unfold).id("before-" + last)
	open.has(t, "218 earlier messages as above", "The first 158 are in the event.", "question 107")
	if n := len(open.all(is("article", "message"))); n != previewList {
		t.Errorf("%d messages are unfolded", n)
	}
}

// TestTheRestOfAnAnswerIsShown lists below a question or an answer what else
// stands beside it.
func TestTheRestOfAnAnswerIsShown(t *testing.T) {
	k := newTalk(t)
	k.writes[0] = sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"talk","start_time":%s,
		"inputs":{"question":"why?","language":"en","filters":{"year":2026}},"outputs":{"answer":"because","sources":[{"id":"s-1","content":"of it"}],"confidence":0.5}}`, agentID, at(0)))
	k.event(agentID, "model", "ask", `"inputs":{"chat_history":[`+said("user", "why?")+`],"tools":["find"]},"outputs":{"role":"assistant","content":"so","citations":["c-1"]}`)
	page := newSite(t, k.writes...).get("/s/" + agentID)
	parts := append(page.id("said").all(is("section", "said-part")), page.id("thread").all(is("section", "turn"))...)
	for i, want := range [][]string{{"Question why?", "language, filters", `"year": 2026`, "en"}, {"because", "sources, confidence", "s-1", "of it", "0.5"}, {"tools", "find", "so", "citations", "c-1"}} {
		parts[i].has(t, want...)
	}
}
