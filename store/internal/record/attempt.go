package record

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

const (
	maxScore = 1e15
	// maxName bounds the names that stand in the row of an attempt, in bytes.
	maxName = 256
)

// attempt reads what a session says of the run that it is an attempt of, or nil where
// it names none.
func attempt(s *honeyhive.SessionStartRequest) *store.Attempt {
	run := shortName(text(s.Metadata, "run_id"))
	if run == "" {
		return nil
	}
	named := func(key string) string { return shortName(text(s.Metadata, key)) }
	a := &store.Attempt{
		Run: run, RunName: named("run_name"), Dataset: named("dataset_id"), Baseline: named("baseline_run_id"),
		Datapoint: named("datapoint_id"), Name: named("datapoint_name"),
	}
	if n, ok := number(s.Metadata, "attempt"); ok && n >= 0 && n <= maxTokens {
		a.Number = int64(n)
	}
	truth, _ := get(s.Feedback, "ground_truth")
	sum := sha256.Sum256([]byte(strconv.Itoa(len(truth)) + " " + string(truth) + s.Inputs.JSONText()))
	a.Sum = hex.EncodeToString(sum[:8])
	for key, raw := range s.Metrics.All() {
		v := honeyhive.Value(raw)
		score := store.Score{Name: shortName(key)}
		switch v.Kind() {
		case honeyhive.KindTrue:
			score.Value, score.Bool = 1, true
		case honeyhive.KindFalse:
			score.Bool = true
		case honeyhive.KindNumber:
			n, err := strconv.ParseFloat(string(v), 64)
			if err != nil || !(n >= -maxScore && n <= maxScore) || isMeasure(key) {
				continue
			}
			score.Value = n
		default:
			continue
		}
		a.Scores = append(a.Scores, score)
	}
	slices.SortFunc(a.Scores, func(x, y store.Score) int { return cmp.Compare(x.Name, y.Name) })
	if more := len(a.Scores) - store.MaxScores; more > 0 {
		a.Scores, a.MoreScores = a.Scores[:store.MaxScores:store.MaxScores], more
	}
	return a
}

// isMeasure reports whether a number of the metrics is read as tokens, cost or time.
func isMeasure(key string) bool {
	for _, keys := range [...][]string{tokensInKeys, tokensOutKeys, costKeys, firstTokenKeys} {
		if slices.Contains(keys, key) {
			return true
		}
	}
	return false
}

// shortName returns a name, or what stands for one that is too long: different names
// stay different.
func shortName(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= maxName {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	const kept = maxName - 20
	return strings.ToValidUTF8(s[:kept], "") + "…" + hex.EncodeToString(sum[:8])
}
