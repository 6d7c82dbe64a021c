package spool

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
)

// chunkSize is the number of bytes that are read at once.
const chunkSize = 1 << 20

// errVersion says that a segment was written by a later version.
var errVersion = errors.New("the segment has an unknown version")

// scanner finds the whole records in the first size bytes of a segment. Where
// one is damaged it searches for the next that is not, byte by byte, also in the
// body of the damaged one: it may have been cut short and others follow.
type scanner struct {
	src     io.ReaderAt
	seed    uint32
	size    int64
	off     int64 // of the next byte to look at
	damaged int64 // bytes passed over that belong to no whole record

	buf []byte // bytes of the file from at
	at  int64
}

// start reads the header of the segment, if there is one. start reports whether
// that is whole.
func (s *scanner) start(number uint64) (whole bool, err error) {
	if s.size < segmentHeaderSize {
		return s.size == 0, nil
	}
	b, err := s.window(0, segmentHeaderSize)
	if err != nil {
		return false, err
	}
	version, n, ok := parseSegmentHeader(b, s.seed)
	switch {
	case !ok:
		return false, nil
	case version != segmentVersion:
		return false, errVersion
	}
	s.off = segmentHeaderSize
	return n == number, nil
}

// next returns the next whole record. Its body is valid until the next call. ok
// is false at the end.
func (s *scanner) next() (e Entry, ok bool, err error) {
	for s.size-s.off >= headerSize {
		b, err := s.window(s.off, headerSize)
		if err != nil {
			return Entry{}, false, err
		}
		e, length, sum, ok := parseHeader(b, s.seed)
		if ok && length <= s.size-s.off-headerSize {
			if b, err = s.window(s.off, headerSize+length); err != nil {
				return Entry{}, false, err
			}
			e.Body = b[headerSize : headerSize+length : headerSize+length]
			if crc32.Update(s.seed, castagnoli, e.Body) == sum {
				s.off += headerSize + length
				return e, true, nil
			}
		}
		s.skip(b)
	}
	s.damaged += s.size - s.off
	s.off = s.size
	return Entry{}, false, nil
}

// skip moves on to where the next record may start. b is what was read from the
// offset on.
func (s *scanner) skip(b []byte) {
	n := len(b)
	for from := 1; from < len(b); {
		i := bytes.IndexByte(b[from:], magic[0])
		if i < 0 {
			break
		}
		from += i
		// The end of what was read may cut the magic in two.
		if k := min(len(magic), len(b)-from); string(b[from:from+k]) == string(magic[:k]) {
			n = from
			break
		}
		from++
	}
	s.off += int64(n)
	s.damaged += int64(n)
}

// window returns what is buffered from an offset on, at least n bytes. They must
// lie within the size.
func (s *scanner) window(off, n int64) ([]byte, error) {
	if skip := off - s.at; skip >= 0 && skip+n <= int64(len(s.buf)) {
		return s.buf[skip:], nil
	}
	want := min(max(n, chunkSize), s.size-off)
	if int64(cap(s.buf)) < want || (cap(s.buf) > 2*chunkSize && want <= chunkSize) {
		s.buf = make([]byte, want)
	}
	s.buf = s.buf[:want]
	s.at = off
	if got, err := s.src.ReadAt(s.buf, off); int64(got) < want {
		s.buf = s.buf[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return s.buf, nil
}
