package evals

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
	"github.com/sessionspan/sessionspan/examples/internal/rag"
	"github.com/sessionspan/sessionspan/honeyhive"
)

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // the answers of a model are not the same each time
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OPENAI_") {
			_ = os.Unsetenv(name)
		}
	}
	// The index keeps a pool of workers for the whole process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

// lines takes what an exporter writes.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

// TestMeasures computes the measures anew from the index, without the package evals,
// and compares them with the metrics of the sessions.
func TestMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("to index the documentation of Go takes half a minute with the race detector")
	}
	var out lines
	x := index(t)
	s := suite(x)
	s.Tracing = []sessionspan.Option{sessionspan.WithWriter(&out)}
	s.Require = nil
	t.Run("suite", func(t *testing.T) { evals.Run(t, s) })
	checked := 0
	for line := range bytes.Lines(out.Bytes()) {
		var l struct {
			Session *honeyhive.SessionStartRequest
		}
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Session == nil {
			continue
		}
		checkMeasures(t, x, l.Session)
		checked++
	}
	if checked != 40 {
		t.Errorf("%d sessions", checked)
	}
}

func checkMeasures(t *testing.T, x *rag.Index, s *honeyhive.SessionStartRequest) {
	t.Helper()
	var in struct{ Input string }
	var feedback struct {
		Truth struct{ Sources []string } `json:"ground_truth"`
	}
	var metrics struct {
		Hit       bool    `json:"hit@5"`
		Recall    float64 `json:"recall@5"`
		Precision float64 `json:"precision@5"`
		MRR       float64 `json:"mrr@5"`
		NDCG      float64 `json:"ndcg@5"`
	}
	for target, o := range map[any]honeyhive.Object{&in: s.Inputs, &feedback: s.Feedback, &metrics: s.Metrics} {
		if err := o.Decode(target); err != nil {
			t.Fatal(err)
		}
	}
	right := feedback.Truth.Sources
	found, err := x.Search(t.Context(), in.Input, mostDocuments)
	if err != nil || len(right) == 0 {
		t.Fatal(err, s.SessionName)
	}
	var ranks []int // of right documents, from 1
	for i, d := range found[:min(5, len(found))] {
		if slices.Contains(right, d.ID) {
			ranks = append(ranks, i+1)
		}
	}
	first, gain, best := 0.0, 0.0, 0.0
	for i, rank := range ranks {
		if i == 0 {
			first = 1 / float64(rank)
		}
		gain += 1 / math.Log2(1+float64(rank))
	}
	for rank := 1; rank <= min(5, len(right)); rank++ {
		best += 1 / math.Log2(1+float64(rank))
	}
	want := []float64{float64(len(ranks)) / float64(len(right)), float64(len(ranks)) / 5, first, gain / best}
	for i, got := range []float64{metrics.Recall, metrics.Precision, metrics.MRR, metrics.NDCG} {
		if math.Abs(got-want[i]) > 1e-12 || metrics.Hit != (len(ranks) > 0) {
			t.Errorf("%s: measure %d is %v, hit %v; want %v of ranks %v", s.SessionName.Or(""), i+1, got, metrics.Hit, want[i], ranks)
		}
	}
}

// TestWorse runs TestRAG again as a process with an index that is worse: the gates
// fail, and say so.
func TestWorse(t *testing.T) {
	if testing.Short() {
		t.Skip("to index the documentation of Go takes half a minute with the race detector")
	}
	for _, how := range []string{"stemming", "documents"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRAG$")
		cmd.Env = append(os.Environ(), "WORSE="+how)
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"gate: pass rate of hit@5 at least 0.8: it is 0.", "gate: ndcg@5 no worse than the baseline by more than 0.05: it differs by -0.", "--- FAIL: TestRAG ("} {
			if !strings.Contains(string(out), want) {
				t.Errorf("without %s (%v) it does not say %q:\n%s", how, err, want, out)
			}
		}
	}
}
