package rag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// An Answerer answers a question from documents.
type Answerer interface {
	Answer(ctx context.Context, question string, docs []sessionspan.Document) (string, error)
	String() string // how it does so
}

// NewAnswerer returns the model that the environment names, or otherwise an
// answerer that needs none.
func NewAnswerer() Answerer {
	key, url := os.Getenv("OPENAI_API_KEY"), os.Getenv("OPENAI_BASE_URL")
	if key == "" && url == "" {
		return Extractive{}
	}
	// Each attempt of the client becomes an event, without a word more below.
	traced := llmhttp.Middleware(llmhttp.WithName(func(llmhttp.Call) string { return "answer" }))
	return &model{client: openai.NewClient(option.WithMaxRetries(2), option.WithMiddleware(traced)), name: cmp.Or(os.Getenv("OPENAI_MODEL"), "gpt-4.1-mini")}
}

// model answers with a chat model behind OpenAI's API, or one like it.
type model struct {
	client openai.Client
	name   string
}

func (m *model) String() string { return "by the model " + m.name }

const instructions = "Answer the question from the documents alone, in a few sentences, and name the documents that you used. " +
	"Say so if they do not hold the answer."

func (m *model) Answer(ctx context.Context, question string, docs []sessionspan.Document) (string, error) {
	var sources strings.Builder
	for _, d := range docs {
		fmt.Fprintf(&sources, "[%s]\n%s\n\n", d.ID, d.Content)
	}
	completion, err := m.client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:    m.name,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(instructions), openai.UserMessage(sources.String() + "Question: " + question)},
	})
	if err == nil && len(completion.Choices) == 0 {
		err = errors.New("the model gave no answer")
	}
	if err != nil {
		return "", err
	}
	return completion.Choices[0].Message.Content, nil
}

// Extractive answers with the sentences of the documents that have the most in
// common with the question. It understands nothing.
type Extractive struct{}

// String implements [Answerer].
func (Extractive) String() string {
	return "extractive: sentences of the documents, chosen by their words; set OPENAI_API_KEY for a model"
}

// sentence is one that may be part of the answer.
type sentence struct {
	text  string
	score float64
	place int
}

// Answer implements [Answerer].
func (Extractive) Answer(ctx context.Context, question string, docs []sessionspan.Document) (string, error) {
	return sessionspan.Do(ctx, sessionspan.Chain, "answer", map[string]any{"question": question, "documents": len(docs)},
		func(context.Context, map[string]any) (string, error) {
			const most = 3
			wanted := stems(question)
			var list []sentence
			for _, d := range docs {
				for _, text := range sentences(d.Content) {
					if score := overlap(wanted, stems(text)) * d.Score; score > 0 {
						list = append(list, sentence{text, score, len(list)})
					}
				}
			}
			if len(list) == 0 {
				return "The documents do not hold an answer.", nil
			}
			slices.SortStableFunc(list, func(a, b sentence) int { return cmp.Compare(b.score, a.score) })
			list = list[:min(most, len(list))]
			slices.SortFunc(list, func(a, b sentence) int { return cmp.Compare(a.place, b.place) })
			var texts []string
			for _, s := range list {
				texts = append(texts, s.text)
			}
			return strings.Join(texts, "\n"), nil
		}, sessionspan.WithConfig(map[string]any{"answerer": "extractive"}))
}

// sentences splits a text at full stops and empty lines.
func sentences(text string) []string {
	var list []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(paragraph, "\t") || strings.HasPrefix(paragraph, "    ") {
			continue // code
		}
		flat := strings.Join(strings.Fields(paragraph), " ")
		for len(flat) > 0 {
			end := len(flat)
			for i := 0; i+1 < len(flat); i++ {
				if strings.IndexByte(".!?", flat[i]) >= 0 && flat[i+1] == ' ' {
					end = i + 1
					break
				}
			}
			list = append(list, strings.TrimSpace(flat[:end]))
			flat = strings.TrimSpace(flat[end:])
		}
	}
	return list
}

// stems returns the words of a text that say something, shortened to their
// beginning.
func stems(text string) map[string]bool {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	set := make(map[string]bool)
	for _, w := range words {
		if r := []rune(w); len(r) > 3 {
			set[string(r[:min(6, len(r))])] = true
		}
	}
	return set
}

// overlap returns how much of what is wanted a sentence has, less for a long one.
func overlap(wanted, have map[string]bool) float64 {
	n := 0
	for w := range have {
		if wanted[w] {
			n++
		}
	}
	return float64(n) / (1 + float64(len(have))/20)
}
