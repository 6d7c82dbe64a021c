package tree_test

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/tokens"
	"github.com/sessionspan/sessionspan/internal/tree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSpan is a span that runs.
type fakeSpan struct {
	key    tree.Key
	above  *fakeSpan
	start  time.Time
	speaks bool // of a model, so that it is an event

	// What a reference knows of it.
	node    *tree.Node
	own     bool
	decided bool
	kept    bool
	ended   bool
	parent  *fakeSpan // that it hangs on, once it has ended
	list    []string  // of its children, as it was last told
	tokens  int64
}

func (s *fakeSpan) Parent() trace.SpanContext {
	if s.above == nil {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.above.key.Trace, SpanID: s.above.key.Span})
}
func (s *fakeSpan) Name() string         { return "span" }
func (s *fakeSpan) StartTime() time.Time { return s.start }
func (s *fakeSpan) Attributes() []attribute.KeyValue {
	if s.speaks {
		return []attribute.KeyValue{attribute.Bool("speaks", true)}
	}
	return nil
}

func (s *fakeSpan) id() string { return honeyhive.EventID(s.key.Trace, s.key.Span).String() }

// keyOf returns the key of the n-th span.
func keyOf(n int) tree.Key {
	k := tree.Key{Trace: trace.TraceID{1}}
	binary.BigEndian.PutUint64(k.Span[:], uint64(n+1))
	return k
}

// newTree returns a tree in which spans are events that speak. Keep uses a lock that
// the caller may hold while it calls nothing, which finds out whether one is held.
func newTree(c tree.Config) *tree.Tree {
	if c.Keep == nil {
		c.Keep = func(live tree.Live, _ bool) bool { return len(live.Attributes()) > 0 }
	}
	c.Root = func(tree.Key, string, []attribute.KeyValue) *tree.Plain { return nil }
	if c.Opened == nil {
		c.Opened = func(*tree.Node, tree.Live) {}
	}
	if c.Late == nil {
		c.Late = func(*tree.Node) {}
	}
	if c.Forgot == nil {
		c.Forgot = func(*tree.Node) {}
	}
	return tree.New(c)
}

// begin starts a session of ours.
func begin(t *tree.Tree, s *fakeSpan) {
	s.node, s.own, s.kept, s.decided = new(tree.Node), true, true, true
	new(tree.Session).Begin(s.node, honeyhive.UUID{7})
	s.node.Session.Record("p", "s")
	s.node.Key = s.key
	t.StartOwn(s.node, s)
}

// startOwn starts an event of ours below a node.
func startOwn(t *tree.Tree, s *fakeSpan, scope *tree.Node) {
	s.node, s.own, s.kept, s.decided = new(tree.Node), true, true, true
	s.node.Below(scope)
	s.node.Key = s.key
	t.StartOwn(s.node, s)
}

// TestTree starts and ends spans of a session in any order, and holds what the tree
// says of each against a plain reference: a span hangs on the nearest one above it
// that is an event, every event is listed once by what it hangs on, in the order of
// the starts, and of tokens the larger of what a span says and what those below it count.
func TestTree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		late := make(map[*tree.Node]bool)
		tr := newTree(tree.Config{Late: func(n *tree.Node) {
			if late[n] {
				rt.Error("told twice")
			}
			late[n] = true
		}})
		root := &fakeSpan{key: keyOf(0)}
		begin(tr, root)
		spans := []*fakeSpan{root}
		// decide is what the reference does when something below s ends.
		decide := func(s *fakeSpan) {
			if !s.decided {
				s.decided, s.kept = true, s.speaks
			}
		}
		above := func(s *fakeSpan) *fakeSpan {
			p := s.above
			for decide(p); !p.kept; decide(p) {
				p = p.above
			}
			return p
		}
		end := func(s *fakeSpan) {
			s.ended = true
			if s == root {
				for _, other := range spans {
					if !other.ended {
						decide(other)
					}
				}
				s.list = tr.List(s.node).IDs()
				tr.Remove(s.key)
				tr.EndOwn(s.node)
				return
			}
			var parent tree.Ref
			if s.own {
				s.list = tr.List(s.node).IDs()
				n, _ := tr.Remove(s.key)
				parent = tr.EndOwn(n)
			} else {
				decide(s)
				n, _ := tr.Remove(s.key)
				var usage *tokens.Usage
				if s.tokens > 0 {
					usage = new(tokens.Usage)
					usage.Set(tokens.Input, s.tokens)
				}
				e := tr.EndForeign(n, s, usage, nil)
				if e.Event != s.kept {
					rt.Errorf("an event: %v, want %v", e.Event, s.kept)
				}
				if s.node = n; !e.Event {
					return
				}
				s.list, parent = e.Children.IDs(), e.Parent
			}
			s.parent = above(s)
			want := s.parent.id()
			if s.parent == root {
				want = root.node.Session.ID.String()
			}
			if parent.ID().String() != want {
				rt.Errorf("hangs on %s, want %s", parent.ID(), want)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"own": func(rt *rapid.T) {
				p := rapid.SampledFrom(spans).Draw(rt, "above")
				if p.node == nil || !p.own || root.ended {
					rt.Skip()
				}
				s := &fakeSpan{key: keyOf(len(spans)), above: p}
				startOwn(tr, s, p.node)
				spans = append(spans, s)
			},
			"foreign": func(rt *rapid.T) {
				p := rapid.SampledFrom(spans).Draw(rt, "above")
				if p.ended || root.ended {
					rt.Skip()
				}
				s := &fakeSpan{key: keyOf(len(spans)), above: p, speaks: rapid.Bool().Draw(rt, "speaks")}
				s.decided, s.kept = s.speaks, s.speaks
				if rapid.Bool().Draw(rt, "has tokens") {
					s.tokens = int64(len(spans))
				}
				scope := root.node // which the context names
				tr.StartForeign(s.key, scope, false, s)
				spans = append(spans, s)
			},
			"speaks later": func(rt *rapid.T) {
				s := rapid.SampledFrom(spans).Draw(rt, "span")
				if s.decided || s.ended {
					rt.Skip()
				}
				s.speaks = true
			},
			"end": func(rt *rapid.T) {
				s := rapid.SampledFrom(spans).Draw(rt, "span")
				if s.ended || s == root && len(spans) < 6 {
					rt.Skip()
				}
				end(s)
			},
		})
		for _, s := range slices.Backward(spans) {
			if !s.ended {
				end(s)
			}
		}
		for _, s := range spans {
			if s.node != nil && late[s.node] {
				s.list = tr.LateChildren(s.node).IDs()
			}
			var want []string
			for _, c := range spans {
				if c.parent == s {
					want = append(want, c.id())
				}
			}
			if s.kept && !slices.Equal(s.list, want) {
				rt.Errorf("lists %v, want %v", s.list, want)
			}
		}
		var below func(s *fakeSpan) int64 // what those below a span count
		below = func(s *fakeSpan) (sum int64) {
			for _, c := range spans {
				if c.above != s {
					continue
				}
				own := int64(0)
				if c.kept {
					own = c.tokens
				}
				sum += max(own, below(c))
			}
			return sum
		}
		sum := below(root)
		if u := root.node.Session.Usage(); u.N[0] != sum {
			rt.Errorf("%d tokens, want %d", u.N[0], sum)
		}
	})
}

