package llmhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestHostileStreams sends streams in which one chunk of a fixture comes again and
// again, with one of its values another one each time: a number that counts up, a
// text that is never the same, one character. However a format takes it, what that
// costs grows as the stream does, and what is kept is bounded by the limit.
func TestHostileStreams(t *testing.T) {
	const limit = 64 << 10
	const few, many = 60, 240
	shapes := make(map[string]bool) // of chunks that several fixtures have
	for _, f := range fixtures() {
		if len(f.chunks) == 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			read := func(chunks []piece) (llmhttp.Cost, int) {
				r := httptest.NewRequest(http.MethodPost, f.streamURL, nil)
				for i := 0; i < len(f.header); i += 2 {
					r.Header.Set(f.header[i], f.header[i+1])
				}
				a := f.streamAnswer(chunks)
				return llmhttp.Read(r, f.streamRequest, a.kind, []byte(a.body), limit), len(a.body)
			}
			for i, chunk := range f.chunks {
				list := mutations(t, chunk.data)
				shape := chunk.event
				for _, m := range list {
					shape += "\n" + m.name
				}
				if shapes[shape] || raceEnabled && i%4 != 0 || raceEnabled && testing.Short() && i%8 != 0 { // with it this takes many times as long
					continue
				}
				shapes[shape] = true
				for _, m := range list {
					stream := func(n int) []piece {
						chunks := slices.Clone(f.chunks[:i])
						for k := range n {
							chunks = append(chunks, piece{chunk.event, m.at(k)})
						}
						return chunks
					}
					a, _ := read(stream(few))
					b, size := read(stream(many))
					switch {
					case b.Allocated > 6*a.Allocated+256<<10:
						t.Errorf("chunk %d, %s: %d bytes allocated for %d chunks, %d for %d", i, m.name, a.Allocated, few, b.Allocated, many)
					case b.Allocated > 40*size+1<<20:
						t.Errorf("chunk %d, %s: %d bytes allocated for %d bytes", i, m.name, b.Allocated, size)
					case b.Steps > 6*a.Steps+1000:
						t.Errorf("chunk %d, %s: %d steps for %d chunks, %d for %d", i, m.name, a.Steps, few, b.Steps, many)
					case b.Kept > 3*limit:
						t.Errorf("chunk %d, %s: %d bytes are kept of %d", i, m.name, b.Kept, size)
					}
				}
			}
		})
	}
}

// A mutation is a chunk with another value each time.
type mutation struct {
	name string
	at   func(n int) string
}

// mutations returns those of a chunk: of each of its scalars, and the chunk as it
// is.
func mutations(t *testing.T, chunk string) []mutation {
	list := []mutation{{"as it is", func(int) string { return chunk }}}
	tree := ordered(t, chunk)
	var walk func(path string, v any, set func(any))
	add := func(path, how string, set func(any), old any, value func(n int) any) {
		// The chunk is cut around the value once, and put together each time.
		const hole = "hole-of-the-mutation"
		set(hole)
		b, err := json.Marshal(tree)
		set(old)
		if err != nil {
			t.Fatal(err)
		}
		head, tail, ok := strings.Cut(string(b), `"`+hole+`"`)
		if !ok {
			t.Fatal(path)
		}
		list = append(list, mutation{path + " " + how, func(n int) string {
			v, _ := json.Marshal(value(n))
			return head + string(v) + tail
		}})
	}
	walk = func(path string, v any, set func(any)) {
		switch v := v.(type) {
		case members:
			for i := range v {
				walk(path+"."+v[i].key, v[i].value, func(x any) { v[i].value = x })
			}
		case []any:
			for i := range v {
				walk(fmt.Sprint(path, "[", i, "]"), v[i], func(x any) { v[i] = x })
			}
			if len(v) > 0 {
				add(path, "many", set, v, func(int) any { return slices.Repeat(v, 8) })
			}
		case string:
			add(path, "grows", set, v, func(n int) any { return fmt.Sprintf("%s%0500d", v, n) })
			add(path, "one character", set, v, func(n int) any { return string(rune('a' + n%26)) })
			add(path, "of two", set, v, func(n int) any { return fmt.Sprint(v, n%2) })
		default:
			add(path, "counts", set, v, func(n int) any { return n })
		}
	}
	walk("", tree, func(x any) { tree = x })
	return list
}

