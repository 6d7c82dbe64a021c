package evals

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/sessionspan/sessionspan"
)

// Retrieval measures what the retrievers of a session found, against the documents
// that are known to be right. Of several documents with one id the first counts, and
// takes one rank. A case without a right document has no score.
type Retrieval[I, O any] struct {
	// Event is the name of the retrievers that are measured. Where it is empty all
	// events with documents are, one after the other in the order in which they
	// started: name the one whose ranking counts where a session searches again, or
	// ranks anew.
	Event string
	// K is how many of the first documents count; 0 stands for all.
	K int
	// Relevant returns the ids of the documents that are right for a case.
	Relevant func(r *Result[I, O]) []string
	// Grades returns how right each is, from 0 on, for NDCG. Where it is nil, those
	// that Relevant returns have the grade 1.
	Grades func(r *Result[I, O]) map[string]float64
}

// at is the end of a name.
func (m Retrieval[I, O]) at(name string) string {
	if m.K > 0 {
		return fmt.Sprintf("%s@%d", name, m.K)
	}
	return name
}

// found returns the first documents of a session, and which are right.
func (m Retrieval[I, O]) found(r *Result[I, O]) (found []sessionspan.Document, grades map[string]float64, err error) {
	switch {
	case m.Grades != nil:
		grades = make(map[string]float64)
		for id, g := range m.Grades(r) {
			if math.IsNaN(g) || math.IsInf(g, 0) || g < 0 {
				return nil, nil, fmt.Errorf("the grade of %q is %v", id, g)
			}
			if g > 0 {
				grades[id] = g
			}
		}
	case m.Relevant != nil:
		grades = make(map[string]float64)
		for _, id := range m.Relevant(r) {
			grades[id] = 1
		}
	default:
		return nil, nil, errors.New("neither Relevant nor Grades says which documents are right")
	}
	if len(grades) == 0 {
		return nil, nil, errors.New("no document is right for the case")
	}
	if r.Err == nil {
		found = r.Session.Documents(m.Event)
	}
	if m.K > 0 && len(found) > m.K {
		found = found[:m.K]
	}
	return found, grades, nil
}

// scorer makes a scorer of a measure over the grades at each rank.
func (m Retrieval[I, O]) scorer(name string, passes bool, measure func(ranked []float64, grades map[string]float64) float64) Scorer[I, O] {
	return Scorer[I, O]{name: m.at(name), bool: passes, score: func(_ context.Context, r *Result[I, O]) (Score, error) {
		found, grades, err := m.found(r)
		if err != nil {
			return Score{}, err
		}
		ranked := make([]float64, len(found))
		for i, d := range found {
			ranked[i] = grades[d.ID]
		}
		return Score{Value: measure(ranked, grades)}, nil
	}}
}

// HitRate says whether one of the first K documents is right. Its name is "hit@K", or
// "hit" for all.
func (m Retrieval[I, O]) HitRate() Scorer[I, O] {
	return m.scorer("hit", true, func(ranked []float64, _ map[string]float64) float64 { return min(1, float64(hits(ranked))) })
}

// Recall is the share of the right documents that are among the first K. Its name is
// "recall@K", or "recall" for all.
func (m Retrieval[I, O]) Recall() Scorer[I, O] {
	return m.scorer("recall", false, func(ranked []float64, grades map[string]float64) float64 {
		return float64(hits(ranked)) / float64(len(grades))
	})
}

// Precision is the share of the first K documents that are right, where those that
// were not found count as wrong; for all, of those that were found, and 0 where
// nothing was. Its name is "precision@K", or "precision" for all.
func (m Retrieval[I, O]) Precision() Scorer[I, O] {
	return m.scorer("precision", false, func(ranked []float64, _ map[string]float64) float64 {
		return float64(hits(ranked)) / float64(max(1, cmp.Or(m.K, len(ranked))))
	})
}

// MRR is the reciprocal of the rank of the first right document, counted from 1, and
// 0 where none is among the first K: its mean is the mean reciprocal rank (Voorhees,
// The TREC-8 Question Answering Track Report, 1999). Its name is "mrr@K", or "mrr" for
// all.
func (m Retrieval[I, O]) MRR() Scorer[I, O] {
	return m.scorer("mrr", false, func(ranked []float64, _ map[string]float64) float64 {
		if i := slices.IndexFunc(ranked, func(g float64) bool { return g > 0 }); i >= 0 {
			return 1 / float64(i+1)
		}
		return 0
	})
}

// NDCG is the normalized discounted cumulative gain of the first K documents: the sum
// of their grades, each divided by the binary logarithm of its rank plus one, over that
// of the best order there could be (Järvelin and Kekäläinen, Cumulated Gain-Based
// Evaluation of IR Techniques, 2002, with the discount that has become usual). Its
// name is "ndcg@K", or "ndcg" for all.
func (m Retrieval[I, O]) NDCG() Scorer[I, O] {
	return m.scorer("ndcg", false, func(ranked []float64, grades map[string]float64) float64 {
		best := make([]float64, 0, len(grades))
		for _, g := range grades {
			best = append(best, g)
		}
		slices.SortFunc(best, func(a, b float64) int { return cmp.Compare(b, a) })
		if m.K > 0 && len(best) > m.K {
			best = best[:m.K]
		}
		most := best[0]
		return gain(ranked, most) / gain(best, most)
	})
}

// All returns the five measures.
func (m Retrieval[I, O]) All() []Scorer[I, O] {
	return []Scorer[I, O]{m.HitRate(), m.Recall(), m.Precision(), m.MRR(), m.NDCG()}
}

func hits(ranked []float64) (n int) {
	for _, g := range ranked {
		if g > 0 {
			n++
		}
	}
	return n
}

// gain returns the discounted sum of grades, in units of the largest, so that no sum
// is past all measure.
func gain(grades []float64, unit float64) (sum float64) {
	for i, g := range grades {
		sum += g / unit / math.Log2(float64(i+2))
	}
	return sum
}
