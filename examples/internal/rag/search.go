package rag

import (
	"context"
	"fmt"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/mapping"

	"github.com/sessionspan/sessionspan"
)

// An Index finds documents by full-text search.
type Index struct {
	bleve bleve.Index
	docs  map[string]Document
}

// An Analyzer says how texts become the words that are searched for.
type Analyzer string

// The analyzers.
const (
	English Analyzer = "en"       // words by their stems, without those that say nothing
	Plain   Analyzer = "standard" // words as they stand
)

// NewIndex indexes documents in memory.
func NewIndex(docs []Document, analyzer Analyzer) (*Index, error) {
	m := bleve.NewIndexMapping()
	text := bleve.NewTextFieldMapping()
	text.Analyzer = string(analyzer)
	text.Store, text.IncludeTermVectors = false, false
	fields := bleve.NewDocumentMapping()
	for _, name := range []string{"Title", "Text"} {
		fields.AddFieldMappingsAt(name, text)
	}
	fields.AddFieldMappingsAt("ID", func() *mapping.FieldMapping { f := bleve.NewTextFieldMapping(); f.Index = false; return f }())
	m.DefaultMapping = fields
	m.ScoringModel = "bm25"
	b, err := bleve.NewMemOnly(m)
	if err != nil {
		return nil, fmt.Errorf("make the index: %w", err)
	}
	x := &Index{bleve: b, docs: make(map[string]Document, len(docs))}
	batch := b.NewBatch()
	for _, d := range docs {
		if err := batch.Index(d.ID, d); err != nil {
			return nil, fmt.Errorf("index %s: %w", d.ID, err)
		}
		x.docs[d.ID] = d
	}
	if err := b.Batch(batch); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	return x, nil
}

// Close gives the memory back.
func (x *Index) Close() error { return x.bleve.Close() }

// Search returns the best documents for a question, best first.
func (x *Index) Search(ctx context.Context, question string, most int) ([]sessionspan.Document, error) {
	title := bleve.NewMatchQuery(question)
	title.SetField("Title")
	title.SetBoost(1.5)
	text := bleve.NewMatchQuery(question)
	text.SetField("Text")
	result, err := x.bleve.SearchInContext(ctx, bleve.NewSearchRequestOptions(bleve.NewDisjunctionQuery(title, text), most, 0, false))
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	found := make([]sessionspan.Document, 0, len(result.Hits))
	for _, hit := range result.Hits {
		d := x.docs[hit.ID]
		found = append(found, sessionspan.Document{ID: d.ID, Score: hit.Score, Content: d.Text, Metadata: map[string]any{"title": d.Title}})
	}
	return found, nil
}
