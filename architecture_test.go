package sessionspan_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWaysOfSpans holds the table of ARCHITECTURE.md with the files that a span passes to
// the files that there are, each of which is passed once.
func TestWaysOfSpans(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| | Start | Set | End | Worker |\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no table of the ways of spans")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	names := regexp.MustCompile("`([a-z/]+)`")
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "| \n"), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[0], " ---") {
			continue
		}
		rows++
		for _, cell := range cells[1:] {
			way, _, _ := strings.Cut(cell, ";") // what follows says how others differ
			var passed []string
			for _, m := range names.FindAllStringSubmatch(way, -1) {
				if name := m[1]; slices.Contains(passed, name) {
					t.Errorf("%s: %s is passed twice in %s", strings.TrimSpace(cells[0]), name, way)
				} else if passed = append(passed, name); !exists(name) {
					t.Errorf("%s: there is no file or package %s", strings.TrimSpace(cells[0]), name)
				}
			}
		}
	}
	if rows < 4 {
		t.Errorf("the table has %d ways", rows)
	}
}

// exists reports whether there is a file or a package of a name, here or in internal.
func exists(name string) bool {
	return slices.ContainsFunc([]string{name + ".go", name, "internal/" + name + ".go", "internal/" + name}, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}
