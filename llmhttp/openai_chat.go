package llmhttp

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// chatCompletions are calls of /chat/completions. Answers that come whole are
// read here, those that stream in openai_delta.go. Both put the parts of a
// message into one order, so that an answer is recorded the same either way:
// reasoning, sound, content, transcript, images, refusal, calls of tools.
type chatCompletions struct{}

func (chatCompletions) terminated() {}

func (chatCompletions) request(x *exchange, body string) {
	x.note("api_type", genai.OpenAIAPIType, `"chat_completions"`)
	for k, v := range rawjson.Members(body) {
		if k != "messages" {
			x.openAICommon(k, v)
			continue
		}
		if x.blind {
			continue
		}
		for m := range x.elements(v) {
			x.input = append(x.input, x.openAIMessage(m))
		}
	}
}

// openAIFields are the members of a message, or of a piece of one.
type openAIFields struct {
	role, name, toolCall                            string
	content, audio, images, refusal, calls, old     string
	reasoning, reasoningAlso, reasoningText, detail string
	annotations                                     string
	beside                                          []field // what stands beside the content of an answer
}

func openAIFieldsOf(json string) (f openAIFields) {
	for k, v := range rawjson.Members(json) {
		switch k {
		case "role":
			f.role = v
		case "name":
			f.name = v
		case "tool_call_id":
			f.toolCall = v
		case "content":
			f.content = v
		case "audio":
			f.audio = v
		case "images":
			f.images = v
		case "refusal":
			f.refusal = v
		case "tool_calls":
			f.calls = v
		case "function_call":
			f.old = v
		case "reasoning_content": // DeepSeek, vLLM, LiteLLM
			f.reasoning = v
		case "reasoning": // OpenRouter, Groq, vLLM
			f.reasoningAlso = v
		case "reasoning_text": // GitHub Copilot
			f.reasoningText = v
		case "reasoning_details": // OpenRouter, MiniMax, Snowflake Cortex
			f.detail = v
		case "annotations":
			f.annotations = v
		case "context", // Azure OpenAI on your data
			"executed_tools", // Groq's compound systems
			"citations", "search_results":
			f.beside = append(f.beside, field{key: k, value: v})
		case "provider_specific_fields": // LiteLLM
			f.beside = append(f.beside, field{key: "citations", value: get(v, "citations")})
		}
	}
	return f
}

// thought returns what a message says of its reasoning. Some servers say the same
// under two names; the first of these counts.
func (f *openAIFields) thought() string {
	for _, v := range [...]string{f.reasoning, f.reasoningAlso, f.reasoningText} {
		if s := text(v); s != "" {
			return s
		}
	}
	return ""
}

// A detail is a part of the reasoning, of those that OpenRouter lists:
// https://openrouter.ai/docs/use-cases/reasoning-tokens. What is encrypted has no
// text.
type detail struct {
	index int
	text  string
}

func (x *exchange) details(list string) (all []detail) {
	for d := range x.elements(list) {
		s := text(get(d, "text"))
		if s == "" {
			s = text(get(d, "summary"))
		}
		if s == "" {
			continue
		}
		index := int(number(get(d, "index")))
		if n := len(all); n > 0 && all[n-1].index == index {
			all[n-1].text += s
			continue
		}
		all = append(all, detail{index, s})
	}
	return all
}

// openAIMessage reads a message of a request.
func (x *exchange) openAIMessage(json string) message {
	f := openAIFieldsOf(json)
	m := x.openAIMessageOf(&f)
	m.place(filled(f.annotations))
	if m.role == "tool" || m.role == "function" {
		m.parts = []part{{kind: partResult, id: text(f.toolCall), name: m.name, json: x.flat(f.content), failed: get(json, "is_error") == "true"}}
	}
	return m
}

// openAIMessageOf reads a message of a request, or of an answer.
func (x *exchange) openAIMessageOf(f *openAIFields) message {
	m := message{role: text(f.role), name: text(f.name)}
	if s := f.thought(); s != "" {
		m.parts = append(m.parts, part{kind: partReasoning, text: s})
	} else {
		for _, d := range x.details(f.detail) {
			m.parts = append(m.parts, part{kind: partReasoning, text: d.text})
		}
	}
	if data := text(get(f.audio, "data")); data != "" {
		m.parts = append(m.parts, media("audio", "", data))
	} else if id := text(get(f.audio, "id")); id != "" {
		m.parts = append(m.parts, part{kind: partMedia, modality: "audio", fileID: id})
	}
	m.parts = x.openAIContent(m.parts, f.content)
	if s := text(get(f.audio, "transcript")); s != "" {
		m.parts = append(m.parts, part{kind: partText, text: s})
	}
	for image := range x.elements(f.images) {
		m.parts = append(m.parts, openAIImage(image))
	}
	if s := text(f.refusal); s != "" {
		m.parts = append(m.parts, part{kind: partRefusal, text: s})
	}
	for call := range x.elements(f.calls) {
		if p := openAICall(call); p.id != "" || p.name != "" || p.json != "" {
			m.parts = append(m.parts, p)
		}
	}
	if p := openAIFunction(f.old); p.name != "" || p.json != "" {
		m.parts = append(m.parts, p)
	}
	return m
}

