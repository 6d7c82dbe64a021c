package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// blocksOf lists what a thread shows, lanes with their turns in brackets.
func blocksOf(thread element) []string {
	var list []string
	title := func(turn element) string { return turn.all(is("a", "open"))[0].text() }
	for child := range thread.ChildNodes() {
		n := element{child}
		switch {
		case is("section", "turn")(n):
			list = append(list, title(n))
		case is("div", "lanes")(n):
			var lanes []string
			for _, l := range n.all(is("section", "lane")) {
				var turns []string
				for _, turn := range l.all(is("section", "turn")) {
					turns = append(turns, title(turn))
				}
				lanes = append(lanes, l.all(is("header", "lane-head"))[0].all(is("bdi"))[0].text()+"["+strings.Join(turns, " ")+"]")
			}
			list = append(list, strings.Join(lanes, " | "))
		}
	}
	return list
}

func TestLanes(t *testing.T) {
	agentKind := `"inputs":{},"metadata":{"event_kind":"agent"}`
	for _, c := range []struct {
		name string
		make func(*talk)
		want []string
	}{
		{"agents at the same time", func(k *talk) {
			k.at(0, 10, agentID, "model", "plan", "")
			left := k.at(10, 100, agentID, "chain", "left", agentKind)
			right := k.at(11, 100, agentID, "chain", "right", agentKind)
			k.at(20, 10, left, "model", "l1", "")
			k.at(21, 10, right, "model", "r1", "")
			k.at(40, 10, left, "tool", "l2", "")
			k.at(41, 10, right, "model", "r2", "")
			k.at(200, 10, agentID, "model", "sum up", "")
		}, []string{"plan", "left[l1 l2] | right[r1 r2]", "sum up"}},
		{"one after the other is a thread", func(k *talk) {
			for i, who := range []string{"first", "second"} {
				agent := k.at(int64(i)*100, 100, agentID, "chain", who, agentKind)
				k.at(int64(i)*100+10, 10, agent, "model", who+" call", "")
			}
		}, []string{"first call", "second call"}},
		{"searches at the same time are no lanes", func(k *talk) {
			for i := range 3 {
				step := k.at(int64(i), 100, agentID, "chain", "step", "")
				k.at(int64(i)+5, 10, step, "tool", fmt.Sprint("search ", i), "")
			}
		}, []string{"search 0", "search 1", "search 2"}},
		{"three, of which the first and the last do not meet", func(k *talk) {
			for i, who := range []string{"a", "b", "c"} {
				agent := k.at(int64(i)*60, 100, agentID, "chain", who, "")
				k.at(int64(i)*60+5, 10, agent, "model", who+"1", "")
			}
		}, []string{"a[a1] | b[b1] | c[c1]"}},
		{"deep below, and no lanes within lanes", func(k *talk) {
			all := k.at(0, 300, agentID, "chain", "all", "")
			for i, who := range []string{"a", "b"} {
				agent := k.at(int64(i), 200, all, "chain", who, agentKind)
				for j := range 2 {
					sub := k.at(10+int64(j), 100, agent, "chain", "sub", agentKind)
					k.at(20+int64(i)*10+int64(j), 10, sub, "model", fmt.Sprintf("%s%d", who, j), "")
				}
			}
		}, []string{"a[a0 a1] | b[b0 b1]"}},
		{"what runs beside them stands behind", func(k *talk) {
			for i, who := range []string{"a", "b"} {
				agent := k.at(int64(i), 200, agentID, "chain", who, agentKind)
				k.at(10+int64(i)*100, 10, agent, "model", who+"1", "")
			}
			k.at(50, 10, agentID, "model", "beside", "")
		}, []string{"a[a1] | b[b1]", "beside"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newTalk(t)
			c.make(k)
			if diff := cmp.Diff(c.want, blocksOf(k.thread(""))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLanesHoldEachEventOnce checks what lanes are, on any tree: nothing is in two of
// them, and those of a group run at the same time as another one of it.
func TestLanesHoldEachEventOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		for i := range tree.nodes {
			tree.nodes[i].Type = rapid.SampledFrom([]string{honeyhive.TypeModel, honeyhive.TypeTool, honeyhive.TypeChain}).Draw(t, "type")
		}
		of, group := lanesOf(tree)
		sizes := make(map[int]int)
		for lane, first := range group {
			sizes[first]++
			if of[lane] != lane || !tree.callsModel(lane) || tree.nodes[lane].parent != tree.nodes[first].parent {
				t.Fatalf("the lane %d is %v of the group %d", lane, of, first)
			}
			meets := false
			p, _ := tree.period(&tree.nodes[lane])
			for other, also := range group {
				q, _ := tree.period(&tree.nodes[other])
				meets = meets || other != lane && also == first && p.From < q.To && q.From < p.To
			}
			if !meets {
				t.Fatalf("the lane %d of %v meets no other", lane, group)
			}
		}
		for first, n := range sizes {
			if n < 2 {
				t.Fatalf("the group %d has %d lanes", first, n)
			}
		}
		for i, lane := range of {
			if lane >= 0 && i != lane && !tree.isBelow(i, lane) {
				t.Fatalf("%d is in the lane %d", i, lane)
			}
		}
	})
}

// TestAgentsCalledAsTools stand under the call that names them, and what they did stays
// in the thread.
func TestAgentsCalledAsTools(t *testing.T) {
	k := newTalk(t)
	k.event(agentID, "model", "ask", chat(calls("c-1", "research", `{"about":"a"}`, "c-2", "research", `{"about":"b"}`), said("user", "?")))
	for i, id := range []string{"c-2", "c-1"} {
		agent := k.at(100+int64(i)*100, 90, agentID, "chain", "researcher "+id, fmt.Sprintf(`"inputs":{"about":"x"},"outputs":{"answer":"found by %s"},"metadata":{"event_kind":"agent","tool_call_id":%[1]q}`, id))
		k.at(110+int64(i)*100, 10, agent, "model", "look for "+id, chat(said("assistant", "well"), said("user", "look")))
	}
	thread := k.thread("")
	got := shownCalls(thread)
	for i, id := range []string{"c-1", "c-2"} {
		if len(got) != 2 || !strings.Contains(got[i], "of agent researcher "+id) || !strings.Contains(got[i], "found by "+id) {
			t.Errorf("call %d is %q", i, got)
		}
	}
	if diff := cmp.Diff([]string{"ask", "look for c-2", "look for c-1"}, blocksOf(thread)); diff != "" {
		t.Error(diff)
	}
	thread.has(t, "of researcher c-1")
}
