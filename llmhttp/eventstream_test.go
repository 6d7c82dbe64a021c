package llmhttp

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sealed adds the checksums to a message whose headers are n bytes long.
func sealed(n int, rest string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(rest)))
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), rest...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// named returns an event whose other headers are of every type.
func named(name, payload string) string {
	headers := "\x01a\x00" + "\x01b\x01" + "\x01c\x02\x07" + "\x01d\x03\x00\x07" + "\x01e\x04\x00\x00\x00\x07" + "\x01f\x05\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x01g\x06\x00\x03abc" + "\x01h\x08\x00\x00\x00\x00\x00\x00\x00\x07" + "\x01i\x09" + strings.Repeat("u", 16) +
		"\x0d:message-type\x07\x00\x05event" + "\x0b:event-type\x07\x00" + string(rune(len(name))) + name
	return sealed(len(headers), headers+payload)
}

// messages reads a binary stream in pieces of n bytes.
func messages(text string, n int) (list []string, skipped int) {
	d := deframer{limit: 64}
	d.emit = func(kind, name string, payload []byte) { list = append(list, kind+"|"+name+"|"+string(payload)) }
	d.damaged = func() { list = append(list, "damaged") }
	for piece := range slices.Chunk([]byte(text), n) {
		d.write(bytes.Clone(piece))
	}
	d.end()
	return list, d.unread()
}

func TestDeframer(t *testing.T) {
	damagedPayload := []byte(named("b", "{}"))
	damagedPayload[len(damagedPayload)-5] ^= 1
	damagedLength := []byte(named("b", "{}"))
	damagedLength[3]++
	long := named("b", strings.Repeat("x", mostHeaders+100))
	for name, c := range map[string]struct {
		text    string
		want    []string
		skipped int
	}{
		"events":            {named("a", "{}") + named("b", ""), []string{"event|a|{}", "event|b|"}, 0},
		"cut":               {named("a", "{}") + named("b", "{}")[:30], []string{"event|a|{}"}, 0},
		"damaged payload":   {string(damagedPayload) + named("c", "1"), []string{"damaged", "event|c|1"}, 0},
		"damaged length":    {string(damagedLength) + named("c", "1"), []string{"damaged"}, 0},
		"too long":          {long + named("c", "1"), []string{"event|c|1"}, 1},
		"no headers":        {sealed(0, "{}"), []string{"event||{}"}, 0},
		"headers too long":  {sealed(3, "{}"), []string{"damaged"}, 0},
		"header cut":        {sealed(2, "\x05a"), []string{"damaged"}, 0},
		"header of no type": {sealed(3, "\x01a\x0a"), []string{"damaged"}, 0},
		"header's text cut": {sealed(6, "\x01a\x07\x00\x09b"), []string{"damaged"}, 0},
		"length cut":        {sealed(4, "\x01a\x07\x00"), []string{"damaged"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 1; n <= len(c.text); n += 1 + n*len(c.text)/2000 {
				got, skipped := messages(c.text, n)
				if diff := cmp.Diff(c.want, got); diff != "" || skipped != c.skipped {
					t.Fatalf("in pieces of %d: %d skipped, %s", n, skipped, diff)
				}
			}
		})
	}
}

func FuzzDeframer(f *testing.F) {
	f.Add(named("a", "{}")+named("b", "text"), 7)
	f.Add(sealed(3, "\x01a\x0a")+"rest", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		whole, a := messages(text, max(1, len(text)))
		cut, b := messages(text, 1+(n&0xff))
		if diff := cmp.Diff(whole, cut); diff != "" || a != b {
			t.Errorf("%d and %d skipped: %s", a, b, diff)
		}
	})
}
