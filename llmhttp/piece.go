package llmhttp

import (
	"bytes"
	"slices"
	"strings"
	"unsafe"
)

type pieceKey struct {
	kind partKind
	key  int
}

// fewParts is how many parts are looked through without an index.
const fewParts = 16

// add adds a piece.
func (c *choice) add(p piece) *piece {
	kept := &c.first
	if len(c.parts) == 0 {
		c.parts = c.only[:0]
	} else {
		kept = new(piece)
	}
	*kept = p
	c.parts = append(c.parts, kept)
	switch {
	case c.index != nil:
		c.index[pieceKey{p.kind, p.key}] = kept
	case len(c.parts) > fewParts:
		c.index = make(map[pieceKey]*piece, 2*len(c.parts))
		for _, p := range c.parts {
			c.index[pieceKey{p.kind, p.key}] = p
		}
	}
	return kept
}

// find returns the newest part of a kind with a key, or nil.
func (x *exchange) find(c *choice, kind partKind, key int) *piece {
	if c.index != nil {
		x.steps++
		return c.index[pieceKey{kind, key}]
	}
	for _, p := range slices.Backward(c.parts) {
		x.steps++
		if p.key == key && p.kind == kind {
			return p
		}
	}
	return nil
}

// A piece is a part of an answer that comes in pieces.
type piece struct {
	part
	key  int
	more []byte // text, or the arguments of a tool
	blob *blob  // media
	// cites are the citations of a text that came one by one, each behind a comma.
	cites []byte
	// fold puts what came in pieces into a part of another kind, whose input of a
	// tool it is where there is no fold.
	fold func(json, more string) string
	args *argTree // of a call whose arguments come by their paths
	free bool     // the input of the tool is any text, not JSON
	end  endOf    // of the arguments of a tool
}

// piece returns a part of an answer by its key.
func (x *exchange) piece(c *choice, kind partKind, key int) *piece {
	if p := x.find(c, kind, key); p != nil {
		return p
	}
	return x.newPiece(c, kind, key)
}

// follow returns the last part of an answer, if it is of a kind and has a key, or
// else a new one.
func (x *exchange) follow(c *choice, kind partKind, key int) *piece {
	if n := len(c.parts); n > 0 && c.parts[n-1].kind == kind && c.parts[n-1].key == key {
		return c.parts[n-1]
	}
	return x.newPiece(c, kind, key)
}

// newPiece adds a part. One too many is given to write to and not kept.
func (x *exchange) newPiece(c *choice, kind partKind, key int) *piece {
	x.changes++
	if x.spillsChoice(c) || x.full() {
		s := x.spilled()
		s.piece = piece{part: part{kind: kind}, key: key}
		return &s.piece
	}
	return c.add(piece{part: part{kind: kind}, key: key})
}

// call returns the newest call of a tool with an id, or nil.
func (x *exchange) call(c *choice, id string) *piece {
	if c.index == nil {
		for _, p := range slices.Backward(c.parts) {
			x.steps++
			if p.kind == partCall && p.id == id {
				return p
			}
		}
		return nil
	}
	x.steps++
	if c.calls == nil {
		c.calls = make(map[string]*piece)
		for _, p := range c.parts {
			if x.steps++; p.kind == partCall && p.id != "" {
				c.calls[p.id] = p
			}
		}
	}
	return c.calls[id]
}

// label names a call of a tool, as far as there is room: what is known of its id
// and its name stays.
func (x *exchange) label(c *choice, p *piece, id, name string) {
	for _, l := range [...]struct {
		kept *string
		text string
	}{{&p.id, id}, {&p.name, name}} {
		switch {
		case l.text == "" || *l.kept != "":
		case len(l.text) > x.room:
			x.cut = true
		default:
			x.room -= len(l.text)
			*l.kept = strings.Clone(l.text)
			x.changes++
			x.content = true
		}
	}
	if c.calls != nil && p.id != "" && !x.spills(p) {
		c.calls[p.id] = p
	}
}

// add appends what came to a piece.
func (x *exchange) add(p *piece, text string) {
	if text == "" {
		return
	}
	x.changes++
	x.added, x.text = p, text
	x.write(p, []byte(text))
}

// longText is the length in bytes from which a text that grows gets twice the room.
const longText = 1 << 10

// write appends a text to a piece, as far as there is room. It does not keep text.
func (x *exchange) write(p *piece, text []byte) {
	x.content = true
	if x.blind || x.spills(p) {
		return
	}
	if len(text) > x.room {
		x.cut = true
		text = bytes.ToValidUTF8(text[:max(0, x.room)], nil)
	}
	x.room -= len(text)
	if n := len(p.more); n >= longText && n+len(text) > cap(p.more) {
		p.more = slices.Grow(p.more, n) // append grows by a quarter, and copies as often
	}
	p.more = append(p.more, text...)
}

// written returns what was appended to a piece. It is not copied: a piece only
// grows, and what grows behind the text leaves it as it is.
func (p *piece) written() string { return unsafe.String(unsafe.SliceData(p.more), len(p.more)) } //nolint:gosec // see above

// append adds to a piece that is folded a text that is of use only whole, and a
// comma.
func (x *exchange) append(p *piece, text string) {
	x.changes++
	x.content = true
	if len(text) >= x.room && !x.blind {
		x.cut = true
		return
	}
	x.write(p, []byte(text))
	x.write(p, []byte{','})
}

// sound digests a piece of sound, in base64.
func (x *exchange) sound(p *piece, data string) {
	p.modality = "audio"
	x.digest(p, data)
}

// digest digests a piece of media, in base64.
func (x *exchange) digest(p *piece, data string) {
	if data == "" {
		return
	}
	x.changes++
	x.content = true
	if x.blind || x.spills(p) {
		return
	}
	if p.blob == nil {
		p.blob = newBlob()
	}
	p.blob.write([]byte(data))
	p.blob.flush()
}
