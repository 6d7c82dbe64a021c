package store

import "github.com/sessionspan/sessionspan/honeyhive"

// MaxScores is how many scores of an attempt are kept in its row, the first by their
// names. Its payload has them all.
const MaxScores = 64

// An Attempt is a session of a run of an evaluation: one whose metadata has a run_id,
// as package evals of the module sessionspan and HoneyHive's clients write it. It is
// read from the session's own record and updates. Texts of more than 256 bytes are
// kept as their beginning and a hash.
type Attempt struct {
	Session honeyhive.UUID
	// Run is metadata.run_id, RunName metadata.run_name, Dataset metadata.dataset_id, and
	// Baseline metadata.baseline_run_id: the run that this one is compared with.
	Run, RunName, Dataset, Baseline string
	// Datapoint is metadata.datapoint_id, Name metadata.datapoint_name, and Number
	// metadata.attempt, which is 0 where it is no number from 0 to 1e12.
	Datapoint, Name string
	Number          int64
	// Sum is the same for attempts with the same inputs and feedback.ground_truth: the
	// beginning of the SHA-256 of both, as they were sent.
	Sum string
	// Scores are the numbers and booleans of the metrics, by their names; not those that
	// [Measures] are read from, and no number past 1e15. MoreScores is how many there
	// are past MaxScores.
	Scores     []Score
	MoreScores int

	// These are as in the row of the session.
	Project, Source string
	Status          Status
	Measures
	Currency string // of the cost, where that is known
	Costs    []Cost // by currency
	Unpriced []string
	Stale    bool
}

// A Score is what a scorer said of an attempt.
type Score struct {
	Name  string
	Value float64 // 1 for true, 0 for false
	Bool  bool    // it was a boolean
}

// RunQuery asks for a page of runs, those that began last first. Zero values do not
// limit.
type RunQuery struct {
	Dataset, Name string // those of the first attempt
	// Project leaves out runs without an attempt of it. The row of a run is then that of
	// the first of these.
	Project string
	After   string // RunPage.Next of the page before; empty for the first
	Limit   int    // 100 where it is 0, at most 1,000
}

// A RunRow is a run in a list. All but its id is that of the attempt that started first.
type RunRow struct {
	ID, Name, Dataset, Baseline string
	Start                       float64 // Unix milliseconds: the start, or when the attempt was received
	Key                         string  // RunQuery.After of the page that begins behind it
}

// RunPage is a page of runs.
type RunPage struct {
	Runs []RunRow
	Next string // empty on the last page
}