// TestHostileBytes reads streams that are none of a format's, each at two lengths.
func TestHostileBytes(t *testing.T) {
	deep := func(open, text, end string, n int) string {
		return strings.Repeat(open, n) + text + strings.Repeat(end, n)
	}
	for name, hostile := range map[string]func(n int) string{
		"a line without an end":   func(n int) string { return "data: " + strings.Repeat("a", n) },
		"lines without an end":    func(n int) string { return strings.Repeat("data: a\n", n/8) },
		"empty lines":             func(n int) string { return strings.Repeat("\n", n) },
		"returns":                 func(n int) string { return "data: a" + strings.Repeat("\r", n) },
		"comments":                func(n int) string { return strings.Repeat(": a\n", n/4) },
		"names of events":         func(n int) string { return strings.Repeat("event: aaaaaaaa\n", n/16) },
		"fields nobody knows":     func(n int) string { return "data: a\n\n" + strings.Repeat("field: a\n", n/9) },
		"errors that say nothing": func(n int) string { return strings.Repeat("error: \n\n", n/9) },
		"open brackets":           func(n int) string { return "data: " + strings.Repeat("[", n) + "\n\n" },
		"open brackets, alone":    func(n int) string { return strings.Repeat("[", n) },
		"objects, alone":          func(n int) string { return strings.Repeat("{", n) },
		"open, line by line":      func(n int) string { return "data: a\n\n" + strings.Repeat("{\n", n/2) },
		"objects line by line":    func(n int) string { return "data: a\n\n" + strings.Repeat("{\"a\":1}\n", n/8) },
		"broken, line by line":    func(n int) string { return "data: a\n\n" + strings.Repeat("{\"a\":{\n{\"b\":1}\n", n/16) },
		"errors inside of errors": func(n int) string {
			return "data: " + deep(`{"error":`, `{"x":"`+strings.Repeat("a", n)+`"}`, "}", 60) + "\n\n"
		},
		"lists inside of lists": func(n int) string {
			return "data: " + deep(`[`, `{"x":"`+strings.Repeat("a", n)+`"}`, "]", 60) + "\n\n"
		},
		"an array of ones":      func(n int) string { return "[" + strings.Repeat("1,", n/2) + "1]" },
		"an array of objects":   func(n int) string { return "[" + strings.Repeat("{},", n/3) + "{}]" },
		"a BOM again and again": func(n int) string { return strings.Repeat("\ufeff", n/3) + "{}" },
		"white space":           func(n int) string { return strings.Repeat(" \n", n/2) + "{}" },
		"zeros":                 func(n int) string { return strings.Repeat("\x00", n) },
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 64 << 10
			for _, kind := range []string{"text/event-stream", "application/json", ""} {
				read := func(n int) llmhttp.Cost {
					r := httptest.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", nil)
					return llmhttp.Read(r, `{"model":"m","stream":true}`, kind, []byte(hostile(n)), limit)
				}
				a, b := read(64<<10), read(256<<10)
				if b.Allocated > 6*a.Allocated+1<<20 || b.Allocated > 100*(256<<10) || b.Kept > 8*limit {
					t.Errorf("%s: %+v for 64 KB, %+v for 256 KB", kind, a, b)
				}
			}
		})
	}
}

// TestHostileWhole sends answers that come whole and hold many parts: no more are kept
// than of a stream, and that some are missing is known.
func TestHostileWhole(t *testing.T) {
	const limit = 1 << 20
	many := 200_000
	if testing.Short() {
		many = 50_000
	}
	for name, c := range map[string]struct{ url, before, part, after string }{
		"chat, content":    {"/v1/chat/completions", `{"choices":[{"index":0,"message":{"content":[`, `{}`, `]}}]}`},
		"chat, calls":      {"/v1/chat/completions", `{"choices":[{"index":0,"message":{"tool_calls":[`, `{}`, `]}}]}`},
		"responses":        {"/v1/responses", `{"output":[{"type":"message","content":[`, `{}`, `]}]}`},
		"Anthropic":        {"/v1/messages", `{"type":"message","content":[`, `{}`, `]}`},
		"Anthropic, zeros": {"/v1/messages", `{"type":"message","content":[`, `0`, `]}`},
		"Gemini":           {"/v1beta/models/m:generateContent", `{"candidates":[{"content":{"parts":[`, `{}`, `]}}]}`},
		"Bedrock":          {"/model/m/converse", `{"output":{"message":{"content":[`, `{}`, `]}}}`},
		"Ollama":           {"http://localhost:11434/api/chat", `{"message":{"tool_calls":[`, `{}`, `]},"done":true}`},
		"Cohere":           {"https://api.cohere.com/v2/chat", `{"message":{"content":[`, `{}`, `]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, c.url, nil)
			r.Header.Set("Anthropic-Version", "1")
			body := c.before + strings.Repeat(c.part+",", many) + c.part + c.after
			cost := llmhttp.Read(r, `{"model":"m","messages":[]}`, "application/json", []byte(body), limit)
			if cost.Parts > 1<<13 {
				t.Errorf("%d parts are kept", cost.Parts)
			}
			if cost.Parts > 0 && !cost.Cut {
				t.Error("that some are missing is not known")
			}
		})
	}
}
