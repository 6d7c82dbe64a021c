// Package tokens counts the tokens of calls to models, as far as they are known.
package tokens

import (
	"math"
	"math/bits"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/internal/genai"
)

// Counts is a set of counts, a bit for each in the order of [Usage.N].
type Counts uint8

// The counts of a usage.
const (
	Input Counts = 1 << iota
	Output
	Total
	CacheRead
	CacheWrite
	Reasoning

	kinds = iota
)

// Usage is how many tokens a call took, or several together.
type Usage struct {
	N     [kinds]int64
	Known Counts // what of N is known
	// Summed is set where the total was not said, but is the sum of input and output.
	Summed bool
}

// metadataKeys are the keys of the counts in the metadata, as JSON.
var metadataKeys = [kinds]string{
	`"prompt_tokens"`, `"completion_tokens"`, `"total_tokens"`,
	`"cache_read_input_tokens"`, `"cache_write_input_tokens"`, `"reasoning_tokens"`,
}

// MetadataKeys returns the keys of counts in the metadata, as JSON.
func MetadataKeys() []string { return metadataKeys[:] }

// Set sets a count.
func (u *Usage) Set(which Counts, n int64) {
	for i := range u.N {
		if which == 1<<i {
			u.N[i] = n
			u.Known |= which
		}
	}
}

// Knows reports whether all of some counts are known.
func (u *Usage) Knows(counts Counts) bool { return u.Known&counts == counts }

// Said returns how many tokens were read and written, -1 where that is not known.
func (u *Usage) Said() (input, output int64) {
	input, output = u.N[0], u.N[1]
	if !u.Knows(Input) {
		input = -1
	}
	if !u.Knows(Output) {
		output = -1
	}
	return input, output
}

// Update sets the counts that another usage knows, and leaves the others as they are.
// A total that does not fit those any more is not known.
func (u *Usage) Update(by *Usage) {
	if u.Summed || by.Known&(Input|Output) != 0 {
		u.Known &^= Total
		u.Summed = false
	}
	for i, n := range by.N {
		if by.Knows(1 << i) {
			u.Set(1<<i, n)
		}
	}
}

// SumUp makes the sum of input and output the total, where both are known, the total
// is not, and the sum fits.
func (u *Usage) SumUp() {
	if total := u.N[0] + u.N[1]; u.Knows(Input|Output) && !u.Knows(Total) && total >= 0 {
		u.Set(Total, total)
		u.Summed = true
	}
}

// Append writes what is known as it stands in the metadata.
func (u *Usage) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, '{')
	for i, n := range u.N {
		if !u.Knows(1 << i) {
			continue
		}
		if len(dst) > start+1 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(append(dst, metadataKeys[i]...), ':'), n, 10)
	}
	return append(dst, '}')
}

// MostGenAI is how many attributes AppendGenAI appends at most.
const MostGenAI = 6

// AppendGenAI appends what is known in the terms of the GenAI conventions, which
// have no total.
func (u *Usage) AppendGenAI(list []attribute.KeyValue) []attribute.KeyValue {
	for i, keys := range [kinds][]attribute.Key{
		{genai.UsageInputTokens}, {genai.UsageOutputTokens}, nil,
		{genai.UsageCacheReadTokens}, {genai.UsageCacheWriteTokens, genai.UsageCacheCreation}, {genai.UsageReasoningTokens},
	} {
		if u.Knows(1 << i) {
			for _, key := range keys {
				list = append(list, key.Int64(u.N[i]))
			}
		}
	}
	return list
}

// TotalOf returns the sum of the tokens that attributes which AppendGenAI appended say
// were read and written: ok is whether they say both, and the sum fits.
func TotalOf(attributes []attribute.KeyValue) (total int64, ok bool) {
	read, written := int64(-1), int64(-1)
	for i := range attributes {
		switch kv := &attributes[i]; kv.Key {
		case genai.UsageInputTokens:
			read = kv.Value.AsInt64()
		case genai.UsageOutputTokens:
			written = kv.Value.AsInt64()
		}
	}
	return read + written, read >= 0 && written >= 0 && read+written >= 0
}

// WithTotal returns a usage whose total, where it is not known, is the sum of what is.
func (u Usage) WithTotal() Usage {
	if !u.Knows(Total) && u.Known&(Input|Output) != 0 {
		u.Set(Total, add(u.N[0], u.N[1]))
	}
	return u
}

// Larger returns the larger of both, count by count.
func (u Usage) Larger(v Usage) Usage {
	for i, n := range v.N {
		if v.Knows(1<<i) && (!u.Knows(1<<i) || n > u.N[i]) {
			u.Set(1<<i, n)
		}
	}
	return u
}

// Sum adds up usages, which may be replaced by others. It is exact, whatever the
// counts. The zero Sum is empty.
type Sum struct {
	n    [kinds]wide
	said [kinds]int // how many usages know each count
}

// wide is a number of 128 bits.
type wide struct{ high, low uint64 }

// Replace takes a usage out of the sum and adds another one; either may know nothing.
func (s *Sum) Replace(before, after Usage) {
	for i := range s.n {
		var carry uint64
		if before.Knows(1 << i) {
			s.n[i].low, carry = bits.Sub64(s.n[i].low, uint64(before.N[i]), 0)
			s.n[i].high -= carry
			s.said[i]--
		}
		if after.Knows(1 << i) {
			s.n[i].low, carry = bits.Add64(s.n[i].low, uint64(after.N[i]), 0)
			s.n[i].high += carry
			s.said[i]++
		}
	}
}

// Usage returns the sum of what is known, up to the greatest number.
func (s *Sum) Usage() (u Usage) {
	for i, n := range s.said {
		if n == 0 {
			continue
		}
		u.Known |= 1 << i
		if u.N[i] = math.MaxInt64; s.n[i].high == 0 && s.n[i].low < math.MaxInt64 {
			u.N[i] = int64(s.n[i].low)
		}
	}
	return u
}

// add adds counts that are not negative, up to the greatest number.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// names are the attributes that libraries use for tokens in and out.
var names = [...][2]attribute.Key{
	{genai.UsageInputTokens, genai.UsageOutputTokens},
	{"gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens"}, // before v1.27
	{"llm.token_count.prompt", "llm.token_count.completion"},         // OpenInference
	{"llm.usage.prompt_tokens", "llm.usage.completion_tokens"},       // Traceloop
}

// Read returns the tokens that attributes of a span say it used: ok is whether they
// say how many were read or written. Counts below zero are mistakes, and left out.
func Read(attributes []attribute.KeyValue) (u Usage, ok bool) {
	for i := range attributes {
		kv := &attributes[i]
		if kv.Value.Type() != attribute.INT64 {
			continue
		}
		var which Counts
		switch kv.Key {
		case genai.UsageCacheReadTokens:
			which = CacheRead
		case genai.UsageCacheWriteTokens, genai.UsageCacheCreation:
			which = CacheWrite
		case genai.UsageReasoningTokens:
			which = Reasoning
		}
		for _, pair := range names {
			switch kv.Key {
			case pair[0]:
				which, ok = Input, true
			case pair[1]:
				which, ok = Output, true
			}
		}
		if n := kv.Value.AsInt64(); n >= 0 {
			u.Set(which, n)
		}
	}
	return u, ok
}
