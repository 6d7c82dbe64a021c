package ingest

import (
	"sync"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// parts are the ingesters of single projects.
type parts struct {
	mu  sync.Mutex
	all map[string]*Ingester
}

// For returns the ingester of who may write to one project alone: all spans are of that,
// whatever they say, and what they are remembered by is apart from that of others, so
// that nobody's spans are told by those of others. Without a project that is i itself.
func (i *Ingester) For(project string) *Ingester {
	if project == "" {
		return i
	}
	i.parts.mu.Lock()
	defer i.parts.mu.Unlock()
	part := i.parts.all[project]
	if part == nil {
		if i.parts.all == nil {
			i.parts.all = make(map[string]*Ingester)
		}
		part = &Ingester{store: i.store, memory: newMemory(), now: i.Now, project: project}
		i.parts.all[project] = part
	}
	return part
}

// read converts a span as [read] does, of the project that the batch is of.
func (b *batch) read(s *convert.Span, root bool) (convert.Record, place) {
	rec, p := read(s, root)
	b.claim(&rec)
	return rec, p
}

// claim makes a record one of the project that the batch is of.
func (b *batch) claim(rec *convert.Record) {
	if b.project == "" {
		return
	}
	rec.Project = b.project
	if rec.SessionText != "" { // its id is made of the project
		rec.SessionID = honeyhive.SessionID(b.project, rec.SessionText)
	}
}
