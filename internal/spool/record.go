package spool

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// Entry is a record of a log.
type Entry struct {
	Type, Flags byte
	Time        time.Time // when the record was created; kept to the millisecond
	Group, ID   [16]byte
	Body        []byte
	Seq         uint64 // set by Append; orders the entries of a log, from 1
}

// A record on disk is a header and the body, integers little-endian:
//
//	 0  4  magic
//	 4  4  length of the body
//	 8  1  type
//	 9  1  flags
//	10  2  zero
//	12  4  CRC-32C of the body
//	16  8  sequence number
//	24  8  time, milliseconds since 1970
//	32 16  group
//	48 16  id
//	64  4  CRC-32C of the 64 bytes before
//
// The header has a sum of its own, so that a length can be believed before the
// body is read; and a magic number, so that the next record is found where one
// is damaged. The sums start from the log's id: a body that holds the bytes of a
// record is not taken for one, since whoever wrote it cannot know the id.
const (
	headerSize = 68
	headerSums = headerSize - 4
)

// magic starts with a byte that UTF-8 never holds.
var magic = [4]byte{0xf5, 'S', 'R', 0xc1}

// maxBody bounds the length of a body in bytes.
const maxBody = 1 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seedOf returns what the sums of a log start from.
func seedOf(id [16]byte) uint32 { return crc32.Checksum(id[:], castagnoli) }

// appendRecord adds an entry in its form on disk.
func appendRecord(dst []byte, seed uint32, e *Entry, seq uint64) []byte {
	start := len(dst)
	dst = append(dst, magic[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Body))) //nolint:gosec // at most maxBody
	dst = append(dst, e.Type, e.Flags, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Update(seed, castagnoli, e.Body))
	dst = binary.LittleEndian.AppendUint64(dst, seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Time.UnixMilli()))
	dst = append(dst, e.Group[:]...)
	dst = append(dst, e.ID[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Update(seed, castagnoli, dst[start:]))
	return append(dst, e.Body...)
}

// sizeOf returns the bytes that an entry takes on disk.
func sizeOf(e *Entry) int64 { return headerSize + int64(len(e.Body)) }

// parseHeader reads a header of a record, and reports whether it is whole.
func parseHeader(b []byte, seed uint32) (e Entry, length int64, sum uint32, ok bool) {
	if len(b) < headerSize || [4]byte(b[:4]) != magic ||
		crc32.Update(seed, castagnoli, b[:headerSums]) != binary.LittleEndian.Uint32(b[headerSums:]) {
		return Entry{}, 0, 0, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	seq := binary.LittleEndian.Uint64(b[16:])
	if n > maxBody || seq == 0 || seq > maxSeq {
		return Entry{}, 0, 0, false
	}
	e = Entry{
		Type: b[8], Flags: b[9], Seq: seq,
		Time:  time.UnixMilli(int64(binary.LittleEndian.Uint64(b[24:]))).UTC(),
		Group: [16]byte(b[32:48]), ID: [16]byte(b[48:64]),
	}
	return e, int64(n), binary.LittleEndian.Uint32(b[12:]), true
}

// A segment starts with a header of its own:
//
//	 0  7  magic
//	 7  1  version
//	 8 16  id of the log
//	24  8  number of the segment
//	32  4  CRC-32C of the 32 bytes before
//
// It has this form in every version. Records are found without it, since the
// name of the directory is the id.
const (
	segmentMagic      = "SSPNLOG"
	segmentVersion    = 1
	segmentHeaderSize = 36
)

func appendSegmentHeader(dst []byte, id [16]byte, number uint64) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, segmentVersion)
	dst = append(dst, id[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	return binary.LittleEndian.AppendUint32(dst, crc32.Update(seedOf(id), castagnoli, dst[start:]))
}

// parseSegmentHeader returns the version and the number of a segment, and
// reports whether the header is whole.
func parseSegmentHeader(b []byte, seed uint32) (version byte, number uint64, ok bool) {
	if len(b) < segmentHeaderSize || string(b[:len(segmentMagic)]) != segmentMagic ||
		crc32.Update(seed, castagnoli, b[:32]) != binary.LittleEndian.Uint32(b[32:]) {
		return 0, 0, false
	}
	return b[7], binary.LittleEndian.Uint64(b[24:]), true
}
