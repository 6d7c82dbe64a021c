package llmhttp

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file makes documents of what stores found: id, score, content and metadata, in
// the order in which they came. A distance is no score: it stands in the metadata of
// its document. What a document holds beside has its names as they are.

// A hit is a document that was found. All texts are JSON, or empty.
type hit struct {
	id, score, content string
	notes              []field  // what the store says of it; distances first
	fields             []string // objects of its own fields
	own                []field  // its own fields
	index              string   // among the documents that were to be ranked
	at                 [3]int   // places of id, score and content
	keys               []string // of fields that were written
	lifted             bool     // some fields stood in another one
}

// reset empties the hit, for the next one.
func (h *hit) reset() {
	*h = hit{notes: h.notes[:0], fields: h.fields[:0], own: h.own[:0], keys: h.keys[:0]}
}

// first takes a value, unless one of an earlier place is there.
func first(value *string, place *int, v string, at int) {
	if *place == 0 || at < *place-1 {
		*value, *place = v, at+1
	}
}

// hits reads a list of documents. query is the number of theirs, or -1 where there is
// one alone. A list in which none is one says nothing.
func (x *exchange) hits(s *service, list string, query int) {
	f, some := x.finding, false
	for json := range x.elements(list) {
		some = true
		if x.hit(s, json) {
			f.shown = true
			x.document(query)
		}
	}
	f.shown = f.shown || !some
}

// hit reads a document, and reports whether it is one.
func (x *exchange) hit(s *service, json string) (known bool) {
	h := &x.finding.hit
	h.reset()
	find(json, s.hit, func(at int, k, v string) {
		switch {
		case at >= 0:
			known = true
			h.take(&s.hit[at], at, v)
		case s.loose:
			known = true
			h.own = append(h.own, field{key: k, value: v})
		}
	})
	return known
}

// take takes a value of a document.
func (h *hit) take(p *place, at int, v string) {
	switch p.role {
	case asID:
		if id := idOf(v); id != "" {
			first(&h.id, &h.at[0], id, at)
		}
	case asScore:
		if n := numberIn(v); n != "" {
			first(&h.score, &h.at[1], n, at)
		}
	case asDistance:
		if n := numberIn(v); n != "" {
			h.notes = append(h.notes, field{key: "distance", value: n})
		}
	case asContent:
		if c := contentOf(v); c != "" {
			first(&h.content, &h.at[2], c, at)
		}
	case asFields:
		if rawjson.KindOf(v) == rawjson.Object {
			h.fields = append(h.fields, v)
		} else if c := contentOf(v); c != "" { // a document that is a text
			first(&h.content, &h.at[2], c, at)
		}
	case asDocument:
		if h.given(v); h.content != "" && h.at[2] == 0 {
			h.at[2] = at + 1
		}
	case asIndex:
		if rawjson.KindOf(v) == rawjson.Number {
			h.index = v
		}
	case asNote:
		if filledValue(v) {
			h.notes = append(h.notes, field{key: p.name, value: v})
		}
	default:
	}
}

// numberIn returns a number: one that stands in a text (Weaviate), or is the first of
// a list, too.
func numberIn(v string) string {
	switch rawjson.KindOf(v) {
	case rawjson.Number:
		return v
	case rawjson.String:
		s := text(v)
		if n, err := rawjson.Parse(s); err == nil && rawjson.KindOf(n) == rawjson.Number {
			return n
		}
	case rawjson.Array:
		for e := range rawjson.Elements(v) {
			if rawjson.KindOf(e) == rawjson.Number {
				return e
			}
			break
		}
	default:
	}
	return ""
}

// contentKeys are fields that hold the text of a document, by habit of those who
// store them: LangChain, LlamaIndex, Haystack, Azure's and Pinecone's guides. The first
// counts.
var contentKeys = [...]string{
	"page_content", "pageContent", "content", "text", "chunk_text", "chunkText", "chunk", "passage", "body", "document", "raw_text", "_text", "abstract",
	"extractive_segments", "extractive_answers", "snippets", "snippet", "description", "summary",
}

// idKeys are fields that hold the id of a document whose store has no other place for
// it.
var idKeys = [...]string{"id", "_id", "pk", "uid", "uuid", "key", "chunk_id", "chunkId", "doc_id", "document_id", "documentId", "auto_id", "Auto_id"}

// partMembers are the texts of a content that comes in parts.
var partMembers = [...]string{"text", "content", "snippet", "value"}

