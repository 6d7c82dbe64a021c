package clienttest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"google.golang.org/genai"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// geminiPart makes a part of an answer up.
func geminiPart(rt *rapid.T) object {
	switch rapid.IntRange(0, 5).Draw(rt, "part") {
	case 0:
		return object{"text": aText.Draw(rt, "thought"), "thought": true}
	case 1:
		f := object{"name": aWord.Draw(rt, "name"), "args": decode(anInput(rt))}
		if chance(rt, 2) {
			f["id"] = aWord.Draw(rt, "id")
		}
		return object{"functionCall": f}
	case 2:
		return object{"inlineData": object{"mimeType": "image/png", "data": []byte(aText.Draw(rt, "image"))}}
	case 3:
		return object{"executableCode": object{"language": "PYTHON", "code": aText.Draw(rt, "code") + "."}}
	case 4:
		return object{"codeExecutionResult": object{"outcome": "OUTCOME_OK", "output": aText.Draw(rt, "out") + "."}}
	}
	return object{"text": aText.Draw(rt, "text")}
}

// aMedium returns data as an event has them.
func aMedium(modality, mime string, data []byte) object {
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	o := object{"type": "uri", "modality": modality, "uri": "urn:sha256:" + digest, "sha256": digest, "size": len(data)}
	if mime != "" {
		o["mime_type"] = mime
	}
	return o
}

// geminiReading returns what the client read, in one response or in several.
func geminiReading(responses []*genai.GenerateContentResponse) reading {
	var parts []said
	var sources list
	r := reading{}
	finish := ""
	var u genai.GenerateContentResponseUsageMetadata
	for _, response := range responses {
		if r.id == "" {
			r.id, r.model = response.ResponseID, response.ModelVersion
		}
		if response.UsageMetadata != nil {
			u = *response.UsageMetadata
		}
		for _, c := range response.Candidates {
			if c.FinishReason != "" {
				finish = string(c.FinishReason)
			}
			if c.GroundingMetadata != nil {
				for _, chunk := range c.GroundingMetadata.GroundingChunks {
					sources = append(sources, decode(encode(chunk)))
				}
			}
			if c.Content == nil {
				continue
			}
			for _, p := range c.Content.Parts {
				switch last := len(parts) - 1; {
				case p.FunctionCall != nil:
					args := p.FunctionCall.Args
					if args == nil {
						args = object{}
					}
					parts = append(parts, said{call: &call{p.FunctionCall.ID, p.FunctionCall.Name, encode(args)}})
				case p.InlineData != nil:
					parts = append(parts, said{other: aMedium("image", p.InlineData.MIMEType, p.InlineData.Data)})
				case p.ExecutableCode != nil:
					parts = append(parts, said{other: object{"type": "executableCode", "executableCode": decode(encode(p.ExecutableCode))}})
				case p.CodeExecutionResult != nil:
					parts = append(parts, said{other: object{"type": "codeExecutionResult", "codeExecutionResult": decode(encode(p.CodeExecutionResult))}})
				case p.Text == "":
				case last >= 0 && parts[last].call == nil && parts[last].other == nil && parts[last].thought == p.Thought:
					parts[last].text += p.Text
				default:
					parts = append(parts, said{text: p.Text, thought: p.Thought})
				}
			}
		}
	}
	r.outputs = outputsWith(parts, sources, finish)
	r.tokens = tokens{
		input: new(int64(u.PromptTokenCount + u.ToolUsePromptTokenCount)), output: new(int64(u.CandidatesTokenCount + u.ThoughtsTokenCount)),
		read: new(int64(u.CachedContentTokenCount)), reasoning: new(int64(u.ThoughtsTokenCount)),
	}
	return r
}

func TestOracleGemini(t *testing.T) {
	o := newOracle(t, llmhttp.Gemini)
	once := int32(1)
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: o.client,
		HTTPOptions: genai.HTTPOptions{BaseURL: o.url, RetryOptions: &genai.HTTPRetryOptions{Attempts: &once}},
	})
	if err != nil {
		t.Fatal(err)
	}
	contents := []*genai.Content{genai.NewContentFromText(user, genai.RoleUser)}
	rapid.Check(t, func(rt *rapid.T) {
		var parts list
		for range rapid.IntRange(0, 5).Draw(rt, "parts") {
			parts = append(parts, geminiPart(rt))
		}
		candidate := func(parts list, last bool) object {
			c := object{"index": 0}
			if parts != nil {
				c["content"] = object{"role": "model", "parts": parts}
			}
			if last {
				c["finishReason"] = "STOP"
			}
			return c
		}
		var sources list
		for range rapid.IntRange(0, 2).Draw(rt, "sources") {
			sources = append(sources, object{"web": object{"uri": aWord.Draw(rt, "uri"), "title": aText.Draw(rt, "title") + "."}})
		}
		usage := object{}
		for _, name := range []string{"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount"} {
			if n := aCount.Draw(rt, name); n > 0 {
				usage[name] = n
			}
		}
		response := func(c object, u object) object {
			r := object{"candidates": list{c}, "modelVersion": answeredModel, "responseId": answerID}
			if u != nil {
				r["usageMetadata"] = u
			}
			return r
		}
		all := candidate(parts, true)
		if sources != nil {
			all["groundingMetadata"] = object{"groundingChunks": sources}
		}
		var events []string
		for _, v := range parts {
			p, _ := v.(object)
			text, ok := p["text"].(string)
			if !ok {
				events = append(events, event("", response(candidate(list{p}, false), nil)))
				continue
			}
			for _, piece := range cut(rt, text) {
				q := object{"text": piece}
				if p["thought"] != nil {
					q["thought"] = true
				}
				events = append(events, event("", response(candidate(list{q}, false), object{"promptTokenCount": usage["promptTokenCount"]})))
			}
		}
		last := candidate(nil, true)
		if sources != nil {
			last["groundingMetadata"] = all["groundingMetadata"]
		}
		events = append(events, event("", response(last, usage)))

		o.play(rt, sends("application/json", nil, encode(response(all, usage))), func(ctx context.Context) reading {
			r, err := c.Models.GenerateContent(ctx, model, contents, nil)
			if err != nil {
				rt.Fatal(err)
			}
			return geminiReading([]*genai.GenerateContentResponse{r})
		})
		o.play(rt, sends("text/event-stream", nil, events...), func(ctx context.Context) reading {
			var all []*genai.GenerateContentResponse
			for r, err := range c.Models.GenerateContentStream(ctx, model, contents, nil) {
				if err != nil {
					rt.Fatal(err)
				}
				all = append(all, r)
			}
			return geminiReading(all)
		})
	})
}
