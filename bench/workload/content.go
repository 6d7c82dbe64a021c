package workload

import (
	"encoding/json"
	"fmt"
)

// Tokens are counted for each call, the same for all.
const (
	InputTokens  = 512
	OutputTokens = 480
)

// The six scalars of a call.
const (
	Provider    = "openai"
	Model       = "gpt-4o-2024-08-06"
	Temperature = 0.7
	TopP        = 0.95
	MaxTokens   = 1024
	Stream      = true
)

// Content is what one call of a model is given and answers, in the forms in which
// programs have it.
type Content struct {
	System, Question, Answer string

	Inputs     map[string]any // {"chat_history": [two messages]}
	Outputs    map[string]any // {"role": …, "content": …}
	Parameters map[string]any // the scalars but for provider and model

	RawInputs, RawOutputs, RawParameters json.RawMessage // the same, encoded
}

// Contents returns n contents of size bytes of text in and out.
func Contents(n, size int) ([]*Content, error) {
	prose, err := Prose()
	if err != nil {
		return nil, err
	}
	for len(prose) < 2*size {
		prose += prose
	}
	list := make([]*Content, n)
	at := 0
	take := func(n int) string {
		if at+n > len(prose) {
			at = (at*7 + 13) % 4096 // not where the last pass began
		}
		text := prose[at : at+n]
		at += n
		return text
	}
	for i := range list {
		if list[i], err = newContent(take(size/4), take(size-size/4), take(size)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func newContent(system, question, answer string) (*Content, error) {
	c := &Content{
		System: system, Question: question, Answer: answer,
		Inputs: map[string]any{"chat_history": []any{
			map[string]any{"role": "system", "content": system},
			map[string]any{"role": "user", "content": question},
		}},
		Outputs:    map[string]any{"role": "assistant", "content": answer},
		Parameters: map[string]any{"temperature": Temperature, "top_p": TopP, "max_tokens": MaxTokens, "stream": Stream},
	}
	for _, f := range []struct {
		raw   *json.RawMessage
		value any
	}{{&c.RawInputs, c.Inputs}, {&c.RawOutputs, c.Outputs}, {&c.RawParameters, c.Parameters}} {
		var err error
		if *f.raw, err = json.Marshal(f.value); err != nil {
			return nil, fmt.Errorf("make content: %w", err)
		}
	}
	return c, nil
}
