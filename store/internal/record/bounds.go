package record

import (
	"math"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// Payloads hold whatever number their sender wrote. What is computed from them
// (rows, sums, plots) takes numbers within bounds alone, and holds others to be
// unknown: so every sum and every difference is finite, and a single absurd value
// spoils neither a total nor the scale of a plot.
const (
	maxMilliseconds = 1e15 // of a time, since 1970, and of a duration: 31,700 years
	maxTokens       = 1e12
	maxCost         = 1e9
	maxRating       = 1e9
	// maxSum bounds what the events of a session come to, in tokens or cost units:
	// two such sums still fit into 64 bits.
	maxSum = 1e18
)

// within returns a number that is known and lies between bounds.
func within[T int64 | float64](v honeyhive.Optional[T], least, most T) honeyhive.Optional[T] {
	if n, ok := v.Get(); ok && n >= least && n <= most { // which NaN is not
		return honeyhive.Some(n)
	}
	return honeyhive.Optional[T]{}
}

// milliseconds returns a time or duration that is known and within bounds.
func milliseconds(v honeyhive.Optional[float64]) honeyhive.Optional[float64] {
	return within(v, -maxMilliseconds, maxMilliseconds)
}

// Duration returns a duration that is known and within bounds. A negative one, which
// clocks that differ make, is none: it would be the least of all percentiles.
func Duration(v honeyhive.Optional[float64]) honeyhive.Optional[float64] {
	return within(v, 0, maxMilliseconds)
}

// Bounded returns measures that were stored without those that are out of
// bounds: a store may be older than the bounds.
func Bounded(m store.Measures) store.Measures {
	m.Start, m.End, m.Duration = milliseconds(m.Start), milliseconds(m.End), Duration(m.Duration)
	m.FirstToken = within(m.FirstToken, 0, maxMilliseconds)
	m.TokensIn, m.TokensOut = BoundedSum(m.TokensIn), BoundedSum(m.TokensOut)
	m.Cost = within(m.Cost, 0, maxSum*CostUnit)
	m.Rating = within(m.Rating, -maxRating, maxRating)
	return m
}

// BoundedSum returns a sum of tokens or cost units that is within bounds.
func BoundedSum(v honeyhive.Optional[int64]) honeyhive.Optional[int64] { return within(v, 0, maxSum) }

// Moment returns a time within bounds, or the other one.
func Moment(ms, other float64) float64 { return milliseconds(honeyhive.Some(ms)).Or(other) }

// AddCapped adds numbers that are not negative. What would not fit is the
// largest number, whatever the order.
func AddCapped(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// Sum is the exact sum of those that have a value, however many these are.
type Sum struct {
	Count int64
	Sum   int64
	// Carry is how often Sum has gone over, or, where it is negative, under what it
	// can hold.
	Carry int64 `json:",omitempty"`
}

func (s *Sum) add(v honeyhive.Optional[int64], sign int64) {
	n, ok := v.Get()
	if !ok {
		return
	}
	s.Count += sign
	n *= sign
	sum := s.Sum + n
	switch {
	case s.Sum >= 0 && n >= 0 && sum < 0:
		s.Carry++
	case s.Sum < 0 && n < 0 && sum >= 0:
		s.Carry--
	}
	s.Sum = sum
}

// merge adds another sum.
func (s *Sum) merge(o Sum) {
	count := s.Count + o.Count
	s.Carry += o.Carry
	s.add(honeyhive.Some(o.Sum), 1)
	s.Count = count
}

// get returns a sum that is within bounds.
func (s Sum) get() honeyhive.Optional[int64] {
	if s.Count == 0 || s.Carry != 0 {
		return honeyhive.Optional[int64]{}
	}
	return BoundedSum(honeyhive.Some(s.Sum))
}

// mean returns the mean of numbers that were multiplied.
func (s Sum) mean(factor float64) honeyhive.Optional[float64] {
	if s.Count <= 0 {
		return honeyhive.Optional[float64]{}
	}
	return honeyhive.Some((math.Ldexp(float64(s.Carry), 64) + float64(s.Sum)) / factor / float64(s.Count))
}
