package spool

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// maxBroken bounds the bytes of the damaged segments that are kept.
const maxBroken = 64 << 20

// Maintain writes the checkpoint if it is due, and removes the segments that it
// says are done. It costs little when there is nothing to do. None of its errors
// loses an entry; it tries again.
func (l *Log) Maintain(now time.Time) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	due, save := l.maintainDue(now), l.generation != l.saved
	closed := l.closed
	if l.activeSurplus() {
		l.sealActive()
	}
	l.mu.Unlock()
	if closed || due.IsZero() || due.After(now) {
		return nil
	}
	var err error
	if save && !now.Before(l.savedAt.Add(l.checkpointEvery())) {
		err = l.save(now)
	}
	if err == nil {
		err = l.removeDone()
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.maintainRetry = now.Add(time.Second)
		return fmt.Errorf("maintain spool: %w", err)
	}
	return nil
}

// MaintainDue returns when Maintain should be called, or the zero time if there
// is nothing to do.
func (l *Log) MaintainDue(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return time.Time{}
	}
	return l.maintainDue(now)
}

func (l *Log) maintainDue(now time.Time) time.Time {
	var due time.Time
	if l.generation != l.saved {
		due = l.savedAt.Add(l.checkpointEvery())
	}
	if (l.activeSurplus() && l.generation == l.saved) || slices.ContainsFunc(l.segments, l.removable) {
		due = now
	}
	if due.IsZero() {
		return due
	}
	if due.Before(l.maintainRetry) {
		due = l.maintainRetry
	}
	if due.Before(now) {
		due = now
	}
	return due
}

// removable reports whether a durable checkpoint says that a segment is done.
func (l *Log) removable(s *segment) bool {
	if !s.sealed || s.live > 0 || s.unread || s.emptied > l.saved {
		return false
	}
	if len(s.copies) == 0 {
		return true
	}
	// The entries are owned by another segment, but which of the two is durable
	// is not known: both stay until they are done.
	for _, v := range s.copies {
		if l.done.count(v.lo, v.hi) != v.hi-v.lo+1 {
			return false
		}
	}
	return l.generation == l.saved
}

// activeSurplus reports whether the active segment is done and large enough to
// start another one. Other than when it is full, this gives back its room.
func (l *Log) activeSurplus() bool {
	s := l.active
	return s != nil && s.live == 0 && s.size > segmentHeaderSize &&
		(l.wanted || s.size >= l.options.SegmentBytes/4)
}

// Seal ends the segment that is written to, so that its file goes as soon as what is in
// it is done.
func (l *Log) Seal() {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealActive()
}

func (l *Log) sealActive() {
	if s := l.active; s != nil {
		s.sealed = true
		l.active = nil
		if len(s.unsynced) == 0 {
			closeFile(s)
		}
	}
	l.wanted = false
}

// removeDone removes the segments that are done. removeDone needs syncMu.
func (l *Log) removeDone() error {
	l.mu.Lock()
	var done []*segment
	for _, s := range l.segments {
		if l.removable(s) {
			done = append(done, s)
			// From here on readers do not look for it.
			s.gone = true
			l.unsynced -= int64(len(s.unsynced))
			s.unsynced = nil
			closeFile(s)
		}
	}
	if len(done) > 0 {
		l.extents = slices.DeleteFunc(l.extents, func(e extent) bool { return e.segment.gone })
	}
	l.mu.Unlock()

	var errs []error
	for _, s := range done {
		if err := l.removeSegment(s); err != nil {
			errs = append(errs, err)
			continue
		}
		l.mu.Lock()
		l.segments = slices.DeleteFunc(l.segments, func(o *segment) bool { return o == s })
		l.bytes -= s.size
		l.mu.Unlock()
	}
	return errors.Join(errs...)
}

// removeSegment removes the file of a segment, or sets a damaged one aside.
func (l *Log) removeSegment(s *segment) error {
	name := segmentName(s.number)
	var err error
	if s.broken {
		err = l.setAside(name)
	} else {
		err = l.fs.Remove(l.path(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// setAside moves a damaged segment to where it can be looked at.
func (l *Log) setAside(name string) error {
	broken := filepath.Join(l.root, brokenName)
	if err := makeDirs(l.fs, broken); err != nil {
		return err
	}
	if err := l.fs.CheckDir(broken); err != nil {
		return err
	}
	to := filepath.Join(broken, hex.EncodeToString(l.id[:])+"-"+name+".broken")
	if err := l.fs.Rename(l.path(name), to); err != nil {
		return err
	}
	return errors.Join(l.fs.SyncDir(broken), l.pruneBroken(broken))
}

// pruneBroken removes the oldest damaged segments beyond the bound.
func (l *Log) pruneBroken(dir string) error {
	entries, err := l.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	var infos []fs.FileInfo
	var sum int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			infos = append(infos, info)
			sum += info.Size()
		}
	}
	slices.SortStableFunc(infos, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	var errs []error
	for _, info := range infos {
		if sum <= maxBroken {
			break
		}
		sum -= info.Size()
		if err := l.fs.Remove(filepath.Join(dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Close makes all durable and lets go of the log. It removes the directory if no
// entry in it is needed. After that, Append and readers return an error. Close
// may be called more than once.
func (l *Log) Close() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.sealActive()
	live := l.live
	l.mu.Unlock()

	var errs []error
	if live > 0 {
		errs = append(errs, l.sync())
	}
	if l.generation != l.saved {
		errs = append(errs, l.save(time.Now()))
	}
	errs = append(errs, l.removeDone())
	for _, s := range l.segments {
		closeFile(s)
	}
	if err := errors.Join(errs...); err != nil || len(l.segments) > 0 {
		errs = append(errs, l.lock.Unlock())
	} else {
		errs = append(errs, l.removeDir())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// removeDir removes the directory of a log that has no segments any more. The
// lock is the last file, so that no other process looks at a part of the log.
func (l *Log) removeDir() error {
	// A segment that came back after a crash must find the checkpoint.
	err := l.fs.SyncDir(l.dir)
	if err == nil {
		if err = l.fs.Remove(l.path(checkpointName)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return errors.Join(err, l.lock.Unlock())
	}
	if err := l.lock.Remove(); err != nil {
		return err
	}
	if err := l.fs.Remove(l.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		// It stays where it holds a file that is not ours, or where another
		// process has just taken the lock.
		if left, e := l.fs.ReadDir(l.dir); e != nil || len(left) == 0 {
			return err
		}
	}
	return nil
}
