package clienttest

import (
	"context"
	"encoding/base64"
	"maps"
	"testing"

	"google.golang.org/genai"
	"google.golang.org/genai/interactions/models/interactions"
	"google.golang.org/genai/interactions/models/operations"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// interactionStep makes a step of an answer up, and the events that bring it.
func interactionStep(rt *rapid.T, index int) (step object, events []string) {
	send := func(kind string, more object) {
		more["event_type"], more["index"] = kind, index
		events = append(events, event(kind, more))
	}
	start := func(step object) { send("step.start", object{"step": step}) }
	delta := func(d object) { send("step.delta", object{"delta": d}) }
	switch rapid.IntRange(0, 3).Draw(rt, "step") {
	case 0:
		text := aText.Draw(rt, "thought") + "."
		start(object{"type": "thought"})
		for _, piece := range cut(rt, text) {
			delta(object{"type": "thought_summary", "content": object{"type": "text", "text": piece}})
		}
		delta(object{"type": "thought_signature", "signature": "c2ln"})
		step = object{"type": "thought", "signature": "c2ln", "summary": list{object{"type": "text", "text": text}}}
	case 1:
		in := anInput(rt)
		step = object{"type": "function_call", "id": aWord.Draw(rt, "id"), "name": aWord.Draw(rt, "name"), "arguments": decode(in)}
		start(object{"type": "function_call", "id": step["id"], "name": step["name"], "arguments": object{}})
		if in != "{}" {
			for _, piece := range cut(rt, in) {
				delta(object{"type": "arguments_delta", "arguments": piece})
			}
		}
	case 2:
		id := aWord.Draw(rt, "id")
		arguments := object{"queries": list{aText.Draw(rt, "query")}}
		start(object{"type": "google_search_call", "id": id, "arguments": object{}})
		delta(object{"type": "google_search_call", "arguments": arguments})
		step = object{"type": "google_search_call", "id": id, "arguments": arguments}
	default:
		text := aText.Draw(rt, "text") + "."
		var annotations list
		for range rapid.IntRange(0, 2).Draw(rt, "annotations") {
			annotations = append(annotations, object{"type": "url_citation", "url": "https://w.test", "title": aText.Draw(rt, "title")})
		}
		c := object{"type": "text", "text": text}
		start(object{"type": "model_output"})
		for _, piece := range cut(rt, text) {
			delta(object{"type": "text", "text": piece})
		}
		if annotations != nil {
			c["annotations"] = annotations
			delta(object{"type": "text_annotation_delta", "annotations": annotations})
		}
		content := list{c}
		if chance(rt, 3) {
			image := object{"type": "image", "mime_type": "image/png", "data": base64.StdEncoding.EncodeToString([]byte(aText.Draw(rt, "image") + "."))}
			content = append(content, image)
			delta(image)
		}
		step = object{"type": "model_output", "content": content}
	}
	send("step.stop", object{})
	return step, events
}

func interactionImage(mime, data string) said {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		panic(err)
	}
	return said{other: aMedium("image", mime, raw)}
}

// interactionParts returns what the client read of steps.
func interactionParts(steps []interactions.Step) (parts []said) {
	for _, s := range steps {
		switch {
		case s.ThoughtStep != nil:
			for _, c := range s.ThoughtStep.Summary {
				parts = append(parts, said{text: c.TextContent.Text, thought: true})
			}
		case s.FunctionCallStep != nil:
			parts = append(parts, said{call: &call{s.FunctionCallStep.ID, s.FunctionCallStep.Name, encode(s.FunctionCallStep.Arguments)}})
		case s.GoogleSearchCallStep != nil:
			parts = append(parts, said{other: object{"type": "google_search_call", "id": s.GoogleSearchCallStep.ID, "arguments": decode(encode(s.GoogleSearchCallStep.Arguments))}})
		case s.ModelOutputStep != nil:
			for _, c := range s.ModelOutputStep.Content {
				if c.ImageContent != nil {
					parts = append(parts, interactionImage(string(*c.ImageContent.MimeType), *c.ImageContent.Data))
					continue
				}
				p := said{text: c.TextContent.Text}
				for _, a := range c.TextContent.Annotations {
					p.citations = append(p.citations, decode(encode(a)))
				}
				parts = append(parts, p)
			}
		}
	}
	return parts
}

func interactionReading(parts []said, id, status string, model *string, u *interactions.Usage) reading {
	count := func(n *int) int64 {
		if n == nil {
			return 0
		}
		return int64(*n)
	}
	return reading{outputs: outputsOf(parts, status), id: id, model: *model, tokens: tokens{
		input: new(count(u.TotalInputTokens) + count(u.TotalToolUseTokens)), output: new(count(u.TotalOutputTokens) + count(u.TotalThoughtTokens)),
		read: new(count(u.TotalCachedTokens)), reasoning: new(count(u.TotalThoughtTokens)),
	}}
}

