package delivery

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sessionspan/sessionspan/internal/spool"
)

// source is a log whose records are read back into memory: our own, past what
// memory had room for, or that of a process that has ended.
//
// It is read twice: what opens groups first, so that nothing else has to wait
// for it in memory.
type source struct {
	log    *spool.Log
	roots  cursor
	rest   cursor
	opened map[[16]byte]bool   // groups whose opener was read back from our own log
	last   uint64              // of our own log, the last record on disk alone
	unread int64               // records on disk alone
	epochs []mark              // which epochs they belong to
	direct map[uint64]struct{} // of our own log, records in memory that came past the order
	trails map[[16]byte]*trail // nil for our own log
	drafts map[uint64]struct{} // of an orphan, the records that were written before it was decided of them
	oldest time.Time           // when the oldest record of an orphan was created
}

// cursor walks through a log for some of its entries.
type cursor struct {
	reader *spool.Reader // nil when there is nothing to read
	next   []spool.Entry // read and not taken yet
	at     uint64        // the last sequence number that was read
	end    bool          // there was nothing more
	failed int           // reads in a row that gave nothing
}

// mostFailed bounds the reads that fail in a row, each at another segment.
const mostFailed = 1000

// mark says how many records on disk, from a sequence number on, belong to an
// epoch.
type mark struct {
	epoch, from uint64
	n           int64
}

// trail is what the log of an ended process holds of a group beside its members.
type trail struct {
	ended bool // the opener is there
	// endedBefore is what ended was when the last entry of type entryBegun came.
	endedBefore bool
	begun       uint64 // the last entry of that type; 0 for none
	announced   uint64 // likewise
	text        []byte // of what was announced, until the opener is read
}

// Memory is full for the spool at spillAbove of the limit, so that the inbox has
// room; below refillBelow records are read back. Held records are let go above
// half of the limit, so those alone never keep it above refillBelow.
func (w *worker) spillAbove() int64  { return w.cfg.MaxBytes / 4 * 3 }
func (w *worker) refillBelow() int64 { return w.cfg.MaxBytes / 8 * 5 }

// readBytes is about how much is read back at once.
const readBytes = 256 << 10

// spill leaves a record to the spool where memory is short, and after it the
// later ones until all are read back. spill reports whether it did.
func (w *worker) spill(r *Record) bool {
	if r.kept.log == nil {
		return false
	}
	own := w.disk.own
	if !own.reading() {
		if w.inUse() <= w.spillAbove() {
			return false
		}
		own.read(r.kept.seq)
	}
	own.unread++
	own.last, own.roots.end, own.rest.end = r.kept.seq, false, false
	if n := len(own.epochs); n > 0 && own.epochs[n-1].epoch == r.epoch {
		own.epochs[n-1].n++
	} else {
		own.epochs = append(own.epochs, mark{r.epoch, r.kept.seq, 1})
	}
	if r.Kind == Opener {
		w.spillRoot(r)
	}
	w.account.spill(r)
	w.freed += r.size
	w.recycle(r)
	return true
}

// enter sends a record that was made in between on its way, or leaves it to the
// spool.
func (w *worker) enter(r *Record) {
	w.keep([]any{r})
	if w.spill(r) {
		return
	}
	if r.kept.log != nil {
		w.disk.own.direct[r.kept.seq] = struct{}{}
	}
	w.route(r)
}

// spillRoot notes that the opener of a group has come and is on disk alone.
func (w *worker) spillRoot(r *Record) {
	g := w.groups.get(r.Group)
	if g == nil {
		return
	}
	if g.roots <= 1 && g.unread == 0 && len(g.held) == 0 && !g.opening && !g.opened && len(g.begun) == 0 {
		w.groups.remove(g) // it is made anew when the opener is read
		return
	}
	g.unread++
}

// read starts to read a log back.
func (s *source) read(from uint64) {
	s.roots = cursor{reader: s.log.Reader(from)}
	s.rest = cursor{reader: s.log.Reader(from)}
}

func (s *source) reading() bool { return s.rest.reader != nil }

// canRefill reports whether there is something to read back, and room for it.
func (w *worker) canRefill() bool {
	return w.inUse() < w.refillBelow() && slices.ContainsFunc(w.sources(), (*source).reading)
}

// sources returns our own log and those of ended processes.
func (w *worker) sources() []*source { return append([]*source{w.disk.own}, w.disk.others...) }

