package rawjson_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// english returns about n bytes as a model writes them, with quotes and ends of
// lines.
func english(n int) string {
	const sentence = "The index holds a \"posting list\" for each term, sorted by document, " +
		"so that two of them can be joined in one pass over both.\nA term that is in every document says nothing. "
	return strings.Repeat(sentence, n/len(sentence)+1)[:n]
}

// content is what is set on a call of a model.
func content() map[string]any {
	return map[string]any{
		"messages": []any{
			map[string]any{"role": "system", "content": english(500)},
			map[string]any{"role": "user", "content": english(1500)},
		},
		"model": "m", "temperature": 0.5, "top_p": 1.0, "max_tokens": 1024, "stream": true,
	}
}

// chunk is a piece of a streamed answer: many short texts.
const chunk = `{"id":"chatcmpl-2","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" some words"},"finish_reason":null}]}`

func BenchmarkAppendString(b *testing.B) {
	for name, s := range map[string]string{
		"english 4 KB": english(4 << 10), "short": "content", "chinese 4 KB": strings.Repeat("索引为每个词保存一个按文档排序的列表。", 4<<10/57),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(s)))
			dst := make([]byte, 0, 2*len(s))
			for b.Loop() {
				dst = rawjson.AppendString(dst[:0], s)
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	v := content()
	dst, _ := rawjson.Append(nil, v)
	b.ReportAllocs()
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		dst, _ = rawjson.Append(dst[:0], v)
	}
}

func BenchmarkParse(b *testing.B) {
	data, _ := rawjson.Append(nil, content())
	text := string(data)
	quoted := string(rawjson.AppendString(nil, english(4<<10)))
	for name, text := range map[string]string{"call": text, "english 4 KB": quoted, "chunk": chunk} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := rawjson.Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMembers(b *testing.B) {
	data, _ := rawjson.Append(nil, content())
	for name, text := range map[string]string{"call": string(data), "chunk": chunk} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				for range rawjson.Members(text) {
				}
			}
		})
	}
}

func BenchmarkUnquote(b *testing.B) {
	text := string(rawjson.AppendString(nil, english(4<<10)))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		rawjson.Unquote(text)
	}
}
