package llmhttp

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// events reads a stream in pieces of n bytes.
func events(text string, n, limit int) (list []string, skipped int) {
	add := func(event string, data []byte) { list = append(list, event+"|"+string(data)) }
	s := splitter{line: capture{limit: limit}, emit: add, document: func(data []byte) { add("", bytes.TrimSpace(data)) }}
	for piece := range slices.Chunk([]byte(text), n) {
		s.write(bytes.Clone(piece))
	}
	s.end()
	return list, s.skipped
}

func TestSplitter(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    []string
		skipped int
	}{
		{text: "data: a\n\n", want: []string{"|a"}},
		{text: "event: x\ndata:a\ndata: b\nid: 1\nretry: 2\n: no\n\ndata\n\n", want: []string{"x|a\nb", "|"}},
		{text: "\ufeffdata: a\r\n\r\ndata: b\r\rdata: c\n\n", want: []string{"|a", "|b", "|c"}},
		{text: "data: a", want: []string{"|a"}},
		{text: "event: x\n\ndata:  a\n\n", want: []string{"| a"}},
		{text: "data: " + strings.Repeat("a", 100) + "\n\ndata: b\n\n", want: []string{"|b"}, skipped: 1},
		{text: "data: " + strings.Repeat("a", 40) + "\ndata: " + strings.Repeat("a", 40) + "\n\ndata: b\n\n", want: []string{"|b"}, skipped: 1},
		{text: "{}\n\n{\"a\":1}\r\n [1]", want: []string{"|{}", "|{\"a\":1}", "|[1]"}},
		{text: strings.Repeat("a", 100) + "\n{}\n", want: []string{"|{}"}},
		{text: "{" + strings.Repeat("a", 100) + "\n{}\n", want: []string{"|{}"}, skipped: 1},
		{text: "data: a\n\n{\n  \"b\": {\n\n}\n}\ndata: c\n\n", want: []string{"|a", "|{\n  \"b\": {\n\n}\n}", "|c"}},
		{text: "{\"a\": \"}\ndata: b\n\n", want: []string{"|b"}, skipped: 1},
		{text: "{\"a\": {\n{\"b\":1}\n", want: []string{"|{\"b\":1}"}, skipped: 1},
		{text: "[\n{\"a\":1},\n{\"b\":1}\n]", want: []string{"|[\n{\"a\":1},\n{\"b\":1}\n]"}},
		{text: "error: no\n\nevent: error\nno field\n\n", want: []string{"error|no", "error|no field"}},
	} {
		for n := 1; n <= len(c.text); n++ {
			got, skipped := events(c.text, n, 64)
			if diff := cmp.Diff(c.want, got); diff != "" || skipped != c.skipped {
				t.Errorf("%q in pieces of %d: %d skipped, %s", c.text, n, skipped, diff)
			}
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add("\ufeffevent: x\r\ndata: a\rdata: b\n\n: c\n\ndata", 3)
	f.Add("{}\r\n{\n}\n", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		whole, a := events(text, max(1, len(text)), 32)
		cut, b := events(text, 1+(n&0xff), 32)
		if diff := cmp.Diff(whole, cut); diff != "" || a != b {
			t.Errorf("%d and %d skipped: %s", a, b, diff)
		}
		for _, e := range cut {
			if len(e) > 32+257+16 {
				t.Errorf("an event of %d bytes", len(e))
			}
		}
	})
}

func kept(text string, n, limit int) string {
	c := capture{limit: limit}
	for piece := range slices.Chunk([]byte(text), n) {
		c.write(bytes.Clone(piece))
	}
	return c.text()
}

func TestCapture(t *testing.T) {
	words := strings.Repeat("many words ", 2000)
	blob := strings.Repeat("QUJD", 2000)
	sum := "llmhttp-blob:6000:" + func() string { _, s := digest(blob); return s }()
	for text, want := range map[string]string{
		`{"a":"` + words + `"}`:                               "",
		`{"a":"` + blob[:4000] + `"}`:                         "",
		`{"a":"` + blob + `","b":1}`:                          `{"a":"` + sum + `","b":1}`,
		`["data:image/png;base64,` + blob + `"]`:              `["data:image/png;base64,` + sum + `"]`,
		`["\"` + blob + `"]`:                                  "",
		`["` + words + `","` + blob + `"]`:                    `["` + words + `","` + sum + `"]`,
		`["` + strings.Repeat(`QUJD\/\/`, 1000) + `"]`:        "*",
		`["` + strings.Repeat("é", 5000) + `\\"]`:             "",
		`["unfinished ` + strings.Repeat(`\"`, 5000) + `\\"]`: "",
	} {
		for _, n := range []int{1, 7, 4096, len(text)} {
			got := kept(text, n, 1<<20)
			switch {
			case want == "*":
				if !strings.Contains(got, blobMark) {
					t.Errorf("%.40q: %.100q", text, got)
				}
			case want == "" && got != text, want != "" && got != want:
				t.Errorf("%.40q in pieces of %d: %.100q", text, n, got)
			}
		}
	}
	if got := kept(words, 10, 100); got != words[:100] {
		t.Errorf("%q", got)
	}
	size, hash := digest(sum)
	if s, h := digest(blob); size != s || hash != h || size != 6000 {
		t.Error(size, hash)
	}
}

