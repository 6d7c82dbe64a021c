package page

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// The difference of two lists is found by Myers' algorithm (An O(ND) Difference
// Algorithm and Its Variations, 1986): the fewest removals and additions that make one
// of the other. Its cost grows with the number of these, D, so lists that differ in more
// places than are looked for are told to have only their beginning and end in common.

// Bounds of the edits that are looked for, and with them of the time and of the memory,
// which is 8 bytes for each of their squares.
const (
	diffMost  = 700 // between lists of lines or steps
	diffInRow = 100 // between the words of two lines
)

// edit is a step from one list to another: an element that both have, one of the first
// that goes, or one of the second that comes. The place in the other list is where the
// step happens there.
type edit struct {
	op   byte // '=', '-' or '+'
	a, b int
}

// diff returns the steps from a to b, of which most change something, removals before additions where both are.
func diff[T comparable](a, b []T, most int) []edit {
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	last := 0
	for last < min(len(a), len(b))-first && a[len(a)-1-last] == b[len(b)-1-last] {
		last++
	}
	edits := make([]edit, 0, len(a)+len(b)-first-last)
	for i := range first {
		edits = append(edits, edit{'=', i, i})
	}
	for _, e := range middle(a[first:len(a)-last], b[first:len(b)-last], most) {
		edits = append(edits, edit{e.op, e.a + first, e.b + first})
	}
	for i := range last {
		edits = append(edits, edit{'=', len(a) - last + i, len(b) - last + i})
	}
	return ordered(edits)
}

// middle finds the steps between lists that neither begin nor end alike.
func middle[T comparable](a, b []T, most int) []edit {
	n, m := len(a), len(b)
	most = min(n+m, most)
	// reach[k] is how far a is walked on the diagonal k, where k is what was taken of a
	// less what was taken of b; trace holds what it was before each number of edits.
	reach := make([]int, 2*most+3)
	at := func(k int) *int { return &reach[k+most+1] }
	var trace [][]int
	for d := 0; d <= most; d++ {
		trace = append(trace, slices.Clone(reach[most+1-d:most+2+d]))
		for k := -d; k <= d; k += 2 {
			x := *at(k - 1) + 1
			if k == -d || k != d && *at(k - 1) < *at(k + 1) {
				x = *at(k + 1)
			}
			for x < n && x-k < m && a[x] == b[x-k] {
				x++
			}
			*at(k) = x
			if x >= n && x-k >= m {
				return walkBack(trace, n, m)
			}
		}
	}
	edits := make([]edit, 0, n+m)
	for i := range a {
		edits = append(edits, edit{'-', i, 0})
	}
	for i := range b {
		edits = append(edits, edit{'+', n, i})
	}
	return edits
}

// walkBack collects the steps that led to the ends of both lists.
func walkBack(trace [][]int, x, y int) []edit {
	var edits []edit
	for d, reach := range slices.Backward(trace) {
		before := func(k int) int { return reach[k+d] } // what was known before d edits
		k := x - y
		from := k - 1
		if d > 0 && (k == -d || k != d && before(k-1) < before(k+1)) {
			from = k + 1
		}
		startX, startY := 0, 0
		if d > 0 {
			startX = before(from)
			startY = startX - from
		}
		for x > startX && y > startY {
			x, y = x-1, y-1
			edits = append(edits, edit{'=', x, y})
		}
		switch {
		case x > startX:
			x--
			edits = append(edits, edit{'-', x, y})
		case y > startY:
			y--
			edits = append(edits, edit{'+', x, y})
		}
	}
	slices.Reverse(edits)
	return edits
}

// ordered puts the removals of each run of changes before its additions, which is the
// same difference.
func ordered(edits []edit) []edit {
	for i := 0; i < len(edits); {
		if edits[i].op == '=' {
			i++
			continue
		}
		end := i
		for end < len(edits) && edits[end].op != '=' {
			end++
		}
		slices.SortStableFunc(edits[i:end], func(x, y edit) int { return int(y.op) - int(x.op) })
		i = end
	}
	return edits
}

// words divides a line into words, runs of space and single other characters.
func words(text string) []string {
	var list []string
	kind := func(r rune) int {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			return 0
		case unicode.IsSpace(r):
			return 1
		}
		return 2
	}
	for text != "" {
		r, end := utf8.DecodeRuneInString(text)
		for is := kind(r); is < 2 && end < len(text); {
			next, size := utf8.DecodeRuneInString(text[end:])
			if kind(next) != is {
				break
			}
			end += size
		}
		list = append(list, text[:end])
		text = text[end:]
	}
	return list
}
