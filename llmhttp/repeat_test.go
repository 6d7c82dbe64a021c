package llmhttp

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reading returns a call whose answer is read by a format, and the number of
// events that were read as repeats.
func reading(f format, chunks []string, patterns bool) (*call, int) {
	c := &call{t: newTracing(nil), x: new(exchange)}
	c.x.route, c.x.room = route{format: f}, 1<<20
	repeats := 0
	for _, chunk := range chunks {
		if !patterns {
			c.again = nil
		}
		if _, ok := c.again.match("", []byte(chunk)); ok {
			repeats++
		}
		c.chunk("", []byte(chunk))
	}
	return c, repeats
}

// seen is all that was read of an answer.
func seen(c *call) string {
	return fmt.Sprintf("%s %v %v %v %v %v %v", appendChat(nil, nil, c.x.messages()), c.x.usage, c.x.metadata, c.x.attributes, c.x.done, c.x.skipped, c.x.room)
}

// TestRepeats checks that events of which only the text differs are read as such,
// and that others are not.
func TestRepeats(t *testing.T) {
	const text = "%s"
	for name, c := range map[string]struct {
		format  format
		chunk   string
		texts   []string
		repeats int
	}{
		"chat":       {chatCompletions{}, `{"id":"a","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"usage":null}`, []string{"a", "b", "c d", "é", ""}, 3},
		"obfuscated": {chatCompletions{}, `{"choices":[{"index":0,"delta":{"content":"%[1]s"}}],"obfuscation":"%[1]s%[1]s"}`, []string{"a", "b", "c"}, 1},
		"escapes":    {chatCompletions{}, `{"choices":[{"index":0,"delta":{"content":"%s"}}]}`, []string{"a", "b", `\n`, "d", "e", "f"}, 2},
		"a key":      {chatCompletions{}, `{"choices":[{"index":0,"delta":{"content":"%s"}}]}`, []string{"a", "index", "content", "b", "c"}, 1},
		"no text":    {chatCompletions{}, `{"choices":[{"index":0,"delta":{"content":"%s"}}]}`, []string{"a", "b", "\x01", "\xff", "d"}, 0},
		"arguments":  {chatCompletions{}, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}}]}`, []string{"1", "2", "3", "4"}, 2},
		"names":      {chatCompletions{}, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"%s"}}]}}]}`, []string{"1", "2", "3"}, 0},
		"spaces":     {chatCompletions{}, `{"choices": [{"index":0,"delta":{"content":"%s"}}]}`, []string{"a", "b", "c"}, 0},
		"responses":  {responses{}, `{"type":"response.output_text.delta","output_index":0,"delta":"%s","sequence_number":4}`, []string{"a", "b", "c"}, 1},
		"anthropic":  {anthropicMessages{}, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`, []string{"a", "b", "c"}, 1},
		"gemini":     {geminiContent{}, `{"candidates":[{"content":{"parts":[{"text":"%s"}]}}]}`, []string{"a", "b", "c"}, 1},
		"ollama":     {ollamaChat{}, `{"created_at":"2026-%[1]s","message":{"content":"%[1]s"},"done":false}`, []string{"a", "b", "c"}, 1},
		"bedrock":    {bedrockConverse{}, `{"contentBlockIndex":0,"delta":{"text":"%[1]s"},"p":"%[1]s"}`, []string{"a", "b", "c"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var chunks []string
			for _, s := range c.texts {
				if !strings.Contains(c.chunk, "%[1]s") {
					s = strings.ReplaceAll(c.chunk, text, s)
				} else {
					s = strings.ReplaceAll(c.chunk, "%[1]s", s)
				}
				chunks = append(chunks, s)
			}
			fast, repeats := reading(c.format, chunks, true)
			slow, _ := reading(c.format, chunks, false)
			if diff := cmp.Diff(seen(slow), seen(fast)); diff != "" || repeats != c.repeats {
				t.Errorf("%d repeats, want %d: %s", repeats, c.repeats, diff)
			}
		})
	}
}

// TestRepeatsAtRandom compares streams that are read with and without patterns.
func TestRepeatsAtRandom(t *testing.T) {
	formats := map[string]format{"chat": chatCompletions{}, "responses": responses{}, "anthropic": anthropicMessages{}, "gemini": geminiContent{}, "ollama": ollamaChat{}}
	kinds := map[string][]string{
		"chat": {
			`{"id":"a","choices":[{"index":%[2]d,"delta":{"content":"%[1]s"}}],"obfuscation":"%[1]s"}`, `{"id":"a","choices":[{"index":%[2]d,"delta":{"reasoning":"%[1]s"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"%[1]s"},"finish_reason":"stop"}],"usage":{"prompt_tokens":%[2]d}}`,
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":%[2]d,"function":{"arguments":"%[1]s"}}]}}]}`, `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"%[1]s","function":{"name":"%[1]s"}}]}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"%[1]s"}},{"index":1,"delta":{"content":"%[1]s"}}]}`, `{"choices":[{"index":0,"delta":{"annotations":[1],"content":"%[1]s"}}]}`,
			`{"choices":[{"index":0,"delta":{"audio":{"data":"QUJD","transcript":"%[1]s"}}}]}`,
		},
		"responses": {
			`{"type":"response.output_text.delta","output_index":%[2]d,"delta":"%[1]s","sequence_number":%[2]d}`, `{"type":"response.refusal.delta","output_index":0,"delta":"%[1]s"}`,
			`{"type":"response.output_item.added","output_index":%[2]d,"item":{"type":"function_call","call_id":"%[1]s","name":"f"}}`, `{"type":"response.function_call_arguments.delta","output_index":%[2]d,"delta":"%[1]s"}`,
		},
		"anthropic": {
			`{"type":"content_block_delta","index":%[2]d,"delta":{"type":"text_delta","text":"%[1]s"}}`, `{"type":"content_block_start","index":%[2]d,"content_block":{"type":"tool_use","id":"%[1]s","name":"f","input":{}}}`,
			`{"type":"content_block_delta","index":%[2]d,"delta":{"type":"input_json_delta","partial_json":"%[1]s"}}`, `{"type":"content_block_start","index":%[2]d,"content_block":{"type":"server_tool_use","id":"%[1]s","input":{}}}`,
			`{"type":"content_block_delta","index":%[2]d,"delta":{"type":"citations_delta","citation":{"a":"%[1]s"}}}`, `{"type":"message_delta","delta":{"stop_reason":"%[1]s"},"usage":{"output_tokens":%[2]d}}`,
		},
		"gemini": {
			`{"candidates":[{"content":{"parts":[{"text":"%[1]s"}]}}],"usageMetadata":{"candidatesTokenCount":%[2]d}}`, `{"candidates":[{"content":{"parts":[{"text":"%[1]s","thought":true}]}}]}`,
			`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"%[1]s"}}]}}]}`, `{"candidates":[{"index":%[2]d,"content":{"parts":[{"text":"%[1]s"}]},"citationMetadata":{"citations":[%[2]d]}}]}`,
		},
		"ollama": {
			`{"created_at":"2026-%[2]d","message":{"content":"%[1]s"},"done":false}`, `{"message":{"thinking":"%[1]s"}}`, `{"message":{"content":"%[1]s","tool_calls":[{"function":{"name":"%[1]s"}}]}}`, `{"response":"%[1]s","load_duration":%[2]d}`,
		},
	}
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"chat", "responses", "anthropic", "gemini", "ollama"}).Draw(rt, "format")
		var chunks []string
		for range rapid.IntRange(1, 40).Draw(rt, "chunks") {
			kind := rapid.SampledFrom(kinds[name][:rapid.IntRange(1, len(kinds[name])).Draw(rt, "kinds")]).Draw(rt, "kind")
			said := rapid.SampledFrom([]string{"a", "some", "words", "", "é", `\n`, "text", "index", "\xff"}).Draw(rt, "said")
			n := rapid.IntRange(0, 1).Draw(rt, "n")
			if !strings.Contains(kind, "%[2]d") {
				kind += "%[2]s"
				chunks = append(chunks, fmt.Sprintf(kind, said, ""))
				continue
			}
			chunks = append(chunks, fmt.Sprintf(kind, said, n))
		}
		fast, repeats := reading(formats[name], chunks, true)
		slow, _ := reading(formats[name], chunks, false)
		total += repeats
		if diff := cmp.Diff(seen(slow), seen(fast)); diff != "" {
			rt.Fatalf("%s: %s", strings.Join(chunks, "\n"), diff)
		}
	})
	if total == 0 {
		t.Error("nothing was read as a repeat")
	}
}