// TestKeepMayUseTheSession asks Keep, which uses the session, in every place where a
// span is decided: it is called with no lock held.
func TestKeepMayUseTheSession(t *testing.T) {
	var session *tree.Session
	var asked int
	tr := newTree(tree.Config{Keep: func(live tree.Live, _ bool) bool {
		asked++
		if session != nil {
			session.Record("another", "source")
			session.Usage()
		}
		return len(live.Attributes()) > 0
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		root := &fakeSpan{key: keyOf(0)}
		begin(tr, root)
		session = root.node.Session
		plain := &fakeSpan{key: keyOf(1), above: root}
		tr.StartForeign(plain.key, root.node, false, plain)
		below := &fakeSpan{key: keyOf(2), above: plain}
		startOwn(tr, below, root.node)
		running := &fakeSpan{key: keyOf(3), above: root}
		tr.StartForeign(running.key, root.node, false, running)
		tr.List(below.node)
		tr.Remove(below.key)
		tr.EndOwn(below.node) // decides what is above it
		n, _ := tr.Remove(plain.key)
		tr.EndForeign(n, plain, nil, nil)
		tr.List(root.node) // decides what runs
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("Keep waits for a lock that is held while it is called")
	}
	if asked < 5 {
		t.Errorf("asked %d times", asked)
	}
}

// TestForget starts spans that never end: the oldest are forgotten by number, those
// that are too old by age, and what is forgotten holds nothing up.
func TestForget(t *testing.T) {
	var forgot []*tree.Node
	tr := newTree(tree.Config{Limits: tree.Limits{Spans: 64}, Forgot: func(n *tree.Node) { forgot = append(forgot, n) }})
	root := &fakeSpan{key: keyOf(0)}
	begin(tr, root)
	const spans = 10_000
	for i := range spans {
		s := &fakeSpan{key: keyOf(1 + i), above: root}
		tr.StartForeign(s.key, root.node, false, s)
	}
	if n := tr.Forgotten(); n != int64(len(forgot)) || n < spans-2*64 || n > spans {
		t.Errorf("%d of %d spans are forgotten, and %d told of", n, spans, len(forgot))
	}
	if n, _ := tr.Remove(keyOf(1)); n != nil {
		t.Error("the first is still there")
	}
	if n, _ := tr.Remove(keyOf(spans)); n == nil {
		t.Error("the last is gone")
	}
	if tr.Running(root.node.Session.ID) != nil {
		t.Error("the session is still taken for one that runs")
	}
	tr.Return(root.node) // it ends after all
	tr.List(root.node)
	if n, _ := tr.Remove(root.key); n != root.node {
		t.Error("the session that ends after all is not known")
	}

	tr = newTree(tree.Config{Limits: tree.Limits{Age: time.Nanosecond}})
	for i := range 1000 {
		s := &fakeSpan{key: keyOf(i)}
		tr.StartForeign(s.key, nil, false, s)
	}
	if n := tr.Forgotten(); n < 1000-64 {
		t.Errorf("%d of 1000 old spans are forgotten", n)
	}
}

// TestManyGoroutines starts and ends spans of one session at once.
func TestManyGoroutines(t *testing.T) {
	tr := newTree(tree.Config{})
	root := &fakeSpan{key: keyOf(0)}
	begin(tr, root)
	const goroutines, each = 8, 200
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				s := &fakeSpan{key: keyOf(1 + g*each + i), above: root}
				startOwn(tr, s, root.node)
				below := &fakeSpan{key: keyOf(1_000_000 + g*each + i), above: s, speaks: i%2 == 0}
				tr.StartForeign(below.key, s.node, false, below)
				n, _ := tr.Remove(below.key)
				tr.EndForeign(n, below, nil, nil)
				tr.List(s.node)
				tr.Remove(s.key)
				tr.EndOwn(s.node)
			}
		})
	}
	wg.Wait()
	if n := tr.List(root.node).Len(); n != goroutines*each {
		t.Errorf("%d children, want %d", n, goroutines*each)
	}
}
