package ingest

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/brief"
)

// memory knows of the last traces what ties their spans together. It holds
// nothing that would be lost with it: what it forgets, or a process takes with
// it, leaves events that wait for a parent which is no event, and a few traces
// without the name of their root. It is bounded in bytes, whatever spans are
// named.
type memory struct {
	traces  recent[[16]byte, known]
	above   recent[honeyhive.UUID, honeyhive.UUID]
	waiting recent[honeyhive.UUID, []child]
	logs    recent[spanKey, *spanLogs]
	steps   steps
}

// known is what is remembered of a trace.
type known struct {
	speaks, owned bool
	session       honeyhive.UUID
	root          *root
}

// root is what the root of a trace says of a session, where it is no event: one
// that is has been written, with its content.
type root struct {
	name, project, source, err string
	start, end, duration       honeyhive.Optional[float64]
}

func newRoot(rec *convert.Record) *root {
	return &root{name: rec.Name, project: rec.Project, source: rec.Source, err: rec.Error, start: rec.Start, end: rec.End, duration: rec.Duration}
}

func (r *root) record() *honeyhive.SessionStartRequest {
	s := &honeyhive.SessionStartRequest{SessionName: honeyhive.Some(r.name), StartTime: r.start, EndTime: r.end, Duration: r.duration}
	set(&s.Project, r.project)
	set(&s.Source, r.source)
	set(&s.Error, r.err)
	return s
}

// Bounds of what is remembered, in bytes: of a half of each kind, of one text,
// and about what an entry takes beside its texts. So some 20,000 entries of each
// kind are remembered at least, with names of 100 bytes.
const (
	tracesBytes  = 8 << 20
	aboveBytes   = 2 << 20
	waitingBytes = 8 << 20
	textBytes    = 1 << 10
	traceBytes   = 256
	upBytes      = 96
	childBytes   = 192
)

func newMemory() *memory {
	return &memory{
		traces: recent[[16]byte, known]{size: tracesBytes}, above: recent[honeyhive.UUID, honeyhive.UUID]{size: aboveBytes},
		waiting: recent[honeyhive.UUID, []child]{size: waitingBytes}, logs: recent[spanKey, *spanLogs]{size: logsBytes},
	}
}

// remembered returns the beginning of a text, and keeps nothing of what the text
// is a part of.
func remembered(s string) string { return strings.Clone(brief.Cut(s, textBytes)) }

// keep remembers a batch.
func (m *memory) keep(b *batch) {
	for id, t := range b.traces {
		k, _ := m.traces.get(id)
		k.speaks = k.speaks || t.speaks
		k.owned = k.owned || t.owned
		if !t.session.IsZero() {
			k.session = t.session
		}
		if r := t.root; r != nil {
			k.root = &root{remembered(r.name), remembered(r.project), remembered(r.source), remembered(r.err), r.start, r.end, r.duration}
		}
		weight := traceBytes
		if k.root != nil {
			weight += len(k.root.name) + len(k.root.project) + len(k.root.source) + len(k.root.err)
		}
		m.traces.put(id, k, weight)
	}
	for id, up := range b.above {
		m.above.put(id, up, upBytes)
		m.waiting.delete(id)
	}
	for id := range b.kept {
		m.waiting.delete(id)
	}
	for parent, list := range b.waiting {
		old, _ := m.waiting.get(parent)
		all := append(slices.Clip(old), list...)
		all = all[max(0, len(all)-maxWaiting):]
		weight := 0
		for i := range all {
			if i >= len(all)-len(list) {
				all[i].name = shortName(all[i].name)
			}
			weight += childBytes + len(all[i].name)
		}
		m.waiting.put(parent, all, weight)
	}
}

// shortName returns a name that is remembered, or none for a long one: to correct
// an event must not cut its name.
func shortName(s string) string {
	const most = 200
	if len(s) > most {
		return ""
	}
	return strings.Clone(s)
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
