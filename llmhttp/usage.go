package llmhttp

import (
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file puts counts of tokens together. They come in one object or in
// several, whole or in part, in any order, at the beginning of a stream and at
// its end, and some servers repeat them empty or as zeros. So each count is kept
// by itself, and only what is said of it counts: one that nobody said is not
// known, which is not zero. Counts only grow, since providers count up what was
// used so far. A format says by a table where which count stands.

// A tokenKind is what a count counts.
type tokenKind uint8

const (
	tokensInput      tokenKind = iota // all that the model read, cached or not
	tokensUncached                    // what it read, without tokensCacheRead and tokensCacheWrite
	tokensToolInput                   // what it read that is not in the two above
	tokensCacheRead                   // of the input: read from a cache
	tokensCacheWrite                  // of the input: written to a cache
	tokensOutput                      // what it wrote, with its reasoning, but for tokensThoughts
	tokensThoughts                    // reasoning that is not in tokensOutput
	tokensReasoning                   // of the output: reasoning
	tokensTotal                       // input and output
	tokenKinds
)

// A tokenField says where a count stands: the name of a member, or of members
// inside of one another, with dots between them. Several fields may have one
// kind: the greatest count is taken.
type tokenField struct {
	path string
	kind tokenKind
}

// usage is what was said of the tokens of a call.
type usage struct {
	n    [tokenKinds]int64
	said [tokenKinds]bool
}

// mostTokens bounds a count: what is more is none.
const mostTokens = 1 << 50

// read takes the counts of an object. What is no object says nothing, what is no
// number neither.
func (u *usage) read(counts string, table []tokenField) { u.readAt(counts, "", table) }

// readAt reads an object that stands at a path, which is empty or ends with a
// dot.
func (u *usage) readAt(counts, path string, table []tokenField) {
	if rawjson.KindOf(counts) != rawjson.Object {
		return
	}
	for k, v := range rawjson.Members(counts) {
		inner := false
		for i := range table {
			rest := table[i].path
			if len(k) == 0 || len(rest) < len(path)+len(k) || rest[len(path)] != k[0] || rest[len(path):len(path)+len(k)] != k || rest[:len(path)] != path {
				continue
			}
			rest = rest[len(path)+len(k):]
			if rest == "" {
				u.say(table[i].kind, v)
			}
			inner = inner || strings.HasPrefix(rest, ".")
		}
		if inner && rawjson.KindOf(v) == rawjson.Object {
			u.readAt(v, path+k+".", table)
		}
	}
}

// say takes a count that is a JSON number.
func (u *usage) say(kind tokenKind, json string) {
	if f, err := strconv.ParseFloat(json, 64); err == nil && 0 <= f && f <= mostTokens && rawjson.KindOf(json) == rawjson.Number {
		u.add(kind, int64(f))
	}
}

// add takes a count. A smaller one than before says nothing new.
func (u *usage) add(kind tokenKind, n int64) {
	if n < 0 {
		return
	}
	u.n[kind] = max(u.n[kind], n)
	u.said[kind] = true
}

// known reports whether anything was said. Zeros alone say nothing: no call reads
// no token.
func (u *usage) known() bool { return u.n != [tokenKinds]int64{} }

// unknown is a count that nobody said.
const unknown = -1

// sum returns the sum of the counts that were said, or unknown.
func (u *usage) sum(kinds ...tokenKind) int64 {
	sum, said := int64(0), false
	for _, k := range kinds {
		if u.said[k] {
			sum, said = sum+u.n[k], true
		}
	}
	if !said {
		return unknown
	}
	return sum
}

// counts returns the tokens as the conventions count them: the input with what
// came from caches or went into them, the output with reasoning. Those that are
// not known are negative.
func (u *usage) counts() sessionspan.Usage {
	c := sessionspan.Usage{
		Known:            sessionspan.AllCounts, // of those that were said, zeros too
		InputTokens:      u.sum(tokensInput, tokensToolInput),
		OutputTokens:     u.sum(tokensOutput, tokensThoughts),
		TotalTokens:      u.sum(tokensTotal),
		CacheReadTokens:  u.sum(tokensCacheRead),
		CacheWriteTokens: u.sum(tokensCacheWrite),
		ReasoningTokens:  u.sum(tokensReasoning, tokensThoughts),
	}
	if u.said[tokensUncached] {
		c.InputTokens = u.sum(tokensUncached, tokensCacheRead, tokensCacheWrite, tokensToolInput)
	}
	// Some servers (xAI) count reasoning beside the output, not in it.
	if r := u.n[tokensReasoning]; r > 0 && u.said[tokensOutput] && c.TotalTokens == max(c.InputTokens, 0)+c.OutputTokens+r {
		c.OutputTokens += r
	}
	if c.InputTokens >= 0 {
		c.Known |= sessionspan.InputCount
	}
	if c.OutputTokens >= 0 {
		c.Known |= sessionspan.OutputCount
	}
	// A total of zero is one that nobody filled in.
	if c.TotalTokens == 0 {
		c.TotalTokens = unknown
	}
	return c
}
