package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sessionspan/sessionspan/evals/bootstrap"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// made is an attempt as a program makes it.
type made struct {
	run, point, name, question string
	start, took                float64
	failed, ends               bool
	tokens                     int64 // 0 for none
	cost                       float64
	scores                     map[string]any
}

func (m *made) write(t *testing.T) store.Write {
	t.Helper()
	metadata := map[string]any{"run_id": m.run, "datapoint_id": m.point, "datapoint_name": m.name, "run_name": "Test" + m.run, "dataset_id": "D"}
	if m.tokens > 0 {
		metadata["prompt_tokens"], metadata["completion_tokens"] = m.tokens, 2*m.tokens
	}
	if m.cost > 0 {
		metadata["cost"] = m.cost
	}
	fields := map[string]any{
		"session_id": honeyhive.NewUUID().String(), "session_name": "s", "project": "p", "source": "evaluation",
		"start_time": m.start, "inputs": map[string]any{"q": m.question}, "metadata": metadata, "metrics": m.scores,
	}
	if m.ends {
		fields["duration"] = m.took
	}
	if m.failed {
		fields["error"] = "broke"
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	p := new(honeyhive.SessionStartRequest)
	if err := p.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return store.Write{Session: p}
}

// draw makes attempts of two runs with odds of all kinds.
func draw(r *rand.Rand, cases, times int) (list []made) {
	for _, run := range []string{"a", "b"} {
		for c := range cases {
			if r.IntN(10) == 0 {
				continue // a case that one run does not have
			}
			question := fmt.Sprint(c)
			if r.IntN(8) == 0 {
				question += " changed"
			}
			for range 1 + r.IntN(times) {
				m := made{
					run: run, point: fmt.Sprintf("p%d", c/2), name: fmt.Sprintf("n%d", c), question: question,
					start: float64(1000 + r.IntN(500)), took: float64(r.IntN(400)), ends: r.IntN(9) > 0, failed: r.IntN(6) == 0,
					tokens: int64(r.IntN(50)), cost: float64(r.IntN(4)) / 8, scores: make(map[string]any),
				}
				if r.IntN(5) > 0 {
					m.scores["overlap"] = r.NormFloat64()
				}
				if r.IntN(5) > 0 {
					m.scores["cites"] = r.IntN(3) > 0
				}
				if r.IntN(3) == 0 {
					m.scores["mixed"] = []any{true, 0.5, "no score"}[r.IntN(3)]
				}
				list = append(list, m)
			}
		}
	}
	return list
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

// value is a score as a number, where it is one.
func value(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		return v, true
	}
	return 0, false
}

// TestFigures computes every figure of runs and of their comparison anew from what was
// written.
func TestFigures(t *testing.T) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := draw(r, 4+int(seed)*5, 1+int(seed)%4)
		s := openStore(t)
		var batch []store.Write
		for i := range list {
			batch = append(batch, list[i].write(t))
		}
		r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		now, err := Read(t.Context(), s, "a")
		if err != nil {
			t.Fatal(err)
		}
		was, err := Read(t.Context(), s, "b")
		if err != nil {
			t.Fatal(err)
		}
		checkRun(t, now, list)
		checkRun(t, was, list)
		checkComparison(t, Compare(now, was), list)
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

// byCase returns the scores of a run by its cases, and what the inputs of each are.
func byCase(list []made, run, metric string) (scores map[string][]float64, inputs map[string]string) {
	scores, inputs = make(map[string][]float64), make(map[string]string)
	for _, m := range list {
		if m.run != run {
			continue
		}
		inputs[m.name] = m.question
		if v, ok := value(m.scores[metric]); ok {
			scores[m.name] = append(scores[m.name], v)
		}
	}
	return scores, inputs
}

func average(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v / float64(len(list))
	}
	return sum
}

