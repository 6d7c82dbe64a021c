package delivery

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sessionspan/sessionspan/internal/spool"
)

// adopt takes over logs of ended processes.
func (w *worker) adopt(f found) {
	w.disk.seeking = false
	for _, err := range f.problems {
		w.spoolFailed(err)
	}
	w.disk.others = slices.DeleteFunc(w.disk.others, w.finished)
	for _, s := range f.logs {
		w.account.adopt(s.unread, s.oldest)
		s.epochs = []mark{{0, 0, s.unread}} // every flush waits for them
		if s.unread > 0 {
			w.outstanding.add(0, int(s.unread))
		}
		s.read(0)
		w.disk.others = append(w.disk.others, s)
	}
	w.countOthers()
}

// finished closes a log that has nothing more for us, and reports whether it
// did.
func (w *worker) finished(s *source) bool {
	if s.reading() || s.log.Live() > 0 {
		return false
	}
	w.spoolFailed(s.log.Close())
	return true
}

// found is what seek found.
type found struct {
	logs     []*source
	problems []error
}

// seek looks for logs of ended processes.
func (w *worker) seek() {
	var f found
	logs, err := spool.Orphans(w.spool.dir, w.spool.options)
	for _, err := range unjoined(err) {
		// Where nothing waits any more, damage is almost always a write that the
		// kill cut short, which is no record. Its file is kept.
		if err != nil && !errors.Is(err, spool.ErrDamaged) {
			f.problems = append(f.problems, err)
		}
	}
	for _, l := range logs {
		s, problems := w.survey(l)
		f.logs, f.problems = append(f.logs, s), append(f.problems, problems...)
	}
	select {
	case w.disk.found <- f:
	case <-w.disk.stop:
		for _, l := range logs {
			if err := l.Close(); err != nil {
				w.Report("spool", w.ofSpool(err))
			}
		}
	}
}

// unjoined returns the errors that errors.Join has joined.
func unjoined(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// survey reads a log of an ended process through, to know what to make of its
// records when they are read again. survey returns what went wrong as well.
func (w *worker) survey(l *spool.Log) (s *source, problems []error) {
	s = &source{log: l, trails: make(map[[16]byte]*trail)}
	for reader := l.Reader(0); ; {
		select {
		case <-w.disk.stop:
			return s, problems
		default:
		}
		entries, err := reader.Next(readBytes)
		if err != nil {
			problems = append(problems, err)
		}
		if len(entries) == 0 && err == nil {
			if n, bytes := reader.Lost(); n > 0 { // a write that the kill cut short is no record
				problems = append(problems, fmt.Errorf("the spool of an ended process is damaged: %d records (%d bytes) are lost; the files are kept in %s", n, bytes, brokenDir))
			}
			break
		}
		for _, e := range entries {
			s.note(e)
		}
	}
	for _, t := range s.trails {
		if !t.ended { // it will be made, when what was announced is read again
			s.unread++
			t.text = nil
		}
	}
	return s, problems
}

// note counts an entry, or remembers what it says of its group.
func (s *source) note(e spool.Entry) {
	if e.Flags&flagLatest != 0 {
		return // it is not sent
	}
	if s.oldest.IsZero() || e.Time.Before(s.oldest) {
		s.oldest = e.Time
	}
	if e.Type == entryDecided {
		s.noteDecided(e)
		return
	}
	opener := Kind(e.Type) == Opener
	if e.Type != entryBegun && e.Type != entryAnnounced {
		s.unread++
		if e.Flags&flagDraft != 0 {
			if s.drafts == nil {
				s.drafts = make(map[uint64]struct{})
			}
			s.drafts[e.Seq] = struct{}{}
		}
		if !opener {
			return
		}
	}
	t := s.trails[e.Group]
	if t == nil {
		t = new(trail)
		s.trails[e.Group] = t
	}
	switch {
	case opener:
		t.ended = true
	case e.Type == entryBegun: // perhaps of a session that was started again
		t.begun, t.ended, t.endedBefore = e.Seq, false, t.ended
	default:
		t.announced, t.text = e.Seq, e.Body
	}
}

// noteDecided forgets what was written before it was decided of it, since it was left out
// or written once more.
func (s *source) noteDecided(e spool.Entry) {
	s.log.Done(e.Seq)
	t := s.trails[e.Group]
	for seq := range decidedIn(e.Body) {
		if _, ok := s.drafts[seq]; ok {
			delete(s.drafts, seq)
			s.unread--
		} else if t != nil && t.begun == seq {
			if t.begun, t.ended = 0, t.endedBefore; !t.ended && t.announced == 0 {
				delete(s.trails, e.Group)
			}
		} else {
			continue
		}
		s.log.Done(seq)
	}
}
