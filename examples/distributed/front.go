package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/sessionspan/sessionspan"
)

// front is the process that holds the session.
func front(ctx context.Context, stdout, stderr io.Writer) (err error) {
	var received *receiver
	if os.Getenv("HH_INGESTION_API_KEY")+os.Getenv("HH_API_KEY")+os.Getenv("HH_API_URL")+os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		if received, err = startReceiver(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, received.close()) }()
		if err := os.Setenv("HH_API_URL", received.url); err != nil {
			return err
		}
	}
	search, err := startService(ctx, stderr)
	if err != nil {
		return err
	}
	tracer, err := newTracer()
	if err != nil {
		return errors.Join(err, search.stop())
	}
	id, err := ask(sessionspan.ContextWithTracer(ctx, tracer), search.url, "how does a session travel?")
	// First both processes deliver, then what arrived is looked at.
	err = errors.Join(err, search.stop(), shutdown(ctx, tracer))
	if err != nil {
		return err
	}
	if received == nil {
		_, err = fmt.Fprintf(stdout, "Session %s was delivered by two processes.\n", id)
		return err
	}
	return received.print(stdout)
}

// ask is the front's part of the pipeline.
func ask(ctx context.Context, service, question string) (id string, err error) {
	ctx, session := sessionspan.StartSession(ctx, "ask across processes", sessionspan.WithInputs(map[string]any{"question": question}),
		sessionspan.WithMetadata(map[string]any{"process": os.Getpid()}))
	defer session.End()
	ctx, call := sessionspan.StartEvent(ctx, sessionspan.Chain, "call the search service")
	defer call.End()
	found, err := find(ctx, service, question)
	if err != nil {
		call.RecordError(err)
		session.RecordError(err)
		return session.ID(), err
	}
	session.SetOutputs(map[string]any{"answer": found[0].Content})
	return session.ID(), nil
}

// find asks the search service. The transport sends the identity of the session
// to that host and to no other.
func find(ctx context.Context, service, question string) ([]sessionspan.Document, error) {
	u, err := url.Parse(service)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: sessionspan.Transport(nil, u.Host)}
	u.Path, u.RawQuery = "/search", url.Values{"q": {question}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the search service answered %s", resp.Status)
	}
	var found []sessionspan.Document
	if err := json.NewDecoder(resp.Body).Decode(&found); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("nothing was found")
	}
	return found, nil
}

// searchProcess is the search service as the front sees it.
type searchProcess struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startService starts this program once more, as the search service, and reads
// its address.
func startService(ctx context.Context, stderr io.Writer) (*searchProcess, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-search-service") //nolint:gosec // this very program
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &searchProcess{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(errors.New("the search service did not start"), err, p.stop())
	}
	p.url = strings.TrimSpace(line)
	return p, nil
}

// stop tells the service to deliver what it has and end, and waits for it.
func (p *searchProcess) stop() error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