func checkRun(t *testing.T, got *Run, list []made) {
	t.Helper()
	var attempts, errs, running int
	var in, out int64
	var cost float64
	start, end := math.Inf(1), math.Inf(-1)
	var durations []float64
	cases := make(map[string]int)
	for _, m := range list {
		if m.run != got.ID {
			continue
		}
		attempts++
		cases[m.name]++
		in, out, cost = in+m.tokens, out+2*m.tokens, cost+m.cost
		start = min(start, m.start)
		switch {
		case m.failed:
			errs++
		case !m.ends:
			running++
		}
		if m.ends {
			durations = append(durations, m.took)
			end = max(end, m.start+m.took)
		} else if m.failed {
			end = max(end, m.start)
		}
	}
	slices.Sort(durations)
	// The nearest rank: the least value that so many percent are not above.
	rank := func(percent int) float64 {
		for i, v := range durations {
			if (i+1)*100 >= percent*len(durations) {
				return v
			}
		}
		return math.NaN()
	}
	if got.Attempts != attempts || got.Errors != errs || got.Running != running || got.Tried != len(cases) || len(got.Cases) != len(cases) ||
		got.TokensIn.Or(0) != in || got.TokensOut.Or(0) != out || !near(dollars(got.Costs), cost) || got.Start.Or(0) != start || got.End.Or(0) != end ||
		int(got.Duration.Count) != len(durations) || got.Duration.P50 != rank(50) || got.Duration.P90 != rank(90) ||
		got.Name != "Test"+got.ID || got.Dataset != "D" || got.Project != "p" || got.Source != "evaluation" || got.Cut || got.MoreMetrics {
		t.Errorf("the run %s: %+v\nwant %d attempts, %d errors, %d running, %d cases, %d/%d, %v, %v to %v, %v", got.ID, got, attempts, errs, running, len(cases), in, out, cost, start, end, durations)
	}
	for i := range got.Cases {
		c := &got.Cases[i]
		if len(c.Attempts) != cases[c.Name] {
			t.Errorf("the case %s has %d attempts, want %d", c.Name, len(c.Attempts), cases[c.Name])
		}
		if got.Case(c.Key) != c || got.Case("none") != nil {
			t.Errorf("the case %s is not found by its key", c.Name)
		}
	}
	for _, name := range []string{"overlap", "cites", "mixed"} {
		scores, _ := byCase(list, got.ID, name)
		m := got.Metric(name)
		if m == nil {
			if len(scores) > 0 {
				t.Errorf("%s has no %s", got.ID, name)
			}
			continue
		}
		var all, means []float64
		for c, of := range scores {
			all = append(all, of...)
			means = append(means, average(of))
			for i := range got.Cases {
				if v, ok := got.Cases[i].Score(m); got.Cases[i].Name == c && (!ok || !near(v, average(of))) {
					t.Errorf("%s of %s is %v, want %v", name, c, v, average(of))
				}
			}
		}
		passed, isBool := 0, true
		for _, made := range list {
			if v, ok := made.scores[name]; ok && made.run == got.ID {
				b, is := v.(bool)
				if _, number := v.(float64); number {
					isBool = false
				}
				if is && b {
					passed++
				}
			}
		}
		if m.Scored != len(all) || m.Cases != len(means) || !near(m.Mean, average(means)) || m.Worst != slices.Min(all) || m.Passed != passed || m.Bool != isBool {
			t.Errorf("%s of %s is %+v, want %d scores of %d cases, mean %v, worst %v, %d passed, %v", name, got.ID, m, len(all), len(means), average(means), slices.Min(all), passed, isBool)
		}
		if isBool && !near(m.PassRate(), average(all)) {
			t.Errorf("the pass rate of %s is %v", name, m.PassRate())
		}
	}
}