// openAIImage reads an image of an answer, whose form is that of a part of the
// content (OpenRouter, LiteLLM).
func openAIImage(image string) part {
	if p := openAIPart(image); p.kind == partMedia {
		return p
	}
	if url := get(image, "image_url"); url != "" {
		return openAIPart(`{"type":"image_url","image_url":` + url + `}`)
	}
	return part{kind: partOther, json: image}
}

// openAICall reads a call of a tool: of a function, or one whose input is text.
func openAICall(call string) part {
	p := openAIFunction(get(call, "function"))
	if custom := get(call, "custom"); custom != "" {
		p = part{kind: partCall, name: text(get(custom, "name")), json: freeText(text(get(custom, "input")))}
	}
	p.id = text(get(call, "id"))
	return p
}

// openAIFunction reads the name and the arguments of a function that is called.
func openAIFunction(f string) part {
	p := part{kind: partCall, name: text(get(f, "name"))}
	if args := get(f, "arguments"); rawjson.KindOf(args) == rawjson.String {
		p.json = arguments(text(args))
	} else {
		p.json = args // whole, though it should be text
	}
	return p
}

// freeText returns the input of a tool that takes any text, "" for none.
func freeText(input string) string {
	if input == "" {
		return ""
	}
	return quote(input)
}

func (chatCompletions) answer(x *exchange, body string) { x.openAIAnswer(body, true) }

func (chatCompletions) chunk(x *exchange, event, data string) { x.openAIChunk(event, data) }

// openAIAnswer reads an answer of chat or text completions, or a chunk of one.
func (x *exchange) openAIAnswer(body string, whole bool) {
	for k, v := range rawjson.Members(body) {
		switch k {
		case "choices":
			for c := range rawjson.Elements(v) {
				x.openAIChoice(c, whole)
			}
		case "usage":
			x.openAIUsage(v)
		case "x_groq":
			x.openAIUsage(get(v, "usage"))
			x.openAIWordFault(get(v, "error"))
		case "error":
			x.openAIFault(v)
		case "base_resp": // MiniMax
			x.openAIBaseFault(v)
		case "citations", "search_results", "web_search", "references", "related_questions", "videos",
			"vertex_ai_grounding_metadata": // Perplexity, xAI, Zhipu, Volcengine, LiteLLM: beside the choices
			if filled(v) != "" {
				x.extra(x.choice(0), k, v)
			}
		default:
			x.openAIHead(k, v)
		}
	}
	if whole && len(x.choices) == 0 {
		x.openAIProblem(body)
	}
}

// openAIChoice reads a choice, or a piece of one.
func (x *exchange) openAIChoice(json string, whole bool) {
	var index int
	var delta, complete, written, reason, native, fault, tokens string
	for k, v := range rawjson.Members(json) {
		switch k {
		case "index":
			index = int(number(v))
		case "delta":
			delta = v
		case "message":
			complete = v
		case "text":
			written = v
		case "finish_reason":
			reason = v
		case "native_finish_reason": // OpenRouter
			native = v
		case "error": // OpenRouter
			fault = v
		case "usage": // Moonshot
			tokens = v
		}
	}
	c := x.choice(index)
	switch {
	case rawjson.KindOf(delta) == rawjson.Object && !whole:
		x.openAIDelta(c, delta)
	case rawjson.KindOf(complete) == rawjson.Object:
		x.openAIWhole(c, complete)
	}
	if s := text(written); s != "" { // of text completions
		x.add(x.slot(c, partText, slotContent), s)
	}
	x.openAIUsage(tokens)
	if text(reason) != "" {
		c.openAIFinish(reason)
		x.openAIFailedFinish(c, native, fault)
	} else {
		x.openAIFault(fault)
	}
}

// openAIWhole reads the message of a choice that came whole.
func (x *exchange) openAIWhole(c *choice, json string) {
	f := openAIFieldsOf(json)
	m := x.openAIMessageOf(&f)
	if m.role != "" {
		c.role = strings.Clone(m.role)
	}
	x.whole(c, m.parts)
	x.source(c, sourceQuotes, f.annotations)
	for _, b := range f.beside {
		x.extra(c, b.key, b.value)
	}
}

// openAIFinish reads why a choice ended.
func (c *choice) openAIFinish(reason string) {
	c.finish = word(reason)
	switch c.ended = c.finish; {
	case c.finish == "tool_calls" || c.finish == "function_call":
		c.ended = "tool_call"
	case failedFinish(c.finish):
		c.ended = "error"
	}
}
