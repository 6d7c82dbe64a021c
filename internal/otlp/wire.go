package otlp

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// lengthWidth is the number of bytes that openMessage keeps free for the
// length of a message. Five bytes hold any length that protobuf allows.
const lengthWidth = 5

// openMessage adds the tag of a message whose length is not known yet, and
// room for that length. openMessage returns the place where the message starts, for
// closeMessage. Writing the length afterwards takes one walk over the data
// where counting it beforehand takes two.
func openMessage(dst []byte, field protowire.Number) (out []byte, start int) {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = append(dst, 0, 0, 0, 0, 0)
	return dst, len(dst)
}

// closeMessage fills in the length of the message that began at start. The
// varint is padded to the width that was kept free, which protobuf permits.
func closeMessage(dst []byte, start int) {
	n := uint64(len(dst) - start)
	length := dst[start-lengthWidth : start]
	for i := range lengthWidth - 1 {
		length[i] = byte(n) | 0x80
		n >>= 7
	}
	length[lengthWidth-1] = byte(n)
}

// The functions below leave out zero values, as proto3 does.

// appendText adds a string that is known to be valid UTF-8.
func appendText(dst []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendString(dst, text)
}

func appendVarint(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.VarintType)
	return protowire.AppendVarint(dst, v)
}

func appendFixed32(dst []byte, field protowire.Number, v uint32) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(dst, v)
}

func appendFixed64(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(dst, v)
}

// textSize is the number of bytes that appendText adds for a field below 16.
func textSize(text string) int {
	if text == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(text))
}

// validText replaces each run of invalid UTF-8 by U+FFFD.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
