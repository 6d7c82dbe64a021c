package evals

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// canary is a key that nothing may show.
const canary = "hh_canary_0123456789"

// runsAPI is a server that takes runs.
type runsAPI struct {
	*httptest.Server
	status int
	answer string
	got    []string // method, path, key and body of each request
}

func newRunsAPI(t *testing.T) *runsAPI {
	a := &runsAPI{status: http.StatusOK, answer: `{"run_id":"run 7","evaluation":{}}`}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.got = append(a.got, r.Method+" "+r.URL.EscapedPath()+" "+r.Header.Get("Authorization")+" "+string(body))
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.answer)
	}))
	t.Cleanup(a.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return a
}

// TestReport makes a run, evaluates a suite in it, and ends it.
func TestReport(t *testing.T) {
	a := newRunsAPI(t)
	var sessions []string
	var run string
	t.Run("suite", func(t *testing.T) {
		Run(t, Suite[int, int]{
			Short: true,
			Cases: Cases(Case[int, int]{ID: "p1", Input: 1}, Case[int, int]{ID: "p2", Input: 2}), Dataset: "set",
			Task: func(_ context.Context, n int) (int, error) { return n, nil },
			Score: []Scorer[int, int]{Num("n", func(_ context.Context, r *Result[int, int]) (float64, error) {
				sessions = append(sessions, r.Session.SessionID.Or(""))
				raw, _ := r.Session.Metadata.Get("run_id")
				run = string(raw)
				return float64(r.Output), nil
			})},
			Report: &Report{URL: a.URL + "/", Key: canary, Project: "a project", Name: "nightly"},
		})
	})
	if run != `"run 7"` {
		t.Errorf("the sessions name the run %s", run)
	}
	if len(a.got) != 2 {
		t.Fatalf("requests %q", a.got)
	}
	list, _ := json.Marshal(sessions)
	want := []string{
		"POST /v1/projects/a%20project/runs Bearer " + canary + ` {"datapoint_ids":["p1","p2"],"dataset_id":"set","metadata":{"test":"TestReport/suite"},"name":"nightly","status":"running"}`,
		"PUT /v1/projects/a%20project/runs/run%207 Bearer " + canary + fmt.Sprintf(` {"datapoint_ids":["p1","p2"],"event_ids":%s,"metadata":{"passed":true,"test":"TestReport/suite"},"results":{"n":1.5},"session_ids":%[1]s,"status":"completed"}`, list),
	}
	if diff := cmp.Diff(want, a.got); diff != "" {
		t.Errorf("requests (-want +got)\n%s", diff)
	}
}

// TestReportErrors has what can go wrong with a report. No error shows the key.
func TestReportErrors(t *testing.T) {
	for _, name := range []string{"HH_DATA_PLANE_API_KEY", "HH_API_KEY", "HH_PROJECT_API_KEY", "HH_API_URL", "HH_DATA_PLANE_URL"} {
		t.Setenv(name, "")
	}
	a := newRunsAPI(t)
	ingestion := "hh_ingst_" + strings.Repeat("a", 24) + "_" + strings.Repeat("b", 64)
	for name, c := range map[string]struct {
		report *Report
		status int
		answer string
		want   string // "" where nothing is reported and nothing is wrong
	}{
		"no report":        {nil, 200, "", ""},
		"no key":           {&Report{}, 200, "", ""},
		"http":             {&Report{URL: "http://honeyhive.example", Key: canary}, 200, "", "must be https"},
		"a user":           {&Report{URL: "https://u:" + canary + "@h", Key: canary}, 200, "", "has a user in it"},
		"no URL":           {&Report{URL: "honeyhive", Key: canary}, 200, "", "none of a server"},
		"ingestion key":    {&Report{URL: a.URL, Key: ingestion}, 200, "", "makes no runs"},
		"half a key":       {&Report{URL: a.URL, Key: "hh_fgdp_" + canary}, 200, "", "report: "},
		"refused":          {&Report{URL: a.URL, Key: canary}, 403, `{"error":"the key ` + canary + ` is unknown"}`, `make the run: 403 Forbidden: "{\"error\":\"the key [key] is unknown\"}"`},
		"a page":           {&Report{URL: a.URL, Key: canary}, 200, "<html>" + canary, `the answer is no JSON: "<html>[key]"`},
		"no id":            {&Report{URL: a.URL, Key: canary}, 200, "{}", "names no run_id"},
		"a redirect":       {&Report{URL: a.URL, Key: canary}, 307, "", "307"},
		"nobody listens":   {&Report{URL: "http://127.0.0.1:1", Key: canary}, 200, "", "connection refused"},
		"a long complaint": {&Report{URL: a.URL, Key: canary}, 500, strings.Repeat("x", 1000), strings.Repeat("x", 200)},
	} {
		a.status, a.answer = c.status, c.answer
		p, err := c.report.start(t.Context(), &run{test: "T", dataset: "EXT-1"}, nil)
		if p != nil || (err != nil) != (c.want != "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) || len(err.Error()) > 600 || !strings.HasPrefix(err.Error(), "report: ")) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := (*reporting)(nil).finish(nil, false); err != nil {
		t.Error(err)
	}
	if text := fmt.Sprintf("%+v %#v %s", Report{Key: canary}, Report{Key: canary}, &Report{Key: canary}); strings.Contains(text, canary) {
		t.Errorf("printed: %s", text)
	}
	// One that HoneyHive does not hold is named in the metadata alone.
	a.status, a.answer = 200, `{"run_id":"r"}`
	t.Setenv("HH_API_URL", a.URL)
	t.Setenv("HH_DATA_PLANE_API_KEY", canary)
	r := &run{test: "T", dataset: "EXT-1"}
	if p, err := new(Report).start(t.Context(), r, []string{"EXT-p"}); err != nil || p == nil || r.id != "r" || !strings.Contains(a.got[len(a.got)-1], `POST /v1/runs Bearer `+canary+` {"datapoint_ids":["EXT-p"],"metadata":{"offline_dataset_id":"EXT-1","test":"T"}`) {
		t.Errorf("%v %v %q", p, err, a.got[len(a.got)-1])
	}
}
