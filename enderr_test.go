package sessionspan_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// ender is what a session and an event have in common.
type ender interface {
	End(options ...sessionspan.FieldOption)
	EndErr(err *error, options ...sessionspan.FieldOption)
	RecordError(err error)
}

// TestEndErr leaves a function in every way, from a session and from an event.
func TestEndErr(t *testing.T) {
	failed := errors.New("failed")
	for name, tc := range map[string]struct {
		leave func(h ender) (err error)
		want  string // of the error
	}{
		"no error":       {func(h ender) (err error) { defer h.EndErr(&err); return nil }, ""},
		"error":          {func(h ender) (err error) { defer h.EndErr(&err); return failed }, "failed"},
		"named result":   {func(h ender) (err error) { defer h.EndErr(&err); err = failed; return }, "failed"},
		"set by a defer": {func(h ender) (err error) { defer h.EndErr(&err); defer func() { err = failed }(); return nil }, "failed"},
		"taken back":     {func(h ender) (err error) { defer h.EndErr(&err); defer func() { err = nil }(); return failed }, ""},
		"nil pointer":    {func(h ender) error { defer h.EndErr(nil); return failed }, ""},
		"not deferred":   {func(h ender) error { err := failed; h.EndErr(&err); return err }, "failed"},
		"panic":          {func(h ender) (err error) { defer h.EndErr(&err); panic("boom") }, "panic: boom"},
		"panic and error": {func(h ender) (err error) {
			defer h.EndErr(&err)
			err = failed
			panic("boom")
		}, "panic: boom"},
		"panic of the error": {func(h ender) (err error) { defer h.EndErr(&err); return panicError{} }, "!PANIC: sessionspan_test.panicError"},
		"Goexit":             {func(h ender) (err error) { defer h.EndErr(&err); runtime.Goexit(); return nil }, ""},
		"Goexit with an error": {func(h ender) (err error) {
			defer h.EndErr(&err)
			err = failed
			runtime.Goexit()
			return nil
		}, "failed"},
		"recorded before": {func(h ender) (err error) { defer h.EndErr(&err); h.RecordError(io.EOF); return failed }, "failed"},
		"recorded alone":  {func(h ender) (err error) { defer h.EndErr(&err); h.RecordError(io.EOF); return nil }, "EOF"},
		"with an option":  {func(h ender) (err error) { defer h.EndErr(&err, sessionspan.WithError("said")); return failed }, "said"},
		"ended before":    {func(h ender) (err error) { defer h.EndErr(&err); h.End(); return failed }, ""},
		"twice":           {func(h ender) (err error) { defer h.EndErr(&err); defer h.EndErr(&err); return failed }, "failed"},
		"End afterwards":  {func(h ender) (err error) { defer h.End(); defer h.EndErr(&err); return failed }, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			leave := func(h ender) (passed any) {
				done := make(chan any, 1)
				go func() {
					defer func() { done <- recover() }()
					_ = tc.leave(h)
				}()
				return <-done
			}
			ctx, s := p.Tracer.StartSession(t.Context(), "s")
			_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
			for _, passed := range []any{leave(e), leave(s)} {
				if passed != nil != strings.HasPrefix(tc.want, "panic") {
					t.Errorf("passed %v", passed)
				}
			}
			got := p.Session("s")
			for what, text := range map[string]string{"session": got.Error.Or(""), "event": got.Event("e").Error.Or("")} {
				if text != tc.want {
					t.Errorf("%s: error %q, want %q", what, text, tc.want)
				}
			}
			if got.EndTime.IsZero() || got.Event("e").EndTime.IsZero() {
				t.Error("not ended")
			}
			if got.Metadata.Has("error") || got.Event("e").Metadata.Has("error") {
				t.Errorf("an update was sent after the end: %v, %v", got.Metadata, got.Event("e").Metadata)
			}
		})
	}
	// Nil handles do nothing, and let a panic pass.
	for _, h := range []ender{(*sessionspan.Session)(nil), (*sessionspan.Event)(nil)} {
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v", r)
				}
			}()
			err := failed
			defer h.EndErr(&err)
			panic("boom")
		}()
	}
}

