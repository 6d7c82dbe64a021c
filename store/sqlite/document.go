package sqlite

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/internal/record"
)

// The index has two things of each record: its words, in columns by where they stand,
// and its facts (package record), as one word each, in a column that no search for words
// looks into. Such a word is the key, a mark, and the value, so that one term of the
// index is a value of a field, and a range of terms the values between two others; the
// table search_terms shows the terms in their order. Lower-case letters and digits stand
// for themselves in it, every other byte as a character of the private use area, which
// the tokenizer takes for a letter that has no case; a number is 16 hexadecimal digits in
// the order of numbers.
//
// The index is what makes any field of any record comparable at the cost of reading what
// matches, and it is written behind the writes, in segments, where a table with a row for
// each value would be written with them, all over the place.

// Columns of the index.
const (
	wordColumns = `{error inputs outputs words}`
	factColumn  = `facts`
)

const (
	byteMark   = 0xe000 // and the byte
	textMark   = 0xe100 // between the key and a text
	numberMark = 0xe101 // between the key and a number
	lastMark   = 0xe102 // behind all marks
)

// All records are indexed anew in the background,
// while the store answers; until then it finds those that are ([store.Info.Unindexed]).
const schemaFacts = `
DROP TABLE IF EXISTS search;
CREATE VIRTUAL TABLE search USING fts5 (error, inputs, outputs, words, facts, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2");
INSERT INTO search (search, rank) VALUES ('automerge', 0);
INSERT INTO search (search, rank) VALUES ('deletemerge', 60);
CREATE VIRTUAL TABLE IF NOT EXISTS search_terms USING fts5vocab (search, instance);
INSERT OR IGNORE INTO unindexed SELECT pk FROM record WHERE kind > 0;

-- What events are divided by; null where the record is yet to be indexed.
ALTER TABLE event ADD COLUMN name TEXT;
ALTER TABLE event ADD COLUMN kind TEXT;
ALTER TABLE event ADD COLUMN failure TEXT;
ALTER TABLE event ADD COLUMN prompt TEXT;
DROP INDEX IF EXISTS event_model;
CREATE INDEX event_group ON event (session, type, model, name, kind, failure, prompt, sample);

-- All columns that queries compare.
DROP INDEX IF EXISTS session_moment;
CREATE INDEX session_moment ON session (moment, id, project, source, user, models, status, duration, tokens, cost, rating, feedback, errors, name, seq,
	events, calls, tokens_in, tokens_out, first_token, sample);
`

// document is what the index has of a record: its columns, in their order.
type document [5]string

func newDocument(payload string, kind record.Kind) document {
	w := record.WordsOf(payload)
	var facts []byte
	for _, f := range record.Facts(payload, kind) {
		facts = append(appendFact(facts, &f), ' ')
	}
	return document{w.Error, w.Inputs, w.Outputs, w.Others, string(facts)}
}

// encode writes a document into a part of a body.
func (d *document) encode() (b []byte) {
	for _, text := range d {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}

// decodeDocument reverses encode.
func decodeDocument(b []byte) (d document, err error) {
	for i := range d {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return d, fmt.Errorf("words of a record: %w", store.ErrCorrupt)
		}
		d[i] = string(b[n : n+int(size)]) //nolint:gosec // it is within the text
		b = b[n+int(size):]               //nolint:gosec // the same
	}
	return d, nil
}

func appendFact(b []byte, f *record.Fact) []byte {
	b = appendBytes(b, f.Key)
	if f.IsNumber {
		return appendNumber(utf8.AppendRune(b, numberMark), f.Number)
	}
	return appendBytes(utf8.AppendRune(b, textMark), f.Text)
}

// appendBytes adds a text as a part of one word.
func appendBytes(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b = append(b, c)
		} else {
			b = utf8.AppendRune(b, byteMark+rune(c))
		}
	}
	return b
}

// readBytes reverses appendBytes.
func readBytes(word string) string {
	b := make([]byte, 0, len(word))
	for _, r := range word {
		if r >= byteMark && r < textMark {
			r -= byteMark
		}
		b = append(b, byte(r)) //nolint:gosec // it is one
	}
	return string(b)
}

// appendNumber adds a number, so that words are in the order of numbers.
func appendNumber(b []byte, v float64) []byte {
	bits := math.Float64bits(v + 0) // there is one zero
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return hex.AppendEncode(b, binary.BigEndian.AppendUint64(nil, bits))
}

// readNumber reverses appendNumber.
func readNumber(word string) (float64, bool) {
	b, err := hex.DecodeString(word)
	if err != nil || len(b) != 8 {
		return 0, false
	}
	bits := binary.BigEndian.Uint64(b)
	if bits>>63 != 0 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	return math.Float64frombits(bits), true
}

// factWord returns the word of a key, a mark, and what follows that.
func factWord(key string, mark rune, value string) string {
	return string(appendBytes(nil, key)) + string(mark) + value
}

// factValue returns the value of a word as a text.
func factValue(word string) string {
	for i, r := range word {
		switch r {
		case textMark:
			return readBytes(word[i+utf8.RuneLen(r):])
		case numberMark:
			v, _ := readNumber(word[i+utf8.RuneLen(r):])
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return ""
}

func textWord(key, value string) string {
	return factWord(key, textMark, string(appendBytes(nil, record.FactText(value))))
}

func numberWord(key string, v float64) string {
	return factWord(key, numberMark, string(appendNumber(nil, v)))
}
