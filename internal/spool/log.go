// Package spool keeps records on disk until they were delivered: an append-only
// log of checksummed segments, for one process and one destination.
//
// # On disk
//
// The directory of a destination holds one directory for each log, named by the
// log's random id, with segments (*.seg), a checkpoint that says which records
// are done, and a lock. A record never spans segments. What was appended is with
// the system when Append returns, so it survives the end of the process however
// that comes. [Log.Sync] makes it survive the end of the machine.
//
// A segment whose records are all done is removed, once a durable checkpoint
// says so. Of a damaged segment only the damaged records are lost: the others
// are found by their own checksums. Its file is kept in the directory "broken"
// next to the logs.
//
// A log belongs to the process that made it. What a process that has ended left
// behind is an orphan; see [Orphans].
//
// # In memory
//
// Entries are known by sequence numbers. A log keeps the set of those that are
// done, and for each contiguous run of entries the segment that holds them (an
// extent). Usually a segment has one extent. It has more where records are
// damaged or were copied to another segment after a failed sync.
package spool

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Options bound a log. A field that is zero stands for its default.
type Options struct {
	MaxBytes     int64         // on disk, for all files of the log; 1 GiB
	MinFree      int64         // bytes that stay free on the file system; 256 MiB, negative for no bound
	SegmentBytes int64         // size of a segment; 8 MiB, at most a quarter of MaxBytes
	SyncEvery    time.Duration // how long an entry may stay unsynced; 1 s
	SyncBytes    int64         // how much may stay unsynced; 1 MiB
	SyncAlways   bool          // whether Append syncs
	FS           FS            // OS
}

func (o Options) withDefaults() Options {
	set(&o.MaxBytes, 1<<30)
	set(&o.MinFree, 256<<20)
	set(&o.SegmentBytes, 8<<20)
	set(&o.SyncEvery, time.Second)
	set(&o.SyncBytes, 1<<20)
	set(&o.FS, OS)
	o.SegmentBytes = max(1, min(o.SegmentBytes, o.MaxBytes/4))
	return o
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

var (
	// ErrFull says that the log, or its file system, has no room.
	ErrFull = errors.New("the spool is full")
	// ErrLocked says that another process holds a lock.
	ErrLocked = errors.New("another process holds the lock")
	// ErrDamaged says that a log that had nothing else to deliver had damage. Its
	// file is kept in the directory "broken".
	ErrDamaged = errors.New("bytes are damaged")

	errClosed = fmt.Errorf("the spool is %w", fs.ErrClosed)
)

const (
	lockName       = "lock"
	checkpointName = "checkpoint"
	temporaryName  = "checkpoint.tmp"
	segmentSuffix  = ".seg"
	brokenName     = "broken"
)

// segment is a file of a log. The fields are guarded by Log.mu.
type segment struct {
	number uint64
	file   File  // for writing; nil when nothing is to be written or synced any more
	size   int64 // of the file, as far as its records are in the log
	live   int64 // entries of its extents that are not done
	// emptied is the generation of the done entries in which live became zero.
	emptied uint64
	sealed  bool  // nothing is appended any more
	named   bool  // its name is durable
	gone    bool  // it has no extents any more and is being removed
	failed  error // why a sync failed

	unsynced  []byte // the records at its end that are not durable
	firstOpen uint64 // the sequence number of the first of them

	// Of a segment that was found on disk:
	damaged int64 // bytes that belong to no whole record
	scanned bool
	broken  bool      // it is kept aside when it is done
	unread  bool      // it could not be read to its end
	copies  intervals // entries that it holds and another segment owns
}

// extent is a run of entries that a segment owns.
type extent struct {
	first, last uint64
	segment     *segment
}

// Log is a log of this process. It is safe for concurrent use.
type Log struct {
	options Options
	fs      FS
	root    string // the directory of the destination
	dir     string
	id      [16]byte
	seed    uint32
	lock    Lock
	orphan  bool // nothing may be appended

	// syncMu is held while files are synced or removed, and taken before mu.
	syncMu sync.Mutex
	// mu guards all below. It is not held during a sync, but for that of a
	// segment that takes the place of one whose sync failed, and SyncAlways.
	mu         sync.Mutex
	segments   []*segment // by number
	active     *segment   // the one to append to, or nil
	extents    []extent   // by sequence number
	done       intervals
	live       int64
	nextNumber uint64 // of segments
	nextSeq    uint64
	bytes      int64        // of the segments
	elsewhere  atomic.Int64 // of other logs, which count against MaxBytes
	closed     bool

	unsynced  int64     // bytes
	since     time.Time // of the oldest of them
	syncRetry time.Time // not before, after a sync that failed

	free   int64 // bytes of the file system, negative if not known
	freeAt time.Time
	spare  []byte // for the unsynced records of the next segment
	wanted bool   // an Append found the log full

	generation    uint64 // counts changes of done
	saved         uint64 // the generation of the durable checkpoint
	savedAt       time.Time
	savedBytes    int64
	maintainRetry time.Time // not before, after an error
}

// Open makes a new log for this process in the directory of a destination, which
// it makes too if it is missing. It refuses a directory that is a symbolic link,
// belongs to another user or can be written by one.
func Open(dir string, options Options) (*Log, error) {
	o := options.withDefaults()
	dir = filepath.Clean(dir)
	err := makeDirs(o.FS, dir)
	if err == nil {
		err = o.FS.CheckDir(dir)
	}
	// Between making and locking it, another process may take the new directory
	// for an orphan without records, and remove it.
	for range 10 {
		if err != nil {
			break
		}
		l := newLog(dir, newID(), o)
		if err = l.make(); err == nil {
			return l, nil
		}
		if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = ErrLocked
	}
	return nil, fmt.Errorf("open spool: %w", err)
}

// newID returns a random UUID.
func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // it never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func newLog(root string, id [16]byte, o Options) *Log {
	return &Log{
		options: o, fs: o.FS, root: root, dir: filepath.Join(root, hex.EncodeToString(id[:])),
		id: id, seed: seedOf(id), nextNumber: 1, nextSeq: 1,
	}
}

