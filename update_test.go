package sessionspan_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestAfterTheEnd sets every field after the end of a session and an event.
func TestAfterTheEnd(t *testing.T) {
	p := sessiontest.New(t)
	ctx, s := p.Tracer.StartSession(t.Context(), "s", sessionspan.WithOutputs(map[string]any{"a": 1, "b": 1}))
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.End()
	s.End()
	for name, set := range setters() {
		set(s, e, map[string]any{"b": name})
	}
	end := time.UnixMilli(1712025501605)
	s.SetError("afterwards")
	s.SetDuration(time.Second)
	s.SetEndTime(end)
	s.AddChildren(seedChild)
	e.AddChildren(seedChild)
	e.SetError("afterwards")
	got := p.Session("s")
	if got.Outputs.String() != `{"a":1,"b":"outputs"}` || got.Feedback.String() != `{"b":"feedback"}` ||
		got.Metrics.String() != `{"b":"metrics"}` || got.Config.String() != `{"b":"config"}` || got.UserProperties.String() != `{"b":"user_properties"}` {
		t.Errorf("%+v", got.SessionStartRequest)
	}
	if v, _ := got.Metadata.Get("inputs"); string(v) != `{"b":"inputs"}` {
		t.Errorf("metadata %s", got.Metadata)
	}
	if v, _ := got.Metadata.Get("error"); string(v) != `"afterwards"` || got.Duration.Or(0) != 1000 || got.EndTime.Or(0) != float64(end.UnixMilli()) {
		t.Errorf("%+v", got.SessionStartRequest)
	}
	if ids := got.ChildrenIDs.Or(nil); len(ids) != 2 || ids[1] != seedChild {
		t.Errorf("children_ids %v", ids)
	}
	ev := got.Event("e")
	if ev.Feedback.String() != `{"b":"feedback"}` || len(ev.ChildrenIDs.Or(nil)) != 1 {
		t.Errorf("%+v", ev.Event)
	}
}

// TestUpdateFromElsewhere updates a session and an event by their ids.
func TestUpdateFromElsewhere(t *testing.T) {
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("Simple RAG Project"))
	if err := tracer.Update(t.Context(), "user-42",
		sessionspan.WithFeedback(map[string]any{"rating": 5}), sessionspan.WithMetrics(map[string]any{"m": 1}), sessionspan.WithOutputs("late"),
		sessionspan.WithInputs(map[string]any{"q": 1}), sessionspan.WithError("late"), sessionspan.WithDuration(time.Second)); err != nil {
		t.Error(err)
	}
	if err := tracer.Update(t.Context(), seedChild, sessionspan.WithFeedback("good")); err != nil {
		t.Error(err)
	}
	flush(t, tracer)
	want := []string{
		`{"event_id":"bccc1984-916f-5aaa-923c-e16deb776a6f","outputs":{"result":"late"},"duration":1000,"metadata":{"inputs":{"q":1},"error":"late"},"metrics":{"m":1},"feedback":{"rating":5}}`,
		`{"event_id":"7f22137a-6911-4ed3-bc36-110f1dde6b66","feedback":{"value":"good"}}`,
	}
	got := server.bodies("PUT", "/events")
	if len(got) != 2 || ((got[0] != want[0] || got[1] != want[1]) && (got[0] != want[1] || got[1] != want[0])) {
		t.Errorf("got %q", got)
	}
}

func TestUpdateErrors(t *testing.T) {
	p := sessiontest.New(t)
	for _, tc := range []struct {
		id      string
		options []sessionspan.FieldOption
		want    string
	}{
		{"", nil, "the id is empty"},
		{seedChild, nil, "nothing is to be changed"},
		{seedChild, []sessionspan.FieldOption{sessionspan.WithFeedback(nil)}, "nothing is to be changed"},
		{seedChild, []sessionspan.FieldOption{sessionspan.WithProject("p"), sessionspan.WithFeedback(1)}, "WithProject cannot be updated"},
	} {
		if err := p.Tracer.Update(t.Context(), tc.id, tc.options...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want %q", err, tc.want)
		}
	}
	otlp := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithOTLP(exporter.OTLPConfig{URL: "http://127.0.0.1:9"}))
	if err := otlp.Update(t.Context(), seedChild, sessionspan.WithFeedback(1)); !errors.Is(err, exporter.ErrNoUpdates) {
		t.Errorf("error %v", err)
	}
}

// TestContinuedSession sets fields on a session that another process holds.
func TestContinuedSession(t *testing.T) {
	server := newAPI(t)
	tracer := newTracer(t, sessionspan.WithoutEnvironment(), sessionspan.WithAPIURL(server.URL), sessionspan.WithProject("p"))
	ctx, s := tracer.ContinueSession(t.Context(), seedSession)
	if !s.IsRecording() || s.ID() != seedSession || sessionspan.SessionFromContext(ctx) != s {
		t.Error("not the session")
	}
	if again, same := tracer.ContinueSession(ctx, seedSession); again != ctx || same != s {
		t.Error("continued twice")
	}
	s.SetFeedback(map[string]any{"rating": 1})
	_, e := sessionspan.StartEvent(ctx, sessionspan.Tool, "e")
	e.RecordError(io.EOF)
	e.End()
	s.RecordError(io.EOF)
	s.End()
	s.End()
	flush(t, tracer)
	if n := len(server.bodies("POST", "/session/start")); n != 0 {
		t.Errorf("%d sessions were posted", n)
	}
	if puts := server.bodies("PUT", "/events"); len(puts) != 2 || !strings.Contains(puts[0], `"feedback":{"rating":1}`) {
		t.Errorf("updates %q", puts)
	}
	events := server.events(t)
	if len(events) != 1 || events[0].ParentID.Or("") != seedSession || events[0].SessionID.Or("") != seedSession || events[0].Project.Or("") != "p" {
		t.Errorf("%+v", events)
	}
}
