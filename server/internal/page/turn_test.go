package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTurnsOfAConversation shows each turn with what it was asked and what it answered,
// once, and nothing twice of what the session holds of them.
func TestTurnsOfAConversation(t *testing.T) {
	k := newTalk(t)
	asked := func(n int, rest string) string {
		return fmt.Sprintf(`"metadata":{"event_kind":"turn"},"inputs":{"question":"question %d"}%s`, n, rest)
	}
	k.at(0, 90, agentID, "chain", "plain", asked(1, `,"outputs":{"answer":"answer 1","sources":["a.md"]}`))
	same := k.at(100, 90, agentID, "chain", "same", asked(2, `,"outputs":{"answer":"answer 2"}`))
	step := k.at(105, 60, same, "chain", "step", "")
	k.at(110, 50, step, "model", "model 2", chat(said("assistant", "answer 2"), said("user", "question 2")))
	more := k.at(200, 90, agentID, "chain", "more", asked(3, `,"outputs":{"answer":"answer 3","sources":["b.md"]}`))
	k.at(210, 10, more, "model", "model 3", chat(said("assistant", "answer 3"), said("user", "question 3")))
	k.at(230, 10, more, "tool", "check", `"inputs":{},"outputs":{"ok":true}`)
	another := k.at(300, 90, agentID, "chain", "another", asked(4, `,"outputs":{"answer":"cut short"}`))
	k.at(310, 10, another, "model", "model 4", chat(said("assistant", "a long draft"), said("user", "question 4")))
	k.at(400, 90, agentID, "chain", "failed", asked(5, `,"error":"overloaded"`))
	k.writes = append(k.writes,
		eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%[2]q,"event_type":"chain","event_name":"cut off","start_time":%s,"inputs":{"question":"question 6"},"metadata":{"event_kind":"turn","incomplete":true}}`,
			testID(99), agentID, at(500))),
		sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","start_time":%s,"end_time":%s,"inputs":{"question":"question 1"},"outputs":{"answer":"cut short"}}`, agentID, at(0), at(490))))
	thread := k.thread("")
	var got []string
	for _, section := range thread.all(is("section", "turn")) {
		id := "none"
		if section.attr("id") != "" {
			id = "id"
		}
		parts := []string{section.all(is("bdi"))[0].text(), id}
		for _, m := range section.all(is("article", "message")) {
			parts = append(parts, m.all(is("span", "role"))[0].text()+": "+m.all(is("div", "prose"))[0].text())
		}
		for _, what := range []string{"incomplete", "overloaded", "a.md", "b.md", "above"} {
			if strings.Contains(section.text(), what) {
				parts = append(parts, what)
			}
		}
		got = append(got, strings.Join(parts, " | "))
	}
	want := []string{
		"plain | id | user: question 1 | assistant: answer 1 | a.md",
		"same | id | user: question 2",
		"model 2 | id | assistant: answer 2 | above",
		"more | id | user: question 3",
		"model 3 | id | assistant: answer 3 | above",
		"check | id",
		"more: outputs | none | b.md | above",
		"another | id | user: question 4",
		"model 4 | id | assistant: a long draft | above",
		"another: outputs | none | assistant: cut short",
		"failed | id | user: question 5 | overloaded",
		"cut off | id | user: question 6 | incomplete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
