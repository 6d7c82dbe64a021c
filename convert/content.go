package convert

import (
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file holds what OpenInference and Traceloop share: content that is taken
// apart into lists, and content that is one value.

// putMessages adds the messages that a model was sent, or gave.
func (r *reader) putMessages(b Bucket, from rank, elements []*tree, messages func(*tree) []string) {
	if len(elements) == 0 {
		return
	}
	all := func() []string {
		var all []string
		for _, e := range elements {
			all = append(all, messages(e)...)
		}
		return all
	}
	if b == Outputs {
		r.buckets[b].putGroup(from, outputMarks, func(*bucketReader) []member { return outputMembers(all()) })
		return
	}
	r.buckets[b].putGroup(from, []string{"chat_history"}, func(*bucketReader) []member {
		return []member{{key: "chat_history", text: list(all())}}
	})
}

// putElements adds a list of what each element becomes.
func (b *bucketReader) putElements(key string, elements []*tree, from rank, json func(*tree) string) {
	if len(elements) == 0 {
		return
	}
	b.putGroup(from, []string{key}, func(*bucketReader) []member {
		texts := make([]string, len(elements))
		for i, e := range elements {
			texts[i] = json(e)
		}
		return []member{{key: key, text: list(texts)}}
	})
}

// putField adds a list of what the elements have under a name, null for those
// that have nothing.
func (b *bucketReader) putField(key string, elements []*tree, name string, from rank) {
	if slices.ContainsFunc(elements, func(t *tree) bool { return t.at(name) != nil }) {
		b.putElements(key, elements, from, func(t *tree) string {
			if text := t.plain(name); text != "" {
				return text
			}
			return "null"
		})
	}
}

// putTexts adds the texts of elements: one as it is, more as a list.
func (b *bucketReader) putTexts(key string, elements []*tree, from rank) {
	text := func(t *tree) string {
		if text := t.plain("text"); text != "" {
			return text
		}
		return t.json()
	}
	if len(elements) != 1 {
		b.putElements(key, elements, from, text)
		return
	}
	b.putGroup(from, []string{key}, func(*bucketReader) []member {
		return []member{{key: key, text: text(elements[0])}}
	})
}

// putValue adds what a step took or gave as one value: the keys of an object,
// or the value under the key. What the bucket says already is not said again.
func (r *reader) putValue(b Bucket, key, text string, from rank) {
	r.buckets[b].putGroup(from, nil, func(has *bucketReader) []member {
		if r.repeats(has, b, text) {
			return nil
		}
		if rawjson.KindOf(text) != rawjson.Object {
			return []member{{key: key, text: text}}
		}
		var members []member
		for k, v := range rawjson.Members(text) {
			members = append(members, member{key: k, text: v})
		}
		return members
	})
}

// said names a key of a bucket, and the keys under which the request or the
// response of a model's API holds the same.
type said struct {
	key       string
	envelopes []string
}

var responseEnvelopes = []string{"choices", "content", "candidates", "output", "generations", "message", "messages", "response"}

var saidIn = [numBuckets][]said{
	Inputs: {
		{"chat_history", []string{"messages", "input", "prompt", "contents", "message"}},
		{"prompt", []string{"prompt"}},
		{"texts", []string{"input"}},
		{"query", nil},
		{"input", nil},
	},
	Outputs: {
		{"content", responseEnvelopes},
		{"tool_calls", responseEnvelopes},
		{"choices", responseEnvelopes},
		{"completion", responseEnvelopes},
		{"embeddings", []string{"data", "embeddings"}},
		{"result", nil},
	},
}

// repeatsMessages reports whether a bucket already has the messages of a value, and
// these are all that it is: a call of a model is not about any others; of another step
// they are the same.
func (r *reader) repeatsMessages(has *bucketReader, b Bucket, text string) bool {
	isCall := r.eventType.text == honeyhive.TypeModel
	if b == Outputs {
		res, ok := readResponse(text)
		if !ok || len(res.rest) > 0 && !isCall {
			return false
		}
		told, hasContent := has.get("content")
		_, hasCalls := has.get("tool_calls")
		return isCall && (hasContent || hasCalls) || hasContent && slices.ContainsFunc(outputMembers(res.messages), func(m member) bool {
			return m.key == "content" && m.text == told
		})
	}
	req, ok := readRequest(text)
	if !ok || len(req.rest) > 0 && !isCall {
		return false
	}
	told, ok := has.get("chat_history")
	return ok && (isCall || told == list(req.messages))
}

// repeats reports whether a bucket already says what a value says: the value
// stands under one of its keys, or is the content of one of its messages, or,
// since instrumentations record both, it is the request or the response from
// which they were read. A chain has no such thing.
func (r *reader) repeats(has *bucketReader, b Bucket, text string) bool {
	value := fieldsOf(text)
	if (b == Inputs || b == Outputs) && r.repeatsMessages(has, b, text) {
		return true
	}
	for _, s := range saidIn[b] {
		told, ok := has.get(s.key)
		if !ok {
			continue
		}
		if told == text {
			return true
		}
		for element := range rawjson.Elements(told) {
			if element == text || value == nil && fieldsOf(element).first("content") == text {
				return true
			}
		}
		if r.eventType.text != honeyhive.TypeChain && value.first(s.envelopes...) != "" {
			return true
		}
	}
	return false
}
