// Package rag is the pipeline of the example rag, which the example evals evaluates:
// it finds documents with a full-text index and answers from them.
package rag

import (
	"context"

	"github.com/sessionspan/sessionspan"
)

// An Answer is what the pipeline came to.
type Answer struct {
	Text      string
	How       string // the answer was made
	Documents []sessionspan.Document
}

// Ask answers a question from the best documents of an index, as events of the
// session that ctx is in.
func Ask(ctx context.Context, x *Index, question string, most int) (r Answer, err error) {
	rctx, retrieve := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieve", sessionspan.WithQuery(question))
	found, err := x.Search(rctx, question, most)
	retrieve.RecordError(err)
	retrieve.SetDocuments(found...)
	retrieve.End()
	if err != nil {
		return r, err
	}

	r.Documents, err = sessionspan.Do(ctx, sessionspan.Chain, "select", found, selectDocuments)
	if err != nil {
		return r, err
	}
	a := NewAnswerer()
	r.How = a.String()
	r.Text, err = a.Answer(ctx, question, r.Documents)
	return r, err
}

// selectDocuments leaves out what scores far below the best.
func selectDocuments(_ context.Context, found []sessionspan.Document) ([]sessionspan.Document, error) {
	var chosen []sessionspan.Document
	for _, d := range found {
		if d.Score >= found[0].Score/5 {
			chosen = append(chosen, d)
		}
	}
	return chosen, nil
}
