package record

import (
	"hash/fnv"
	"strconv"
	"unsafe"
)

// A large text is kept in pieces, so that those which a write leaves alone need not be
// written anew. Where one ends depends on what stands there and not on what comes before
// it: a large value is pieces by itself, from its first byte on; of the rest, a cell ends
// a piece by chance, the chance being its size by that of a piece and the draw its key.

// The size of a piece of small cells is about leastPiece, or more in texts that would
// have more than mostPieces of these.
const (
	leastPiece = 32 << 10
	mostPieces = 512
	// largestPiece is the size of the pieces of a large value.
	largestPiece = 256 << 10
)

// Pieces returns where the pieces of a payload end, or, of layers as EncodeLayers writes
// them, where isLayers is set.
func Pieces(text string, isLayers bool) []int {
	c := cutter{size: leastPiece}
	for len(text)/c.size > mostPieces {
		c.size *= 2
	}
	if !isLayers {
		c.payload(text, 0)
	} else {
		for at := 0; at < len(text); {
			l, start, end, ok := layerAt(text[at:])
			if !ok {
				break
			}
			start, end = at+start, at+end
			if end-start < c.size {
				c.cell(at, end, strconv.FormatUint(l.Hash, 16))
			} else {
				c.end(start)
				c.payload(text[start:end], start)
				c.end(end)
			}
			at = end
		}
	}
	c.end(len(text))
	return c.ends
}

// cutter finds where pieces end.
type cutter struct {
	size, last int
	ends       []int
}

// end ends a piece, or several where it is large.
func (c *cutter) end(at int) {
	for at > c.last {
		c.last = min(at, c.last+largestPiece)
		c.ends = append(c.ends, c.last)
	}
}

// cell passes a cell, whose value stands between two places.
func (c *cutter) cell(start, end int, key ...string) {
	if end-start >= c.size {
		c.end(start)
		c.end(end)
		return
	}
	const least = 4 // of a piece
	if end-c.last < c.size/least {
		return
	}
	h := fnv.New64a()
	for _, k := range key {
		_, _ = h.Write([]byte(k))
	}
	if h.Sum64()%uint64(c.size) < uint64(end-start) || end-c.last >= largestPiece {
		c.end(end)
	}
}

// payload passes a payload that stands at a place.
func (c *cutter) payload(text string, at int) {
	before := at
	for cell := range cells(text, 0) {
		start := at + offset(text, cell.text)
		end := start + len(cell.text)
		if len(cell.text) < c.size {
			start = before // with its key
		}
		c.cell(start, end, cell.field, cell.key)
		before = end
	}
}

// offset returns where a part of a text stands in it.
func offset(text, part string) int {
	return int(uintptr(unsafe.Pointer(unsafe.StringData(part))) - uintptr(unsafe.Pointer(unsafe.StringData(text)))) //nolint:gosec // it is a part
}