// contentOf returns a JSON string of what a document says: a text, texts, or parts with
// texts. It returns "" for anything else.
func contentOf(v string) string {
	switch rawjson.KindOf(v) {
	case rawjson.String:
		if v == `""` || isBlob(v) {
			return ""
		}
		return v
	case rawjson.Array:
		var texts []string
		for e := range rawjson.Elements(v) {
			c := contentOf(e)
			if c == "" || rawjson.KindOf(e) == rawjson.Array {
				continue
			}
			texts = append(texts, c)
		}
		switch len(texts) {
		case 0:
			return ""
		case 1:
			return texts[0]
		}
		for i := range texts {
			texts[i] = text(texts[i])
		}
		return quote(strings.Join(texts, "\n"))
	case rawjson.Object:
		for _, key := range partMembers {
			if c := get(v, key); rawjson.KindOf(c) == rawjson.String && c != `""` {
				return contentOf(c)
			}
		}
	default:
	}
	return ""
}

// isBlob reports whether a text stands for base64 that was not kept.
func isBlob(v string) bool { return strings.HasPrefix(v, `"`+blobMark) }

// document adds the hit to the documents that were found.
func (x *exchange) document(query int) {
	f := x.finding
	h := &f.hit
	f.count++
	f.scores = f.scores || h.score != ""
	for i := range h.notes {
		f.distances = f.distances || h.notes[i].key == "distance"
	}
	if x.blind {
		return
	}
	if h.index != "" {
		f.rank()
	}
	f.begin()
	if query >= 0 {
		h.notes = append(h.notes, field{key: "query", value: strconv.Itoa(query)})
	}
	f.documents = h.append(comma(f.documents))
}

// gather adds the fields that stand in objects to the document's own. Those of
// LangChain's documents, which have their metadata in one, are all of one level.
func (h *hit) gather() {
	for _, o := range h.fields {
		from, metadata, lift := len(h.own), -1, false
		for k, v := range rawjson.Members(o) {
			lift = lift || k == "page_content" || k == "pageContent"
			if k == "metadata" && rawjson.KindOf(v) == rawjson.Object {
				metadata = len(h.own)
			}
			h.own = append(h.own, field{key: k, value: v})
		}
		if !lift || metadata < from {
			continue
		}
		inner := h.own[metadata].value
		h.own = slices.Delete(h.own, metadata, metadata+1)
		for k, v := range rawjson.Members(inner) {
			h.own = append(h.own, field{key: k, value: v})
		}
		h.lifted = true
	}
}

// identify finds the content and the id among the document's own fields, unless the
// store said them, and returns the names of the fields that say the same.
func (h *hit) identify() (contentKey, idKey string) {
	content, id := len(contentKeys), len(idKeys)
	for i := range h.own {
		k, v := h.own[i].key, h.own[i].value
		if i := slices.Index(contentKeys[:], k); i >= 0 && i < content {
			if c := contentOf(v); c != "" && (h.at[2] == 0 || c == h.content) {
				content, contentKey, h.content = i, k, c
			}
		}
		if i := slices.Index(idKeys[:], k); i >= 0 && i < id {
			if n := idOf(v); n != "" && (h.at[0] == 0 || n == h.id) {
				id, idKey, h.id = i, k, n
			}
		}
	}
	return contentKey, idKey
}

// idOf returns an id, which is a text or a number, as a JSON string.
func idOf(v string) string {
	switch rawjson.KindOf(v) {
	case rawjson.Number:
		return `"` + v + `"`
	case rawjson.String:
		if v != `""` {
			return v
		}
	default:
	}
	return ""
}

// seen reports whether a field was written before, and notes that it is now. Only where
// there are several objects of fields there may be one of two names.
func (h *hit) seen(key string) bool {
	if len(h.fields) < 2 && !h.lifted {
		return false
	}
	if slices.Contains(h.keys, key) {
		return true
	}
	if len(h.keys) < mostKeys {
		h.keys = append(h.keys, key)
	}
	return false
}

// mostKeys bounds how many fields of a document are compared with one another.
const mostKeys = 256

