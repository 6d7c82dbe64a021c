package evals

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// update is the flag that writes baselines. Its name has the package's in it, since
// programs have flags of their own. Only tests have it.
var update = func() *bool {
	if !testing.Testing() {
		return new(bool)
	}
	return flag.Bool("evals.update", false, "write the baselines of evaluations (testdata/evals) from this run")
}()

// A baseline is the scores of an earlier run.
type baseline struct {
	// Run is the run_id of the run, "" in files from before it was kept.
	Run   string                  `json:"run"`
	Cases map[string]baselineCase `json:"cases"`
}

type baselineCase struct {
	// Sum tells whether the case is still the same: the beginning of the SHA-256 of
	// its input and what is expected.
	Sum    string               `json:"sum"`
	Scores map[string][]float64 `json:"scores"` // by scorer, one for each attempt
}

// sumLength is how much of the hash of a case stands in a baseline.
const sumLength = 12

// scores returns what the baseline has of a case, if that has not changed.
func (b *baseline) scores(c *row, scorer string) []float64 {
	was, ok := b.Cases[c.name]
	if !ok || was.Sum != c.sum[:sumLength] {
		return nil
	}
	return was.Scores[scorer]
}

// baselineFile is where the baseline of a test is: testdata/evals/TestName.json in
// the folder of the package, in further folders for subtests.
func baselineFile(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		if p = url.PathEscape(p); strings.Trim(p, ".") == "" || strings.HasSuffix(p, ".") {
			p += "%"
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, ":", "%3A"), "*", "%2A")
	}
	return filepath.Join("testdata", "evals", filepath.Join(parts...)+".json")
}

// readBaseline returns nil where there is none.
func readBaseline(file string) (*baseline, error) {
	data, err := os.ReadFile(file) //nolint:gosec // its name is made of that of the test
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the baseline: %w", err)
	}
	b := new(baseline)
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("read the baseline: %s: %w (-evals.update writes it anew)", file, err)
	}
	for name, c := range b.Cases {
		for scorer, list := range c.Scores {
			if slices.ContainsFunc(list, func(v float64) bool { return math.Abs(v) > math.MaxFloat64/1e6 }) {
				return nil, fmt.Errorf("read the baseline: %s: %s of %q is too large", file, scorer, name)
			}
		}
	}
	return b, nil
}

// write puts the scores of a run into a file, one line for each case, in the order
// of their names, so that a change shows where it is.
func (t *table) write(file, run string) error {
	cases := make(map[string]baselineCase, len(t.cases))
	for i := range t.cases {
		c := &t.cases[i]
		kept := baselineCase{Sum: c.sum[:sumLength], Scores: make(map[string][]float64)}
		for j, s := range t.scorers {
			kept.Scores[s.name] = c.scores(j)
		}
		cases[c.name] = kept
	}
	var out bytes.Buffer
	id, err := json.Marshal(run)
	if err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	fmt.Fprintf(&out, "{\n\t\"run\": %s,\n\t\"cases\": {", id)
	for i, name := range slices.Sorted(maps.Keys(cases)) {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return fmt.Errorf("write the baseline: %w", err)
		}
		value, err := json.Marshal(cases[name])
		if err != nil {
			return fmt.Errorf("write the baseline: %w", err)
		}
		fmt.Fprintf(&out, "\n\t\t%s: %s", key, value)
	}
	out.WriteString("\n\t}\n}\n")
	err = os.MkdirAll(filepath.Dir(file), 0o755) //nolint:gosec // as other folders of a source tree
	if err == nil {
		err = os.WriteFile(file, out.Bytes(), 0o644) //nolint:gosec // as other files of a source tree
	}
	if err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	return nil
}
