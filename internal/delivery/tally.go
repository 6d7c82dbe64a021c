package delivery

import (
	"cmp"
	"slices"
)

// tally counts records by epoch, in the order of the epochs. Most records are of
// the last one.
type tally []epochCount

type epochCount struct {
	epoch uint64
	n     int
}

// find returns the place of an epoch, and whether it is there.
func (t tally) find(epoch uint64) (int, bool) {
	if last := len(t) - 1; last >= 0 && t[last].epoch == epoch {
		return last, true
	}
	return slices.BinarySearchFunc(t, epoch, func(c epochCount, epoch uint64) int { return cmp.Compare(c.epoch, epoch) })
}

// add counts n more records of an epoch, which may be fewer.
func (t *tally) add(epoch uint64, n int) {
	i, ok := t.find(epoch)
	if !ok {
		*t = slices.Insert(*t, i, epochCount{epoch: epoch})
	}
	if (*t)[i].n += n; (*t)[i].n == 0 {
		*t = slices.Delete(*t, i, i+1)
	}
}

// of returns how many records of an epoch there are.
func (t tally) of(epoch uint64) int {
	if i, ok := t.find(epoch); ok {
		return t[i].n
	}
	return 0
}
