package sessionspan_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// TestDocumentJSON holds that a document inside of outputs is written as
// SetDocuments writes it, and read back as it was.
func TestDocumentJSON(t *testing.T) {
	documents := []sessionspan.Document{
		{ID: "zero", HasScore: true}, {ID: "none"}, {ID: "some", Score: -0.5, HasScore: true, Content: "c", Metadata: map[string]any{"score": 0.0, "list": []any{"x"}}},
		{}, {Score: math.Inf(-1), HasScore: true}, {Score: math.Inf(1), HasScore: true}, {Score: math.NaN(), HasScore: true},
	}
	p := sessiontest.New(t)
	p.ExpectReport("is no JSON number")
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	_, a := sessionspan.StartEvent(ctx, sessionspan.Tool, "a")
	a.SetDocuments(documents...)
	a.End()
	_, b := sessionspan.StartEvent(ctx, sessionspan.Tool, "b")
	b.SetOutputs(map[string]any{"documents": documents})
	b.End()
	s.End()
	got := p.Session("s")
	parsed := func(event string) (v any) {
		if err := json.Unmarshal([]byte(got.Event(event).Outputs.JSONText()), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if diff := cmp.Diff(parsed("a"), parsed("b")); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	var read []sessionspan.Document
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(documents, read, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]sessionspan.Document{
		`{"score":0}`:    {HasScore: true},
		`{"score":null}`: {},
		`{"id":"a"}`:     {ID: "a"},
	} {
		var d sessionspan.Document
		if err := json.Unmarshal([]byte(text), &d); err != nil || !cmp.Equal(d, want) {
			t.Errorf("%s is %+v: %v", text, d, err)
		}
	}
	for _, text := range []string{`{"score":"high"}`, `{"score":{}}`, `[]`} {
		d := sessionspan.Document{ID: "before"}
		if err := json.Unmarshal([]byte(text), &d); err == nil || d.ID != "before" {
			t.Errorf("%s is %+v: %v", text, d, err)
		}
	}
}
