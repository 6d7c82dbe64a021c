package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/sessionspan/sessionspan/store"
)

// contents are the keys of the parts of a body. 0 is none. A part may have been written
// with another body of the same record: of the text that this one replaced, or of the
// payload that the layers go with. No two records share one. A body of a version before
// the eighth has no such list: its parts are those with its own keys.
type contents struct {
	document, fallback, list int64
	unread                   int64 // of an earlier version: nothing reads it any more
	pieces                   []int64
}

// encode writes all but the key of the list itself.
func (c *contents) encode() []byte {
	b := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(c.document)), uint64(c.fallback))
	for last, i := int64(0), 0; i < len(c.pieces); i++ {
		b = binary.AppendVarint(b, c.pieces[i]-last)
		last = c.pieces[i]
	}
	return b
}

// all returns every key, once or more often.
func (c *contents) all() (keys []int64) {
	for _, key := range [...]int64{c.document, c.fallback, c.list, c.unread} {
		if key != 0 {
			keys = append(keys, key)
		}
	}
	return append(keys, c.pieces...)
}

// contents reads where the parts of a body are.
func (b body) contents(ctx context.Context, q querier) (c contents, err error) {
	encoded, err := readPart(ctx, q, b.key(contentsPart))
	if err != nil {
		return c, err
	}
	if encoded == nil {
		return c, b.own(ctx, q, &c)
	}
	c.list = b.key(contentsPart)
	broken := false
	next := func() (n uint64) {
		n, size := binary.Uvarint(encoded)
		if broken = broken || size <= 0 || n > math.MaxInt64; broken {
			return 0
		}
		encoded = encoded[size:]
		return n
	}
	c.document, c.fallback = int64(next()), int64(next())
	for last := int64(0); len(encoded) > 0 && !broken; {
		delta, size := binary.Varint(encoded)
		if broken = size <= 0; !broken {
			encoded, last = encoded[size:], last+delta
			c.pieces = append(c.pieces, last)
		}
	}
	if broken {
		err = fmt.Errorf("contents of text %d: %w", b.id, store.ErrCorrupt)
	}
	return c, err
}

// own finds the parts of a body of an earlier version.
func (b body) own(ctx context.Context, q querier, c *contents) error {
	rows, err := q.QueryContext(ctx, `SELECT key FROM body WHERE key BETWEEN ? AND ? ORDER BY key`, b.key(0), b.key(fallbackPart))
	if err != nil {
		return err
	}
	return each(rows, func(row scanner) error {
		var key int64
		err := row.Scan(&key)
		switch key {
		case b.key(wordsPart):
			c.unread = key
		case b.key(documentPart):
			c.document = key
		case b.key(fallbackPart):
			c.fallback = key
		default:
			c.pieces = append(c.pieces, key)
		}
		return err
	})
}

// readPart returns a part, or nil where there is none.
func readPart(ctx context.Context, q querier, key int64) (text []byte, err error) {
	err = readParts(ctx, q, []int64{key}, func(_ int64, part []byte) { text = append(make([]byte, 0, len(part)), part...) })
	return text, err
}

// readParts reads parts in the order of their keys in the list, those that are
// neighbours by one statement. A part is valid until found returns.
func readParts(ctx context.Context, q querier, keys []int64, found func(key int64, part []byte)) error {
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n] == keys[n-1]+1 {
			n++
		}
		rows, err := q.QueryContext(ctx, `SELECT key, part FROM body WHERE key BETWEEN ? AND ? ORDER BY key`, keys[0], keys[n-1])
		if err != nil {
			return err
		}
		err = each(rows, func(row scanner) error {
			var key int64
			var part sql.RawBytes
			err := row.Scan(&key, &part)
			if err == nil {
				found(key, part)
			}
			return err
		})
		if err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// knownParts are the parts that a record has, by what they say.
type knownParts map[[sha256.Size]byte]int64

// find returns the key of a part that is known, or else makes a new one known.
func (k knownParts) find(key int64, part []byte) (found int64, isNew bool) {
	sum := sha256.Sum256(part)
	if old, ok := k[sum]; ok {
		return old, false
	}
	k[sum] = key
	return key, true
}

// learn makes a part known.
func (k knownParts) learn(key int64, part []byte) {
	if k != nil {
		k[sha256.Sum256(part)] = key
	}
}
