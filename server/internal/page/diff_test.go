package page

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// longestCommon is the length of the longest common subsequence, by its definition.
func longestCommon[T comparable](a, b []T) int {
	before := make([]int, len(b)+1)
	for i := range a {
		row := make([]int, len(b)+1)
		for j := range b {
			if row[j+1] = max(before[j+1], row[j]); a[i] == b[j] {
				row[j+1] = before[j] + 1
			}
		}
		before = row
	}
	return before[len(b)]
}

// checkDiff wants steps that walk both lists in their order and make one of the other,
// and returns how many elements they keep.
func checkDiff[T comparable](t interface{ Fatalf(string, ...any) }, a, b []T) int {
	x, y, same := 0, 0, 0
	var made []T
	for _, e := range diff(a, b, diffMost) {
		if e.op != '+' && e.a != x || e.op != '-' && e.b != y {
			t.Fatalf("%v %v: the step %c %d %d is at %d %d", a, b, e.op, e.a, e.b, x, y)
		}
		switch e.op {
		case '=':
			if a[e.a] != b[e.b] {
				t.Fatalf("%v is not %v", a[e.a], b[e.b])
			}
			made = append(made, a[e.a])
			x, y, same = x+1, y+1, same+1
		case '-':
			x++
		case '+':
			made = append(made, b[e.b])
			y++
		}
	}
	if x != len(a) || !slices.Equal(made, b) {
		t.Fatalf("%v becomes %v instead of %v", a, made, b)
	}
	return same
}

func TestDiffIsTheShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 24)
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		if same, most := checkDiff(t, a, b), longestCommon(a, b); same != most {
			t.Fatalf("%v %v: %d are kept of %d", a, b, same, most)
		}
	})
}

// TestDiffIsBounded compares lists that have nothing in common, or very much of it far
// apart: it is a difference all the same.
func TestDiffIsBounded(t *testing.T) {
	a, b := make([]int, 40_000), make([]int, 40_000)
	for i := range a {
		a[i], b[i] = i, -i-1
	}
	if same := checkDiff(t, a, b); same != 0 {
		t.Errorf("%d are kept", same)
	}
	copy(b, a[:10_000])
	b[20_000] = a[20_000]
	copy(b[39_000:], a[39_000:])
	if same := checkDiff(t, a, b); same < 11_000 {
		t.Errorf("%d are kept", same)
	}
}

// TestTextDiffHoldsBothTexts rebuilds both texts of what is shown of their difference.
func TestTextDiffHoldsBothTexts(t *testing.T) {
	word := rapid.SampledFrom([]string{"be", " ", "brief", ".", "\n", "ü", "你", "<b>", "7"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string {
			return strings.Trim(strings.Join(rapid.SliceOfN(word, 0, 60).Draw(t, name), ""), "\n")
		}
		a, b := text("a"), text("b")
		d := compareTexts(a, b)
		var left, right []string
		changed := 0
		for _, block := range d.Blocks {
			for _, row := range block.Rows {
				if block.Folded && row.Op != "same" {
					t.Fatalf("a difference is folded: %v", row)
				}
				if row.Op != "same" {
					changed++
				}
				if row.A > 0 {
					left = append(left, joined(row.Left))
				}
				if row.B > 0 {
					right = append(right, joined(row.Right))
				}
				if row.Op == "changed" && unmarked(row.Left) != unmarked(row.Right) {
					t.Fatalf("what is not marked differs: %v %v", row.Left, row.Right)
				}
				if row.A > 0 && row.A != len(left) || row.B > 0 && row.B != len(right) {
					t.Fatalf("the numbers of %v are wrong", row)
				}
			}
		}
		if strings.Join(left, "\n") != a || strings.Join(right, "\n") != b || changed != d.Changed || (a == b) != (changed == 0) {
			t.Fatalf("%q and %q are shown as %q and %q", a, b, left, right)
		}
	})
}

func joined(list []piece) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text)
	}
	return b.String()
}

func unmarked(list []piece) string {
	var b strings.Builder
	for _, p := range list {
		if !p.Mark {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}

func TestTextDiffFoldsWhatIsAlike(t *testing.T) {
	var a, b []string
	for i := range 40 {
		line := strings.Repeat("x", i+1)
		a, b = append(a, line), append(b, line)
	}
	b[20] = "another"
	d := compareTexts(strings.Join(a, "\n"), strings.Join(b, "\n"))
	if len(d.Blocks) != 3 || !d.Blocks[0].Folded || d.Blocks[1].Folded || !d.Blocks[2].Folded || len(d.Blocks[0].Rows) != 17 || len(d.Blocks[1].Rows) != 7 || d.Changed != 1 {
		t.Errorf("%+v", d)
	}
	if d := compareTexts(strings.Repeat("word ", 60_000), "word"); !d.Cut {
		t.Error("a text that is cut is not said to be")
	}
}
