// Package bootstrap is the statistics of evaluations: what the mean of a list of
// numbers, one for each case, says of the mean of the cases that there might be.
//
// A suite is a sample of cases, each tried one or more times. The attempts of a case
// are alike, so cases are what is resampled: the mean of a case's attempts is one
// observation (a cluster bootstrap, Davison and Hinkley, Bootstrap Methods and their
// Application, 1997, section 3.8). Intervals are percentiles of the means of
// resamples; since those are too narrow for few cases, the percentiles are moved out as
// Hesterberg has it (What Teachers Should Know about the Bootstrap, 2015, section 5.3:
// "expanded percentiles").
//
// The functions change nothing that they are given, and give the same for the same
// numbers in any order: the random numbers have one seed. Numbers must be finite.
package bootstrap

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples is how many times cases are drawn anew, where nothing speaks for less.
const Resamples = 10_000

// The numbers of cases that are needed for an interval, and for a bound that is to
// decide. For fewer than 20 the bound is passed more often by luck than is said, as
// simulation shows.
const (
	FewestForInterval = 10
	FewestForBound    = 20
)

// means returns the sorted means of so many resamples of a list. They are the same
// for the same numbers: attempts that run side by side end in any order.
func means(list []float64, resamples int) []float64 {
	list = slices.Sorted(slices.Values(list))
	r := rand.New(rand.NewPCG(0x5e55, 0x10a5)) //nolint:gosec // no secret
	n := uint64(len(list))
	all := make([]float64, resamples)
	for i := range all {
		sum := 0.0
		for range list {
			sum += list[r.Uint64N(n)]
		}
		all[i] = sum / float64(n)
	}
	slices.Sort(all)
	return all
}

// Interval returns the interval that holds the mean of what a list is a sample of,
// with a confidence of 95 percent. It is not ok for fewer than [FewestForInterval], or
// without resamples.
func Interval(list []float64, resamples int) (low, high float64, ok bool) {
	if len(list) < FewestForInterval || resamples < 1 {
		return 0, 0, false
	}
	all := means(list, resamples)
	tail := expanded(len(list), 1.959964)
	return quantile(all, tail), quantile(all, 1-tail), true
}

// LowerBound returns what the mean of the differences is at least, with a confidence
// of 95 percent. The worst difference counts once more than it was seen: where few
// cases got much worse, resamples of them say too little of those that were not seen.
// It is not ok for fewer than [FewestForBound], or without resamples.
func LowerBound(differences []float64, resamples int) (low float64, ok bool) {
	if len(differences) < FewestForBound || resamples < 1 {
		return 0, false
	}
	if worst := slices.Min(differences); worst < 0 {
		differences = append(slices.Clone(differences), worst)
	}
	return quantile(means(differences, resamples), expanded(len(differences), 1.644854)), true
}

// expanded returns the share of resamples beyond a bound for n cases, where z is the
// bound of a normal distribution: what a normal distribution has beyond the bound of
// Student's with n-1 degrees of freedom, and beyond the smaller variance that the
// bootstrap takes.
func expanded(n int, z float64) float64 {
	v := float64(n - 1)
	t := z + (z*z*z+z)/(4*v) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*v*v) + // Abramowitz and Stegun, 26.7.5
		(3*math.Pow(z, 7)+19*math.Pow(z, 5)+17*z*z*z-15*z)/(384*v*v*v)
	return 0.5 * math.Erfc(math.Sqrt(float64(n)/v)*t/math.Sqrt2)
}

// quantile returns the value of a sorted list below which a share of it lies.
func quantile(sorted []float64, share float64) float64 {
	i := int(math.Floor(share * float64(len(sorted))))
	return sorted[min(max(i, 0), len(sorted)-1)]
}
