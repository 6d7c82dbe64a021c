package clienttest

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// bedrockBlock makes a block of an answer up, and the events that bring it.
func bedrockBlock(rt *rapid.T, index int) (block object, events []string) {
	send := func(kind string, more object) {
		more["contentBlockIndex"] = index
		events = append(events, frame("event", kind, more))
	}
	delta := func(d object) { send("contentBlockDelta", object{"delta": d}) }
	switch rapid.IntRange(0, 5).Draw(rt, "block") {
	case 0:
		text := aText.Draw(rt, "thinking") + "."
		block = object{"reasoningContent": object{"reasoningText": object{"text": text, "signature": "s"}}}
		for _, piece := range cut(rt, text) {
			delta(object{"reasoningContent": object{"text": piece}})
		}
		delta(object{"reasoningContent": object{"signature": "s"}})
	case 1:
		data := []byte(aText.Draw(rt, "redacted") + ".")
		block = object{"reasoningContent": object{"redactedContent": data}}
		half := rapid.IntRange(0, len(data)).Draw(rt, "half")
		for _, piece := range [][]byte{data[:half], data[half:]} {
			if len(piece) > 0 {
				delta(object{"reasoningContent": object{"redactedContent": piece}})
			}
		}
	case 2:
		in := anInput(rt)
		use := object{"toolUseId": aWord.Draw(rt, "id"), "name": aWord.Draw(rt, "name")}
		block = object{"toolUse": object{"toolUseId": use["toolUseId"], "name": use["name"], "input": decode(in)}}
		send("contentBlockStart", object{"start": object{"toolUse": use}})
		if in != "{}" {
			for _, piece := range cut(rt, in) {
				delta(object{"toolUse": object{"input": piece}})
			}
		}
	case 3:
		text := aText.Draw(rt, "cited") + "."
		var content, citations list
		for _, piece := range cut(rt, text) {
			content = append(content, object{"text": piece})
			delta(object{"text": piece})
		}
		for range rapid.IntRange(1, 2).Draw(rt, "citations") {
			c := object{"title": aText.Draw(rt, "title") + ".", "sourceContent": list{object{"text": aText.Draw(rt, "source")}}}
			citations = append(citations, c)
			delta(object{"citation": c})
		}
		block = object{"citationsContent": object{"content": content, "citations": citations}}
	case 4:
		id, status := aWord.Draw(rt, "id"), rapid.SampledFrom([]string{"success", "error"}).Draw(rt, "status")
		text := aText.Draw(rt, "result") + "."
		block = object{"toolResult": object{"toolUseId": id, "status": status, "content": list{object{"text": text}}}}
		send("contentBlockStart", object{"start": object{"toolResult": object{"toolUseId": id, "status": status}}})
		for _, piece := range cut(rt, text) {
			delta(object{"toolResult": list{object{"text": piece}}})
		}
	default:
		text := aText.Draw(rt, "text") + "."
		block = object{"text": text}
		for _, piece := range cut(rt, text) {
			delta(object{"text": piece})
		}
	}
	send("contentBlockStop", object{})
	return block, events
}

// bedrockCitation returns a citation as the client read it.
func bedrockCitation(title *string, sources []string) object {
	var list list
	for _, s := range sources {
		list = append(list, object{"text": s})
	}
	return object{"title": *title, "sourceContent": list}
}

func bedrockOther(kind string, v any) said { return said{other: object{"type": kind, kind: v}} }

func bedrockResult(id string, status types.ToolResultStatus, text string) said {
	o := object{"type": "tool_call_response", "id": id, "response": text}
	if status == types.ToolResultStatusError {
		o["is_error"] = true
	}
	return said{other: o}
}

// bedrockWholeReading returns what the client read of a message.
func bedrockWholeReading(rt *rapid.T, blocks []types.ContentBlock) (parts []said) {
	for _, b := range blocks {
		switch b := b.(type) {
		case *types.ContentBlockMemberText:
			parts = append(parts, said{text: b.Value})
		case *types.ContentBlockMemberReasoningContent:
			switch r := b.Value.(type) {
			case *types.ReasoningContentBlockMemberReasoningText:
				parts = append(parts, said{text: *r.Value.Text, thought: true})
			case *types.ReasoningContentBlockMemberRedactedContent:
				parts = append(parts, bedrockOther("reasoningContent", object{"redactedContent": r.Value}))
			}
		case *types.ContentBlockMemberToolUse:
			var in object
			if err := b.Value.Input.UnmarshalSmithyDocument(&in); err != nil {
				rt.Fatal(err)
			}
			parts = append(parts, said{call: &call{*b.Value.ToolUseId, *b.Value.Name, bedrockJSON(rt, b.Value.Input)}})
		case *types.ContentBlockMemberCitationsContent:
			p := said{}
			for _, c := range b.Value.Content {
				p.text += c.(*types.CitationGeneratedContentMemberText).Value
			}
			for _, c := range b.Value.Citations {
				var sources []string
				for _, s := range c.SourceContent {
					sources = append(sources, s.(*types.CitationSourceContentMemberText).Value)
				}
				p.citations = append(p.citations, bedrockCitation(c.Title, sources))
			}
			parts = append(parts, p)
		case *types.ContentBlockMemberToolResult:
			parts = append(parts, bedrockResult(*b.Value.ToolUseId, b.Value.Status, b.Value.Content[0].(*types.ToolResultContentBlockMemberText).Value))
		}
	}
	return parts
}

func bedrockJSON(rt *rapid.T, d document.Interface) string {
	text, err := d.MarshalSmithyDocument()
	if err != nil {
		rt.Fatal(err)
	}
	return string(text)
}

