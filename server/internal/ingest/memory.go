package ingest

import (
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// memory knows of the last traces what ties their spans together. It holds
// nothing that would be lost with it: what it forgets, or a process takes with
// it, leaves events that wait for a parent which is no event, and a few traces
// without the name of their root.
type memory struct {
	traces  recent[[16]byte, trace]
	above   recent[honeyhive.UUID, honeyhive.UUID]
	waiting recent[honeyhive.UUID, []child]
}

// memorySize is how many puts of each kind are remembered at least.
const memorySize = 20_000

func newMemory(size int) *memory {
	return &memory{
		traces: recent[[16]byte, trace]{size: size}, above: recent[honeyhive.UUID, honeyhive.UUID]{size: size},
		waiting: recent[honeyhive.UUID, []child]{size: size},
	}
}

// keep remembers a batch.
func (m *memory) keep(b *batch) {
	for id, t := range b.traces {
		known, _ := m.traces.get(id)
		known.speaks = known.speaks || t.speaks
		known.owned = known.owned || t.owned
		if !t.session.IsZero() {
			known.session = t.session
		}
		if t.plain { // what is an event has been written, with its content
			known.root = t.root
		}
		m.traces.put(id, known, 1)
	}
	for id, up := range b.above {
		m.above.put(id, up, 1)
		m.waiting.delete(id)
	}
	for id := range b.kept {
		m.waiting.delete(id)
	}
	for parent, list := range b.waiting {
		old, _ := m.waiting.get(parent)
		all := append(slices.Clip(old), list...)
		all = all[max(0, len(all)-maxWaiting):]
		m.waiting.put(parent, all, len(all))
	}
}

// maxWaiting bounds how many events are remembered to wait for one parent.
const maxWaiting = 1000

// recent is a map that forgets what was put into it longest ago: it has two
// halves, and drops the older one when the newer one is full.
type recent[K comparable, V any] struct {
	size         int // the weight of a half
	newer, older map[K]V
	weight       int // of what was put into the newer half
}

func (r *recent[K, V]) get(k K) (V, bool) {
	if v, ok := r.newer[k]; ok {
		return v, true
	}
	v, ok := r.older[k]
	return v, ok
}

func (r *recent[K, V]) put(k K, v V, weight int) {
	if r.newer == nil || r.weight >= r.size {
		r.older, r.newer, r.weight = r.newer, make(map[K]V), 0
	}
	r.newer[k] = v
	r.weight += weight
}

func (r *recent[K, V]) delete(k K) {
	delete(r.newer, k)
	delete(r.older, k)
}
