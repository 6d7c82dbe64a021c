package sessionspan

import (
	"math"
	"strconv"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// This file adds up the tokens of a session. An agent may say how many its run
// took, and so may each call of a model below it: then only the calls count. So a
// node counts as long as nothing below it does.

// count makes u, which is positive, the usage of an event, in place of what it
// said before.
func (s *sessionState) count(n *node, u *Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countLocked(n, u)
}

func (s *sessionState) countLocked(n *node, u *Usage) {
	if n == s.root || n.countedBelow {
		return
	}
	s.discount(n)
	n.counted = u
	s.usage.add(n.counted)
	for p := n.parent; p != nil && !p.countedBelow; p = p.parent {
		p.countedBelow = true
		s.discount(p)
	}
}

// discount takes a node out of the sum.
func (s *sessionState) discount(n *node) {
	if n.counted != nil {
		s.usage.subtract(n.counted)
		n.counted = nil
	}
}

// fields returns the counts, which are shared by what adds up.
func (u *Usage) fields() [6]*int64 {
	return [...]*int64{
		&u.InputTokens, &u.OutputTokens, &u.TotalTokens,
		&u.CacheReadTokens, &u.CacheWriteTokens, &u.ReasoningTokens,
	}
}

// knows reports whether all of some counts are known.
func (u *Usage) knows(counts UsageCounts) bool {
	for i, n := range u.fields() {
		if which := UsageCounts(1 << i); counts&which != 0 && *n <= 0 && (*n < 0 || u.Known&which == 0) {
			return false
		}
	}
	return true
}

// positive makes the usage one of known counts, with a total of them, for a sum.
func (u *Usage) positive() *Usage {
	for i, n := range u.fields() {
		if *n < 0 {
			*n = 0
			u.Known &^= 1 << i
		}
	}
	if !u.knows(TotalCount) && (u.knows(InputCount) || u.knows(OutputCount)) {
		u.TotalTokens = sum(u.InputTokens, u.OutputTokens)
		u.Known |= TotalCount
	}
	return u
}

// usageSum adds up usages.
type usageSum struct {
	Usage
	said [6]int // how many of them know each count
}

func (s *usageSum) add(u *Usage) {
	theirs := u.fields()
	for i, n := range s.fields() {
		*n = sum(*n, *theirs[i])
		if u.knows(1 << i) {
			s.said[i]++
		}
	}
}

func (s *usageSum) subtract(u *Usage) {
	theirs := u.fields()
	for i, n := range s.fields() {
		*n -= *theirs[i]
		if u.knows(1 << i) {
			s.said[i]--
		}
	}
}

// sum adds counts that are not negative, up to the greatest number.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// rolledUp returns what the events of the session used, as metadata; the zero
// object where none said so. The lock is held.
func (s *sessionState) rolledUp() honeyhive.Object {
	u := usage{Usage: s.usage.Usage}
	for i, n := range s.usage.said {
		if n > 0 {
			u.Known |= 1 << i
		}
	}
	if u.Known == 0 {
		return honeyhive.Object{}
	}
	u.hasTotal = u.knows(TotalCount)
	return honeyhive.TrustedObject(string(u.append(nil)))
}

// rollUp adds the sum to the metadata of a session that ends. What the user set
// stays, all or nothing: counts of two origins do not add up. The lock is held.
func (r *recording) rollUp() {
	s := r.node.session
	if s == nil || s.root != &r.node {
		return
	}
	s.mu.Lock()
	sum := s.rolledUp()
	s.mu.Unlock()
	if sum.IsZero() {
		return
	}
	if r.buckets == nil {
		r.buckets = new(convert.Buckets)
	}
	metadata := &r.buckets[convert.Metadata]
	if metadata.Has("prompt_tokens") || metadata.Has("completion_tokens") || metadata.Has("total_tokens") {
		return
	}
	*metadata = metadata.Merge(sum)
}

// addUsage is rollUp for a session of the plain API. The lock of the session is
// held.
func (f *finishedSpan) addUsage() {
	var list []attribute.KeyValue
	for key, value := range f.node.session.rolledUp().All() {
		n, _ := strconv.ParseInt(string(value), 10, 64)
		list = append(list, attribute.Int64(honeyhive.AttrMetadata+"."+key, n))
	}
	has := f.ReadOnlySpan.Attributes()
	if _, said := usageOf(has); !said && !hasKey(has, honeyhive.AttrMetadata) {
		f.more = append(f.more, lacking(has, list)...)
	}
}

// usageNames are the attributes that other libraries use for tokens in and out.
var usageNames = [...][2]attribute.Key{
	{genai.UsageInputTokens, genai.UsageOutputTokens},
	{"gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens"}, // before v1.27
	{"llm.token_count.prompt", "llm.token_count.completion"},         // OpenInference
	{"llm.usage.prompt_tokens", "llm.usage.completion_tokens"},       // Traceloop
}

// usageOf returns the tokens that a span of another tracer says it used.
func usageOf(attributes []attribute.KeyValue) (u Usage, ok bool) {
	for _, kv := range attributes {
		if kv.Value.Type() != attribute.INT64 {
			continue
		}
		switch kv.Key {
		case genai.UsageCacheReadTokens:
			u.CacheReadTokens, u.Known = kv.Value.AsInt64(), u.Known|CacheReadCount
		case genai.UsageCacheWriteTokens, genai.UsageCacheCreation:
			u.CacheWriteTokens, u.Known = kv.Value.AsInt64(), u.Known|CacheWriteCount
		case genai.UsageReasoningTokens:
			u.ReasoningTokens, u.Known = kv.Value.AsInt64(), u.Known|ReasoningCount
		}
		for _, names := range usageNames {
			switch kv.Key {
			case names[0]:
				u.InputTokens, u.Known, ok = kv.Value.AsInt64(), u.Known|InputCount, true
			case names[1]:
				u.OutputTokens, u.Known, ok = kv.Value.AsInt64(), u.Known|OutputCount, true
			}
		}
	}
	return u, ok
}
