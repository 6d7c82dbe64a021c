package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// written is a part of an Append that stands in one segment.
type written struct {
	segment     *segment
	first, last uint64
	size        int64 // of the segment with it
	mark        int   // where its records start in the segment's unsynced ones
	fresh       bool  // the segment was made for it
}

// Append writes entries in their order and sets their sequence numbers. They are
// with the system when it returns, and durable with SyncAlways. Append does not keep
// the bodies. On an error no [Reader] returns any of the entries; the error
// matches [ErrFull] if there is no room. An orphan takes no entries.
//
// Append waits for a sync when eight times SyncBytes are not durable, since Sync
// is slower than what is appended, and fails if that does.
func (l *Log) Append(entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := l.appendAndSync(entries); err != nil {
		if isFull(err) && !errors.Is(err, ErrFull) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return fmt.Errorf("append to spool: %w", err)
	}
	return nil
}

func (l *Log) appendAndSync(entries []Entry) error {
	if l.options.SyncAlways {
		l.syncMu.Lock()
		defer l.syncMu.Unlock()
	} else if err := l.syncSurplus(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(entries)
}

// surplusFactor is how many times SyncBytes may wait for a sync that is slow.
const surplusFactor = 8

// syncSurplus bounds the bytes that are not durable, and with them the memory
// that holds them.
func (l *Log) syncSurplus() error {
	surplus := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.closed && l.unsynced >= surplusFactor*l.options.SyncBytes
	}
	if !surplus() {
		return nil
	}
	if err := l.Sync(); err != nil && surplus() {
		return err
	}
	return nil
}

func (l *Log) append(entries []Entry) error {
	if l.closed {
		return errClosed
	}
	if l.orphan {
		return errors.New("another process made this spool")
	}
	need := int64(segmentHeaderSize)
	for i := range entries {
		if len(entries[i].Body) > maxBody {
			return fmt.Errorf("a body of %d bytes is too long", len(entries[i].Body))
		}
		need += sizeOf(&entries[i])
	}
	need += need / l.options.SegmentBytes * segmentHeaderSize
	if err := l.room(need); err != nil {
		l.wanted = true
		return err
	}
	parts := make([]written, 0, 1)
	touched := false // whether a byte may be on disk
	seq := l.nextSeq
	for rest := entries; len(rest) > 0; {
		part, n, err := l.writeSome(rest, seq, parts, &touched)
		if err != nil {
			l.rollBack(parts, seq+uint64(n), touched)
			return err
		}
		parts = append(parts, part)
		rest = rest[n:]
		seq += uint64(n)
	}
	before := l.active
	l.commit(parts)
	if l.options.SyncAlways {
		if err := l.syncHeld(); err != nil {
			l.withdraw(parts)
			return err
		}
	}
	if before != nil && before != l.active && len(before.unsynced) == 0 {
		closeFile(before)
	}
	for i := range entries {
		entries[i].Seq = parts[0].first + uint64(i)
	}
	return nil
}

// room reports whether bytes may be added.
func (l *Log) room(need int64) error {
	if taken := l.bytes + l.savedBytes + l.elsewhere.Load(); taken+need > l.options.MaxBytes {
		return fmt.Errorf("%w: it takes %d of %d bytes", ErrFull, taken, l.options.MaxBytes)
	}
	if l.options.MinFree < 0 {
		return nil
	}
	// Asking for the free space is a system call; once a second is enough.
	if now := time.Now(); l.freeAt.IsZero() || now.Sub(l.freeAt) >= time.Second {
		l.freeAt, l.free = now, l.fs.Free(l.dir)
	}
	if l.free < 0 {
		return nil
	}
	if l.free-need < l.options.MinFree {
		return fmt.Errorf("%w: its file system has %d bytes left", ErrFull, l.free)
	}
	l.free -= need
	return nil
}

