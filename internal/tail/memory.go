package tail

import "github.com/sessionspan/sessionspan/honeyhive"

// mostRemembered is how many of the newest ids a memory has at least.
const mostRemembered = 1 << 16

// memory is what was decided of the newest ids, in two halves of which the older is
// dropped when the newer is full.
type memory struct{ newer, older map[honeyhive.UUID]bool }

// add remembers whether what has the id is kept.
func (m *memory) add(id honeyhive.UUID, kept bool) {
	if m.newer == nil || len(m.newer) >= mostRemembered {
		m.older, m.newer = m.newer, make(map[honeyhive.UUID]bool)
	}
	m.newer[id] = kept
}

// get returns what was decided, if that is remembered.
func (m *memory) get(id honeyhive.UUID) (kept, ok bool) {
	if kept, ok = m.newer[id]; !ok {
		kept, ok = m.older[id]
	}
	return kept, ok
}

// forget makes an id one of which nothing was decided.
func (m *memory) forget(id honeyhive.UUID) {
	delete(m.newer, id)
	delete(m.older, id)
}
