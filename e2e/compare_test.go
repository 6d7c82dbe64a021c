package e2e

import (
	"context"
	"testing"

	"github.com/sessionspan/sessionspan"
)

// release answers a question with one version of a program.
func release(tracer *sessionspan.Tracer, model, prompt, answer string, temperature float64) (session, call string) {
	ctx, s := tracer.StartSession(context.Background(), "parcel", sessionspan.WithInputs(map[string]any{"question": "Where is my parcel?"}),
		sessionspan.WithConfig(map[string]any{"model_of_choice": model}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Model, "answer", sessionspan.WithModel("openai", model), sessionspan.WithConfig(map[string]any{"temperature": temperature}),
		sessionspan.WithMessages(sessionspan.Message{Role: "system", Content: prompt}, user("Where is my parcel?")))
	e.SetReply(sessionspan.Message{Role: "assistant", Content: answer})
	e.SetUsage(sessionspan.Usage{InputTokens: int64(len(prompt)), OutputTokens: 20})
	e.End()
	s.SetOutputs(map[string]any{"answer": answer})
	s.End()
	return s.ID(), e.ID()
}

// TestCompare puts two versions of a program side by side: from the list, from a
// session, and from the call of a model.
func TestCompare(t *testing.T) {
	s := start(t)
	tracer := newTracer(t, s.URL(), "Shop", "staging")
	_, before := release(tracer, "gpt-5.2-mini", "Be brief.\nAnswer in English.", "In Porto.", 0.3)
	later, after := release(tracer, "claude-opus-4.7", "Be brief.\nAnswer in English.\nAsk back.", "In Porto, since <b>Friday</b>.", 0.7)
	deliver(t, tracer)
	b := newTab(t, s.URL())
	b.show("/")
	b.press("jx")
	if !eval[bool](b, `document.getElementById("bulk-compare").disabled`) {
		t.Error("one session is compared with nothing")
	}
	b.press("jx")
	b.click("#bulk-compare")
	b.waitShown("#compared")
	b.ready()
	b.has("#compared", "Tokens in", "28", "38", "Model", "gpt-5.2-mini", "claude-opus-4.7")
	b.has("#differing", "model_of_choice")
	b.has("#steps", "answer")
	first := eval[string](b, `document.querySelector("#sides a").href`)
	b.click("#swap")
	b.wait(`document.querySelector("#sides section:last-child a")?.href === ` + quote(first))
	b.ready()
	b.click(`#steps a[href^="/compare"]`)
	b.waitText("#sides", "model of parcel")
	b.ready()
	b.has("#diff-inputs", "1 line differs", "Ask back.")
	b.has("#diff-outputs", "since <b>Friday</b>")
	b.has("#differing", "temperature", "0.3", "0.7")

	b.show("/s/" + later + "?event=" + after)
	b.click("#compare-event")
	b.waitShown("#compare-with")
	b.ready()
	b.fill("#compare-with input[name=id]:not([type=hidden])", s.URL()+"/s/x?event="+before)
	b.click("#compare-with button")
	b.waitShown("#diff-inputs")
	b.ready()
	b.show("/s/" + later)
	b.click("#compare-session")
	b.waitShown("#others")
	b.ready()
	b.click("#others a.open")
	b.waitShown("#compared")
	b.ready()
}
