package page

import (
	"strings"
)

// A textDiff shows two texts side by side, line by line: what they have in common, but
// for some lines around what differs, is folded.
type textDiff struct {
	Blocks  []diffBlock
	Changed int  // rows that differ
	Cut     bool // one of the texts is longer than what is compared
}

// diffBlock is some rows, folded or not.
type diffBlock struct {
	Folded bool
	Rows   []diffRow
}

// diffRow is a line of both texts, or of one of them.
type diffRow struct {
	Op          string // same, gone, come or changed
	A, B        int    // numbers of the lines, from 1; 0 where the text has none
	Left, Right []piece
}

// piece is a part of a line; Mark is set where the other line has another one.
type piece struct {
	Text string
	Mark bool
}

// Bounds of what is compared of a text, and of the rows that stay around a difference.
const (
	diffBytes = 128 << 10
	diffLines = 3000
	diffWords = 2000 // of a line
	diffNear  = 3
)

// lines divides a text, as far as it is compared.
func lines(text string) (list []string, isCut bool) {
	if text == "" {
		return nil, false
	}
	text, whole := cut(text, diffBytes)
	list = strings.Split(strings.TrimRight(visible(text), "\n"), "\n")
	if len(list) > diffLines {
		return list[:diffLines], true
	}
	return list, !whole
}

// compareTexts shows the difference of two texts.
func compareTexts(a, b string) *textDiff {
	left, cutLeft := lines(a)
	right, cutRight := lines(b)
	d := &textDiff{Cut: cutLeft || cutRight}
	var rows []diffRow
	edits := diff(left, right, diffMost)
	for i := 0; i < len(edits); {
		if e := edits[i]; e.op == '=' {
			rows = append(rows, diffRow{"same", e.a + 1, e.b + 1, []piece{{Text: left[e.a]}}, []piece{{Text: right[e.b]}}})
			i++
			continue
		}
		gone := i
		for i < len(edits) && edits[i].op == '-' {
			i++
		}
		come := i
		for i < len(edits) && edits[i].op == '+' {
			i++
		}
		both := min(come-gone, i-come)
		for k := range both { // a line that went and one that came stand side by side
			x, y := edits[gone+k].a, edits[come+k].b
			row := diffRow{Op: "changed", A: x + 1, B: y + 1}
			row.Left, row.Right = markWords(left[x], right[y])
			rows = append(rows, row)
		}
		for _, e := range edits[gone+both : come] {
			rows = append(rows, diffRow{Op: "gone", A: e.a + 1, Left: []piece{{Text: left[e.a]}}})
		}
		for _, e := range edits[come+both : i] {
			rows = append(rows, diffRow{Op: "come", B: e.b + 1, Right: []piece{{Text: right[e.b]}}})
		}
	}
	d.fold(rows)
	return d
}

// fold divides rows into blocks.
func (d *textDiff) fold(rows []diffRow) {
	near := make([]bool, len(rows))
	for i := range rows {
		if rows[i].Op == "same" {
			continue
		}
		d.Changed++
		for k := max(i-diffNear, 0); k < min(i+diffNear+1, len(rows)); k++ {
			near[k] = true
		}
	}
	for i := 0; i < len(rows); {
		end := i
		for end < len(rows) && near[end] == near[i] {
			end++
		}
		folded := !near[i] && end-i > 1
		if last := len(d.Blocks) - 1; !folded && last >= 0 && !d.Blocks[last].Folded {
			d.Blocks[last].Rows = append(d.Blocks[last].Rows, rows[i:end]...)
		} else {
			d.Blocks = append(d.Blocks, diffBlock{Folded: folded, Rows: rows[i:end:end]})
		}
		i = end
	}
}

// markWords marks what differs between two lines, unless they have too little in common
// for it to be of use.
func markWords(a, b string) (left, right []piece) {
	left, right = []piece{{a, true}}, []piece{{b, true}}
	x, y := words(a), words(b)
	if len(x) > diffWords || len(y) > diffWords {
		return left, right
	}
	edits := diff(x, y, diffInRow)
	same := 0
	for _, e := range edits {
		if e.op == '=' {
			same += len(x[e.a])
		}
	}
	if same*4 < max(len(a), len(b)) {
		return left, right
	}
	left, right = nil, nil
	for _, e := range edits {
		switch e.op {
		case '=':
			left, right = addPiece(left, x[e.a], false), addPiece(right, y[e.b], false)
		case '-':
			left = addPiece(left, x[e.a], true)
		case '+':
			right = addPiece(right, y[e.b], true)
		}
	}
	return left, right
}

func addPiece(list []piece, text string, mark bool) []piece {
	if last := len(list) - 1; last >= 0 && list[last].Mark == mark {
		list[last].Text += text
		return list
	}
	return append(list, piece{text, mark})
}
