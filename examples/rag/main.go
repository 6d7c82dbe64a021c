// Command rag answers a question from documents and traces how: it retrieves with
// a full-text index, answers with a model or, where none is set up, with
// sentences from the documents, and delivers the session to wherever the
// environment says. Where it says nothing, the session goes to the local server
// that runs, or to one in this process, which then serves its page until Ctrl-C.
//
//	go run ./examples/rag
//	go run ./examples/rag -once
//	go run ./examples/rag -docs ~/notes "Who is on call in May?"
//	OPENAI_API_KEY=… HH_API_KEY=… go run ./examples/rag "How do I parse a URL?"
//	go run ./examples/rag -json | jq .inputs
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/examples/internal/rag"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rag:", err)
		os.Exit(1)
	}
}

const defaultQuestion = "What happens when a context is canceled?"

// options are the flags of the command.
type options struct {
	docs     string
	most     int
	json     bool
	user     string
	server   string
	once     bool
	question string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("rag", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: rag [flags] [question]\n\nThe default question is %q.\n\n", defaultQuestion)
		flags.PrintDefaults()
		fmt.Fprint(stderr, "\nOPENAI_API_KEY or OPENAI_BASE_URL: answer with a model (OPENAI_MODEL names it)\n"+
			"HH_API_KEY, HH_API_URL, OTEL_EXPORTER_OTLP_ENDPOINT: deliver the session there,\nrather than to the local server\n")
	}
	flags.StringVar(&o.docs, "docs", "", "`folder` of texts to search (default: the package documentation of Go)")
	flags.IntVar(&o.most, "k", 4, "`number` of documents to retrieve")
	flags.BoolVar(&o.json, "json", false, "print the payload of the session and nothing else")
	flags.StringVar(&o.user, "user", "", "`id` of the user, for user_properties")
	flags.StringVar(&o.server, "server", local.DefaultAddress, "`address` of the local server, which is started where none runs")
	flags.BoolVar(&o.once, "once", false, "end at once, without serving the page of the session")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.question = strings.TrimSpace(strings.Join(flags.Args(), " "))
	if o.question == "" {
		o.question = defaultQuestion
	}
	if o.most < 1 {
		return o, errors.New("-k must be at least 1")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	to, err := destination(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	var payloads bytes.Buffer // beside what the environment asks for
	tracer, err := sessionspan.New(append(to.options,
		sessionspan.WithProject(envOr("HH_PROJECT", "sessionspan examples")),
		sessionspan.WithSource(envOr("HH_SOURCE", "playground")),
		sessionspan.WithWriter(&payloads))...)
	if err != nil {
		return err
	}
	result, err := answerQuestion(sessionspan.ContextWithTracer(ctx, tracer), o)
	// The session is delivered also where the answer failed, and Ctrl-C does not
	// cut that short.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	undelivered := tracer.Shutdown(bounded)
	if err != nil {
		return errors.Join(err, undelivered)
	}
	session, err := payload(payloads.Bytes())
	if err != nil {
		return err
	}
	if o.json {
		return errors.Join(printJSON(stdout, session), undelivered)
	}
	if err := errors.Join(show(stdout, o, result, session, tracer), undelivered); err != nil {
		return err
	}
	return to.serve(ctx, stdout, session.SessionID.Or(""))
}

func envOr(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// answerQuestion is the pipeline: load, retrieve, select, answer. Each step is an
// event of one session.
func answerQuestion(ctx context.Context, o options) (rag.Answer, error) {
	ctx, session := sessionspan.StartSession(ctx, "answer a question",
		sessionspan.WithInputs(map[string]any{"question": o.question}),
		sessionspan.WithConfig(map[string]any{"documents": o.most, "index": "bleve, BM25"}))
	defer session.End()
	if o.user != "" {
		session.SetUserProperties(map[string]any{"user_id": o.user})
	}

	r, err := pipeline(ctx, o)
	if err != nil {
		session.RecordError(err)
		return r, err
	}
	session.SetReply(sessionspan.Message{Role: "assistant", Content: r.Text})
	return r, nil
}

func pipeline(ctx context.Context, o options) (r rag.Answer, err error) {
	_, load := sessionspan.StartEvent(ctx, sessionspan.Tool, "load documents", sessionspan.WithInputs(map[string]any{"folder": o.docs}))
	defer load.End() // a second End does nothing
	docs, err := rag.LoadDocuments(ctx, o.docs)
	if err != nil {
		load.RecordError(err)
		return r, err
	}
	x, err := rag.NewIndex(docs, rag.English)
	if err != nil {
		load.RecordError(err)
		return r, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	load.SetOutputs(map[string]any{"documents": len(docs)})
	load.End()
	return rag.Ask(ctx, x, o.question, o.most)
}

// payload returns the payload of the session among the lines.
func payload(lines []byte) (*honeyhive.SessionStartRequest, error) {
	for line := range bytes.Lines(lines) {
		var l struct {
			Session *honeyhive.SessionStartRequest `json:"session"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, fmt.Errorf("read the payload: %w", err)
		}
		if l.Session == nil {
			continue
		}
		if err := l.Session.Validate(); err != nil {
			return nil, fmt.Errorf("check the payload: %w", err)
		}
		return l.Session, nil
	}
	return nil, errors.New("the session is not sampled (see OTEL_TRACES_SAMPLER)")
}

// printJSON prints a payload, indented.
func printJSON(w io.Writer, session *honeyhive.SessionStartRequest) error {
	var out bytes.Buffer
	if err := json.Indent(&out, session.AppendJSON(nil), "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

func show(w io.Writer, o options, r rag.Answer, session *honeyhive.SessionStartRequest, tracer *sessionspan.Tracer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Question: %s\n\nAnswer (%s):\n\n%s\n\nDocuments, by score:\n\n", o.question, r.How, indent(r.Text))
	for i, d := range r.Documents {
		fmt.Fprintf(&b, "  %d. %6.3f  %s\n", i+1, d.Score, d.ID)
	}
	b.WriteString("\nPayload of the session:\n\n")
	if err := printJSON(&b, session); err != nil {
		return err
	}
	b.WriteByte('\n')
	for _, s := range tracer.Stats() {
		if s.Destination != "lines" {
			fmt.Fprintf(&b, "Delivered to %s: %d of %d records.\n", s.Destination, s.Delivered, s.Created)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}
