package llmhttp

import (
	"encoding/binary"
	"hash/crc32"
)

// A deframer takes a binary event stream apart as it is pushed through, in the
// format application/vnd.amazon.eventstream of AWS: a message is its length, the
// length of its headers, a CRC-32 of both, headers, payload, and a CRC-32 of all
// before. It keeps what is not complete yet, up to a limit; a longer message is
// skipped and counted.
type deframer struct {
	limit int
	// emit is given each message: its type ("event", "exception" or "error"), its
	// name, and its payload, which is good until it returns.
	emit func(kind, name string, payload []byte)
	// damaged is told of a message whose checksum does not hold.
	damaged func()

	b       []byte // of the message that is not complete
	left    int64  // bytes of a message that is skipped
	skipped int    // messages that were too long
	lost    bool   // nobody knows where the next message starts
}

// Sizes of a message without headers and payload.
const (
	preludeBytes = 12
	frameBytes   = preludeBytes + 4
)

// mostHeaders is how long the headers of a message may be.
const mostHeaders = 128 << 10

// write takes the next bytes of the stream, and does not keep p.
func (d *deframer) write(p []byte) {
	for len(p) > 0 && !d.lost {
		if d.left > 0 {
			n := int(min(d.left, int64(len(p))))
			d.left -= int64(n)
			p = p[n:]
			continue
		}
		if len(d.b) == 0 && len(p) >= preludeBytes {
			if total := d.total(p); total > 0 && len(p) >= total {
				d.message(p[:total])
				p = p[total:]
				continue
			}
		}
		p = d.hold(p)
	}
}

// hold keeps bytes of a message up to its end, and returns those after it.
func (d *deframer) hold(p []byte) []byte {
	if d.lost || d.left > 0 {
		return p
	}
	want := preludeBytes
	if len(d.b) >= preludeBytes {
		want = int(binary.BigEndian.Uint32(d.b))
	}
	n := min(want-len(d.b), len(p))
	d.b = append(d.b, p[:n]...)
	if len(d.b) < want {
		return nil
	}
	if want == preludeBytes {
		if d.total(d.b) == 0 {
			d.b = d.b[:0]
			d.left = max(0, d.left-preludeBytes) // which is here already
		}
		return p[n:]
	}
	d.message(d.b)
	d.b = d.b[:0]
	return p[n:]
}

// total returns the length of the message that starts with a prelude. It is 0,
// and the message is skipped or the stream lost, where it cannot be read.
func (d *deframer) total(p []byte) int {
	total, headers := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	if crc32.ChecksumIEEE(p[:8]) != binary.BigEndian.Uint32(p[8:]) || total < frameBytes || headers > min(total-frameBytes, mostHeaders) {
		d.lost = true
		d.damaged()
		return 0
	}
	if int64(total) > int64(d.limit)+mostHeaders {
		d.skipped++
		d.left = int64(total)
		return 0
	}
	return int(total)
}

// message reads a message whose prelude was checked.
func (d *deframer) message(m []byte) {
	end := len(m) - 4
	if crc32.ChecksumIEEE(m[:end]) != binary.BigEndian.Uint32(m[end:]) {
		d.damaged()
		return
	}
	split := preludeBytes + int(binary.BigEndian.Uint32(m[4:]))
	var h frameHeaders
	if !h.read(m[preludeBytes:split]) {
		d.damaged()
		return
	}
	switch h.kind {
	case "exception":
		d.emit(h.kind, h.exception, m[split:end])
	case "error": // a failure that the service has no exception for: all in the headers
		d.emit(h.kind, h.code, []byte(h.text))
	default:
		d.emit("event", h.event, m[split:end])
	}
}

func (d *deframer) end() {}

func (d *deframer) unread() int { return d.skipped }

// frameHeaders are the headers of a message that say what it is.
type frameHeaders struct {
	kind, event, exception, code, text string
}

// valueBytes are how long the values of headers are by their type: both values
// of a boolean, integers of four sizes, bytes, text, a time, a UUID. Bytes and
// text have their length before them.
var valueBytes = [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}

// typeText is the type of a header that is text.
const typeText = 7

// read reads headers. It reports whether they are well formed.
func (h *frameHeaders) read(p []byte) bool {
	for len(p) > 0 {
		n := 1 + int(p[0])
		if len(p) <= n || int(p[n]) >= len(valueBytes) {
			return false
		}
		name, kind := p[1:n], p[n]
		p = p[n+1:]
		size := valueBytes[kind]
		if size < 0 {
			if len(p) < 2 {
				return false
			}
			size = int(binary.BigEndian.Uint16(p))
			p = p[2:]
		}
		if len(p) < size {
			return false
		}
		if kind == typeText {
			h.set(string(name), p[:size])
		}
		p = p[size:]
	}
	return true
}

func (h *frameHeaders) set(name string, value []byte) {
	switch name {
	case ":message-type":
		h.kind = string(value)
	case ":event-type":
		h.event = string(value)
	case ":exception-type":
		h.exception = string(value)
	case ":error-code":
		h.code = string(value)
	case ":error-message":
		h.text = string(value)
	}
}
