package sqlite

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/sessionspan/sessionspan/store/internal/record"
)

// Bounds of what is indexed in one transaction. The larger it is the cheaper is
// a record; a write that comes ends it after a few more. One record may have more
// words: record.MaxText.
const (
	indexRecords = 500
	indexBytes   = 96 << 10 // of words
	indexRead    = 4 << 20  // of payloads
	indexStep    = 8
	indexWords   = 32 << 10 // that make a record be the last before a write
)

// index puts the words of some records into the full-text index. Which ones are
// left to do is kept in the database, so that nothing is forgotten when the
// process is killed. It returns a request that came meanwhile.
func (w *writer) index() (waiting *request) {
	left := true
	err := w.unsynced(func(w *writer) error {
		keys, words, err := w.unindexed()
		left = len(keys) > 0
		since := 0
		for i := 0; i < len(keys) && err == nil; i++ {
			if (i%indexStep == indexStep-1 || since >= indexWords) && waiting == nil {
				since = 0
				select {
				case waiting = <-w.requests:
				default:
				}
			}
			if waiting != nil && i >= indexStep || waiting != nil && i > 0 && len(words[i]) >= indexWords {
				break
			}
			since += len(words[i])
			if err = w.exec(`INSERT OR REPLACE INTO search (rowid, words) VALUES (?, ?)`, keys[i], words[i]); err == nil {
				err = w.exec(`DELETE FROM unindexed WHERE pk = ?`, keys[i])
			}
		}
		return err
	})
	// A disk that is full or damaged fails writes too, which tell of it; this is
	// tried again after the next one.
	w.backlog.Store(left && err == nil)
	if left && err == nil {
		w.unmerged.Store(true)
	}
	return waiting
}

// Bounds of how many pages of the index, of 4 KB, one step of a merge writes. How long
// a page takes depends on what is deleted of the segments, which is read but not
// counted, so a step has half as many as one that took longer than mergeStep.
const (
	leastMerge = 2
	mostMerge  = 32
	mergeStep  = 5 * time.Millisecond
)

// merge merges some of the segments of the index, of which each step of indexing
// makes one. Without it a search would look into all of them. The steps that follow one
// which is to merge all merge all that was there then.
func (w *writer) merge(all bool) error {
	start := time.Now()
	pages := w.mergePages
	if all {
		pages = -pages
	}
	var before, after int64
	err := w.scan(`SELECT total_changes()`, nil, &before)
	if err == nil {
		err = w.exec(`INSERT INTO search (search, rank) VALUES ('merge', ?)`, pages)
	}
	if err == nil {
		err = w.scan(`SELECT total_changes()`, nil, &after)
	}
	const none = 2 // changes where there was nothing to merge are fewer
	w.unmerged.Store(after-before >= none)
	w.mergePages = nextMerge(w.mergePages, time.Since(start))
	return err
}

// nextMerge returns how many pages a step of a merge is to write, after one that took
// so long.
func nextMerge(pages int, took time.Duration) int {
	switch {
	case took > mergeStep:
		return max(leastMerge, pages/2)
	case took < mergeStep/4:
		return min(mostMerge, pages+1)
	}
	return pages
}

// unindexed returns the keys and words of some records that are not indexed.
func (w *writer) unindexed() (keys []int64, words []string, err error) {
	ctx := context.Background()
	rows, err := w.conn.QueryContext(ctx, `SELECT u.pk, r.payload FROM unindexed u LEFT JOIN record r ON r.pk = u.pk ORDER BY u.pk LIMIT ?`, indexRecords)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }() // before the tables are changed
	for read, bytes := 0, 0; read < indexRead && bytes < indexBytes && rows.Next(); {
		var pk int64
		var payload []byte
		if err := rows.Scan(&pk, &payload); err != nil {
			return nil, nil, err
		}
		var text []byte
		if b, ok := bodyOf(payload); ok {
			text, err = b.words(ctx, w.conn)
		} else {
			text = record.AppendText(nil, string(payload))
		}
		if err != nil {
			return nil, nil, err
		}
		keys, words = append(keys, pk), append(words, string(text))
		read, bytes = read+len(payload), bytes+len(text)
	}
	return keys, words, rows.Err()
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