// append writes the document, as [sessionspan.Document] is written.
func (h *hit) append(dst []byte) []byte {
	h.gather()
	contentKey, idKey := h.identify()
	o := object{b: dst, start: len(dst)}
	o.json("id", h.id)
	o.json("score", h.score)
	o.json("content", h.content)
	size := len(o.b)
	if !o.empty() {
		o.b = append(o.b, ',')
	} else {
		o.b = append(o.b, '{')
	}
	o.b = append(o.b, `"metadata":`...)
	m := object{b: o.b, start: len(o.b)}
	for i := range h.own {
		k, v := h.own[i].key, h.own[i].value
		if k == contentKey && contentKey != "" || k == idKey && idKey != "" || v == "null" || h.seen(k) {
			continue
		}
		for i := range h.notes {
			if h.notes[i].key == k { // the document's own counts, and the store's has another name
				h.notes[i].plain = true
			}
		}
		m.key(k)
		m.b = appendValue(m.b, v)
	}
	for i := range h.notes {
		n := &h.notes[i]
		key := n.key
		if n.plain {
			key = "_" + key
		}
		m.key(key)
		m.b = appendValue(m.b, n.value)
	}
	if m.empty() {
		o.b = o.b[:size]
		return o.bytes()
	}
	o.b = m.bytes()
	return append(o.b, '}')
}

// appendValue writes a value of a document: of a vector how long it is, of base64 that
// was not kept its size and hash.
func appendValue(dst []byte, v string) []byte {
	switch {
	case len(v) > longestNumbers && isVector(v):
		o := object{b: dst, start: len(dst)}
		o.count("dimensions", dimensions(v))
		return o.bytes()
	case isBlob(v):
		size, sum := digest(text(v))
		o := object{b: dst, start: len(dst)}
		o.count("size", size)
		o.text("sha256", sum)
		return o.bytes()
	}
	return append(dst, v...)
}

// longestNumbers is how long in bytes a list of numbers may be that is kept: a longer
// one is a vector.
const longestNumbers = 128

// documentsHead is the beginning of the outputs with documents.
const documentsHead = `{"documents":[`

// begin makes the buffer of the documents.
func (f *finding) begin() {
	if len(f.documents) > 0 {
		return
	}
	f.buffer = scratch.Get().(*[]byte)
	f.documents = (*f.buffer)[:0]
	f.documents = append(f.documents, documentsHead...)
}

// recordHits records what was found, and returns the outputs with the documents, or "".
func (x *exchange) recordHits() string {
	f := x.finding
	if f == nil || !f.shown {
		return ""
	}
	x.metadata.count("documents", f.count)
	switch {
	case f.scores == f.distances: // both, or neither: which of them counts is not known
	case f.scores:
		x.metadata.text("ranked_by", "score")
	default:
		x.metadata.text("ranked_by", "distance")
	}
	if x.blind {
		return ""
	}
	f.begin()
	f.documents = append(f.documents, "]}"...)
	b := f.documents
	documents := string(b)
	if cap(b) <= mostScratch {
		*f.buffer = b
		scratch.Put(f.buffer)
	}
	f.documents, f.buffer = nil, nil
	return documents
}

// isVector reports whether a value is a list of numbers.
func isVector(v string) bool {
	return len(v) > 2 && v[0] == '[' && rawjson.KindOf(v[1:]) == rawjson.Number
}

// dimensions returns how many elements a list of numbers has.
func dimensions(v string) int64 { return int64(strings.Count(v, ",")) + 1 }

// vectorOf returns the size and the hash of a vector: the SHA-256 of its JSON without
// white space.
func vectorOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return `{"dimensions":` + strconv.FormatInt(dimensions(v), 10) + `,"sha256":"` + hex.EncodeToString(sum[:]) + `"}`
}

// isSparse reports whether a value is a sparse vector: lists of indices and values
// (Pinecone, Qdrant), or values by their indices (Milvus).
func isSparse(v string) bool {
	if isVector(get(v, "indices")) && isVector(get(v, "values")) {
		return true
	}
	for k, e := range rawjson.Members(v) {
		if _, err := strconv.ParseUint(k, 10, 32); err != nil || rawjson.KindOf(e) != rawjson.Number {
			return false
		}
	}
	return v != "{}"
}

// sparseOf returns the number of values of a sparse vector that are not zero, and its
// hash.
func sparseOf(v string) string {
	n := int64(0)
	if list := get(v, "values"); list != "" {
		n = dimensions(list)
	} else {
		for range rawjson.Members(v) {
			n++
		}
	}
	sum := sha256.Sum256([]byte(v))
	return `{"nonzero":` + strconv.FormatInt(n, 10) + `,"sha256":"` + hex.EncodeToString(sum[:]) + `"}`
}
