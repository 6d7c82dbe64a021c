package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Reader returns the entries of a log that are not done, each once, in the order
// of their sequence numbers. It is not safe for concurrent use. It holds no file
// between calls, so there is nothing to close.
type Reader struct {
	// Room returns empty memory for a body of n bytes, which Next gives away; nil for
	// fresh memory.
	Room func(n int) []byte

	log     *Log
	next    uint64 // the sequence number to look for
	records int
	bytes   int64
	passed  uint64 // the number of the last segment whose damage is in bytes
	err     error  // for the next call

	segment *segment // that scan is in
	scan    scanner
	// offsets are where to go on in segments that were left because the next
	// entry is in another one.
	offsets map[*segment]int64
}

// Reader returns a reader that starts at a sequence number.
func (l *Log) Reader(from uint64) *Reader { return &Reader{log: l, next: max(from, 1)} }

// Next returns the next entries, at least one if there is one, and not many more
// than fit into maxBytes. Next returns none at the end of what is written, and goes
// on from there after another Append. The bodies belong to the caller. After an
// error the next call goes on with the next segment.
func (r *Reader) Next(maxBytes int64) ([]Entry, error) {
	if err := r.err; err != nil {
		r.err = nil
		return nil, err
	}
	var out []Entry
	for maxBytes > 0 || len(out) == 0 {
		x, size, ok, err := r.find()
		if err == nil && ok {
			out, err = r.read(x, size, out, &maxBytes)
		}
		if err != nil {
			return r.fail(out, fmt.Errorf("read spool: %w", err))
		}
		if !ok {
			break
		}
	}
	return out, nil
}

// fail leaves an error to the next call if there are entries to return.
func (r *Reader) fail(out []Entry, err error) ([]Entry, error) {
	if len(out) == 0 {
		return nil, err
	}
	r.err = err
	return out, nil
}

// Lost returns what the reader has passed over: how many entries are known to be
// missing, and the bytes that belong to no whole record.
func (r *Reader) Lost() (records int, bytes int64) { return r.records, r.bytes }

// find returns the extent with the next entry that is not done, and the size of
// its segment.
func (r *Reader) find() (x extent, size int64, ok bool, err error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return extent{}, 0, false, errClosed
	}
	for {
		i, _ := l.find(r.next)
		if i == len(l.extents) {
			r.pass(^uint64(0))
			return extent{}, 0, false, nil
		}
		x = l.extents[i]
		r.skipTo(x.first)
		r.next = max(r.next, x.first)
		r.pass(x.segment.number)
		if next := l.done.absent(r.next); next <= x.last {
			r.next = next
			return x, x.segment.size, true, nil
		}
		r.next = x.last + 1
	}
}

// room returns memory for a body of n bytes.
func (r *Reader) room(n int) []byte {
	if r.Room == nil {
		return make([]byte, 0, n)
	}
	return r.Room(n)
}

// skipTo counts the entries up to first that no segment holds.
func (r *Reader) skipTo(first uint64) {
	l := r.log
	if first <= r.next || slices.ContainsFunc(l.segments, func(s *segment) bool { return s.unread }) {
		return
	}
	r.records += int(first - r.next - l.done.count(r.next, first-1)) //nolint:gosec // the records of one log, of which each takes 64 bytes of the disk
}

// pass adds the damage that was found when the log was opened.
func (r *Reader) pass(number uint64) {
	if number <= r.passed {
		return
	}
	for _, s := range r.log.segments {
		if s.number > r.passed && s.number <= number {
			r.bytes += s.damaged
			r.passed = s.number
		}
	}
}

// read adds the entries of an extent until it ends or left is used up.
func (r *Reader) read(x extent, size int64, out []Entry, left *int64) ([]Entry, error) {
	s := x.segment
	f, err := r.log.fs.Open(r.log.path(segmentName(s.number)))
	if errors.Is(err, fs.ErrNotExist) {
		return out, r.missing(s, r.next, x.last) // nothing is, if it was removed since
	}
	if err == nil {
		defer func() {
			r.scan.src = nil
			_ = f.Close()
		}()
		err = r.seek(s, f, size)
	}
	if err != nil {
		r.next = x.last + 1
		return out, err
	}
	for r.next <= x.last && (*left > 0 || len(out) == 0) {
		damaged := r.scan.damaged
		e, ok, err := r.scan.next()
		if err != nil {
			r.next = x.last + 1
			return out, err
		}
		if !s.scanned {
			r.bytes += r.scan.damaged - damaged
		}
		if !ok || e.Seq > x.last {
			if ok { // it is for another extent
				r.scan.off -= sizeOf(&e)
			}
			return out, r.missing(s, r.next, x.last)
		}
		if e.Seq < r.next {
			continue
		}
		if e.Seq > r.next {
			if err := r.missing(s, r.next, e.Seq-1); err != nil || r.next < e.Seq {
				r.scan.off -= sizeOf(&e)
				return out, err
			}
		}
		r.next = e.Seq + 1
		if !r.log.isDone(e.Seq) {
			e.Body = append(r.room(len(e.Body)), e.Body...)
			out = append(out, e)
			*left -= sizeOf(&e)
		}
	}
	return out, nil
}

// seek makes scan go on in a segment where it left it.
func (r *Reader) seek(s *segment, f File, size int64) error {
	r.scan.src, r.scan.size = f, size
	if r.segment == s {
		return nil
	}
	r.leave()
	r.segment = s
	off, ok := r.offsets[s]
	r.scan = scanner{src: f, seed: r.log.seed, size: size, off: off, buf: r.scan.buf[:0]}
	if ok {
		delete(r.offsets, s)
		return nil
	}
	_, err := r.scan.start(s.number)
	return err
}

// leave notes where to go on in the segment that scan is in.
func (r *Reader) leave() {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(r.offsets, func(s *segment, _ int64) bool { return s.gone })
	if s := r.segment; s != nil && !s.gone && r.scan.off < s.size {
		if r.offsets == nil {
			r.offsets = make(map[*segment]int64)
		}
		r.offsets[s] = r.scan.off
	}
}

// missing passes over entries that are not where they should be. They are lost,
// and done: nobody will ever deliver them. If they have been moved meanwhile, it
// leaves the reader where they start.
func (r *Reader) missing(s *segment, first, last uint64) error {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if s.failed != nil && len(s.unsynced) > 0 && last >= s.firstOpen {
		r.next = last + 1
		return errors.New("entries are damaged that wait for another sync")
	}
	for i, _ := l.find(first); i < len(l.extents) && l.extents[i].first <= last; i++ {
		x := l.extents[i]
		if x.segment != s {
			r.next = max(first, x.first)
			return nil
		}
		var lost intervals
		l.done.each(max(first, x.first), min(last, x.last), false, func(lo, hi uint64) { lost.add(lo, hi) })
		for _, v := range lost {
			l.markDone(s, v.lo, v.hi)
			r.records += int(v.hi - v.lo + 1) //nolint:gosec // the records of one segment
			s.broken = true
		}
	}
	r.next = last + 1
	return nil
}

func (l *Log) isDone(seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done.has(seq)
}
