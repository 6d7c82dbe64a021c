package llmhttp

import (
	"strings"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// This file reads the content of messages, of chat completions and of responses.

// openAIContent reads the content of a message: text, or a list of parts.
func (x *exchange) openAIContent(parts []part, content string) []part {
	switch rawjson.KindOf(content) {
	case rawjson.String:
		switch s := text(content); {
		case s == "":
		case parts == nil:
			return x.alone(part{kind: partText, text: s})
		default:
			parts = append(parts, part{kind: partText, text: s})
		}
	case rawjson.Array:
		for p := range x.elements(content) {
			parts = append(parts, openAIPart(p))
		}
	}
	return parts
}

// openAIPart reads a part of the content of a message, of chat completions or of
// responses.
func openAIPart(p string) part {
	if rawjson.KindOf(p) == rawjson.String {
		return part{kind: partText, text: text(p)}
	}
	switch text(get(p, "type")) {
	case "text", "input_text", "output_text", "summary_text", "reasoning_text":
		cites := filled(get(p, "annotations"))
		if cites == "" {
			cites = filled(get(p, "citations")) // Databricks
		}
		return part{kind: partText, text: text(get(p, "text")), annotations: cites}
	case "refusal":
		return part{kind: partRefusal, text: text(get(p, "refusal"))}
	case "thinking": // Mistral
		return part{kind: partReasoning, text: joined(get(p, "thinking"))}
	case "reasoning": // Databricks
		if s := text(get(p, "text")); s != "" {
			return part{kind: partReasoning, text: s}
		}
		return part{kind: partReasoning, text: joined(get(p, "summary"))}
	case "image_url", "input_image", "video_url", "audio_url", "computer_screenshot":
		return openAIMedia(p)
	case "input_audio":
		return media("audio", "audio/"+text(get(p, "input_audio", "format")), text(get(p, "input_audio", "data")))
	case "document_url": // Mistral
		m := mediaURL("document", text(get(p, "document_url")))
		m.name = text(get(p, "document_name"))
		return m
	case "file", "input_file":
		f := p
		if inner := get(p, "file"); inner != "" {
			f = inner
		}
		m := part{kind: partMedia, modality: "document", uri: text(get(f, "file_url")), fileID: text(get(f, "file_id"))}
		if data := text(get(f, "file_data")); data != "" {
			if m = mediaURL("document", data); m.sha256 == "" {
				m = media("document", "", data)
			}
		}
		m.name = text(get(f, "filename"))
		return m
	}
	return part{kind: partOther, json: p}
}

// openAIMedia reads an image, a video or sound that has an address, which may
// hold the data, or the id of a file.
func openAIMedia(p string) part {
	if id := text(get(p, "file_id")); id != "" {
		return part{kind: partMedia, modality: "image", fileID: id}
	}
	modality, url := "image", get(p, "image_url")
	for _, other := range [...]string{"video", "audio"} {
		if v := get(p, other+"_url"); v != "" {
			modality, url = other, v
		}
	}
	if inner := get(url, "url"); inner != "" {
		url = inner
	}
	return mediaURL(modality, text(url))
}

// joined returns the texts of a list of parts as one: they are pieces of it.
func joined(content string) string {
	if rawjson.KindOf(content) == rawjson.String {
		return text(content)
	}
	var b strings.Builder
	for p := range rawjson.Elements(content) {
		b.WriteString(openAIPart(p).text)
	}
	return b.String()
}

// flat returns the content of a tool's result: text alone as a string.
func (x *exchange) flat(content string) string {
	if rawjson.KindOf(content) != rawjson.Array {
		return content
	}
	var parts []part
	for p := range x.elements(content) {
		parts = append(parts, openAIPart(p))
	}
	if len(parts) == 1 && parts[0].kind == partText && parts[0].annotations == "" {
		return quote(parts[0].text)
	}
	return string(appendParts(nil, parts))
}

// filled returns a list that is not empty.
func filled(list string) string {
	if rawjson.KindOf(list) != rawjson.Array || list == "[]" {
		return ""
	}
	return list
}

// addCitations adds a list of citations to those of a text.
func (x *exchange) addCitations(p *piece, list string) {
	for citation := range rawjson.Elements(filled(list)) {
		x.cite(p, citation)
	}
}
