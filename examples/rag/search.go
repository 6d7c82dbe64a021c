package main

import (
	"context"
	"fmt"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/mapping"

	"github.com/sessionspan/sessionspan"
)

// index finds documents by full-text search.
type index struct {
	bleve bleve.Index
	docs  map[string]document
}

// newIndex indexes documents in memory.
func newIndex(docs []document) (*index, error) {
	m := bleve.NewIndexMapping()
	text := bleve.NewTextFieldMapping()
	text.Analyzer = "en"
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
	x := &index{bleve: b, docs: make(map[string]document, len(docs))}
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

func (x *index) close() error { return x.bleve.Close() }

// search returns the best documents for a question, best first.
func (x *index) search(ctx context.Context, question string, most int) ([]sessionspan.Document, error) {
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
