package sessionspan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

func textLogger(b *bytes.Buffer) *slog.Logger {
	drop := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	return slog.New(sessionspan.LogHandler(slog.NewJSONHandler(b, &slog.HandlerOptions{ReplaceAttr: drop})))
}

func TestLogHandler(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	ectx, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	ids := `"session_id":"` + s.ID() + `"`
	both := ids + `,"event_id":"` + e.ID() + `"`
	var b bytes.Buffer
	log := textLogger(&b)
	for _, tc := range []struct {
		log  *slog.Logger
		ctx  context.Context
		want string
	}{
		{log, t.Context(), `{"msg":"m","k":1}`},
		{log, ctx, `{"msg":"m","k":1,` + ids + `}`},
		{log, ectx, `{"msg":"m","k":1,` + both + `}`},
		{log.With("a", 1), ectx, `{"msg":"m","a":1,"k":1,` + both + `}`},
		{log.WithGroup("g"), ectx, `{"msg":"m",` + both + `,"g":{"k":1}}`},
		{log.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h"), ectx, `{"msg":"m","a":1,` + both + `,"g":{"b":2,"h":{"k":1}}}`},
		{log.WithGroup("").With(), ctx, `{"msg":"m","k":1,` + ids + `}`},
	} {
		b.Reset()
		tc.log.InfoContext(tc.ctx, "m", "k", 1)
		if got := b.String(); got != tc.want+"\n" {
			t.Errorf("got %swant %s", got, tc.want)
		}
	}
	e.End()
	s.End()
	if sessionspan.LogHandler(nil) == nil {
		t.Error("no handler")
	}
}

// TestLogHandlerConformance runs the kit of the standard library, in a session
// and outside.
func TestLogHandlerConformance(t *testing.T) {
	var b bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		b.Reset()
		return sessionspan.LogHandler(slog.NewJSONHandler(&b, nil))
	}, func(t *testing.T) map[string]any {
		var m map[string]any
		if err := json.Unmarshal(b.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	})
}
