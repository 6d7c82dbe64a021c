package evals

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/evals"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/server/local"
)

// TestCasesFromSessions takes a session that a server keeps as a case, and evaluates
// it: what was given comes out again.
func TestCasesFromSessions(t *testing.T) {
	server, err := local.Start(t.Context(), local.WithAddress("127.0.0.1:0"), local.WithFile(filepath.Join(t.TempDir(), "s.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	defer http.DefaultClient.CloseIdleConnections()
	to := sessionspan.WithHTTP(exporter.HTTPConfig{URL: server.URL()})
	tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), to)
	if err != nil {
		t.Fatal(err)
	}
	type question struct {
		Question string `json:"question"`
	}
	_, session := tracer.StartSession(t.Context(), "ask", sessionspan.WithInputs(question{"What is an otter?"}), sessionspan.WithOutputs(answer{Text: "A mammal."}))
	session.End()
	if err := tracer.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(server.URL() + "/s/" + session.ID() + "/case.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	line, err := io.ReadAll(resp.Body)
	if closing := resp.Body.Close(); err != nil || closing != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err, closing)
	}
	file := filepath.Join(t.TempDir(), "cases.jsonl")
	if err := os.WriteFile(file, line, 0o600); err != nil {
		t.Fatal(err)
	}
	ran, run := false, ""
	evals.Run(t, evals.Suite[question, answer]{
		Cases: evals.Load[question, answer](file), Short: true,
		Task: func(_ context.Context, q question) (answer, error) {
			ran = q.Question == "What is an otter?"
			return answer{Text: "A mammal."}, nil
		},
		Score: []evals.Scorer[question, answer]{evals.Exact[question](func(a answer) string { return a.Text }).Must(1), evals.Bool("has a run", func(r *evals.Result[question, answer]) bool {
			raw, ok := r.Session.Metadata.Get("run_id")
			run = strings.Trim(string(raw), `"`)
			return ok
		}).Must(1)},
		Tracing: []sessionspan.Option{sessionspan.WithoutEnvironment(), to},
	})
	if !ran {
		t.Errorf("the case is %s", line)
	}
	findRun(t, server.URL(), run)
}

// findRun waits until the server has the session of a run on the page that a suite links
// to.
func findRun(t *testing.T, server, run string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(server + "/run?id=" + run)
		if err != nil {
			t.Fatal(err)
		}
		list, err := io.ReadAll(resp.Body)
		if closing := resp.Body.Close(); err != nil || closing != nil {
			t.Fatal(err, closing)
		}
		if strings.Contains(string(list), "TestCasesFromSessions") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session of the run %s is not found", run)
		}
	}
}