func FuzzCapture(f *testing.F) {
	f.Add(`{"a":"b\"`, 3, 5000)
	f.Fuzz(func(t *testing.T, text string, n, times int) {
		text = strings.Repeat(text, 1+(times&0x3fff)/(1+len(text)))
		whole, cut := kept(text, max(1, len(text)), 20_000), kept(text, 1+(n&0xfff), 20_000)
		if whole != cut || len(whole) > 20_000 {
			t.Errorf("%q and %q", whole, cut)
		}
	})
}

func TestInflater(t *testing.T) {
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	want := strings.Repeat("words and more words ", 10_000)
	_, _ = z.Write([]byte(want[:1000]))
	_ = z.Flush()
	flushed := compressed.Len()
	_, _ = z.Write([]byte(want[1000:]))
	_ = z.Close()
	for _, n := range []int{1, 100, compressed.Len()} {
		var got bytes.Buffer
		f := newInflater(func(b []byte) { got.Write(b) })
		read := 0
		for piece := range slices.Chunk(compressed.Bytes(), n) {
			f.write(piece)
			if read += len(piece); read == flushed && got.Len() != 1000 {
				t.Errorf("%d bytes after the flush", got.Len())
			}
		}
		f.write([]byte("rest"))
		f.stop()
		if got.String() != want {
			t.Errorf("pieces of %d: %d bytes", n, got.Len())
		}
	}
	for _, bad := range []string{"", "no gzip", compressed.String()[:20]} {
		f := newInflater(func([]byte) {})
		f.write([]byte(bad))
		f.stop()
		f.stop()
	}
}

// TestLinesWithoutEmptyOnes reads streams of servers that leave out the empty lines
// between events, which clients that read line by line bear: the event is the same
// as of the stream that has them. JSON over several lines stays one event.
func TestLinesWithoutEmptyOnes(t *testing.T) {
	list := []string{`{"choices":[{"index":0,"delta":{"content":"a {\"b"}}]}`, `{"choices":[{"index":0,"delta":{"content":"}c"}}]}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`}
	for name, body := range map[string]string{
		"lines":                "data: " + strings.Join(list, "\ndata: ") + "\ndata: [DONE]\n",
		"lines with names":     "event: message\ndata: " + strings.Join(list, "\nevent: message\ndata: ") + "\ndata: [DONE]\n",
		"lines, CRLF":          "data: " + strings.Join(list, "\r\ndata: ") + "\r\ndata: [DONE]\r\n",
		"JSON over lines":      "data: " + strings.Join(list, "\n\ndata: ") + "\n\ndata: [DONE]\n\n",
		"spaces":               "data: " + strings.Join(list, "\n\ndata: ") + "\n\ndata:  [DONE] \n\n",
		"events without data":  "data:\n\nevent: ping\ndata:  \n\nid: 1\ndata: " + strings.Join(list, "\n\ndata:\n\nid: 2\ndata: ") + "\n\ndata: [DONE]\n\n",
		"JSON that is several": "data: " + strings.ReplaceAll(strings.Join(list, "\n\ndata: "), `"delta"`, "\ndata: \"delta\"") + "\n\ndata: [DONE]\n\n",
	} {
		for _, size := range []int{len(body), 1} {
			c := &call{t: newTracing(nil), x: new(exchange), contentType: typeEvents, length: -1}
			c.x.route, c.x.room = route{format: chatCompletions{}}, 1<<20
			c.choose(formEvents)
			for piece := range slices.Chunk([]byte(body), size) {
				c.split.write(piece)
			}
			c.split.end()
			got := string(appendChat(nil, nil, c.x.messages()))
			if want := `[{"role":"assistant","content":"a {\"b}c","finish_reason":"stop"}]`; got != want || !c.x.done || c.x.skipped > 0 {
				t.Errorf("%s in pieces of %d: %s, done %v, %d skipped", name, size, got, c.x.done, c.x.skipped)
			}
		}
	}
	// What is looked at to find the end of JSON is looked at once.
	s := &splitter{line: capture{limit: 1 << 20}, emit: func(string, []byte) {}}
	s.write([]byte("data: {\n" + strings.Repeat("data: \n", 1<<17)))
	if s.looked > len(s.data) || s.looked < 1<<16 {
		t.Errorf("%d of %d bytes were looked at", s.looked, len(s.data))
	}
}
