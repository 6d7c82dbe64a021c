package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// checkProjects compares the projects of sessions and events, by all of their ids, with
// those of the rows of the sessions.
func checkProjects(ctx context.Context, t *rapid.T, s store.Store, want *State) {
	all := make(map[honeyhive.UUID]string)
	ids := []honeyhive.UUID{{1}} // which is not known
	for id := range want.Sessions {
		found, err := s.Session(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		all[found.ID], all[id] = found.Project, found.Project
		if id != found.ID {
			continue // it is part of the other one
		}
		for e, err := range s.Events(ctx, id, store.EventQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			all[e.ID] = found.Project
		}
	}
	for id := range all {
		ids = append(ids, id)
	}
	got, err := s.ProjectsOf(ctx, ids...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Fatalf("projects (-want +got):\n%s", diff)
	}
}

// testProjects asks for the projects of few and many ids, and for the runs of one.
func testProjects(t *testing.T, open Opener) {
	f := newFixture(t, open)
	const many = 1200
	want := make(map[honeyhive.UUID]string)
	var ids []honeyhive.UUID
	var writes []store.Write
	for n := 1; n <= many; n += 2 {
		project := [...]string{"a", "b"}[n/2%2]
		writes = append(writes,
			store.Write{At: at(n), Session: session(t, n, `"start_time":1000,"project":"`+project+`","metadata":{"run_id":"r`+project+`","run_name":"`+project+`"}`)},
			store.Write{At: at(n), Event: event(t, n+1, n, 0, `"project":"other"`)},
		)
		want[id(n)], want[id(n+1)] = project, project
		ids = append(ids, id(n), id(n+1), id(many+n+1))
	}
	f.write(writes...)
	// One run has attempts of both.
	f.write(
		store.Write{At: at(0), Session: session(t, 5001, `"start_time":5000,"project":"a","metadata":{"run_id":"both","run_name":"of a"}`)},
		store.Write{At: at(0), Session: session(t, 5002, `"start_time":6000,"project":"b","metadata":{"run_id":"both","run_name":"of b"}`)},
	)
	got, err := f.ProjectsOf(t.Context(), ids...)
	f.check(err)
	f.equal(got, want, "projects")
	got, err = f.ProjectsOf(t.Context())
	f.check(err)
	f.equal(len(got), 0, "projects of nothing")
	f.equal(f.runs(store.RunQuery{Project: "a"}), []store.RunRow{{ID: "both", Name: "of a", Start: 5000}, {ID: "ra", Name: "a", Start: 1000}}, "runs of one project")
	f.equal(f.runs(store.RunQuery{Project: "b"}), []store.RunRow{{ID: "both", Name: "of b", Start: 6000}, {ID: "rb", Name: "b", Start: 1000}}, "runs of the other")
	f.equal(f.runs(store.RunQuery{Project: "b", Name: "of b"}), []store.RunRow{{ID: "both", Name: "of b", Start: 6000}}, "runs of a project and a name")
	f.equal(f.runs(store.RunQuery{Project: "none"}), []store.RunRow(nil), "runs of no project")
}
