// Command agent answers a question with a model that calls tools, and prints the
// session as a tree. The calls of the model are traced by llmhttp, on the client
// of OpenAI as it is.
//
//	go run ./examples/agent           # a script in place of the model: no network, no key
//	OPENAI_API_KEY=… go run ./examples/agent "Is it warmer in Cairo than in Oslo?"
//	OPENAI_BASE_URL=http://localhost:11434/v1/ OPENAI_MODEL=qwen3 go run ./examples/agent
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

const defaultQuestion = "How much warmer is it in Lisbon than in Bern?"

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: agent [question]\n\nThe default question is %q.\n\n"+
			"OPENAI_API_KEY or OPENAI_BASE_URL: ask a model (OPENAI_MODEL names it)\n"+
			"HH_API_KEY, HH_API_URL, OTEL_EXPORTER_OTLP_ENDPOINT: deliver the session there\n", defaultQuestion)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	question := strings.TrimSpace(strings.Join(flags.Args(), " "))

	a := &agent{out: stdout, model: envOr("OPENAI_MODEL", "gpt-4.1-mini")}
	options := []option.RequestOption{option.WithMiddleware(llmhttp.Middleware())} //nolint:bodyclose // there is no body yet
	if os.Getenv("OPENAI_API_KEY") == "" && os.Getenv("OPENAI_BASE_URL") == "" {
		if question != "" {
			return errors.New("a question of your own needs a model: set OPENAI_API_KEY or OPENAI_BASE_URL")
		}
		server, err := startScript()
		if err != nil {
			return err
		}
		defer server.stop()
		a.model = scripted
		options = append(options, option.WithBaseURL(server.url), option.WithAPIKey("none"))
	}
	a.client = openai.NewClient(options...)
	if question == "" {
		question = defaultQuestion
	}

	var lines bytes.Buffer // beside what the environment asks for
	tracer, err := sessionspan.New(
		sessionspan.WithProject(envOr("HH_PROJECT", "sessionspan examples")),
		sessionspan.WithSource(envOr("HH_SOURCE", "playground")),
		sessionspan.WithWriter(&lines))
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Question: %s\n\n", question)
	err = answer(sessionspan.ContextWithTracer(ctx, tracer), a, question)
	// The session is delivered also where the answer failed, and Ctrl-C does not
	// cut that short.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	undelivered := tracer.Shutdown(bounded)
	return errors.Join(err, show(stdout, lines.Bytes()), undelivered)
}

// answer is one session.
func answer(ctx context.Context, a *agent, question string) error {
	ctx, session := sessionspan.StartSession(ctx, "ask an agent",
		sessionspan.WithInputs(map[string]any{"question": question}),
		sessionspan.WithConfig(map[string]any{"model": a.model}))
	defer session.End()
	text, err := a.answer(ctx, question)
	if err != nil {
		session.RecordError(err)
		return err
	}
	session.SetReply(sessionspan.Message{Role: "assistant", Content: text})
	return nil
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