// TestLongLines checks that an image that comes in a stream whole takes no more
// than its digest.
func TestLongLines(t *testing.T) {
	image := strings.Repeat("QUJD", 1<<20)
	line := `data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"` + image + `"}},{"text":"see"}]},"finishReason":"STOP"}]}` + "\n\n"
	for _, n := range []int{len(line), 4096, 1000} {
		c := &call{t: newTracing([]Option{WithLimit(1 << 20)}), x: new(exchange)}
		c.x.route, c.x.room = route{format: geminiContent{}}, 1<<20
		c.contentType = "text/event-stream"
		c.choose(formEvents)
		s := c.split
		for rest := line; rest != ""; {
			k := min(n, len(rest))
			s.write([]byte(rest[:k]))
			rest = rest[k:]
		}
		size, sum := digest(image)
		want := fmt.Sprintf(`[{"role":"assistant","content":[{"type":"uri","modality":"image","mime_type":"image/png","uri":"urn:sha256:%[2]s","sha256":"%[2]s","size":%[1]d},{"type":"text","text":"see"}],"finish_reason":"STOP"}]`, size, sum)
		if got := string(appendChat(nil, nil, c.x.messages())); got != want || s.unread() != 0 {
			t.Errorf("in pieces of %d: %.300s", n, got)
		}
	}
}