func TestOracleInteractions(t *testing.T) {
	o := newOracle(t, llmhttp.Gemini)
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: o.client, HTTPOptions: genai.HTTPOptions{BaseURL: o.url}})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(streams bool) operations.CreateInteractionRequest {
		return operations.CreateInteractionRequest{Body: operations.NewCreateInteractionRequestBody(interactions.CreateModelInteraction{
			Model: model, Input: new(interactions.NewInteractionsInput(user)), Stream: &streams,
		})}
	}
	rapid.Check(t, func(rt *rapid.T) {
		head := object{"id": aWord.Draw(rt, "id"), "object": "interaction", "model": answeredModel, "status": "in_progress"}
		events := []string{event("interaction.created", object{"event_type": "interaction.created", "interaction": head})}
		steps := list{}
		for i := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			step, more := interactionStep(rt, i)
			steps = append(steps, step)
			events = append(events, more...)
		}
		usage := object{}
		for _, name := range []string{"total_input_tokens", "total_cached_tokens", "total_output_tokens", "total_thought_tokens", "total_tool_use_tokens"} {
			usage[name] = aCount.Draw(rt, name)
		}
		end := object{"id": head["id"], "model": answeredModel, "status": rapid.SampledFrom([]string{"completed", "requires_action", "incomplete"}).Draw(rt, "status"), "usage": usage}
		events = append(events, event("interaction.completed", object{"event_type": "interaction.completed", "interaction": end}), "event: done\ndata: [DONE]\n\n")
		whole := object{"steps": steps}
		maps.Copy(whole, end)

		o.play(rt, sends("application/json", nil, encode(whole)), func(ctx context.Context) reading {
			r, err := c.Interactions.Create(ctx, ask(false))
			if err != nil {
				rt.Fatal(err)
			}
			in := r.Interaction
			return interactionReading(interactionParts(in.Steps), *in.ID, string(in.Status), (*string)(in.Model), in.Usage)
		})
		o.play(rt, sends("text/event-stream", nil, events...), func(ctx context.Context) (got reading) {
			r, err := c.Interactions.Create(ctx, ask(true))
			if err != nil {
				rt.Fatal(err)
			}
			stream := r.InteractionSSEStreamEvent
			defer func() { _ = stream.Close() }()
			var parts []said
			step := -1
			for stream.Next() {
				switch e := stream.Value().Data; {
				case e.StepStart != nil:
					parts = append(parts, interactionParts([]interactions.Step{e.StepStart.Step})...)
				case e.StepDelta != nil:
					parts = interactionAdd(parts, &e.StepDelta.Delta, e.StepDelta.Index != step)
					step = e.StepDelta.Index
				case e.InteractionCompletedEvent != nil:
					in := &e.InteractionCompletedEvent.Interaction
					for i := range parts {
						if c := parts[i].call; c != nil && c.Arguments == "" {
							c.Arguments = "{}"
						}
					}
					got = interactionReading(parts, in.ID, string(in.Status), in.Model, in.Usage)
				}
			}
			if err := stream.Err(); err != nil {
				rt.Fatal(err)
			}
			return got
		})
	})
}

// interactionAdd adds what a delta says to the last step. The first of a step
// begins a part.
func interactionAdd(parts []said, d *interactions.StepDeltaData, first bool) []said {
	last := len(parts) - 1
	switch {
	case d.TextDelta != nil, d.ThoughtSummaryDelta != nil:
		p := said{}
		if p.thought = d.ThoughtSummaryDelta != nil; p.thought {
			p.text = d.ThoughtSummaryDelta.Content.TextContent.Text
		} else {
			p.text = d.TextDelta.Text
		}
		if last >= 0 && !first && parts[last].thought == p.thought && parts[last].call == nil && parts[last].other == nil {
			parts[last].text += p.text
			return parts
		}
		return append(parts, p)
	case d.ArgumentsDelta != nil:
		if parts[last].call.Arguments == "{}" {
			parts[last].call.Arguments = ""
		}
		parts[last].call.Arguments += *d.ArgumentsDelta.Arguments
	case d.GoogleSearchCallDelta != nil:
		parts[last].other["arguments"] = decode(encode(d.GoogleSearchCallDelta.Arguments))
	case d.TextAnnotationDelta != nil:
		for _, a := range d.TextAnnotationDelta.Annotations {
			parts[last].citations = append(parts[last].citations, decode(encode(a)))
		}
	case d.ImageDelta != nil:
		return append(parts, interactionImage(string(*d.ImageDelta.MimeType), *d.ImageDelta.Data))
	}
	return parts
}
