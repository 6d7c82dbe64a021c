package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/table.md, and the table of the README")

// table is what is said of the clients, filled from what became of what they sent.
type table struct {
	cells map[*client]map[string]string
	notes []string
}

func newTable() *table { return &table{cells: make(map[*client]map[string]string)} }

// add adds what was found: ✓ where it is as it should be, ✗ where it is not, – with a
// note where the client does not send it.
func (b *table) add(c *client, aspect string, is bool, why string) {
	if b.cells[c] == nil {
		b.cells[c] = make(map[string]string)
	}
	cell := "✗"
	switch {
	case why != "":
		i := slices.Index(b.notes, why)
		if i < 0 {
			i = len(b.notes)
			b.notes = append(b.notes, why)
		}
		cell = fmt.Sprintf("– (%d)", i+1)
	case is:
		cell = "✓"
	}
	b.cells[c][aspect] = cell
}

// isBad reports whether anything of a client is not as it should be.
func (b *table) isBad(c *client) bool {
	for _, cell := range b.cells[c] {
		if cell == "✗" {
			return true
		}
	}
	return false
}

// The table stands in the README, too, between these lines.
const (
	readme     = "../../README.md"
	readmeFrom = "<!-- written by the tests of server/interop -->\n"
	readmeTo   = "<!-- until here: server/interop -->\n"
)

// compare compares the table with the files that show it, or writes them.
func (b *table) compare(t *testing.T) {
	t.Helper()
	if len(b.cells) < len(clients) {
		return // flags of the test left some out
	}
	compareFile(t, "testdata/table.md", func(string) string { return b.markdown() + "\nVersions: " + strings.Join(versions(t), ", ") + ".\n" })
	compareFile(t, readme, func(old string) string {
		before, rest, ok := strings.Cut(old, readmeFrom)
		_, after, closed := strings.Cut(rest, readmeTo)
		if !ok || !closed {
			t.Fatalf("%s has no place for the table", readme)
		}
		return before + readmeFrom + b.markdown() + readmeTo + after
	})
}

// compareFile compares a file with what is to stand in it, or writes it.
func compareFile(t *testing.T, name string, want func(old string) string) {
	t.Helper()
	old, err := os.ReadFile(name)
	if isNew := *update && os.IsNotExist(err); err != nil && !isNew {
		t.Fatal(err)
	}
	now := want(string(old))
	switch {
	case *update:
		if err := os.WriteFile(name, []byte(now), 0o600); err != nil {
			t.Fatal(err)
		}
	case string(old) != now:
		t.Errorf("%s is not what became of what the clients sent, which is (-update writes it)\n%s", name, now)
	}
}

func (b *table) markdown() string {
	var s strings.Builder
	head := []string{"client"}
	for _, a := range aspects {
		head = append(head, a.name)
	}
	line(&s, head)
	s.WriteString(strings.Repeat("| --- ", len(head)) + "|\n")
	for _, c := range clients {
		cells := []string{c.name}
		for _, a := range aspects {
			cells = append(cells, b.cells[c][a.name])
		}
		line(&s, cells)
	}
	s.WriteString("\n")
	for i, note := range b.notes {
		fmt.Fprintf(&s, "%d. %s\n", i+1, note)
	}
	return s.String()
}

func line(s *strings.Builder, cells []string) {
	s.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// versions returns the packages of the clients with their versions, as package.json and
// go.mod pin them.
func versions(t *testing.T) []string {
	t.Helper()
	var pinned struct{ Dependencies map[string]string }
	file, err := os.ReadFile("package.json")
	if err == nil {
		err = json.Unmarshal(file, &pinned)
	}
	if err != nil {
		t.Fatal(err)
	}
	modules, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range clients {
		version := strings.TrimPrefix(pinned.Dependencies[c.pkg], "npm:")
		for l := range strings.Lines(string(modules)) {
			if f := strings.Fields(l); len(f) >= 2 && f[0] == c.pkg {
				version = f[1]
			}
		}
		if version == "" {
			t.Fatalf("no file says which version of %s is used", c.pkg)
		}
		list = append(list, fmt.Sprintf("`%s` %s", c.pkg, version))
	}
	return list
}