// refill reads some records back: of our own log and of the others in turn.
func (w *worker) refill() {
	if !w.canRefill() {
		return
	}
	sources := w.sources()
	for range sources {
		s := sources[w.disk.turn%len(sources)]
		w.disk.turn++
		if s.reading() {
			w.readBack(s)
			break
		}
	}
	w.noteOldest()
}

// readBack takes records from a log until memory is full, after one read of each
// cursor at most.
func (w *worker) readBack(s *source) {
	if len(s.roots.next) == 0 && !s.passed(&s.roots) {
		w.fetch(&s.roots, isRoot)
	}
	w.takeFrom(s, &s.roots)
	if len(s.roots.next) > 0 || !s.passed(&s.roots) {
		return
	}
	w.takeFrom(s, &s.rest)
	if len(s.rest.next) == 0 {
		w.fetch(&s.rest, func(t byte) bool { return !isRoot(t) }) // also to know the age of the next one
		if len(s.rest.next) == 0 && s.passed(&s.rest) {
			w.readThrough(s)
		}
	}
}

// passed reports whether a cursor has seen all there is for it.
func (s *source) passed(c *cursor) bool { return c.end || s.trails == nil && c.at >= s.last }

func isRoot(t byte) bool { return t == byte(Opener) || t == entryBegun || t == entryAnnounced }

// takeFrom takes what a cursor has read, until memory is full. The rest never
// overtakes what opens groups.
func (w *worker) takeFrom(s *source, c *cursor) {
	for len(c.next) > 0 && w.inUse() < w.refillBelow() && (c == &s.roots || s.roots.end || c.next[0].Seq <= s.roots.at) {
		e := c.next[0]
		c.next[0] = spool.Entry{}
		c.next = c.next[1:]
		w.takeBack(s, e)
	}
}

// fetch reads the next entries, and keeps those that are wanted.
func (w *worker) fetch(c *cursor, wanted func(byte) bool) {
	c.reader.Room = w.roomFor
	entries, err := c.reader.Next(readBytes)
	w.spoolFailed(err)
	if len(entries) == 0 {
		c.failed++
		c.end = err == nil || c.failed > mostFailed
		return
	}
	c.at, c.end, c.failed = entries[len(entries)-1].Seq, false, 0
	c.next = slices.DeleteFunc(entries, func(e spool.Entry) bool { return !wanted(e.Type) })
}

// readThrough ends the reading of a log.
func (w *worker) readThrough(s *source) {
	if s.unread > 0 { // the disk has lost them
		w.account.unreadable(s.unread)
		w.spoolFailed(fmt.Errorf("%d records cannot be read any more", s.unread))
		for _, m := range s.epochs {
			w.outstanding.add(m.epoch, -int(m.n))
		}
	}
	s.unread, s.epochs = 0, nil
	s.roots, s.rest = cursor{}, cursor{}
	clear(s.opened)
}

// noteOldest tells the account of the oldest record that is on disk alone.
func (w *worker) noteOldest() {
	var oldest time.Time
	for _, s := range w.sources() {
		for _, c := range []*cursor{&s.roots, &s.rest} {
			if s.unread > 0 && len(c.next) > 0 && (oldest.IsZero() || c.next[0].Time.Before(oldest)) {
				oldest = c.next[0].Time
			}
		}
		if s.unread > 0 && len(s.rest.next) == 0 {
			return // not known until more is read
		}
	}
	w.account.onDisk(oldest)
}

// roomFor returns memory for the body of a record that is read back.
func (w *worker) roomFor(n int) []byte {
	if n > bufferMost {
		return make([]byte, 0, n)
	}
	return w.buffers.take(n)
}

// restore has the destination restore a record, which may run redactors of users.
func (w *worker) restore(r *Record) error {
	_, err := guarded(&w.calls, func() (struct{}, error) { return struct{}{}, w.spool.dest.Restore(r) })
	return err
}

