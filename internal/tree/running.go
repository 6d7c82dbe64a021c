package tree

import (
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Limits bound the spans that run, since one that is never ended would stay for
// ever. The oldest are forgotten first. A zero field stands for its default.
type Limits struct {
	Spans int           // that run at once; 131,072
	Age   time.Duration // of a span; 24 h
}

const (
	defaultSpans = 1 << 17
	defaultAge   = 24 * time.Hour
)

func (l Limits) withDefaults() Limits {
	if l.Spans <= 0 {
		l.Spans = defaultSpans
	}
	if l.Age <= 0 {
		l.Age = defaultAge
	}
	return l
}

const (
	shards = 64
	few    = 16 // starts that a shard notes before it looks for those of ended spans
)

// running are the spans that run, by key, in shards, so that many goroutines can
// start spans at once.
type running struct {
	limits    Limits
	forgotten atomic.Int64
	shards    [shards]shard
}

type shard struct {
	mu    sync.Mutex
	live  map[Key]*Node
	order []start // of those that run, and of some that do not any more, from head on
	head  int
}

// start is when a span started.
type start struct {
	key Key
	at  time.Time
}

func (r *running) shard(k Key) *shard { return &r.shards[int(k.Span[7])%shards] }

// add reports whether the span was not there yet, and returns those that are
// forgotten in its favour.
func (r *running) add(n *Node) (added bool, forgotten []*Node) {
	sh, now := r.shard(n.Key), time.Now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, ok := sh.live[n.Key]; ok {
		return false, nil
	}
	if sh.live == nil {
		sh.live = make(map[Key]*Node)
	}
	sh.live[n.Key] = n
	sh.order = append(sh.order, start{n.Key, now})
	most := max(1, r.limits.Spans/shards)
	for sh.head < len(sh.order) {
		first := sh.order[sh.head]
		old := sh.live[first.key]
		if old != nil && len(sh.live) <= most && now.Sub(first.at) < r.limits.Age {
			break
		}
		if sh.head++; old != nil {
			delete(sh.live, first.key)
			r.forgotten.Add(1)
			forgotten = append(forgotten, old)
		}
	}
	if len(sh.order) >= 2*len(sh.live)+few {
		order := sh.order[:0] // behind an old one that runs, many have ended
		for _, s := range sh.order[sh.head:] {
			if sh.live[s.key] != nil {
				order = append(order, s)
			}
		}
		sh.order, sh.head = order, 0
	}
	return true, forgotten
}

func (r *running) get(k Key) *Node {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.live[k]
}

func (r *running) remove(k Key) *Node {
	sh := r.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := sh.live[k]
	delete(sh.live, k)
	return n
}

// swap puts another node in the place of one, and reports whether that was still
// there.
func (r *running) swap(from, to *Node) bool {
	sh := r.shard(from.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.live[from.Key] != from {
		return false
	}
	sh.live[from.Key] = to
	return true
}

// outside returns the spans of a trace that run outside of any session.
func (r *running) outside(t trace.TraceID) map[Key]*Node {
	found := make(map[Key]*Node)
	for i := range r.shards {
		sh := &r.shards[i]
		sh.mu.Lock()
		for k, n := range sh.live {
			if k.Trace == t && n.Session == nil && n.Owner == nil {
				found[k] = n
			}
		}
		sh.mu.Unlock()
	}
	return found
}

// Forgotten returns how many spans were forgotten because of [Limits].
func (t *Tree) Forgotten() int64 { return t.running.forgotten.Load() }

// forget lets go of a span that was taken out of those that run.
func (t *Tree) forget(n *Node) {
	if s := n.Session; s != nil {
		if n == s.Root {
			t.setRunning(n, false)
		}
		s.mu.Lock()
		if n.standing == undecided {
			t.decide(n, false)
		}
		s.unlock(t)
	}
	t.Forgot(n)
}

// mostEnded is how many ended events of other tracers a session remembers.
const mostEnded = 4096

// endedNodes are the newest events of other tracers in a session that have ended:
// what starts under one of them later has no other way to find it.
type endedNodes struct {
	nodes map[Key]*Node
	order []Key // a ring, once it is full
	next  int
}

func (e *endedNodes) get(k Key) *Node { return e.nodes[k] }

func (e *endedNodes) add(n *Node) {
	if e.nodes == nil {
		e.nodes = make(map[Key]*Node)
	}
	if len(e.order) < mostEnded {
		e.order = append(e.order, n.Key)
	} else {
		delete(e.nodes, e.order[e.next])
		e.order[e.next] = n.Key
		e.next = (e.next + 1) % mostEnded
	}
	e.nodes[n.Key] = n
}