// bedrockStreamReading returns what the client read of a stream.
func bedrockStreamReading(rt *rapid.T, stream *bedrockruntime.ConverseStreamEventStream) (parts []said, finish string, usage *types.TokenUsage) {
	at := make(map[int32]int)
	part := func(index *int32) *said {
		i, ok := at[*index]
		if !ok {
			i = len(parts)
			at[*index] = i
			parts = append(parts, said{})
		}
		return &parts[i]
	}
	for e := range stream.Events() {
		switch e := e.(type) {
		case *types.ConverseStreamOutputMemberContentBlockStart:
			p := part(e.Value.ContentBlockIndex)
			switch s := e.Value.Start.(type) {
			case *types.ContentBlockStartMemberToolUse:
				p.call = &call{*s.Value.ToolUseId, *s.Value.Name, ""}
			case *types.ContentBlockStartMemberToolResult:
				*p = bedrockResult(*s.Value.ToolUseId, s.Value.Status, "")
			}
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			p := part(e.Value.ContentBlockIndex)
			switch d := e.Value.Delta.(type) {
			case *types.ContentBlockDeltaMemberText:
				p.text += d.Value
			case *types.ContentBlockDeltaMemberToolUse:
				p.call.Arguments += *d.Value.Input
			case *types.ContentBlockDeltaMemberToolResult:
				p.other["response"] = p.other["response"].(string) + d.Value[0].(*types.ToolResultBlockDeltaMemberText).Value
			case *types.ContentBlockDeltaMemberCitation:
				var sources []string
				for _, s := range d.Value.SourceContent {
					sources = append(sources, *s.Text)
				}
				p.citations = append(p.citations, bedrockCitation(d.Value.Title, sources))
			case *types.ContentBlockDeltaMemberReasoningContent:
				switch r := d.Value.(type) {
				case *types.ReasoningContentBlockDeltaMemberText:
					p.thought = true
					p.text += r.Value
				case *types.ReasoningContentBlockDeltaMemberRedactedContent:
					if p.other == nil {
						*p = bedrockOther("reasoningContent", object{"redactedContent": []byte{}})
					}
					inner, _ := p.other["reasoningContent"].(object)
					inner["redactedContent"] = append(inner["redactedContent"].([]byte), r.Value...)
				}
			}
		case *types.ConverseStreamOutputMemberMessageStop:
			finish = string(e.Value.StopReason)
		case *types.ConverseStreamOutputMemberMetadata:
			usage = e.Value.Usage
		}
	}
	if err := stream.Err(); err != nil {
		rt.Fatal(err)
	}
	for i := range parts {
		if c := parts[i].call; c != nil && c.Arguments == "" {
			c.Arguments = "{}"
		}
	}
	return parts, finish, usage
}

func bedrockReading(parts []said, finish string, u *types.TokenUsage) reading {
	read, written := int64(*u.CacheReadInputTokens), int64(*u.CacheWriteInputTokens)
	return reading{outputs: outputsOf(parts, finish), tokens: tokens{
		input: new(int64(*u.InputTokens) + read + written), output: new(int64(*u.OutputTokens)), read: &read, written: &written,
	}}
}

func TestOracleBedrock(t *testing.T) {
	o := newOracle(t, llmhttp.Bedrock)
	c := bedrockruntime.New(bedrockruntime.Options{
		Region: "eu-west-1", BaseEndpoint: &o.url, HTTPClient: o.client, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keyID, key, ""),
	})
	ask := []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: user}}}}
	rapid.Check(t, func(rt *rapid.T) {
		content := list{}
		events := []string{frame("event", "messageStart", object{"role": "assistant"})}
		for i := range rapid.IntRange(1, 4).Draw(rt, "blocks") {
			block, more := bedrockBlock(rt, i)
			content = append(content, block)
			events = append(events, more...)
		}
		finish := rapid.SampledFrom([]string{"end_turn", "tool_use", "max_tokens", "guardrail_intervened"}).Draw(rt, "finish")
		usage := object{"inputTokens": aCount.Draw(rt, "input"), "outputTokens": aCount.Draw(rt, "output") + 1, "cacheReadInputTokens": aCount.Draw(rt, "read"), "cacheWriteInputTokens": aCount.Draw(rt, "written")}
		usage["totalTokens"] = usage["inputTokens"].(int64) + usage["outputTokens"].(int64) + usage["cacheReadInputTokens"].(int64) + usage["cacheWriteInputTokens"].(int64)
		last := []string{frame("event", "messageStop", object{"stopReason": finish}), frame("event", "metadata", object{"usage": usage, "metrics": object{"latencyMs": 5}})}
		if chance(rt, 3) {
			last[0], last[1] = last[1], last[0]
		}
		whole := object{"output": object{"message": object{"role": "assistant", "content": content}}, "stopReason": finish, "usage": usage, "metrics": object{"latencyMs": 5}}

		o.play(rt, sends("application/json", nil, encode(whole)), func(ctx context.Context) reading {
			out, err := c.Converse(ctx, &bedrockruntime.ConverseInput{ModelId: aws.String(model), Messages: ask})
			if err != nil {
				rt.Fatal(err)
			}
			return bedrockReading(bedrockWholeReading(rt, out.Output.(*types.ConverseOutputMemberMessage).Value.Content), string(out.StopReason), out.Usage)
		})
		o.play(rt, sends("application/vnd.amazon.eventstream", nil, strings.Join(append(events, last...), "")), func(ctx context.Context) reading {
			out, err := c.ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{ModelId: aws.String(model), Messages: ask})
			if err != nil {
				rt.Fatal(err)
			}
			stream := out.GetStream()
			defer func() { _ = stream.Close() }()
			return bedrockReading(bedrockStreamReading(rt, stream))
		})
	})
}
