package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// A text of more than partBytes is a body: it stands in parts in a table of its
// own, each of which is written in a transaction of its own, and the column that
// would hold the text holds the place of the body. So neither to write a large
// text nor to delete one holds up other writes for longer than a part takes. A
// body that no record has, since it is being written or was replaced, is in the
// table of loose ones, where a process that comes after a kill finds it.
//
// Texts in the columns themselves may be larger too, in files of earlier versions.
const (
	partBytes = 1 << 20
	partBits  = 12
	// wordsPart is the number of the part with the words for the search in files of
	// earlier versions, documentPart that with what the index has now.
	wordsPart    = 0
	documentPart = 1<<partBits - 2
	// fallbackPart is the number of the part that says what a session has of an event.
	fallbackPart = 1<<partBits - 1
)

// body is the place of a text.
type body struct{ id, size int64 }

// bodyMark begins a column that holds a place: neither JSON nor layers begin so.
const bodyMark = 0xff

const columnBytes = 1 + 8 + 8

func (b body) column() []byte {
	c := binary.BigEndian.AppendUint64([]byte{bodyMark}, uint64(b.id))
	return binary.BigEndian.AppendUint64(c, uint64(b.size))
}

// bodyOf reads the place of a text, if the column holds one.
func bodyOf(column []byte) (body, bool) {
	if len(column) != columnBytes || column[0] != bodyMark {
		return body{}, false
	}
	return body{int64(binary.BigEndian.Uint64(column[1:])), int64(binary.BigEndian.Uint64(column[9:]))}, true
}

func (b body) key(part int64) int64 { return b.id<<partBits | part }

// querier is a connection or a transaction on one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// text returns the text of a column, wherever it stands.
func text(ctx context.Context, q querier, column []byte) ([]byte, error) {
	b, ok := bodyOf(column)
	if !ok {
		return column, nil
	}
	whole, err := b.read(ctx, q, wordsPart+1, documentPart-1)
	if err == nil && int64(len(whole)) != b.size {
		err = fmt.Errorf("text %d has %d of %d bytes: %w", b.id, len(whole), b.size, store.ErrCorrupt)
	}
	return whole, err
}

// document returns what of a text the index is to see.
func (b body) document(ctx context.Context, q querier, kind record.Kind) (document, error) {
	encoded, err := b.read(ctx, q, documentPart, documentPart)
	if err == nil && len(encoded) > 0 {
		return decodeDocument(encoded)
	}
	var whole []byte
	if err == nil { // one of an earlier version
		whole, err = text(ctx, q, b.column())
	}
	return newDocument(unsafe.String(unsafe.SliceData(whole), len(whole)), kind), err //nolint:gosec // it was read for this
}

func (b body) read(ctx context.Context, q querier, first, last int64) ([]byte, error) {
	rows, err := q.QueryContext(ctx, `SELECT part FROM body WHERE key BETWEEN ? AND ? ORDER BY key`, b.key(first), b.key(last))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []byte
	if last > first {
		out = make([]byte, 0, b.size)
	}
	for rows.Next() {
		var part sql.RawBytes
		if err := rows.Scan(&part); err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, rows.Err()
}

// stage writes a text that is too long for a column, and where it is the payload of a
// kind of record what else is made out of it, and returns what the column is to hold.
// Until a record has it the text is loose.
func (s *Store) stage(ctx context.Context, text []byte, kind record.Kind) (column []byte, err error) {
	if len(text) <= partBytes {
		return text, nil
	}
	b := body{s.w.body.Add(1), int64(len(text))}
	s.w.setStaged(b.id, true)
	put := func(n int64, part []byte) error {
		return s.submit(ctx, &request{run: func(w *writer) error {
			if err := w.exec(`INSERT OR IGNORE INTO loose VALUES (?)`, b.id); err != nil {
				return err
			}
			return w.exec(`INSERT INTO body VALUES (?, ?)`, b.key(n), part)
		}})
	}
	defer func() {
		if err != nil {
			s.abandon(b.column())
		}
	}()
	whole := unsafe.String(unsafe.SliceData(text), len(text)) //nolint:gosec // the text does not change, and a copy of it would be large
	if kind != record.Unknown {
		d := newDocument(whole, kind)
		if err := put(documentPart, d.encode()); err != nil {
			return nil, err
		}
	}
	if kind == record.Event {
		if found := encodeFallback(honeyhive.Value(whole)); found != nil {
			if err := put(fallbackPart, found); err != nil {
				return nil, err
			}
		}
	}
	for n := int64(wordsPart + 1); len(text) > 0; n++ {
		part := text[:min(len(text), partBytes)]
		if err := put(n, part); err != nil {
			return nil, err
		}
		text = text[len(part):]
	}
	return b.column(), nil
}

// abandon ends the staging of texts: those that no record has by now are left to
// the sweep.
func (s *Store) abandon(columns ...[]byte) {
	for _, c := range columns {
		if b, ok := bodyOf(c); ok {
			s.w.setStaged(b.id, false)
		}
	}
}

func (w *writer) setStaged(id int64, staged bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if staged {
		w.staged[id] = true
		return
	}
	delete(w.staged, id)
	w.garbage.Store(true)
}

func (w *writer) isStaged(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.staged[id]
}

// adopt notes that a record has the text of a column now, if that is a body.
func (w *writer) adopt(column []byte) error {
	b, ok := bodyOf(column)
	if !ok {
		return nil
	}
	return w.exec(`DELETE FROM loose WHERE body = ?`, b.id)
}

// release notes that no record has the text of a column any longer.
func (w *writer) release(columns ...[]byte) error {
	for _, c := range columns {
		b, ok := bodyOf(c)
		if !ok {
			continue
		}
		w.garbage.Store(true)
		if err := w.exec(`INSERT OR IGNORE INTO loose VALUES (?)`, b.id); err != nil {
			return err
		}
	}
	return nil
}
