package redact_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/internal/rawjson"
	"github.com/sessionspan/sessionspan/redact"
)

// prose returns about n bytes as a model writes them: sentences, code, a list, links and
// numbers.
func prose(n int) string {
	const part = "The index holds a \"posting list\" for each term, sorted by document, so that two of them can be joined in one pass. " +
		"A term that is in every document says nothing: its weight is 0.0 (see https://example.org/docs/bm25?page=2#idf).\n\n" +
		"```go\nfor i := range terms { score += idf[i] * tf(doc, terms[i]) / (tf(doc, terms[i]) + k1*(1-b+b*length/1024.5)) }\n```\n\n" +
		"1. Tokenize the query (unicode61, remove_diacritics=2).\n2. Look up 12,000 candidates; keep the 50 best.\n3. Re-rank: 2024-05-17 12:30:45 took 37 ms.\n"
	return strings.Repeat(part, n/len(part)+1)[:n]
}

func BenchmarkText(b *testing.B) {
	p := policy(b)
	for name, size := range map[string]int{"2 KB": 2 << 10, "20 KB": 20 << 10, "1 MB": 1 << 20, "10 MB": 10 << 20} {
		text := prose(size)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				p.Text("inputs.text", text)
			}
		})
	}
	found := prose(1<<10) + " mail ann@example.org or call +1 212-555-0142, card 4111 1111 1111 1111. " + prose(1<<10)
	b.Run("2 KB with three found", func(b *testing.B) {
		b.SetBytes(int64(len(found)))
		b.ReportAllocs()
		for b.Loop() {
			p.Text("inputs.text", found)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	text, err := rawjson.Append(nil, map[string]any{"chat_history": []any{
		map[string]any{"role": "system", "content": prose(500)}, map[string]any{"role": "user", "content": prose(1400)},
	}, "model": "m", "temperature": 0.5, "max_tokens": 1024})
	if err != nil {
		b.Fatal(err)
	}
	p := policy(b)
	var off *redact.Policy
	for name, p := range map[string]*redact.Policy{"detectors": p, "off": off} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.JSON("inputs", string(text))
			}
		})
	}
}

// BenchmarkHostile redacts texts that are made to keep a detector busy, of two sizes:
// where the bytes in a second are about the same, the time is linear in the text.
func BenchmarkHostile(b *testing.B) {
	p := policy(b, redact.WithKey("ssn", redact.Mask))
	for _, part := range redact.HostileParts {
		for _, size := range []int{1 << 16, 1 << 20} {
			text := strings.Repeat(part, size/len(part))
			b.Run(fmt.Sprintf("%q/%d", part, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					p.Text("x", text)
				}
			})
		}
	}
}
