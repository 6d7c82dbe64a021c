package sqlite

import (
	"context"
	"strings"
	"unicode"

	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Bounds of what is indexed in one transaction, during which writes wait.
const (
	indexRecords = 64
	indexBytes   = 512 << 10
)

// index puts the words of some records into the full-text index. Which ones are
// left to do is kept in the database, so that nothing is forgotten when the
// process is killed.
func (w *writer) index() {
	left := true
	err := w.transaction(func(w *writer) error {
		var err error
		left, err = w.indexSome()
		return err
	})
	// A disk that is full or damaged fails writes too, which tell of it; this is
	// tried again after the next one.
	w.backlog.Store(left && err == nil)
}

func (w *writer) indexSome() (left bool, err error) {
	s, err := w.stmt(`SELECT u.pk, r.payload FROM unindexed u LEFT JOIN record r ON r.pk = u.pk ORDER BY u.pk LIMIT ?`)
	if err != nil {
		return false, err
	}
	rows, err := s.QueryContext(context.Background(), indexRecords)
	if err != nil {
		return false, err
	}
	var keys []int64
	var words []string
	bytes := 0
	for bytes < indexBytes && rows.Next() {
		var pk int64
		var payload []byte
		if err := rows.Scan(&pk, &payload); err != nil {
			_ = rows.Close()
			return false, err
		}
		text := record.AppendText(nil, string(payload))
		keys, words = append(keys, pk), append(words, string(text))
		bytes += len(payload)
	}
	// The statement must end before the tables are changed.
	if err := rows.Close(); err != nil {
		return false, err
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	for i, pk := range keys {
		if err := w.exec(`INSERT OR REPLACE INTO search (rowid, words) VALUES (?, ?)`, pk, words[i]); err != nil {
			return false, err
		}
		if err := w.exec(`DELETE FROM unindexed WHERE pk = ?`, pk); err != nil {
			return false, err
		}
	}
	return len(keys) > 0, nil
}

// match turns what a user typed into a query of FTS5, whose own syntax is kept
// out of it: every word and phrase is quoted. It returns "" where nothing is
// left to look for.
func match(text string) string {
	var terms []string
	add := func(s string) {
		prefix := strings.HasSuffix(s, "*")
		s = strings.Join(strings.FieldsFunc(string(record.Spread(nil, s)), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Co, r)
		}), " ")
		if s == "" {
			return
		}
		s = `"` + s + `"`
		if prefix {
			s += "*"
		}
		terms = append(terms, s)
	}
	for i, part := range strings.Split(strings.ToValidUTF8(text, " "), `"`) {
		if i%2 == 1 { // between quotes
			add(strings.TrimSuffix(part, "*"))
			continue
		}
		for word := range strings.FieldsSeq(part) {
			add(word)
		}
	}
	return strings.Join(terms, " AND ")
}