func checkComparison(t *testing.T, got *Comparison, list []made) {
	t.Helper()
	_, now := byCase(list, "a", "")
	_, was := byCase(list, "b", "")
	both, changed := 0, 0
	for c := range now {
		if q, ok := was[c]; ok && q == now[c] {
			both++
		} else if ok {
			changed++
		}
	}
	if got.Both != both || got.Changed != changed || got.OnlyNow != len(now)-both-changed || got.OnlyWas != len(was)-both-changed {
		t.Errorf("%d cases are compared, %d changed, %d and %d are of one run; want %d, %d", got.Both, got.Changed, got.OnlyNow, got.OnlyWas, both, changed)
	}
	for _, name := range []string{"overlap", "cites", "mixed"} {
		a, _ := byCase(list, "a", name)
		b, _ := byCase(list, "b", name)
		d := got.Of(name)
		if d == nil {
			if len(a) > 0 && len(b) > 0 {
				t.Errorf("%s is not compared", name)
			}
			continue
		}
		var before, after, by []float64
		var better, worse int
		for c := range maps.Keys(now) {
			if was[c] != now[c] || len(a[c]) == 0 || len(b[c]) == 0 {
				continue
			}
			before, after = append(before, average(b[c])), append(after, average(a[c]))
			by = append(by, average(a[c])-average(b[c]))
			switch v := by[len(by)-1]; {
			case v > 1e-9:
				better++
			case v < -1e-9:
				worse++
			}
		}
		if len(by) == 0 {
			if d.Cases != 0 || !math.IsNaN(d.Mean) || d.Verdict() != NotShown {
				t.Errorf("%s of no case: %+v", name, d)
			}
			continue
		}
		if d.Cases != len(by) || d.Better != better || d.Worse != worse || d.Same != len(by)-better-worse || !near(d.Now, average(after)) || !near(d.Was, average(before)) || !near(d.Mean, average(by)) {
			t.Errorf("%s differs by %+v, want %v", name, d, by)
		}
		if d.Between != (len(by) >= bootstrap.FewestForInterval) {
			t.Errorf("%s of %d cases has an interval: %v", name, len(by), d.Between)
		}
		if !d.Between {
			continue
		}
		// A bootstrap of the test's own, with other random numbers and without moving the
		// percentiles out: its interval is the narrower one, but by what chance makes.
		low, high := ownInterval(by)
		slack := 0.15*(high-low) + 1e-9
		if d.Low > low+slack || d.High < high-slack || d.High-d.Low > 1.6*(high-low)+1e-9 {
			t.Errorf("%s differs by %v to %v, by another bootstrap %v to %v", name, d.Low, d.High, low, high)
		}
		want := NotShown
		switch {
		case better+worse == 0:
			want = Equal
		case d.Low > 0:
			want = Better
		case d.High < 0:
			want = Worse
		}
		if d.Verdict() != want {
			t.Errorf("%s is %s, want %s", name, d.Verdict(), want)
		}
	}
}

func ownInterval(list []float64) (low, high float64) {
	r := rand.New(rand.NewChaCha8([32]byte{7}))
	means := make([]float64, 4000)
	for i := range means {
		for range list {
			means[i] += list[r.IntN(len(list))] / float64(len(list))
		}
	}
	slices.Sort(means)
	return means[100], means[3900]
}

