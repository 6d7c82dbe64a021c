package clienttest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/table.md, and the table of the README")

// A table is what the README says of the clients, filled from what was recorded.
type table struct {
	rows  []*row
	cases map[string]map[*client]string // what became of each case
	notes []string
}

// A row is an operation of a client.
type row struct {
	client    *client
	operation string
	has       map[string]bool // by aspect
}

// aspects are what may be recorded of a call.
var aspects = []struct {
	name string
	in   func(r *record) bool
}{
	{"input", func(r *record) bool { return r.Inputs != nil }},
	{"parameters", func(r *record) bool { return r.Attributes["gen_ai.request.temperature"] != nil }},
	{"tools offered", func(r *record) bool { return member(r.Config, "tools") != nil }},
	{"output", func(r *record) bool {
		return member(r.Outputs, "content") != nil || member(r.Outputs, "embeddings") != nil
	}},
	{"tool calls", func(r *record) bool { return member(r.Outputs, "tool_calls") != nil }},
	{"finish reason", func(r *record) bool { return r.Error == "" && r.Metadata["finish_reasons"] != nil }},
	{"tokens", func(r *record) bool { return r.Error == "" && r.Metadata["prompt_tokens"] != nil }},
	{"cached tokens", func(r *record) bool { return r.Error == "" && r.Metadata["cache_read_input_tokens"] != nil }},
	{"citations", func(r *record) bool { return r.Outputs != nil && strings.Contains(encode(r.Outputs), source) }},
	{"provider-run tools", func(r *record) bool { return r.Outputs != nil && strings.Contains(encode(r.Outputs), ran) }},
	{"first token", func(r *record) bool { return r.FirstToken }},
	{"error", func(r *record) bool { return r.Error != "" && r.Metadata["error_type"] != nil }},
	{"unreadable answers", func(r *record) bool { return r.Metadata["error_type"] == "unreadable_answer" }},
	{"part of a broken answer", func(r *record) bool { return r.Error != "" && r.Outputs != nil }},
	{"attempt", func(r *record) bool { return r.Metadata["attempt"] == 2.0 }},
}

func member(v any, name string) any {
	o, _ := v.(object)
	return o[name]
}

func newTable() *table { return &table{cases: make(map[string]map[*client]string)} }

// add adds what was recorded of an operation.
func (b *table) add(c *client, operation string, records ...record) {
	i := slices.IndexFunc(b.rows, func(r *row) bool { return r.client == c && r.operation == operation })
	if i < 0 {
		i = len(b.rows)
		b.rows = append(b.rows, &row{c, operation, make(map[string]bool)})
	}
	for _, r := range records {
		for _, a := range aspects {
			b.rows[i].has[a.name] = b.rows[i].has[a.name] || a.in(&r)
		}
	}
}

// result keeps what became of a case.
func (b *table) result(c *client, name string, passed bool, why string) {
	if b.cases[name] == nil {
		b.cases[name] = make(map[*client]string)
	}
	switch {
	case !passed:
		b.cases[name][c] = "failed"
	case why == "":
		b.cases[name][c] = "✓"
	default:
		i := slices.Index(b.notes, why)
		if i < 0 {
			i = len(b.notes)
			b.notes = append(b.notes, why)
		}
		b.cases[name][c] = fmt.Sprintf("(%d)", i+1)
	}
}

// complete reports whether all clients did all there is, none being left out by
// the flags of the test.
func (b *table) complete() bool {
	for _, tc := range testCases {
		if len(b.cases[tc.name]) < len(clients) {
			return false
		}
	}
	return true
}

// The operations stand in the README too, between these lines.
const (
	readme     = "../../README.md"
	readmeFrom = "<!-- written by the tests of llmhttp/clienttest -->\n"
	readmeTo   = "<!-- until here -->\n"
)

// compare compares the table with the files that show it, or writes them.
func (b *table) compare(t *testing.T) {
	if !b.complete() {
		return
	}
	compareFile(t, "testdata/table.md", func(string) string { return b.operations() + "\n" + b.matrix(t) })
	compareFile(t, readme, func(old string) string {
		before, rest, ok := strings.Cut(old, readmeFrom)
		_, after, closed := strings.Cut(rest, readmeTo)
		if !ok || !closed {
			t.Fatalf("%s has no place for the table", readme)
		}
		return before + readmeFrom + b.operations() + readmeTo + after
	})
}

// compareFile compares a file with what is to stand in it, or writes it.
func compareFile(t *testing.T, name string, want func(old string) string) {
	t.Helper()
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := want(string(old))
	switch {
	case *update:
		err = os.WriteFile(name, []byte(text), 0o600)
	case string(old) != text:
		t.Errorf("%s is not what was recorded, which is (-update writes it)\n%s", name, text)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// operations returns what is recorded of each operation, in Markdown.
func (b *table) operations() string {
	var s strings.Builder
	head := []string{"operation", "clients"}
	for _, a := range aspects {
		head = append(head, a.name)
	}
	line(&s, head)
	rule(&s, len(head))
	for _, cells := range b.lines() {
		line(&s, cells)
	}
	return s.String()
}

// matrix returns what became of each case with each client, in Markdown.
func (b *table) matrix(t *testing.T) string {
	var s strings.Builder
	head := []string{"case"}
	for _, c := range clients {
		head = append(head, c.name)
	}
	line(&s, head)
	rule(&s, len(head))
	for _, tc := range testCases {
		cells := []string{tc.name}
		for _, c := range clients {
			cells = append(cells, b.cases[tc.name][c])
		}
		line(&s, cells)
	}
	s.WriteString("\n")
	for i, n := range b.notes {
		fmt.Fprintf(&s, "%d. %s\n", i+1, n)
	}
	s.WriteString("\nVersions: " + strings.Join(versions(t), ", ") + ".\n")
	return s.String()
}

// lines returns a line for each operation: its clients together where the same is
// recorded of them.
func (b *table) lines() [][]string {
	var lines [][]string
	for _, r := range b.rows {
		cells := []string{r.operation, r.client.name}
		for _, a := range aspects {
			mark := "–"
			if r.has[a.name] {
				mark = "✓"
			}
			cells = append(cells, mark)
		}
		same := slices.IndexFunc(lines, func(l []string) bool { return l[0] == cells[0] && slices.Equal(l[2:], cells[2:]) })
		if same >= 0 {
			lines[same][1] += "; " + r.client.name
			continue
		}
		at := len(lines) // beside what is of the same operation
		for i, l := range lines {
			if l[0] == cells[0] {
				at = i + 1
			}
		}
		lines = slices.Insert(lines, at, cells)
	}
	return lines
}

// versions returns the packages of the clients, each with the version of its
// module.
func versions(t *testing.T) []string {
	file, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range clients {
		var path, version string
		for l := range strings.Lines(string(file)) {
			if f := strings.Fields(l); len(f) == 2 && strings.HasPrefix(c.module+"/", f[0]+"/") && len(f[0]) > len(path) {
				path, version = f[0], f[1]
			}
		}
		if text := fmt.Sprintf("`%s` %s", c.module, version); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

func line(s *strings.Builder, cells []string) {
	s.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func rule(s *strings.Builder, n int) { s.WriteString(strings.Repeat("| --- ", n) + "|\n") }
