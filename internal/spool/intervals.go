package spool

import (
	"slices"
	"sort"
)

// maxSeq bounds sequence numbers, so that the one after it is a number too.
const maxSeq = 1<<63 - 1

// interval is the numbers from lo to hi, both included.
type interval struct{ lo, hi uint64 }

// intervals is a set of numbers: sorted, and a number lies between any two.
type intervals []interval

// search returns the index of the first interval that ends at n or later.
func (s intervals) search(n uint64) int {
	// What is done in order is at one end.
	if k := len(s); k == 0 || s[k-1].hi < n {
		return k
	}
	return sort.Search(len(s), func(i int) bool { return s[i].hi >= n })
}

// has reports whether a number is in the set.
func (s intervals) has(n uint64) bool {
	i := s.search(n)
	return i < len(s) && s[i].lo <= n
}

// add puts the numbers from lo to hi into the set.
func (s *intervals) add(lo, hi uint64) {
	if lo > hi {
		return
	}
	v := *s
	i := v.search(lo - min(lo, 1)) // also one that ends just before
	j := i
	for j < len(v) && v[j].lo <= hi+1 {
		j++
	}
	if i == j {
		*s = slices.Insert(v, i, interval{lo, hi})
		return
	}
	v[i] = interval{min(lo, v[i].lo), max(hi, v[j-1].hi)}
	*s = slices.Delete(v, i+1, j)
}

// count returns how many numbers from lo to hi are in the set.
func (s intervals) count(lo, hi uint64) uint64 {
	var n uint64
	for i := s.search(lo); lo <= hi && i < len(s) && s[i].lo <= hi; i++ {
		n += min(hi, s[i].hi) - max(lo, s[i].lo) + 1
	}
	return n
}

// absent returns the first number from n on that is not in the set.
func (s intervals) absent(n uint64) uint64 {
	if i := s.search(n); i < len(s) && s[i].lo <= n {
		return s[i].hi + 1
	}
	return n
}

// each calls f with each part of lo to hi that is in the set, or that is not.
func (s intervals) each(lo, hi uint64, in bool, f func(lo, hi uint64)) {
	for i := s.search(lo); lo <= hi; i++ {
		if i == len(s) || s[i].lo > hi {
			if !in {
				f(lo, hi)
			}
			return
		}
		if !in && s[i].lo > lo {
			f(lo, s[i].lo-1)
		}
		if in {
			f(max(lo, s[i].lo), min(hi, s[i].hi))
		}
		lo = s[i].hi + 1
	}
}
