package local

import (
	"context"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	roles "github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/scoped"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/query"
)

// TestProjectQueries asks what answers queries for values, hits and sums of another
// project.
func TestProjectQueries(t *testing.T) {
	s := newTenants(t)
	kept := scoped.New(s.store)
	bank, err := honeyhive.ParseUUID(bankSession)
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Parse(bankCanary)
	if err != nil {
		t.Fatal(err)
	}
	for project, want := range map[string]int{"": 1, "bank": 1, "shop": 0} {
		ctx := roles.With(t.Context(), roles.Caller{ID: "x", Roles: roles.All, Project: project})
		hits, err := kept.Hits(ctx, store.HitQuery{Sessions: []honeyhive.UUID{bank}, Query: q, Text: bankCanary})
		if err != nil || len(hits) != want {
			t.Errorf("%q: %d hits, %v", project, len(hits), err)
		}
		values, err := kept.Values(ctx, store.ValueQuery{Field: "metadata.run_id"})
		n := 0
		for _, v := range values {
			if v.Text == "run-"+bankCanary {
				n++
			}
		}
		if err != nil || n != want {
			t.Errorf("%q: %v, %v", project, values, err)
		}
		sums, err := kept.AggregateAll(ctx, store.Filter{}, []store.Grouping{{By: store.ByModel, Buckets: 2}})
		n = 0
		for _, of := range sums[0] {
			if of.Key == bankCanary+"-model" {
				n++
			}
		}
		if err != nil || n != want {
			t.Errorf("%q: %d sums, %v", project, n, err)
		}
		if list, err := kept.Complete(ctx, "metadata.run_id", "run-B", 10); err != nil || project == "shop" && len(list) > 0 {
			t.Errorf("%q: %q, %v", project, list, err)
		}
	}
	if _, err := kept.Complete(context.Background(), "metadata.run_id", "", 10); err == nil {
		t.Error("nobody is answered")
	}
}