// takeBack deals with an entry that was read back.
func (w *worker) takeBack(s *source, e spool.Entry) {
	orphan := s.trails != nil
	r := &Record{
		Kind: Kind(e.Type), Group: e.Group, ID: e.ID, Elsewhere: e.Flags&flagElsewhere != 0,
		Body: e.Body, created: e.Time, kept: kept{s.log, e.Seq}, pooled: w.buffers.fits(e.Body),
	}
	if r.Kind == Single {
		r.session, r.Group = e.Group, [16]byte{}
	}
	var err error
	switch _, direct := s.direct[e.Seq]; {
	case direct, e.Type == entryDecided, !orphan && e.Flags&flagDraft != 0:
		return // it is in memory
	case orphan && e.Flags&flagLatest != 0: // others may have said something later since
		r.kept.done()
		return
	case e.Type == entryBegun || e.Type == entryAnnounced:
		if !orphan {
			return // of a group that runs
		}
		if r, err = w.incomplete(s, e); r == nil {
			return
		}
	case int(e.Type) >= len(kindNames):
		err = fmt.Errorf("a record of type %d is not known", e.Type)
	default:
		err = w.restore(r)
	}
	if errors.Is(err, errStuck) {
		return // it stays on disk
	}
	w.account.readBack(r)
	r.epoch = w.leaveEpoch(s, e.Seq)
	w.charge(r)
	if w.discarded(r) {
		w.dropWaiting(r)
		return
	}
	if err != nil {
		w.report("encode", fmt.Errorf("%s: a record of the spool was dropped: %w", w.cfg.Name, err))
		r.Kind = Single
		w.finish(r, Broken)
		return
	}
	g, t := w.groups.get(r.Group), s.trails[r.Group]
	switch {
	case r.Kind == Opener && orphan:
		if g != nil {
			g.roots++ // the one that runs here is another
		}
		w.wasAnnounced(s, r, t)
	case r.Kind == Opener:
		s.opened[r.Group] = true
		if g != nil {
			g.unread = max(0, g.unread-1)
		}
	case r.Kind == Member && g == nil && (orphan || s.opened[r.Group]):
		r.Elsewhere = true // its session was delivered before
	}
	w.route(r)
	w.follow(r)
}

// wasAnnounced makes the opener of a group known as the end of what the process
// that wrote it had announced.
func (w *worker) wasAnnounced(s *source, r *Record, t *trail) {
	if t == nil || t.text == nil {
		return
	}
	at, text := kept{s.log, t.announced}, t.text
	t.text = nil
	announced, err := guarded(&w.calls, func() (any, error) { return w.spool.dest.RestoreAnnounced(text) })
	if errors.Is(err, errStuck) {
		return
	}
	if err != nil {
		at.done()
		w.spoolFailed(err)
		return
	}
	g := w.groups.get(r.Group)
	if g == nil {
		g = w.groups.add(r.Group)
	}
	if g.announced != nil {
		at.done()
		return
	}
	g.announced, g.announcement = announced, at
	w.release(g)
}

// leaveEpoch takes a record of a source out of its account of what is unread,
// and returns its epoch.
func (w *worker) leaveEpoch(s *source, seq uint64) uint64 {
	i := len(s.epochs) - 1
	for i > 0 && (s.epochs[i].from > seq || s.epochs[i].n == 0) {
		i--
	}
	if i < 0 || s.epochs[i].n == 0 { // more than the survey found
		w.account.adopt(1, time.Now())
		w.outstanding.add(w.epoch, 1)
		return w.epoch
	}
	s.unread--
	m := &s.epochs[i]
	epoch := m.epoch
	if m.n--; m.n == 0 {
		s.epochs = slices.Delete(s.epochs, i, i+1)
	}
	return epoch
}

// incomplete returns the record of a session that its program did not end, or
// nil where the log has more to say of it.
func (w *worker) incomplete(s *source, e spool.Entry) (*Record, error) {
	at, t := kept{s.log, e.Seq}, s.trails[e.Group]
	begun, announced := e.Type == entryBegun, any(nil)
	if t == nil || begun && (t.ended || t.announced != 0 || t.begun != e.Seq) || !begun && t.announced != e.Seq {
		at.done()
		return nil, nil
	}
	r := &Record{Group: e.Group, kept: at, created: e.Time}
	if !begun {
		if t.ended {
			return nil, nil // the end becomes an update of it
		}
		var err error
		announced, err = guarded(&w.calls, func() (any, error) { return w.spool.dest.RestoreAnnounced(e.Body) })
		if err != nil {
			return r, err
		}
	}
	before := announced
	made, err := guarded(&w.calls, func() (*Record, error) { return w.spool.dest.Incomplete(e.Body, before) })
	if err == nil {
		r.Kind, r.ID, r.Body, r.Value, r.Follow = made.Kind, made.ID, made.Body, made.Value, made.Follow
	}
	return r, err
}