// writeSome writes as many entries as fit into one segment, at least one, in one
// write. If that fails it writes them to a new segment. writeSome returns the part and
// the number of entries that it took or, on an error, tried to take.
func (l *Log) writeSome(entries []Entry, seq uint64, parts []written, touched *bool) (written, int, error) {
	s, size, fresh := l.active, int64(0), false
	if len(parts) > 0 {
		s, size = parts[len(parts)-1].segment, parts[len(parts)-1].size
	} else if s != nil {
		size = s.size
	}
	if s == nil || (size > segmentHeaderSize && size+sizeOf(&entries[0]) > l.options.SegmentBytes) {
		var err error
		if s, err = l.newSegment(); err != nil {
			return written{}, 0, err
		}
		size, fresh = s.size, true
		s.unsynced, l.spare = l.spare, nil
	}
	end, n := size, 0
	for n < len(entries) && (n == 0 || end+sizeOf(&entries[n]) <= l.options.SegmentBytes) {
		end += sizeOf(&entries[n])
		n++
	}
	mark := len(s.unsynced)
	s.unsynced = room(s.unsynced, int(end-size), int(l.options.SegmentBytes))
	for i := range entries[:n] {
		s.unsynced = appendRecord(s.unsynced, l.seed, &entries[i], seq+uint64(i))
	}
	part := written{s, seq, seq + uint64(n) - 1, end, mark, fresh}
	wrote, err := s.file.Write(s.unsynced[mark:])
	if err == nil {
		*touched = true
		return part, n, nil
	}
	*touched = *touched || wrote > 0

	data := s.unsynced[mark:]
	s.unsynced = s.unsynced[:mark:mark]
	if fresh {
		l.discard(s)
	} else {
		l.cutBack(s, size)
	}
	again, err2 := l.newSegment()
	if err2 != nil {
		return written{}, n, errors.Join(err, err2)
	}
	again.unsynced = data
	if wrote, err2 = again.file.Write(data); err2 != nil {
		*touched = *touched || wrote > 0
		l.discard(again)
		return written{}, n, errors.Join(err, err2)
	}
	*touched = true
	return written{again, seq, part.last, again.size + int64(len(data)), 0, true}, n, nil
}

// room makes room for n more bytes, of most in all if that will do. Long slices
// would grow by a quarter at a time, so that each byte were copied several times.
func room(b []byte, n, most int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, max(min(2*cap(b), most), len(b)+n)), b...)
}

// commit puts what was written into the log.
func (l *Log) commit(parts []written) {
	if l.unsynced == 0 {
		l.since = time.Now()
	}
	for _, p := range parts {
		s := p.segment
		n := int64(p.last - p.first + 1)
		if p.fresh {
			l.addSegment(s)
		}
		if p.mark == 0 {
			s.firstOpen = p.first
		}
		l.unsynced += p.size - s.size
		l.bytes += p.size - s.size
		s.size = p.size
		s.live += n
		l.live += n
		l.addExtent(p.first, p.last, s)
		if l.active != s {
			if l.active != nil {
				l.active.sealed = true
			}
			l.active = s
		}
	}
	l.nextSeq = parts[len(parts)-1].last + 1
}

// rollBack takes back the parts of an Append that failed. The numbers before
// next are not used again if a record with one of them may be on disk.
func (l *Log) rollBack(parts []written, next uint64, touched bool) {
	for _, p := range slices.Backward(parts) {
		if p.fresh {
			l.discard(p.segment)
			continue
		}
		p.segment.unsynced = p.segment.unsynced[:p.mark]
		l.cutBack(p.segment, p.segment.size)
	}
	if touched && next > l.nextSeq {
		l.done.add(l.nextSeq, next-1)
		l.generation++
		l.nextSeq = next
	}
}

// withdraw takes back an Append whose sync failed.
func (l *Log) withdraw(parts []written) {
	for _, p := range parts {
		for seq := p.first; seq <= p.last; seq++ {
			if i, ok := l.find(seq); ok && !l.done.has(seq) {
				l.markDone(l.extents[i].segment, seq, seq)
			}
		}
		s := p.segment
		l.unsynced -= int64(len(s.unsynced))
		s.unsynced = nil
		s.sealed = true
		if l.active == s {
			l.active = nil
		}
		closeFile(s)
	}
}

// cutBack removes what a failed write left at the end of a segment. If it cannot
// be removed, the segment ends here and readers pass the rest over.
func (l *Log) cutBack(s *segment, size int64) {
	if err := s.file.Truncate(size); err == nil {
		return
	}
	s.sealed = true
	if l.active == s {
		l.active = nil
	}
	if len(s.unsynced) == 0 {
		closeFile(s)
	}
}

// newSegment makes a file with a header. It is not in the log yet.
func (l *Log) newSegment() (*segment, error) {
	s := &segment{number: l.nextNumber, size: segmentHeaderSize, emptied: l.generation}
	l.nextNumber++
	f, err := l.fs.Create(l.path(segmentName(s.number)))
	if err != nil {
		return nil, err
	}
	s.file = f
	if _, err := f.Write(appendSegmentHeader(nil, l.id, s.number)); err != nil {
		l.discard(s)
		return nil, err
	}
	return s, nil
}

// discard removes a segment that is not in the log. If that fails, it is left to
// Maintain.
func (l *Log) discard(s *segment) {
	s.unsynced = nil
	closeFile(s)
	err := l.fs.Remove(l.path(segmentName(s.number)))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.sealed = true
	l.generation++
	s.emptied = l.generation
	l.addSegment(s)
}

// closeFile closes a file that nothing is written to any more. What was written
// was synced, or is not needed.
func closeFile(s *segment) {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
