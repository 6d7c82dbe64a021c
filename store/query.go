package store

import (
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store/query"
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

	// Query is what else must hold, in the language of package query; nil is nothing. Words
	// that stand side by side in it are in the same record. Of the values that fields
	// of records have, texts are compared by their first 128 bytes, and each record has
	// up to 256: first what has a field of its own, then those of config, metadata,
	// user_properties, metrics, feedback, inputs and outputs, of keys of up to 128
	// bytes with those of the maps around, up to five maps inside each other and 64
	// elements of a list. Relative times count from the moment of the call.
	Query *query.Query
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
	// Behind begins the page behind a session in place of After, whether the filter
	// lets that session through or not: what comes next to it in the order. One that
	// is not listed is [ErrNotFound].
	Behind honeyhive.UUID
	Limit  int // 100 where it is 0, at most 1,000
}

// SessionPage is a page of a list. Pages go on behind a key, not a count: what
// arrives meanwhile neither shifts nor repeats rows.
type SessionPage struct {
	Sessions []SessionRow
	Next     string // empty on the last page
	// Unindexed is how many records a filter with words, or with fields of records, does
	// not see yet: see [Info.Unindexed]. It is 0 for other filters.
	Unindexed int64
}

// EventQuery asks for events of one session.
type EventQuery struct {
	After int64  // events whose sequence number is higher
	Limit int    // all where it is 0
	Text  string // as Filter.Text
	// Query leaves the events for which one of the parts of a query holds that are about
	// records: words, fields of records, and event(…). A part that must not hold is none.
	// Where there is no such part it leaves none.
	Query *query.Query
}

// HitQuery asks what of sessions a query finds.
type HitQuery struct {
	Sessions []honeyhive.UUID // at most 1,000
	Query    *query.Query
	Text     string // as Filter.Text
}

// A Hit is what of a record a query finds.
type Hit struct {
	Record honeyhive.UUID
	// Of an event; of the session itself they are empty.
	Name, Kind string
	Event      bool
	// Path is where it stands: inputs.question. Text is that value, or what stands around
	// the words that are found in it, and Marks are the parts of it that are found, from
	// one byte to before another.
	Path, Text string
	Marks      [][2]int
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

// What sessions can be divided by. ByFeedback makes up, down, other (feedback with a
// neutral rating or none) and none. The others count events of the sessions instead of
// the sessions, so each [Summary] is one of events: ByModel the model events, of those
// that wrap each other the innermost; ByEvent all, by their names; ByKind all, by their
// kind, or type where they have none; ByErrorKind those that failed, by
// metadata.error_type; ByPrompt those with a prompt, by its name and version with a line
// break between. Of the values of the last four the first 128 bytes count, and an event
// that is not indexed yet (see [Info.Unindexed]) may have none. See also [ByField].
const (
	ByNone      By = ""
	ByProject   By = "project"
	BySource    By = "source"
	ByUser      By = "user"
	ByStatus    By = "status"
	ByFeedback  By = "feedback"
	ByModel     By = "model"
	ByEvent     By = "event"
	ByKind      By = "kind"
	ByErrorKind By = "error"
	ByPrompt    By = "prompt"
)

const byField = "field "

// ByField divides sessions by the values that a field of records has in them, such as
// release or metadata.region: a field of package query that is not one of the session as
// a whole. A session counts for each value that it has, and not at all where it has none.
func ByField(name string) By { return byField + By(name) }

// Field returns the field of ByField.
func (b By) Field() (name string, ok bool) { return strings.CutPrefix(string(b), byField) }

// ValueQuery asks for the values of a field.
type ValueQuery struct {
	// Field is a field of records in package query, such as release or metadata.region.
	Field string
	// Filter chooses the sessions, and Event the records among theirs: what stands inside
	// of event(…) in a query, or nil.
	Filter Filter
	Event  *query.Query
	Limit  int // 100 where it is 0, at most 10,000
}

// A Value is a value of a field.
type Value struct {
	Text     string // as a query would have it
	Number   float64
	IsNumber bool
	Count    int64 // of the records that have it
}

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
