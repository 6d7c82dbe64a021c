package clienttest

import (
	"context"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/ollama/ollama/api"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/llmhttp"
)

func TestOracleOllama(t *testing.T) {
	o := newOracle(t, llmhttp.Ollama)
	u, err := url.Parse(o.url)
	if err != nil {
		t.Fatal(err)
	}
	c := api.NewClient(u, o.client)
	rapid.Check(t, func(rt *rapid.T) {
		thinking, text := aText.Draw(rt, "thinking"), aText.Draw(rt, "text")
		var calls list
		for range rapid.IntRange(0, 2).Draw(rt, "calls") {
			calls = append(calls, object{"id": aWord.Draw(rt, "id"), "function": object{"index": len(calls), "name": aWord.Draw(rt, "name"), "arguments": decode(anInput(rt))}})
		}
		line := func(m, more object) string {
			l := object{"model": answeredModel, "created_at": "2026-11-01T10:00:00Z", "message": m, "done": false}
			maps.Copy(l, more)
			return encode(l) + "\n"
		}
		end := object{"done": true, "done_reason": rapid.SampledFrom([]string{"stop", "length"}).Draw(rt, "reason")}
		for _, count := range []string{"prompt_eval_count", "eval_count"} {
			if n := aCount.Draw(rt, count); n > 0 {
				end[count] = n
			}
		}
		whole := object{"role": "assistant", "content": text}
		if thinking != "" {
			whole["thinking"] = thinking
		}
		if calls != nil {
			whole["tool_calls"] = calls
		}
		var lines []string
		for _, piece := range cut(rt, thinking) {
			lines = append(lines, line(object{"role": "assistant", "content": "", "thinking": piece}, nil))
		}
		for _, piece := range cut(rt, text) {
			lines = append(lines, line(object{"role": "assistant", "content": piece}, nil))
		}
		for _, call := range calls {
			lines = append(lines, line(object{"role": "assistant", "content": "", "tool_calls": list{call}}, nil))
		}
		lines = append(lines, line(object{"role": "assistant", "content": ""}, end))

		for _, streams := range []bool{false, true} {
			reply := sends("application/json", nil, line(whole, end))
			if streams {
				reply = sends("application/x-ndjson", nil, lines...)
			}
			o.play(rt, reply, func(ctx context.Context) reading {
				var all api.ChatResponse
				var thought, answered strings.Builder
				var made []api.ToolCall
				err := c.Chat(ctx, &api.ChatRequest{Model: model, Stream: &streams, Messages: []api.Message{{Role: "user", Content: user}}}, func(r api.ChatResponse) error {
					thought.WriteString(r.Message.Thinking)
					answered.WriteString(r.Message.Content)
					made = append(made, r.Message.ToolCalls...)
					all = r
					return nil
				})
				if err != nil {
					rt.Fatal(err)
				}
				var parts []said
				if s := thought.String(); s != "" {
					parts = append(parts, said{text: s, thought: true})
				}
				if s := answered.String(); s != "" {
					parts = append(parts, said{text: s})
				}
				for _, m := range made {
					parts = append(parts, said{call: &call{m.ID, m.Function.Name, m.Function.Arguments.String()}})
				}
				r := reading{outputs: outputsOf(parts, all.DoneReason), model: all.Model}
				r.tokens.input, r.tokens.output = new(int64(all.PromptEvalCount)), new(int64(all.EvalCount))
				return r
			})
		}
	})
}
