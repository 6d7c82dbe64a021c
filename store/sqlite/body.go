package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// A text of more than partBytes is a body: it stands in parts in a table of its
// own, which are written in several transactions, and the column that would hold the
// text holds the place of the body. So neither to write a large text nor to delete one
// holds up other writes for longer than a part takes. A part that no record has, since
// it is being written or was replaced, is in the table of unused ones, where a process
// that comes after a kill finds it.
//
// What a text has in common with the one that it replaces is not written anew: a body
// may have parts of others of its record (contents.go).
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
	// contentsPart is the number of the part that says where all parts are.
	contentsPart = documentPart - 1
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
	return textOf(ctx, q, column, nil)
}

// textOf returns the text of a column, and makes its parts known where there are to be
// any.
func textOf(ctx context.Context, q querier, column []byte, k knownParts) ([]byte, error) {
	b, ok := bodyOf(column)
	if !ok {
		return column, nil
	}
	c, err := b.contents(ctx, q)
	if err != nil {
		return nil, err
	}
	whole := make([]byte, 0, b.size)
	err = readParts(ctx, q, c.pieces, func(key int64, part []byte) {
		k.learn(key, part)
		whole = append(whole, part...)
	})
	if err == nil && k != nil {
		err = readParts(ctx, q, []int64{c.document, c.fallback}, k.learn)
	}
	if err == nil && int64(len(whole)) != b.size {
		err = fmt.Errorf("text %d has %d of %d bytes: %w", b.id, len(whole), b.size, store.ErrCorrupt)
	}
	return whole, err
}

// beginning returns at least so much of a text as is asked for, if there is so much.
func (b body) beginning(ctx context.Context, q querier, least int) (text []byte, err error) {
	c, err := b.contents(ctx, q)
	for i := 0; i < len(c.pieces) && len(text) < least && err == nil; i++ {
		err = readParts(ctx, q, c.pieces[i:i+1], func(_ int64, part []byte) { text = append(text, part...) })
	}
	return text, err
}

// document returns what of a text the index is to see.
func (b body) document(ctx context.Context, q querier, kind record.Kind) (document, error) {
	c, err := b.contents(ctx, q)
	var encoded []byte
	if err == nil {
		encoded, err = readPart(ctx, q, c.document)
	}
	if err == nil && len(encoded) > 0 {
		return decodeDocument(encoded)
	}
	var whole []byte
	if err == nil { // one of an earlier version
		whole, err = text(ctx, q, b.column())
	}
	return newDocument(unsafe.String(unsafe.SliceData(whole), len(whole)), kind), err //nolint:gosec // it was read for this
}

// stage writes a text that is too long for a column, but for those parts that are known,
// and where it is the payload of a kind of record what else is made out of it, and
// returns what the column is to hold, and the key of what the index is to see.
// Until a record has it the new parts are unused.
func (s *Store) stage(ctx context.Context, text []byte, kind record.Kind, k knownParts) (column []byte, document int64, err error) {
	if len(text) <= partBytes {
		return text, 0, nil
	}
	b := body{s.w.body.Add(1), int64(len(text))}
	s.w.setStaged(b.id, true)
	defer func() {
		if err != nil {
			s.abandon(b.column())
		}
	}()
	st := staging{s: s, b: b, known: k}
	var c contents
	whole := unsafe.String(unsafe.SliceData(text), len(text)) //nolint:gosec // the text does not change, and a copy of it would be large
	if kind != record.Unknown {
		d := newDocument(whole, kind)
		if c.document, err = st.put(ctx, documentPart, d.encode()); err != nil {
			return nil, 0, err
		}
	}
	if kind == record.Event {
		if c.fallback, err = st.put(ctx, fallbackPart, encodeFallback(honeyhive.Value(whole))); err != nil {
			return nil, 0, err
		}
	}
	last := 0
	for _, end := range record.Pieces(whole, kind == record.Unknown) {
		key, err := st.put(ctx, int64(wordsPart+1+st.count), text[last:end])
		if err != nil {
			return nil, 0, err
		}
		c.pieces = append(c.pieces, key)
		last = end
	}
	if _, err = st.put(ctx, contentsPart, c.encode()); err != nil {
		return nil, 0, err
	}
	return b.column(), c.document, st.flush(ctx)
}

// staging writes the parts of a body, as many in one transaction as partBytes has room
// for.
type staging struct {
	s     *Store
	b     body
	known knownParts
	list  []part
	bytes int
	count int // pieces that were put
}

type part struct {
	key  int64
	text []byte
}

// put returns the key of a part: of one that is known, or else of the new one. Nothing
// has the key 0.
func (st *staging) put(ctx context.Context, n int64, text []byte) (int64, error) {
	if len(text) == 0 {
		return 0, nil
	}
	key, add := st.known.find(st.b.key(n), text)
	if !add {
		return key, nil
	}
	if n < contentsPart {
		st.count++
	}
	if st.bytes+len(text) > partBytes {
		if err := st.flush(ctx); err != nil {
			return 0, err
		}
	}
	st.list, st.bytes = append(st.list, part{key, text}), st.bytes+len(text)
	return key, nil
}

// flush writes what was put.
func (st *staging) flush(ctx context.Context) error {
	list := st.list
	st.list, st.bytes = nil, 0
	if len(list) == 0 {
		return nil
	}
	return st.s.submit(ctx, &request{run: func(w *writer) error {
		for _, p := range list {
			if err := w.exec(`INSERT INTO unused VALUES (?)`, p.key); err != nil {
				return err
			}
			if err := w.exec(`INSERT INTO body VALUES (?, ?)`, p.key, p.text); err != nil {
				return err
			}
		}
		return nil
	}})
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

// adopt notes that a record has texts now, and not others any longer.
func (w *writer) adopt(texts, others [2][]byte) error {
	has, err := w.keys(texts[:]...)
	if err != nil {
		return err
	}
	for _, c := range texts {
		if b, ok := bodyOf(c); ok {
			if err := w.exec(`DELETE FROM unused WHERE key BETWEEN ? AND ?`, b.key(0), b.key(fallbackPart)); err != nil {
				return err
			}
		}
	}
	had, err := w.keys(others[:]...)
	if err != nil {
		return err
	}
	return w.releaseKeys(slices.DeleteFunc(had, func(key int64) bool {
		_, found := slices.BinarySearch(has, key)
		return found
	}))
}

// release notes that no record has texts any longer.
func (w *writer) release(columns ...[]byte) error {
	keys, err := w.keys(columns...)
	if err != nil {
		return err
	}
	return w.releaseKeys(keys)
}

func (w *writer) releaseKeys(keys []int64) error {
	if len(keys) == 0 {
		return nil
	}
	w.garbage.Store(true)
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	return w.exec(`INSERT OR IGNORE INTO unused SELECT value FROM json_each(?)`, string(list))
}

// keys returns those of the parts that texts have.
func (w *writer) keys(columns ...[]byte) (keys []int64, err error) {
	for _, column := range columns {
		b, ok := bodyOf(column)
		if !ok {
			continue
		}
		c, err := b.contents(context.Background(), w)
		if err != nil {
			return nil, err
		}
		keys = append(keys, c.all()...)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
