package sessionspan_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/internal/await"
)

// TestSpoolOfBefore delivers what earlier versions left on disk: a session with an
// event and an update, a turn, and a session that its process did not live to end, for
// the HTTP API and for OTLP. The folders were written by the versions in their names
// and are kept for as long as two versions later; -update writes that of this one, when
// the format changes.
func TestSpoolOfBefore(t *testing.T) {
	const newest = "testdata/spool1.tar.gz"
	if *update {
		leaveSpool(t, newest)
	}
	kept, err := filepath.Glob("testdata/spool*.tar.gz")
	if err != nil || len(kept) == 0 {
		t.Fatalf("%q, %v", kept, err)
	}
	for _, name := range kept {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".tar.gz"), func(t *testing.T) {
			dir := unpackSpool(t, name)
			api, otlp := newAPI(t), newAPI(t)
			tracer := newTracer(t, spoolOptions(dir, api.URL, otlp.URL)...)
			if err := tracer.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			for _, s := range tracer.Stats() {
				if s.Adopted == 0 || len(s.Dropped) != 0 || s.Spooled != 0 {
					t.Errorf("%+v", s)
				}
			}
			got := strings.Join(append(delivered(t, api.seen()), spans(t, otlp.seen())...), "\n") + "\n"
			golden := strings.TrimSuffix(name, ".tar.gz") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// spoolOptions name destinations whose folders do not depend on where the servers are.
func spoolOptions(dir, api, otlp string) []sessionspan.Option {
	return []sessionspan.Option{
		sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil), sessionspan.WithSpool(dir),
		sessionspan.WithHTTP(exporter.HTTPConfig{URL: "http://localhost:1", Transport: redirected(api)}),
		sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://localhost:2", Transport: redirected(otlp)}),
	}
}

// leaveSpool writes the folder of a process that was killed while nothing could be
// delivered.
func leaveSpool(t *testing.T, archive string) {
	t.Helper()
	down := newAPI(t)
	down.Close()
	dir := t.TempDir()
	tracer, err := sessionspan.New(spoolOptions(dir, down.URL, down.URL)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, s := tracer.StartSession(t.Context(), "ended", sessionspan.WithInputs("a question"))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "search")
	e.SetOutputs(map[string]any{"found": []int{1, 2}})
	e.SetError("too slow")
	e.End()
	s.SetOutputs("an answer: ünïcode")
	s.End()
	if err := tracer.Update(t.Context(), s.ID(), sessionspan.WithFeedback(map[string]any{"rating": 1})); err != nil {
		t.Fatal(err)
	}
	_, turn := tracer.StartTurn(t.Context(), "conversation 7", "ask")
	turn.SetOutputs("told")
	turn.End()
	_, open := tracer.StartSession(t.Context(), "never ended")
	_ = await.Until(t, func() bool {
		stats := tracer.Stats()
		// The open session is no record yet, but its beginning is written with the others.
		return stats[0].Spooled >= 4 && stats[1].Spooled >= 3
	}, tracer.ForceFlush)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return errors.Join(w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Mode: 0o600, Size: int64(len(text))}), func() error { _, err := w.Write(text); return err }())
	})
	if err := errors.Join(err, w.Close(), z.Close(), os.WriteFile(archive, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	open.End()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_ = tracer.Shutdown(gone)
}

func unpackSpool(t *testing.T, archive string) string {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(files)
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// delivered lists what an API was sent: the events one by one, since how many come in
// one request is nobody's business.
func delivered(t *testing.T, requests []request) (lines []string) {
	t.Helper()
	for _, r := range requests {
		var body map[string]any
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatal(err)
		}
		parts := []any{body}
		if events, ok := body["events"].([]any); ok {
			parts = events
		}
		for _, p := range parts {
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, r.method+" "+r.path+" "+string(text))
		}
	}
	slices.Sort(lines)
	return lines
}

// spans lists the spans that came by OTLP.
func spans(t *testing.T, requests []request) (lines []string) {
	t.Helper()
	for _, r := range requests {
		var traces collector.ExportTraceServiceRequest
		if err := proto.Unmarshal([]byte(r.body), &traces); err != nil {
			t.Fatal(err)
		}
		for _, resource := range traces.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					var keys []string
					for _, a := range s.GetAttributes() {
						keys = append(keys, a.GetKey())
					}
					lines = append(lines, fmt.Sprintf("span %x %s %d-%d %s", s.GetSpanId(), s.GetName(), s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano(), strings.Join(keys, " ")))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}
