package clienttest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	goopenai "github.com/sashabaranov/go-openai"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestIncludeUsage streams with clients that do not ask for the usage, and checks
// that they bear what WithIncludeUsage brings them, also where they try again.
func TestIncludeUsage(t *testing.T) {
	chat := func(ctx context.Context, c openai.Client) (text string, err error) {
		stream := c.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(user)}})
		defer func() { _ = stream.Close() }()
		var sum openai.ChatCompletionAccumulator
		for stream.Next() {
			sum.AddChunk(stream.Current())
		}
		if stream.Err() != nil {
			return "", stream.Err()
		}
		return sum.Choices[0].Message.Content, nil
	}
	for name, tc := range map[string]struct {
		replies []reply
		ask     func(l *lab) (string, error)
	}{
		"openai-go, transport": {[]reply{slow, {answer: warm}}, func(l *lab) (string, error) { return chat(l.ctx, newOpenAI(l, l.traced)) }},
		"openai-go, middleware": {[]reply{slow, {answer: warm}}, func(l *lab) (string, error) {
			return chat(l.ctx, newOpenAI(l, l.plain, option.WithMiddleware(llmhttp.Middleware(l.options...))))
		}},
		"go-openai": {[]reply{{answer: warm}}, func(l *lab) (text string, err error) {
			stream, err := newGoOpenAI(l).CreateChatCompletionStream(l.ctx, goopenai.ChatCompletionRequest{Model: model, Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: user}}})
			if err != nil {
				return "", err
			}
			defer func() { _ = stream.Close() }()
			for {
				chunk, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return text, nil
				}
				if err != nil {
					return "", err
				}
				if len(chunk.Choices) > 0 {
					text += chunk.Choices[0].Delta.Content
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, openAIWire, tc.replies...)
			l.trace(llmhttp.WithIncludeUsage())
			if got, err := tc.ask(l); err != nil || got != warm.text() {
				t.Errorf("the client read %q, %v", got, err)
			}
			events := l.events(len(tc.replies))
			if tokens, _ := events[len(events)-1].Metadata.Get("prompt_tokens"); string(tokens) != "20" {
				t.Errorf("%s tokens", tokens)
			}
			for _, body := range l.texts {
				if !strings.Contains(body, `"include_usage":true`) {
					t.Errorf("the server got %s", body)
				}
			}
		})
	}
}
