package llmhttp

import (
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// openAIEmbeddings are calls of /embeddings. The vectors are not kept.
type openAIEmbeddings struct{}

func (openAIEmbeddings) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		if k != "input" {
			x.openAICommon(k, v)
			continue
		}
		x.texts(v)
	}
}

// texts reads what is to be embedded: a text, texts, a list of tokens or lists of
// them, of which only the number is kept, or objects with a text (Jina).
func (x *exchange) texts(v string) {
	if rawjson.KindOf(v) == rawjson.String {
		v = "[" + v + "]"
	}
	if lists, tokens := tokenLists(v); lists > 0 {
		x.config.count("inputs", lists)
		x.config.count("input_token_ids", tokens)
		return
	}
	count := int64(0)
	texts := []byte{'['}
	for e := range rawjson.Elements(v) {
		count++
		if t := get(e, "text"); t != "" {
			e = t
		}
		if rawjson.KindOf(e) == rawjson.String {
			texts = append(comma(texts), e...)
		}
	}
	if len(texts) > 1 {
		x.inputs.json("texts", string(append(texts, ']')))
	}
	x.config.count("inputs", count)
}

// tokenLists returns how many lists of tokens a value holds, and how many tokens
// they have: it is one list itself, or a list of them. It returns 0 for anything
// else.
func tokenLists(v string) (lists, tokens int64) {
	if rawjson.KindOf(v) != rawjson.Array {
		return 0, 0
	}
	for e := range rawjson.Elements(v) {
		switch rawjson.KindOf(e) {
		case rawjson.Number:
			lists = 1
			tokens++
		case rawjson.Array:
			lists++
			for range rawjson.Elements(e) {
				tokens++
			}
		default:
			return 0, 0
		}
	}
	return lists, tokens
}

func (openAIEmbeddings) answer(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "data":
			x.vectors(v, "embedding")
		case "usage":
			x.openAIUsage(v)
		default:
			x.openAIHead(k, v)
		}
	}
	x.openAIProblem(body)
}

// vectors counts embeddings, which stand in a list, or in a field of the objects
// of a list, as numbers or in base64 of 32 bits each.
func (x *exchange) vectors(list, field string) {
	var count, dimensions int64
	for v := range rawjson.Elements(list) {
		if field != "" {
			v = get(v, field)
		}
		count++
		if dimensions > 0 {
			continue
		}
		switch rawjson.KindOf(v) {
		case rawjson.Array:
			for range rawjson.Elements(v) {
				dimensions++
			}
		case rawjson.String:
			size, _ := digest(text(v))
			dimensions = size / 4
		}
	}
	if count == 0 {
		return
	}
	o := object{}
	o.count("count", count)
	o.count("dimensions", dimensions)
	x.outputs.json("embeddings", string(o.bytes()))
	x.attributes = append(x.attributes, genai.EmbeddingsDimensions.Int64(dimensions))
}

func (openAIEmbeddings) chunk(*exchange, string, string) {}
