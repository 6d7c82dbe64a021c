package practice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/sessionspan/sessionspan/bench/workload"
)

// A chat by OpenAI's API, as far as a program reads it.
type (
	chatMessage struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	chatRequest struct {
		Model       string        `json:"model"`
		Temperature float64       `json:"temperature"`
		MaxTokens   int           `json:"max_tokens"`
		Messages    []chatMessage `json:"messages"`
	}
	chatAnswer struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Model   string `json:"model"`
		Choices []struct {
			Index        int         `json:"index"`
			Message      chatMessage `json:"message"`
			FinishReason string      `json:"finish_reason"`
		} `json:"choices"`
		Usage struct {
			PromptTokens     int `json:"prompt_tokens"`
			CompletionTokens int `json:"completion_tokens"`
			TotalTokens      int `json:"total_tokens"`
		} `json:"usage"`
	}
)

// ask calls a model: it writes a request, sends it by a transport, which ends at a
// model that answers without a network, and reads the answer.
func ask(ctx context.Context, transport http.RoundTripper, c *workload.Content) (*chatAnswer, error) {
	body, err := json.Marshal(requestOf(c))
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, contentKey{}, c), http.MethodPost, "https://api.openai.com/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer := new(chatAnswer)
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return answer, err
}

func requestOf(c *workload.Content) chatRequest {
	return chatRequest{workload.Model, workload.Temperature, workload.MaxTokens, []chatMessage{{"system", c.System}, {"user", c.Question}}}
}

type contentKey struct{}

// model answers what the content of the context says.
type model struct{}

func (model) RoundTrip(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	c, _ := r.Context().Value(contentKey{}).(*workload.Content)
	var a chatAnswer
	a.ID, a.Object, a.Model = "chatcmpl-1", "chat.completion", workload.Model
	a.Choices = append(a.Choices, struct {
		Index        int         `json:"index"`
		Message      chatMessage `json:"message"`
		FinishReason string      `json:"finish_reason"`
	}{0, chatMessage{"assistant", c.Answer}, "stop"})
	a.Usage.PromptTokens, a.Usage.CompletionTokens, a.Usage.TotalTokens = workload.InputTokens, workload.OutputTokens, workload.InputTokens+workload.OutputTokens
	data, err := json.Marshal(a)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, ContentLength: int64(len(data)), Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data)),
	}, err
}
