package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"time"
)

// A checkpoint is the set of entries that are done, integers little-endian:
//
//	0  8  magic and version
//	8  8  number of intervals
//	    16  of each, its first and its last number
//	    4   CRC-32C of all before
const (
	checkpointMagic = "SSPNCKP\x01"
	checkpointFixed = len(checkpointMagic) + 8 + 4
)

var errCheckpoint = errors.New("the checkpoint is damaged")

func encodeCheckpoint(seed uint32, done intervals) []byte {
	b := make([]byte, 0, checkpointFixed+16*len(done))
	b = append(b, checkpointMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(done)))
	for _, v := range done {
		b = binary.LittleEndian.AppendUint64(b, v.lo)
		b = binary.LittleEndian.AppendUint64(b, v.hi)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Update(seed, castagnoli, b))
}

func parseCheckpoint(b []byte, seed uint32) (intervals, error) {
	if len(b) < checkpointFixed || (len(b)-checkpointFixed)%16 != 0 ||
		string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, errCheckpoint
	}
	body, n := b[:len(b)-4], (len(b)-checkpointFixed)/16
	if crc32.Update(seed, castagnoli, body) != binary.LittleEndian.Uint32(b[len(body):]) ||
		binary.LittleEndian.Uint64(b[8:]) != uint64(n) {
		return nil, errCheckpoint
	}
	done := make(intervals, n)
	for i := range done {
		at := body[16+16*i:]
		v := interval{binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])}
		if v.lo == 0 || v.lo > v.hi || v.hi > maxSeq || (i > 0 && v.lo <= done[i-1].hi+1) {
			return nil, errCheckpoint
		}
		done[i] = v
	}
	return done, nil
}

// readCheckpoint returns what is done. Without a checkpoint that is nothing:
// records may be delivered twice, but not be lost.
func (l *Log) readCheckpoint() (intervals, error) {
	f, err := l.fs.Open(l.path(checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	l.savedBytes = size
	b, err := io.ReadAll(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, err
	}
	return parseCheckpoint(b, l.seed)
}

// checkpointEvery returns the time between checkpoints, which grows with their
// size.
func (l *Log) checkpointEvery() time.Duration {
	return time.Second * time.Duration(1+l.savedBytes>>20)
}

// save writes the checkpoint. save needs syncMu.
func (l *Log) save(now time.Time) error {
	l.mu.Lock()
	l.collapse()
	b := encodeCheckpoint(l.seed, l.done)
	generation := l.generation
	l.mu.Unlock()

	err := l.writeFile(temporaryName, b)
	if err == nil {
		err = l.fs.Rename(l.path(temporaryName), l.path(checkpointName))
	}
	if err == nil {
		err = l.fs.SyncDir(l.dir)
	}
	if err != nil {
		_ = l.fs.Remove(l.path(temporaryName))
		return fmt.Errorf("write checkpoint: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saved, l.savedAt, l.savedBytes = generation, now, int64(len(b))
	return nil
}

// collapse makes one interval of all below the oldest entry that the log holds.
func (l *Log) collapse() {
	first := l.nextSeq
	if len(l.extents) > 0 {
		first = l.extents[0].first
	}
	for _, s := range l.segments {
		if s.unread { // it may hold any
			return
		}
	}
	if first > 1 {
		l.done.add(1, first-1)
	}
}

// writeFile makes a new file with the bytes, durably but for its name.
func (l *Log) writeFile(name string, b []byte) error {
	f, err := l.fs.Create(l.path(name))
	if errors.Is(err, fs.ErrExist) {
		if err = l.fs.Remove(l.path(name)); err == nil {
			f, err = l.fs.Create(l.path(name))
		}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
