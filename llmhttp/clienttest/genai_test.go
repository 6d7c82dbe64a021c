package clienttest

import (
	"context"
	"testing"

	"google.golang.org/genai"
)

var genAI = &client{
	name: "genai", module: "google.golang.org/genai", wire: geminiWire, again: true,
	open: func(t testing.TB, l *lab) ask { return genAIAsk(newGenAI(t, l)) },
}

func newGenAI(t testing.TB, l *lab) *genai.Client {
	once, none := int32(2), 0.0
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPClient: l.traced,
		HTTPOptions: genai.HTTPOptions{BaseURL: l.server.URL, RetryOptions: &genai.HTTPRetryOptions{Attempts: &once, InitialDelay: &none, Jitter: &none}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func genAIAsk(c *genai.Client) ask {
	return func(ctx context.Context, q question, each func(string) bool) (a answer, err error) {
		config := &genai.GenerateContentConfig{
			SystemInstruction: genai.NewContentFromText(system, genai.RoleUser),
			Temperature:       genai.Ptr[float32](temperature), MaxOutputTokens: maxTokens,
		}
		contents := []*genai.Content{genai.NewContentFromText(user, genai.RoleUser)}
		if q.results {
			args, _ := decode(bern.Arguments).(object)
			contents = append(contents,
				genai.NewContentFromParts([]*genai.Part{{FunctionCall: &genai.FunctionCall{ID: bern.ID, Name: bern.Name, Args: args}}}, genai.RoleModel),
				genai.NewContentFromParts([]*genai.Part{{FunctionResponse: &genai.FunctionResponse{ID: bern.ID, Name: bern.Name, Response: object{"output": toolResult}}}}, genai.RoleUser))
		}
		if q.tools {
			config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: toolName, Description: toolText, ParametersJsonSchema: decode(toolSchema)}}}}
		}
		add := func(r *genai.GenerateContentResponse) string {
			for _, c := range r.FunctionCalls() {
				a.Calls = append(a.Calls, call{c.ID, c.Name, encode(c.Args)})
			}
			if r.Candidates == nil || len(r.Candidates[0].Content.Parts) == 0 {
				return ""
			}
			text := r.Candidates[0].Content.Parts[0].Text
			a.Pieces = append(a.Pieces, text)
			return text
		}
		if each == nil {
			r, err := c.Models.GenerateContent(ctx, model, contents, config)
			if err == nil {
				add(r)
			}
			return a, err
		}
		for r, err := range c.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return a, err
			}
			if !each(add(r)) {
				break
			}
		}
		return a, nil
	}
}
