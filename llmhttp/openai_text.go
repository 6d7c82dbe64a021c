package llmhttp

import "github.com/sessionspan/sessionspan/internal/rawjson"

// textCompletions are calls of /completions, which came before chats, and of
// Mistral's /fim/completions, whose answers are those of chats.
type textCompletions struct{}

func (textCompletions) terminated() {}

func (textCompletions) request(x *exchange, body string) {
	for k, v := range rawjson.Members(body) {
		switch {
		case k == "prompt":
			x.prompts(v)
		case k == "suffix" && !x.blind && text(v) != "":
			x.inputs.json("suffix", v)
		default:
			x.openAICommon(k, v)
		}
	}
}

// prompts reads what is to be completed: a text, texts, or lists of tokens, of
// which only the number is kept.
func (x *exchange) prompts(v string) {
	if lists, tokens := tokenLists(v); lists > 0 {
		x.config.count("inputs", lists)
		x.config.count("input_token_ids", tokens)
		return
	}
	if x.blind {
		return
	}
	if rawjson.KindOf(v) == rawjson.String {
		x.input = append(x.input, message{role: "user", parts: x.openAIContent(nil, v)})
		return
	}
	for prompt := range x.elements(v) {
		x.input = append(x.input, message{role: "user", parts: x.openAIContent(nil, prompt)})
	}
}

func (textCompletions) answer(x *exchange, body string) { x.openAIAnswer(body, true) }

func (textCompletions) chunk(x *exchange, event, data string) { x.openAIChunk(event, data) }

// writerCompletions are calls of Writer's /completions, whose streams are texts
// alone and have no end of their own:
// https://dev.writer.com/api-reference/completion-api/text-generation.
type writerCompletions struct{}

func (writerCompletions) unterminated() {}

func (writerCompletions) request(x *exchange, body string) { textCompletions{}.request(x, body) }
func (writerCompletions) answer(x *exchange, body string)  { x.openAIAnswer(body, true) }

func (writerCompletions) chunk(x *exchange, event, data string) {
	if s := text(get(data, "value")); s != "" {
		x.add(x.slot(x.choice(0), partText, slotContent), s)
		return
	}
	x.openAIChunk(event, data)
}