// make makes the directory of a new log and takes its lock.
func (l *Log) make() error {
	if err := l.fs.Mkdir(l.dir); err != nil {
		return err
	}
	lock, err := l.fs.Lock(l.path(lockName))
	if err != nil {
		_ = l.fs.Remove(l.dir) // unless it is another's by now
		return err
	}
	if err := l.fs.SyncDir(l.root); err != nil {
		return errors.Join(err, lock.Remove(), l.fs.Remove(l.dir))
	}
	l.lock = lock
	return nil
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

// Dir returns the directory of the log.
func (l *Log) Dir() string { return l.dir }

// Live returns the number of entries that are not done.
func (l *Log) Live() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live
}

// CountBesides sets how many bytes of other logs, which this process has taken
// over, count against MaxBytes.
func (l *Log) CountBesides(bytes int64) { l.elsewhere.Store(bytes) }

// Bytes returns what the log takes on disk.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes + l.savedBytes
}

// Done says that entries are not needed any more. The order does not matter, and
// a number that is not known, or done already, is ignored. Until the next
// checkpoint (see [Log.Maintain]) the end of the process makes it forgotten.
func (l *Log) Done(seqs ...uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for _, seq := range seqs {
		if i, ok := l.find(seq); ok && !l.done.has(seq) {
			l.markDone(l.extents[i].segment, seq, seq)
		}
	}
}

// find returns the index of the extent of an entry, or of the one after it.
func (l *Log) find(seq uint64) (i int, ok bool) {
	// Mostly the oldest or the newest are asked for.
	switch n := len(l.extents); {
	case n > 0 && l.extents[0].last >= seq:
	case n > 0 && l.extents[n-1].first <= seq && seq <= l.extents[n-1].last:
		i = n - 1
	default:
		i = sort.Search(n, func(i int) bool { return l.extents[i].last >= seq })
	}
	return i, i < len(l.extents) && l.extents[i].first <= seq
}

// markDone marks entries of one segment, none of which is done.
func (l *Log) markDone(s *segment, first, last uint64) {
	l.done.add(first, last)
	l.generation++
	n := int64(last - first + 1)
	l.live -= n
	s.live -= n
	if s.live == 0 {
		s.emptied = l.generation
	}
}

// addExtent gives entries, which no extent has, to a segment.
func (l *Log) addExtent(first, last uint64, s *segment) {
	i, _ := l.find(first)
	if i > 0 && l.extents[i-1].segment == s && l.extents[i-1].last+1 == first {
		l.extents[i-1].last = last
		return
	}
	l.extents = slices.Insert(l.extents, i, extent{first, last, s})
}

// addSegment keeps the segments in the order of their numbers.
func (l *Log) addSegment(s *segment) {
	i, _ := slices.BinarySearchFunc(l.segments, s.number, func(s *segment, n uint64) int {
		return cmp.Compare(s.number, n)
	})
	l.segments = slices.Insert(l.segments, i, s)
	l.bytes += s.size
}