// TestEndErrOfAContinuedSession records what fails here on a session that another
// process holds, and on one that this process holds and does not end.
func TestEndErrOfAContinuedSession(t *testing.T) {
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"))
	err := errors.New("failed")
	_, s := tracer.ContinueSession(t.Context(), seedSession)
	s.EndErr(&err)
	flush(t, tracer)
	if puts := server.bodies("PUT", "/events"); len(puts) != 1 || !strings.Contains(puts[0], `"metadata":{"error":"failed"}`) {
		t.Errorf("updates %q", puts)
	}

	p := sessiontest.New(t)
	_, held := p.Tracer.StartSession(t.Context(), "held")
	_, again := p.Tracer.ContinueSession(t.Context(), held.ID())
	again.EndErr(&err)
	held.SetMetadata(map[string]any{"still": "running"})
	held.End()
	got := p.Session("held")
	if v, _ := got.Metadata.Get("still"); got.Error.Or("") != "failed" || string(v) != `"running"` {
		t.Errorf("%+v", got.SessionStartRequest)
	}
}

// TestRun leaves a session and an event of a function in every way.
func TestRun(t *testing.T) {
	failed := errors.New("failed")
	type out = map[string]int
	for name, tc := range map[string]struct {
		f       func(ctx context.Context, in []string) (out, error)
		outputs string
		error   string
	}{
		"returns": {func(_ context.Context, in []string) (out, error) { return out{"n": len(in)}, nil }, `{"n":1}`, ""},
		"fails":   {func(context.Context, []string) (out, error) { return out{"n": 1}, failed }, "null", "failed"},
		"panics":  {func(context.Context, []string) (out, error) { panic("boom") }, "null", "panic: boom"},
		"exits":   {func(context.Context, []string) (out, error) { runtime.Goexit(); return nil, nil }, "null", "the function ended its goroutine: runtime.Goexit"},
		"no f":    {nil, "null", "panic: runtime error: invalid memory address or nil pointer dereference"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sessiontest.New(t)
			ctx := p.Context(t.Context())
			run := func(start func(in []string) (out, error)) (result out, passed any, err error) {
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { passed = recover() }()
					result, err = start([]string{"a"})
				}()
				<-done
				return result, passed, err
			}
			var id string
			check := func(result out, passed any, err error) {
				t.Helper()
				if strings.HasPrefix(tc.error, "panic") != (passed != nil) {
					t.Errorf("passed %v", passed)
				}
				if name == "fails" && (!errors.Is(err, failed) || result["n"] != 1) || name == "returns" && (err != nil || result["n"] != 1) {
					t.Errorf("returned %v, %v", result, err)
				}
			}
			check(run(func(in []string) (out, error) {
				return sessionspan.Run(ctx, "s", in, func(ctx context.Context, in []string) (out, error) {
					id = sessionspan.SessionFromContext(ctx).ID()
					if tc.f == nil {
						return sessionspan.Do(ctx, sessionspan.Chain, "e", in, tc.f)
					}
					check(run(func(in []string) (out, error) { return sessionspan.Do(ctx, sessionspan.Chain, "e", in, tc.f) }))
					return tc.f(ctx, in)
				}, sessionspan.WithMetadata(map[string]any{"k": 1}))
			}))
			got := p.Session("s")
			got.AssertInputs(`{"input":["a"]}`)
			got.AssertOutputs(tc.outputs)
			e := got.Event("e")
			e.AssertInputs(`{"input":["a"]}`)
			e.AssertOutputs(tc.outputs)
			if got.Error.Or("") != tc.error || e.Error.Or("") != tc.error {
				t.Errorf("errors %q, %q, want %q", got.Error.Or(""), e.Error.Or(""), tc.error)
			}
			if got.SessionID.Or("") != id || !got.Metadata.Has("k") || got.EndTime.IsZero() || e.EndTime.IsZero() {
				t.Errorf("%+v", got.SessionStartRequest)
			}
		})
	}
}
