package spool

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Orphans takes over the logs that ended processes left in the directory of a
// destination. Orphans reads each of them through. A log with nothing to deliver is
// removed and not returned. The error joins what went wrong with single logs,
// which are left for another time; the others are returned with it.
//
// An orphan takes no entries. It is to be closed, as soon as Live returns zero
// or when the process ends; what is left then is an orphan again.
func Orphans(dir string, options Options) ([]*Log, error) {
	o := options.withDefaults()
	dir = filepath.Clean(dir)
	err := o.FS.CheckDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = o.FS.ReadDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open orphaned spools: %w", err)
	}
	var logs []*Log
	var errs []error
	for _, e := range entries {
		id, ok := parseID(e.Name())
		if !ok || !e.IsDir() || o.FS.CheckDir(filepath.Join(dir, e.Name())) != nil {
			continue
		}
		l, err := adopt(dir, id, o)
		if err != nil {
			errs = append(errs, fmt.Errorf("open orphaned spool %s: %w", e.Name(), err))
		}
		if l != nil {
			logs = append(logs, l)
		}
	}
	return logs, errors.Join(errs...)
}

func parseID(name string) (id [16]byte, ok bool) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != name {
		return id, false
	}
	return [16]byte(b), true
}

// adopt opens a log that another process made. adopt returns none if another holds
// it or there is nothing in it.
func adopt(root string, id [16]byte, o Options) (*Log, error) {
	l := newLog(root, id, o)
	l.orphan = true
	lock, err := l.fs.Lock(l.path(lockName))
	if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.lock = lock
	entries, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	err = l.recover(entries)
	if l.live > 0 {
		return l, err
	}
	if damaged := l.damaged(); damaged > 0 { // there is no reader to tell it
		err = errors.Join(err, fmt.Errorf("%d %w", damaged, ErrDamaged))
	}
	return nil, errors.Join(err, l.Close())
}

func (l *Log) damaged() (bytes int64) {
	for _, s := range l.segments {
		bytes += s.damaged
	}
	return bytes
}

// recover reads the segments and the checkpoint. recover reports what could not be
// read; the rest is in the log all the same.
func (l *Log) recover(entries []fs.DirEntry) error {
	var errs []error
	var found []intervals
	for _, e := range entries {
		if e.Name() == temporaryName {
			_ = l.fs.Remove(l.path(temporaryName))
		}
		number, ok := parseSegmentName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		s := &segment{number: number, sealed: true, named: true, scanned: true}
		seqs, err := l.scan(s)
		if err != nil {
			errs = append(errs, fmt.Errorf("segment %s: %w", e.Name(), err))
		}
		l.addSegment(s)
		found = append(found, seqs)
	}
	done, err := l.readCheckpoint()
	if err != nil {
		errs = append(errs, err)
	}
	l.done = done
	if n := len(l.done); n > 0 {
		l.nextSeq = l.done[n-1].hi + 1
	}
	// An entry that several segments hold is owned by the newest.
	var owned intervals
	for i, s := range slices.Backward(l.segments) {
		for _, v := range found[i] {
			owned.each(v.lo, v.hi, true, func(lo, hi uint64) { s.copies.add(lo, hi) })
			owned.each(v.lo, v.hi, false, func(lo, hi uint64) {
				l.extents = append(l.extents, extent{lo, hi, s})
				s.live += int64(hi - lo + 1 - l.done.count(lo, hi))
			})
		}
		for _, v := range found[i] {
			owned.add(v.lo, v.hi)
		}
		l.live += s.live
	}
	slices.SortFunc(l.extents, func(a, b extent) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	if n := len(owned); n > 0 {
		l.nextSeq = max(l.nextSeq, owned[n-1].hi+1)
	}
	return errors.Join(errs...)
}

func parseSegmentName(name string) (number uint64, ok bool) {
	base, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(base) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(base, 16, 64)
	return number, err == nil && segmentName(number) == name
}

// scan returns the entries that a segment holds. If it cannot be read through,
// the segment stays on disk whatever is done.
func (l *Log) scan(s *segment) (found intervals, err error) {
	defer func() { s.unread = err != nil }()
	f, err := l.fs.Open(l.path(segmentName(s.number)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if s.size, err = f.Size(); err != nil {
		return nil, err
	}
	sc := scanner{src: f, seed: l.seed, size: s.size}
	whole, err := sc.start(s.number)
	if errors.Is(err, errVersion) {
		s.broken, s.damaged = true, s.size
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var last uint64
	for {
		e, ok, err := sc.next()
		if err != nil {
			return found, err
		}
		if !ok {
			break
		}
		if e.Seq > last {
			found.add(e.Seq, e.Seq)
			last = e.Seq
		}
	}
	s.damaged = sc.damaged
	s.broken = !whole || sc.damaged > 0
	return found, nil
}
