package clienttest

import (
	"context"
	"testing"

	cohere "github.com/cohere-ai/cohere-go/v2"
	"github.com/google/go-cmp/cmp"
	ollamaapi "github.com/ollama/ollama/api"
	"github.com/openai/openai-go/v3"
	goopenai "github.com/sashabaranov/go-openai"
	"google.golang.org/genai"
)

var texts = []string{"a", "b"}

// embeddings is a call that embeds the texts, by each client that can.
var embeddings = []struct {
	client *client
	answer string
	tokens bool // the API tells them
	embed  func(ctx context.Context, t testing.TB, l *lab) (vectors int, err error)
}{
	{openAITransport, openAIVectors, true, func(ctx context.Context, _ testing.TB, l *lab) (int, error) {
		c := newOpenAI(l, l.traced)
		r, err := c.Embeddings.New(ctx, openai.EmbeddingNewParams{Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts}})
		if err != nil {
			return 0, err
		}
		return len(r.Data), nil
	}},
	{goOpenAI, openAIVectors, true, func(ctx context.Context, _ testing.TB, l *lab) (int, error) {
		r, err := newGoOpenAI(l).CreateEmbeddings(ctx, goopenai.EmbeddingRequestStrings{Model: model, Input: texts})
		return len(r.Data), err
	}},
	{langchain, openAIVectors, true, func(ctx context.Context, t testing.TB, l *lab) (int, error) {
		vectors, err := newLangchain(t, l).CreateEmbedding(ctx, texts)
		return len(vectors), err
	}},
	{genAI, encode(object{"embeddings": list{object{"values": list{0.1, 0.2, 0.3}}, object{"values": list{1, 2, 3}}}}), false, func(ctx context.Context, t testing.TB, l *lab) (int, error) {
		r, err := newGenAI(t, l).Models.EmbedContent(ctx, model, append(genai.Text(texts[0]), genai.Text(texts[1])...), nil)
		if err != nil {
			return 0, err
		}
		return len(r.Embeddings), nil
	}},
	{ollama, encode(object{"model": answeredModel, "embeddings": list{list{0.1, 0.2, 0.3}, list{1, 2, 3}}, "prompt_eval_count": inputTokens}), true, func(ctx context.Context, t testing.TB, l *lab) (int, error) {
		r, err := newOllama(t, l).Embed(ctx, &ollamaapi.EmbedRequest{Model: model, Input: texts})
		if err != nil {
			return 0, err
		}
		return len(r.Embeddings), nil
	}},
	{cohereGo, encode(object{"id": answerID, "embeddings": object{"float": list{list{0.1, 0.2, 0.3}, list{1, 2, 3}}}, "meta": object{"billed_units": object{"input_tokens": inputTokens}}}), true, func(ctx context.Context, _ testing.TB, l *lab) (int, error) {
		r, err := newCohere(l).V2.Embed(ctx, &cohere.V2EmbedRequest{Model: model, Texts: texts, InputType: cohere.EmbedInputTypeSearchQuery, EmbeddingTypes: []cohere.EmbeddingType{cohere.EmbeddingTypeFloat}})
		if err != nil {
			return 0, err
		}
		return len(r.Embeddings.Float), nil
	}},
}

var openAIVectors = encode(object{
	"object": "list", "model": answeredModel, "usage": object{"prompt_tokens": inputTokens, "total_tokens": inputTokens},
	"data": list{object{"object": "embedding", "index": 0, "embedding": list{0.1, 0.2, 0.3}}, object{"object": "embedding", "index": 1, "embedding": list{1, 2, 3}}},
})

// testEmbeddings embeds with every client that can.
func testEmbeddings(t *testing.T, results *table) {
	for _, e := range embeddings {
		t.Run(e.client.name, func(t *testing.T) {
			l := newLab(t, e.client.wire, reply{body: e.answer})
			if n, err := e.embed(l.ctx, t, l); n != len(texts) || err != nil {
				t.Fatalf("%d vectors, %v", n, err)
			}
			got := recordOf(l.events(1)[0], l.attributes()[0])
			results.add(e.client, "embeddings", got)
			if got.Name != "embeddings "+model || got.Type != "tool" || got.Error != "" {
				t.Errorf("%s %s %s", got.Type, got.Name, got.Error)
			}
			if diff := cmp.Diff(any(object{"texts": list{"a", "b"}}), got.Inputs); diff != "" {
				t.Errorf("inputs (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(decode(`{"embeddings":{"count":2,"dimensions":3}}`), got.Outputs); diff != "" {
				t.Errorf("outputs (-want +got)\n%s", diff)
			}
			if tokens := got.Metadata["prompt_tokens"]; e.tokens != (tokens == float64(inputTokens)) {
				t.Errorf("%v tokens", tokens)
			}
		})
	}
}
