package sqlite

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/sessionspan/sessionspan/honeyhive"
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
		list, err := w.unindexed()
		left = len(list) > 0
		since := 0
		for i := 0; i < len(list) && err == nil; i++ {
			one := &list[i]
			if (i%indexStep == indexStep-1 || since >= indexWords) && waiting == nil {
				since = 0
				select {
				case waiting = <-w.requests:
				default:
				}
			}
			if waiting != nil && i >= indexStep || waiting != nil && i > 0 && one.size() >= indexWords {
				break
			}
			since += one.size()
			d := &one.document
			if one.labels != nil {
				if err = w.label(one.session, one.seq, one.labels); err != nil {
					break
				}
			}
			if err = w.exec(`INSERT OR REPLACE INTO search (rowid, error, inputs, outputs, words, facts) VALUES (?, ?, ?, ?, ?, ?)`, one.pk, d[0], d[1], d[2], d[3], d[4]); err == nil {
				err = w.exec(`DELETE FROM unindexed WHERE pk = ?`, one.pk)
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

// unindexed is a record that is yet to be indexed.
type unindexed struct {
	pk int64
	document
	labels       *record.Labels // of an event of a file of an earlier version, which are to be written
	session, seq int64
}

func (d *document) size() (n int) {
	for _, text := range d {
		n += len(text)
	}
	return n
}

// unindexed returns some records that are not indexed.
func (w *writer) unindexed() (list []unindexed, err error) {
	ctx := context.Background()
	rows, err := w.conn.QueryContext(ctx, `SELECT u.pk, ifnull(r.kind, 0), r.payload, ifnull(r.session, 0), ifnull(r.seq, 0), e.pk IS NOT NULL AND e.name IS NULL FROM unindexed u
		LEFT JOIN record r ON r.pk = u.pk LEFT JOIN event e ON e.session = r.session AND e.seq = r.seq AND r.kind = 2 ORDER BY u.pk LIMIT ?`, indexRecords)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // before the tables are changed
	for read, bytes := 0, 0; read < indexRead && bytes < indexBytes && rows.Next(); {
		var one unindexed
		var kind record.Kind
		var payload []byte
		var unlabelled bool
		if err := rows.Scan(&one.pk, &kind, &payload, &one.session, &one.seq, &unlabelled); err != nil {
			return nil, err
		}
		if b, ok := bodyOf(payload); ok {
			one.document, err = b.document(ctx, w.conn, kind)
			if err == nil && unlabelled {
				payload, err = text(ctx, w.conn, payload)
			}
		} else {
			one.document = newDocument(string(payload), kind)
		}
		if err == nil && unlabelled {
			var e honeyhive.Event
			err = e.UnmarshalJSON(payload)
			l := record.LabelsOf(&e)
			one.labels = &l
		}
		if err != nil {
			return nil, err
		}
		list = append(list, one)
		read, bytes = read+len(payload), bytes+one.size()
	}
	return list, rows.Err()
}

// phrase quotes what is to be found for FTS5, whose own syntax is kept out of it.
func phrase(text string, prefix bool) string {
	text = `"` + strings.Join(strings.FieldsFunc(string(record.Spread(nil, text)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Co, r)
	}), " ") + `"`
	if prefix {
		text += " *"
	}
	return text
}

// match turns what a user typed into a query of FTS5: every word and phrase is quoted.
// It returns "" where nothing is left to look for.
func match(text string) string {
	var terms []string
	add := func(s string) {
		if p := phrase(s, strings.HasSuffix(s, "*")); !strings.HasPrefix(p, `""`) {
			terms = append(terms, p)
		}
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
	if len(terms) == 0 {
		return ""
	}
	return wordColumns + " : (" + strings.Join(terms, " AND ") + ")"
}
