package spool

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A sync that failed is not tried again on the same file: the system may have
// dropped what it could not write, and report success the next time. So a log
// keeps the records that are not durable in memory, and after a failed sync
// writes them to a new segment, which owns them from then on.

// unsyncedPart is the records of a segment that a sync is to make durable.
type unsyncedPart struct {
	segment *segment
	bytes   int
	next    uint64 // the sequence number after them
	cause   error  // why a sync of the segment failed before
	named   bool
}

// SyncDue returns when Sync should be called, or the zero time if all is durable.
func (l *Log) SyncDue(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsynced == 0 || l.closed {
		return time.Time{}
	}
	due := l.since.Add(l.options.SyncEvery)
	if l.unsynced >= l.options.SyncBytes && due.After(now) {
		due = now
	}
	if due.Before(l.syncRetry) {
		due = l.syncRetry
	}
	return due
}

// Sync makes durable what was appended before the call. Append and Done do not
// wait for it. After an error the entries can still be read, and the next Sync
// tries again.
func (l *Log) Sync() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return l.sync()
}

// sync needs syncMu.
func (l *Log) sync() error {
	l.mu.Lock()
	parts, started := l.unsyncedParts(), time.Now()
	l.mu.Unlock()
	var errs []error
	for i := range parts {
		err := l.flush(&parts[i])
		l.mu.Lock()
		errs = append(errs, l.settle(&parts[i], err))
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced(started, errs)
}

// syncHeld is sync for who holds syncMu and mu.
func (l *Log) syncHeld() error {
	parts, started := l.unsyncedParts(), time.Now()
	var errs []error
	for i := range parts {
		errs = append(errs, l.settle(&parts[i], l.flush(&parts[i])))
	}
	return l.synced(started, errs)
}

func (l *Log) unsyncedParts() []unsyncedPart {
	var parts []unsyncedPart
	for _, s := range l.segments {
		if len(s.unsynced) > 0 {
			parts = append(parts, unsyncedPart{s, len(s.unsynced), l.nextSeq, s.failed, s.named})
		}
	}
	return parts
}

// synced notes when the oldest unsynced entry was appended, at the earliest.
func (l *Log) synced(started time.Time, errs []error) error {
	l.since, l.syncRetry = started, time.Time{}
	if err := errors.Join(errs...); err != nil {
		l.syncRetry = time.Now().Add(l.options.SyncEvery)
		return fmt.Errorf("sync spool: %w", err)
	}
	return nil
}

// flush syncs a file, and its name. The file stays open as long as the segment
// has unsynced records.
func (l *Log) flush(p *unsyncedPart) error {
	if p.cause != nil {
		return p.cause
	}
	if err := p.segment.file.Sync(); err != nil {
		return err
	}
	if !p.named {
		return l.fs.SyncDir(l.dir)
	}
	return nil
}

// settle notes that a part is durable, or makes it so in another segment.
func (l *Log) settle(p *unsyncedPart, cause error) error {
	s := p.segment
	if cause != nil {
		s.failed = cause
		return l.replace(s, cause)
	}
	s.named = true
	l.unsynced -= int64(p.bytes)
	s.unsynced = s.unsynced[:copy(s.unsynced, s.unsynced[p.bytes:])]
	s.firstOpen = p.next
	if s.sealed && len(s.unsynced) == 0 {
		if cap(s.unsynced) <= int(l.options.SegmentBytes) {
			l.spare = s.unsynced
		}
		s.unsynced = nil
		closeFile(s)
	}
	return nil
}

// replace writes the unsynced records of a segment to a new one.
func (l *Log) replace(s *segment, cause error) error {
	active := l.active == s
	if active {
		l.active = nil
	}
	s.sealed = true
	c, err := l.newSegment()
	if err != nil {
		return errors.Join(cause, err)
	}
	_, err = c.file.Write(s.unsynced)
	if err == nil {
		err = c.file.Sync()
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		l.discard(c)
		return errors.Join(cause, err)
	}
	c.named = true
	c.size += int64(len(s.unsynced))
	l.addSegment(c)
	l.moveExtents(s, c)
	l.unsynced -= int64(len(s.unsynced))
	s.unsynced = nil
	closeFile(s)
	if active {
		l.active = c
	} else {
		c.sealed = true
		closeFile(c)
	}
	return nil
}

// moveExtents gives the unsynced entries of a segment to another one.
func (l *Log) moveExtents(from, to *segment) {
	i, _ := l.find(from.firstOpen)
	for ; i < len(l.extents); i++ {
		e := &l.extents[i]
		if e.segment != from {
			continue
		}
		first := max(e.first, from.firstOpen)
		live := int64(e.last - first + 1 - l.done.count(first, e.last))
		from.live -= live
		to.live += live
		if first == e.first {
			e.segment = to
			continue
		}
		last := e.last
		e.last = first - 1
		i++
		l.extents = slices.Insert(l.extents, i, extent{first, last, to})
	}
	from.emptied, to.emptied = l.generation, l.generation
}
