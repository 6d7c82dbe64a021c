package ingest

import "github.com/sessionspan/sessionspan/honeyhive"

// memory knows what log records said of the last spans, so that the messages of several
// requests are one list, and which steps wait for their trace to speak. It is bounded
// in bytes.
type memory struct {
	logs     recent[spanKey, *spanLogs]
	speaking recent[honeyhive.UUID, struct{}] // traces with an event, by their sessions
	steps    steps
}

// traceBytes is about what an entry takes beside its texts.
const traceBytes = 256

// speakingBytes is the weight of a half of the traces that are known to speak.
const speakingBytes = 8 << 20

func newMemory() *memory {
	return &memory{logs: recent[spanKey, *spanLogs]{size: logsBytes}, speaking: recent[honeyhive.UUID, struct{}]{size: speakingBytes}}
}

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
