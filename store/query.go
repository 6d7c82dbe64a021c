package store

import (
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// Filter chooses sessions. Zero values do not limit; all others must hold.
type Filter struct {
	// From (included) and To (excluded) bound the start of the session, or when
	// the first of it was received where no start is known.
	From, To time.Time

	Project, Source, User string
	Model                 string // of any of its events
	Status                Status

	// Bounds, included. A session without the value does not match. Those of the cost are
	// in the currency of the store's prices.
	MinDuration, MaxDuration time.Duration
	MinCost, MaxCost         honeyhive.Optional[float64]
	MinRating, MaxRating     honeyhive.Optional[float64]

	// Feedback asks for sessions with feedback (true) or without (false).
	Feedback honeyhive.Optional[bool]
	// Text asks for words in the names, errors and content of the session or one
	// of its events: all words in the same record, in any order; a word with a *
	// at its end is the beginning of one; what stands in double quotes is a
	// phrase. Case and
	// accents do not matter, and a character of a script without spaces is a word.
	// There is no other syntax and no invalid text; one without a letter or digit
	// does not limit.
	Text string
}

// Sort is what sessions are ordered by. Sessions without the value come last
// when descending.
type Sort string

// The orders of sessions.
const (
	SortStart    Sort = "start"  // or when the first of it was received
	SortChange   Sort = "change" // the sequence number
	SortDuration Sort = "duration"
	SortTokens   Sort = "tokens" // in and out
	SortCost     Sort = "cost"
	SortErrors   Sort = "errors"
	SortName     Sort = "name"
)

// SessionQuery asks for a page of sessions.
type SessionQuery struct {
	Filter
	Sort      Sort   // SortStart where it is empty
	Ascending bool   // descending where it is false: newest first
	After     string // SessionPage.Next of the page before; empty for the first
	Limit     int    // 100 where it is 0, at most 1,000
}

// SessionPage is a page of a list. Pages go on behind a key, not a count: what
// arrives meanwhile neither shifts nor repeats rows.
type SessionPage struct {
	Sessions []SessionRow
	Next     string // empty on the last page
}

// EventQuery asks for events of one session.
type EventQuery struct {
	After int64  // events whose sequence number is higher
	Limit int    // all where it is 0
	Text  string // as Filter.Text
}

// Grouping says how to divide sessions.
type Grouping struct {
	// By makes a series for each value; ByNone makes one in all.
	By By
	// Buckets divides the time between the first and the last start, or the
	// bounds of the filter, into so many equal parts, at most 1,000; 0 makes
	// none.
	Buckets int
	// Limit is how many series there are at most, those that count most first;
	// 0 is 100.
	Limit int
}

// By is what divides sessions into series.
type By string

// What sessions can be divided by. ByModel counts the model events of the
// sessions instead of the sessions: each [Summary] is then one of events.
const (
	ByNone    By = ""
	ByProject By = "project"
	BySource  By = "source"
	ByUser    By = "user"
	ByStatus  By = "status"
	ByModel   By = "model"
)

// A Series is the summary of the sessions with one value.
type Series struct {
	Key   string // the value; may be empty where sessions have none
	Total Summary
	// Points are the buckets of the time, from the first to the last, those
	// without a session included: the same ones in each series.
	Points []Point
}

// A Point is a part of the time.
type Point struct {
	From, To time.Time // From is included, To is not
	Summary
}

// A Summary sums up sessions.
type Summary struct {
	Count               int64 // sessions; model events where they are divided by model
	Errors              int64 // of the status error
	Running             int64
	Orphans             int64
	Events              int64
	TokensIn, TokensOut int64
	// Cost is in Currency, that of the store's prices, or "" where nothing has a cost in
	// that; CostDerived is what of it was
	// derived by them. OtherCosts are in other currencies. Unpriced is how many of what
	// is counted have tokens without a price.
	Cost        float64
	CostDerived float64
	Currency    string
	OtherCosts  []Cost
	Unpriced    int64
	Duration    Percentiles // of those that have one
	FirstToken  Percentiles
}

// Percentiles are of the nearest rank, in milliseconds.
type Percentiles struct {
	Count              int64 // of values; all others are 0 where there is none
	P50, P90, P99, Max float64
}
