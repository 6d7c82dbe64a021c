package exporter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/await"
)

// faultyWriter fails until it is told not to.
type faultyWriter struct {
	buffer
	works atomic.Bool
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if !w.works.Load() {
		return 0, errors.New("away")
	}
	return w.buffer.Write(p)
}

// leftBy copies what a kill at this moment would leave of a spool: its files, and no
// locks.
func leftBy(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was just removed
			return nil
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.WriteFile(filepath.Join(to, rel), b, 0o600))
	})
}

// holds reports whether a file below a directory has a text.
func holds(dir, text string) (found bool) {
	_ = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, _ error) error {
		b, _ := os.ReadFile(name) // of what is no file, nothing
		found = found || strings.Contains(string(b), text)
		return nil
	})
	return found
}

// TestTurnsAfterAKill kills a program, as far as its spool goes, that has turns which
// ended, which run, and which were delivered before: the next one delivers the post and
// the event of each that was not, whole or incomplete, before what ran in it, and no put.
func TestTurnsAfterAKill(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir() // another one each time
		out := new(faultyWriter)
		begin := func(out *faultyWriter, dir string) (*exporter.Exporter, *sessionspan.Tracer) {
			e, err := exporter.NewLines(out, exporter.WithErrorHandler(nil), exporter.WithSpool(dir, exporter.SpoolMinFree(1)))
			if err != nil {
				rt.Fatal(err)
			}
			tracer, err := sessionspan.New(sessionspan.WithoutEnvironment(), sessionspan.WithProject("p"), sessionspan.WithErrorHandler(nil), sessionspan.WithDestination(e))
			if err != nil {
				rt.Fatal(err)
			}
			return e, tracer
		}
		_, tracer := begin(out, dir+"/a")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		type made struct {
			conversation string
			ended        bool
			steps        int
		}
		turns := make(map[string]made)
		var running []*sessionspan.Event
		for range rapid.IntRange(1, 6).Draw(rt, "turns") {
			m := made{conversation: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "conversation"), ended: rapid.Bool().Draw(rt, "ended"), steps: rapid.IntRange(0, 2).Draw(rt, "steps")}
			inside, turn := tracer.StartTurn(ctx, m.conversation, "turn", sessionspan.WithInputs(map[string]any{"question": len(turns)}))
			for range m.steps {
				_, step := sessionspan.StartEvent(inside, sessionspan.Tool, "step")
				step.End()
			}
			if m.ended {
				turn.SetOutputs(map[string]any{"answer": len(turns)})
				turn.End()
			} else {
				running = append(running, turn)
			}
			turns[turn.ID()] = m
		}
		// What has ended is in the spool, and what had begun before it.
		_, last := tracer.StartTurn(ctx, "last", "turn", sessionspan.WithInputs(map[string]any{"question": "last"}))
		last.SetOutputs(map[string]any{"answer": "the last"})
		last.End()
		turns[last.ID()] = made{conversation: "last", ended: true}
		_ = await.Until(t, func() bool { return holds(dir+"/a", `"answer":"the last"},"duration"`) }, func(ctx context.Context) error { <-ctx.Done(); return nil })
		if err := leftBy(dir+"/a", dir+"/b"); err != nil {
			rt.Fatal(err)
		}

		recovered := new(faultyWriter)
		recovered.works.Store(true)
		e2, next := begin(recovered, dir+"/b")
		if err := next.ForceFlush(context.Background()); err != nil {
			rt.Fatal(err)
		}
		_ = await.Until(t, func() bool { s := e2.Stats(); return s.Waiting+s.WaitingOnDisk == 0 }, func(ctx context.Context) error { <-ctx.Done(); return nil })
		if err := next.Shutdown(context.Background()); err != nil {
			rt.Fatal(err)
		}
		checkAccount(t, e2)
		seen, steps, posted := make(map[string]bool), make(map[string]int), make(map[string]int)
		for line := range strings.Lines(recovered.String()) {
			var l struct {
				Session *honeyhive.SessionStartRequest
				Event   *honeyhive.Event
				Update  *honeyhive.Update
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				rt.Fatal(err)
			}
			switch {
			case l.Update != nil:
				rt.Fatalf("an update was sent: %s", line)
			case l.Session != nil:
				posted[l.Session.SessionID.Or("")]++
			case posted[l.Event.SessionID.Or("")] == 0:
				rt.Fatalf("an event comes before its session: %s", line)
			case l.Event.EventName.Or("") == "step":
				steps[l.Event.ParentID.Or("")]++
			default:
				m, known := turns[l.Event.EventID.Or("")]
				incomplete, _ := l.Event.Metadata.Get(exporter.MetadataIncomplete)
				if !known || seen[l.Event.EventID.Or("")] || m.ended == (string(incomplete) == "true") || m.ended == l.Event.EndTime.IsZero() || l.Event.Inputs.IsEmpty() ||
					l.Event.SessionID.Or("") != honeyhive.SessionID("p", m.conversation).String() {
					rt.Fatalf("the turn is %s of %+v", line, m)
				}
				seen[l.Event.EventID.Or("")] = true
			}
		}
		of := make(map[string]int)
		for id, m := range turns {
			of[honeyhive.SessionID("p", m.conversation).String()]++
			if !seen[id] || steps[id] != m.steps {
				rt.Fatalf("turn %s of %+v: seen %t, %d steps of it in %s", id, m, seen[id], steps[id], recovered.String())
			}
		}
		if fmt.Sprint(of) != fmt.Sprint(posted) {
			rt.Fatalf("posts %v, want %v", posted, of)
		}

		out.works.Store(true)
		for _, turn := range running {
			turn.End()
		}
		ending, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := tracer.Shutdown(ending); err != nil {
			rt.Fatal(err)
		}
	})
}
