package read

import (
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCut reads texts in pieces of any length: the pieces come to the text, each is
// valid UTF-8 where the text is, and none is longer than a limit but by a character.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, limit := rapid.String().Draw(t, "text"), rapid.IntRange(1, 20).Draw(t, "limit")
		var all strings.Builder
		for offset, n := 0, 0; ; n++ {
			p := Cut(text, offset, limit)
			all.WriteString(p.Text)
			if p.Offset != offset || p.Total != len(text) || !utf8.ValidString(p.Text) || len(p.Text) > max(limit, utf8.UTFMax) || n > len(text) {
				t.Fatalf("at %d: %+v", offset, p)
			}
			if p.Next == nil {
				break
			}
			offset = *p.Next
		}
		if all.String() != text {
			t.Fatalf("%q", all.String())
		}
		from := rapid.IntRange(-5, len(text)+5).Draw(t, "any offset")
		if p := Cut(text, from, limit); !utf8.ValidString(p.Text) || p.Offset > max(from, 0) || p.Offset < from-utf8.UTFMax && from <= len(text) {
			t.Fatalf("from %d: %+v", from, p)
		}
	})
}

// TestCell: no spreadsheet runs what a cell holds, whatever the text; and nothing of the
// text is lost but control characters.
func TestCell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lead := rapid.SampledFrom([]string{"", " ", "\t", "\n", "\r", "\r\n", "\x00", "\ufeff", "\u00a0", "\u3000", `"`, "'", "  \x01 "}).Draw(t, "lead")
		sign := rapid.SampledFrom([]string{"", "=", "+", "-", "@", "＝", "＋", "－", "＠", "\t="}).Draw(t, "sign")
		text := lead + sign + rapid.String().Draw(t, "rest")
		got := cell(text)
		bare := strings.TrimLeft(got, " \t\r\n\x00\ufeff\u00a0\u3000\"")
		first, _ := utf8.DecodeRuneInString(bare)
		if bare != "" && strings.ContainsRune("=+-@＝＋－＠", first) || strings.HasPrefix(got, "\t") || strings.ContainsAny(got, "\x00\r\x1b") {
			t.Fatalf("%q becomes %q", text, got)
		}
		if clean := strings.Map(func(r rune) rune {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
				return -1
			}
			return r
		}, text); got != clean && got != "'"+clean {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
	for text, want := range map[string]string{"": "", "plain": "plain", "a=b": "a=b", "=1+1": "'=1+1", "-1": "'-1", "\xff": "\ufffd"} {
		if got := cell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func uuid(n int) string { return fmt.Sprintf("caf77ace-3417-4da4-944d-f4a0%08d", n) }

func session(n int, name string) store.Write {
	return store.Write{Session: &honeyhive.SessionStartRequest{
		SessionID: honeyhive.Some(uuid(n)), SessionName: honeyhive.Some(name), Project: honeyhive.Some("p"), StartTime: honeyhive.Some(float64(n)), EndTime: honeyhive.Some(float64(n + 5)),
	}}
}

func event(session, n, parent int, name, inputs string) store.Write {
	var o honeyhive.Object
	if err := o.UnmarshalJSON([]byte(inputs)); err != nil {
		panic(err)
	}
	return store.Write{Event: &honeyhive.Event{
		EventID: honeyhive.Some(uuid(n)), SessionID: honeyhive.Some(uuid(session)), ParentID: honeyhive.Some(uuid(parent)), EventType: honeyhive.Some("tool"),
		EventName: honeyhive.Some(name), StartTime: honeyhive.Some(float64(n)), Inputs: o,
	}}
}

func write(t *testing.T, s store.Store, list ...store.Write) {
	t.Helper()
	if err := s.Write(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

// TestTree reads a tree in windows of any size: they come to the whole, parents stand
// before what hangs on them, and circles and lost parents lose nothing.
func TestTree(t *testing.T) {
	s := open(t)
	list := []store.Write{session(1, "s")}
	for n := range 40 {
		parent := 1
		switch {
		case n%7 == 3:
			parent = 99_999 // never comes
		case n%11 == 5:
			parent = 100 + (n+11)%40 // a circle, or what comes later
		case n > 0:
			parent = 100 + n/2
		}
		list = append(list, event(1, 100+n, parent, fmt.Sprint(n), `{}`))
	}
	write(t, s, list...)
	id, err := honeyhive.ParseUUID(uuid(1))
	if err != nil {
		t.Fatal(err)
	}
	whole, total, err := Tree(t.Context(), s, id, 0, 1000)
	if err != nil || total != 40 || len(whole) != 40 {
		t.Fatalf("%d of %d, %v", len(whole), total, err)
	}
	seen := make(map[honeyhive.UUID]bool)
	for i, n := range whole {
		if seen[n.ID] || n.Name == "" || n.Depth > 0 && (i == 0 || n.Depth > whole[i-1].Depth+1 || !seen[n.Parent]) {
			t.Errorf("%d: %+v", i, n)
		}
		seen[n.ID] = true
	}
	for size := 1; size < 42; size += 5 {
		var parts []Node
		for offset := 0; ; {
			list, total, err := Tree(t.Context(), s, id, offset, size)
			if err != nil || total != 40 {
				t.Fatal(total, err)
			}
			parts = append(parts, list...)
			if offset += len(list); len(list) == 0 || offset >= total {
				break
			}
		}
		if fmt.Sprint(parts) != fmt.Sprint(whole) {
			t.Errorf("in windows of %d the tree is another one", size)
		}
	}
}

// TestCompare puts sessions side by side whose events repeat, differ and are missing.
func TestCompare(t *testing.T) {
	s := open(t)
	large := `{"text":"` + strings.Repeat("x", mostBody+1) + `"}`
	write(t, s, session(1, "a"), session(2, "b"),
		event(1, 10, 1, "call", `{"q":"the same beginning of a text, and then one"}`), event(1, 11, 1, "call", `{"q":1}`), event(1, 12, 10, "inner", `{}`), event(1, 13, 1, "large", large),
		event(2, 20, 2, "call", `{"q":"the same beginning of a text, and then two","more":true}`), event(2, 21, 2, "call", `{"q":1}`), event(2, 22, 2, "new", `{}`), event(2, 23, 2, "large", large))
	a, _ := honeyhive.ParseUUID(uuid(1))
	b, _ := honeyhive.ParseUUID(uuid(2))
	c, err := Compare(t.Context(), s, a, b, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.Pairs {
		text := p.Path
		if p.A == nil {
			text += " only b"
		} else if p.B == nil {
			text += " only a"
		}
		for _, d := range p.Differs {
			text += fmt.Sprintf("; %s at %d", d.Part, d.At)
		}
		if p.Uncompared {
			text += "; uncompared"
		}
		got = append(got, text)
	}
	want := "call; inputs.q at 39; inputs.more at 0\ncall / inner only a\ncall (2)\nlarge; uncompared\nnew only b"
	if text := strings.Join(got, "\n"); text != want || c.Total != 5 || c.Next != 0 {
		t.Errorf("compared:\n%s\nwant\n%s", text, want)
	}
	part, err := Compare(t.Context(), s, a, b, 1, 2)
	if err != nil || part.Next != 3 || len(part.Pairs) != 2 || part.Pairs[0].Path != "call / inner" {
		t.Errorf("a part: %+v, %v", part, err)
	}
	if _, err := Compare(t.Context(), s, a, honeyhive.NewUUID(), 0, 1); err == nil || !strings.Contains(err.Error(), "session b") {
		t.Errorf("a session that is not there: %v", err)
	}
}

// TestCSV reads what is written, page by page, and counts what is held: a row at a time.
func TestCSV(t *testing.T) {
	s := open(t)
	var list []store.Write
	for n := range 250 {
		list = append(list, session(1+n, fmt.Sprintf("=name\n%d, \"quoted\"", n)))
	}
	write(t, s, list...)
	var out strings.Builder
	n, err := WriteCSV(t.Context(), s, store.SessionQuery{Ascending: true, Limit: 100}, &out)
	if err != nil || n != 250 {
		t.Fatal(n, err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 251 {
		t.Fatal(len(rows), err)
	}
	for i, row := range rows[1:] {
		if row[0] != uuid(1+i) || row[7] != fmt.Sprintf("'=name\n%d, \"quoted\"", i) || row[3] != "5" {
			t.Errorf("%d: %q", i, row)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WriteCSV(ended, s, store.SessionQuery{}, &out); err == nil {
		t.Error("a context that has ended is no error")
	}
}