// TestRepeatsAsSent reads streams at once and event by event: what is skipped over
// as a repeat is read as it would have been, however the events are written.
func TestRepeatsAsSent(t *testing.T) {
	ends := []string{"\n\n", "\r\n\r\n", "\r\r", "\n: no\n\n", "\nid: 4\n\n"}
	starts := []string{"data: ", "data:", "data:  ", "event: message\ndata: ", "id: 1\ndata: ", ": no\ndata: ", "\n\ndata: "}
	total := 0
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		start, end := "data: ", "\n\n"
		for range rapid.IntRange(1, 30).Draw(rt, "events") {
			if rapid.IntRange(0, 5).Draw(rt, "other") == 0 {
				start, end = rapid.SampledFrom(starts).Draw(rt, "start"), rapid.SampledFrom(ends).Draw(rt, "end")
			}
			text := rapid.SampledFrom([]string{"a", "some words", "\u00e9", `\n`, `\"`, "", "index", "\x01"}).Draw(rt, "text")
			index := rapid.SampledFrom([]string{"0", "0", "0", "1"}).Draw(rt, "index")
			b.WriteString(start + `{"choices":[{"index":` + index + `,"delta":{"content":"` + text + `"}}],"created_at":` + rapid.SampledFrom([]string{"1", "22"}).Draw(rt, "time") + "}" + end)
		}
		read := func(size int, patterns bool) string {
			c := &call{t: newTracing(nil), x: new(exchange), contentType: typeEvents}
			c.x.route, c.x.room = route{format: chatCompletions{}}, 1<<20
			c.choose(formEvents)
			s := c.split.(*splitter)
			s.repeats = func(p []byte) (int, bool) {
				if !patterns {
					return 0, false
				}
				n, begun := c.repeats(p)
				total += n
				return n, begun
			}
			for rest := []byte(b.String()); len(rest) > 0; {
				n := min(size, len(rest))
				s.write(rest[:n])
				rest = rest[n:]
			}
			s.end()
			return seen(c)
		}
		want := read(b.Len(), false)
		for _, size := range []int{b.Len(), 300, 100, 61, 17, 1} {
			if diff := cmp.Diff(want, read(size, true)); diff != "" {
				rt.Fatalf("%q in pieces of %d: %s", b.String(), size, diff)
			}
		}
	})
	if total == 0 {
		t.Error("nothing was read as a repeat")
	}
}

// TestRepeatsOverPieces checks that events which the pieces of a stream cut are
// read as repeats too.
func TestRepeatsOverPieces(t *testing.T) {
	event := "data: " + `{"id":"c","choices":[{"index":0,"delta":{"content":" words"}}]}` + "\n\n"
	stream := []byte(strings.Repeat(event, 1000))
	for _, size := range []int{len(stream), 4 << 10, 100, 7} {
		c := &call{t: newTracing(nil), x: new(exchange), contentType: typeEvents}
		c.x.route, c.x.room = route{format: chatCompletions{}}, 1<<20
		c.choose(formEvents)
		s, repeated := c.split.(*splitter), 0
		s.repeats = func(p []byte) (int, bool) {
			n, begun := c.repeats(p)
			repeated += n
			return n, begun
		}
		for piece := range slices.Chunk(stream, size) {
			s.write(piece)
		}
		s.end()
		if text := c.x.messages()[0].parts[0].text; text != strings.Repeat(" words", 1000) {
			t.Errorf("in pieces of %d: %d bytes of text", size, len(text))
		}
		if least := len(stream) - 40*len(event); repeated < least { // those that the text needs more room for are read alone
			t.Errorf("in pieces of %d: %d bytes of %d are repeats", size, repeated, len(stream))
		}
	}
}