// TestVerdict has runs whose differences are sure, and such as are not.
func TestVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		cases int
		by    func(i int) float64
		want  string
	}{
		"all better":         {20, func(int) float64 { return 0.1 }, Better},
		"all worse":          {20, func(int) float64 { return -0.1 }, Worse},
		"none differs":       {20, func(int) float64 { return 0 }, Equal},
		"none of few":        {3, func(int) float64 { return 0 }, Equal},
		"few are all better": {9, func(int) float64 { return 0.5 }, NotShown},
		"up and down":        {20, func(i int) float64 { return 0.1 * float64(i%2*2-1) }, NotShown},
		"rounding":           {20, func(i int) float64 { return 1e-17 * float64(i) }, Equal},
	} {
		s := openStore(t)
		var batch []store.Write
		for i := range tc.cases {
			for run, score := range map[string]float64{"a": 0.5 + tc.by(i), "b": 0.5} {
				m := made{run: run, point: fmt.Sprint(i), start: 1000, ends: true, scores: map[string]any{"x": score}}
				batch = append(batch, m.write(t))
			}
		}
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		now, err1 := Read(t.Context(), s, "a")
		was, err2 := Read(t.Context(), s, "b")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if got := Compare(now, was).Of("x").Verdict(); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// TestBounds has runs past what is summed up, with names and numbers of all kinds.
func TestBounds(t *testing.T) {
	s := openStore(t)
	var batch []store.Write
	for i := range 3 {
		scores := make(map[string]any)
		for n := range 2 * MostMetrics / 3 {
			scores[fmt.Sprintf("%d-%d", i, n)] = 1.0
		}
		m := made{run: "wide", point: fmt.Sprint(i), start: float64(i), ends: true, tokens: 1e12, cost: 1e9, scores: scores}
		batch = append(batch, m.write(t))
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	r, err := Read(t.Context(), s, "wide")
	if err != nil || len(r.Metrics) != MostMetrics || !r.MoreMetrics || r.TokensIn.Or(0) != 3e12 || dollars(r.Costs) != 3e9 {
		t.Errorf("%d metrics, %+v, %v", len(r.Metrics), r, err)
	}
	if got := addCount(honeyhive.Some(int64(math.MaxInt64-1)), honeyhive.Some(int64(5))); got.Or(0) != math.MaxInt64 {
		t.Errorf("a sum that does not fit is %v", got)
	}
	if _, err := Read(t.Context(), s, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of no run: %v", err)
	}
	if got := Compare(r, r); got.Both != 3 || got.Metrics[0].Verdict() != Equal {
		t.Errorf("with itself: %+v", got)
	}
	for _, cases := range []int{0, 1, 100, 10_000, 1e6} {
		if n := Resamples(cases, 5); n < fewestResamples || n > bootstrap.Resamples || n > fewestResamples && n*cases*5 > draws {
			t.Errorf("%d cases are drawn anew %d times", cases, n)
		}
	}
}

// TestKeys keeps cases apart, and puts attempts of one together.
func TestKeys(t *testing.T) {
	s := openStore(t)
	var batch []store.Write
	for i, m := range []made{
		{point: "p", name: "n", question: "1"}, {point: "p", name: "n", question: "2"}, // one case
		{point: "p", name: "m"}, {point: "p"}, {name: "n"}, // cases of their own
		{point: "pn"}, {name: "pn"}, {point: "1:p"}, {point: "=p"},
		{question: "1"}, {question: "1"}, {question: "2"}, // by their inputs
	} {
		m.run, m.start, m.ends = "r", float64(i), true
		batch = append(batch, m.write(t))
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	r, err := Read(t.Context(), s, "r")
	if err != nil {
		t.Fatal(err)
	}
	var counts []int
	for i := range r.Cases {
		counts = append(counts, len(r.Cases[i].Attempts))
	}
	if !slices.Equal(counts, []int{2, 1, 1, 1, 1, 1, 1, 1, 2, 1}) {
		t.Errorf("the cases have %v attempts", counts)
	}
}

// TestList pages through runs, by name and by dataset.
func TestList(t *testing.T) {
	s := openStore(t)
	var batch []store.Write
	for i := range 9 {
		for n := range i + 1 {
			m := made{run: fmt.Sprint(i), point: fmt.Sprint(n), start: float64(1000 * i), ends: true}
			batch = append(batch, m.write(t))
		}
	}
	if err := s.Write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for q := (store.RunQuery{Limit: 2}); ; {
		list, next, err := List(t.Context(), s, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			seen = append(seen, fmt.Sprintf("%s:%d", r.ID, r.Attempts))
			if r.Tried != r.Attempts || r.Cases != nil {
				t.Errorf("%+v", r)
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	if want := []string{"8:9", "7:8", "6:7", "5:6", "4:5", "3:4", "2:3", "1:2", "0:1"}; !slices.Equal(seen, want) {
		t.Errorf("the runs are %v", seen)
	}
	if list, _, err := List(t.Context(), s, store.RunQuery{Name: "Test3"}); err != nil || len(list) != 1 || list[0].ID != "3" {
		t.Errorf("by name: %v, %v", list, err)
	}
}

// BenchmarkRead sums up a run of 10,000 attempts with five scores, and compares it with
// itself.
func BenchmarkRead(b *testing.B) {
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "sessions.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var batch []store.Write
	for i := range 10_000 {
		p := new(honeyhive.SessionStartRequest)
		text := fmt.Sprintf(`{"session_id":"%s","session_name":"s","project":"p","source":"s","start_time":%d,"duration":%d,"inputs":{"q":%[2]d},
			"metrics":{"a":%[4]v,"b":true,"c":1,"d":0.5,"e":0.25},"metadata":{"run_id":"r","run_name":"T","dataset_id":"D","datapoint_id":"%[2]d"}}`, honeyhive.NewUUID(), i, i%100, float64(i%17)/17)
		if err := p.UnmarshalJSON([]byte(text)); err != nil {
			b.Fatal(err)
		}
		batch = append(batch, store.Write{Session: p})
	}
	if err := s.Write(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r, err := Read(b.Context(), s, "r"); err != nil || r.Attempts != len(batch) {
				b.Fatal(err)
			}
		}
	})
	b.Run("compare", func(b *testing.B) {
		r, err := Read(b.Context(), s, "r")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			Compare(r, r)
		}
	})
}

// dollars is the amount of costs that are in US dollars alone.
func dollars(costs []store.Cost) float64 {
	switch {
	case len(costs) == 0:
		return 0
	case len(costs) > 1 || costs[0].Currency != "USD":
		return math.NaN()
	}
	return costs[0].Amount
}
