package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// piecesOf cuts a text.
func piecesOf(t interface{ Fatalf(string, ...any) }, text string, isLayers bool) map[string]bool {
	found := make(map[string]bool)
	last := 0
	ends := Pieces(text, isLayers)
	for _, end := range ends {
		if end <= last || end-last > largestPiece || end > len(text) {
			t.Fatalf("a piece from %d to %d of %d", last, end, len(text))
		}
		found[text[last:end]] = true
		last = end
	}
	if last != len(text) {
		t.Fatalf("the last piece ends at %d of %d", last, len(text))
	}
	if most := len(text)/largestPiece + 6*mostPieces; len(ends) > most {
		t.Fatalf("%d pieces, more than %d", len(ends), most)
	}
	return found
}

// TestPieces changes one cell of a large payload at random, or adds one: what the two
// texts do not have in common does not grow with them, whatever the payload is made of.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var inputs []string
		switch rapid.SampledFrom([]string{"small cells", "one text", "a list", "texts", "of all sizes"}).Draw(t, "kind") {
		case "small cells":
			for i := range 10_000 {
				inputs = append(inputs, fmt.Sprintf(`"k%d":"value %d of many"`, i, i))
			}
		case "one text":
			inputs = []string{`"text":"` + strings.Repeat("some words ", 60_000) + `"`}
		case "a list":
			inputs = []string{`"list":[1` + strings.Repeat(",22", 200_000) + `]`}
		case "texts":
			for i := range 16 {
				inputs = append(inputs, fmt.Sprintf(`"k%d":"%s"`, i, strings.Repeat("x", 50_000)))
			}
		default:
			for i := range 100 {
				inputs = append(inputs, fmt.Sprintf(`"k%d":"%s"`, i, strings.Repeat("word ", i*i%7919)))
			}
		}
		payload := func(before, duration string, metadata []string) string {
			return `{` + before + `"duration":` + duration + `,"inputs":{` + strings.Join(inputs, ",") + `},"metadata":{` + strings.Join(metadata, ",") + `},"event_id":"x"}`
		}
		metadata := []string{`"a":1`, `"b":2`}
		old := payload("", "1", metadata)
		change := rapid.SampledFrom([]string{"nothing", "duration", "metadata", "both", "a field", "a key"}).Draw(t, "change")
		now := old
		switch change {
		case "duration":
			now = payload("", "1234.5", metadata)
		case "metadata":
			now = payload("", "1", append(metadata, `"c":"a little more"`))
		case "both":
			now = payload("", "1234.5", metadata[:1])
		case "a field":
			now = payload(`"error":"it failed",`, "1", metadata)
		case "a key":
			i := rapid.IntRange(0, len(inputs)-1).Draw(t, "key")
			inputs = slices.Insert(slices.Clone(inputs), i, `"new":true`)
			now = payload("", "1", metadata)
		}
		fresh := func(before, after map[string]bool) (n int) {
			for piece := range after {
				if !before[piece] {
					n += len(piece)
				}
			}
			return n
		}
		const most = largestPiece + largestPiece/2
		known := piecesOf(t, old, false)
		if n := fresh(known, piecesOf(t, now, false)); n > most || n > 0 && change == "nothing" {
			t.Fatalf("%s: %d bytes of %d are new", change, n, len(now))
		}
		// The first layer of a record is its payload.
		layers := []Layer{NewLayer(Whole, 1, old)}
		encoded := string(EncodeLayers(append(layers, NewLayer(Updated, 2, `{"metadata":{"c":1}}`))))
		pieces := piecesOf(t, encoded, true)
		if n := fresh(known, pieces); n > most {
			t.Fatalf("%d bytes of the layers are new to one who knows the payload", n)
		}
		layers = Merge(layers, NewLayer(Updated, 3, `{"metadata":{"a":"replaced"},"duration":7}`))
		if n := fresh(pieces, piecesOf(t, string(EncodeLayers(layers)), true)); n > most {
			t.Fatalf("%d bytes of the layers are new after an update", n)
		}
	})
}

// TestPiecesOfAnything cuts texts that are no payload, and none of layers.
func TestPiecesOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.String(), rapid.SampledFrom([]string{`{"inputs":{"a`, `{"inputs":{"a":`, `[]`, `{"a":1,`, "\x00\x02\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\x03"}),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		).Draw(t, "text")
		text = strings.Repeat(text, rapid.SampledFrom([]int{1, 3, 20_000}).Draw(t, "times"))
		piecesOf(t, text, false)
		piecesOf(t, text, true)
	})
}
