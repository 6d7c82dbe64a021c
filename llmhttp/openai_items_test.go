package llmhttp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// say returns an event of a stream of responses.
func say(kind, members string) string {
	return event(kind, `{"type":"`+kind+`",`+members+`}`)
}

// everyItem are items of an answer as they come whole.
var everyItem = []string{
	`{"type":"reasoning","id":"i0","summary":[{"type":"summary_text","text":"first"},{"type":"summary_text","text":"second"}],"content":[{"type":"reasoning_text","text":"thought"}],"encrypted_content":"QUJD"}`,
	`{"type":"file_search_call","id":"i1","status":"completed","queries":["oak"],"results":[{"file_id":"f","score":0.9,"text":"Oaks are tall."}]}`,
	`{"type":"tool_search_output","id":"i2","call_id":"s","tools":[{"type":"function","name":"dig"}]}`,
	`{"type":"shell_call_output","id":"i3","call_id":"t","output":[{"stdout":"42","outcome":{"type":"exit","exit_code":0}}]}`,
	`{"type":"image_generation_call","id":"i4","status":"completed","output_format":"png","result":"aGVsbG8="}`,
	`{"type":"compaction","id":"i5","encrypted_content":"QUJD"}`,
	`{"type":"custom_tool_call","id":"i6","call_id":"c6","name":"sql","input":"42"}`,
	`{"type":"function_call","id":"i7","call_id":"c7","name":"plant","arguments":"{\"n\":1}"}`,
	`{"type":"function_call","id":"i8","call_id":"c8","name":"dig","arguments":""}`,
	`{"type":"message","id":"i9","role":"assistant","content":[{"type":"output_text","text":"Oaks","annotations":[{"type":"file_citation","file_id":"f"},{"type":"file_citation","file_id":"f"},{"type":"url_citation","url":"https://a.test"}]},{"type":"refusal","refusal":"no more"}]}`,
}

const everyOutputs = `{"role":"assistant","reasoning":"first\nsecond\nthought","refusal":"no more","content":[
	{"type":"file_search_call","id":"i1","status":"completed","queries":["oak"],"results":[{"file_id":"f","score":0.9,"text":"Oaks are tall."}]},
	{"type":"tool_call_response","id":"s","response":{"tools":[{"type":"function","name":"dig"}]}},
	{"type":"tool_call_response","id":"t","response":[{"stdout":"42","outcome":{"type":"exit","exit_code":0}}]},
	{"type":"uri","modality":"image","mime_type":"image/png",` + helloRef + `},
	{"type":"compaction","id":"i5"},
	{"type":"text","text":"Oaks","citations":[{"type":"file_citation","file_id":"f"},{"type":"file_citation","file_id":"f"},{"type":"url_citation","url":"https://a.test"}]}],
	"tool_calls":[{"id":"c6","type":"function","function":{"name":"sql","arguments":"42"}},{"id":"c7","type":"function","function":{"name":"plant","arguments":{"n":1}}},{"id":"c8","type":"function","function":{"name":"dig"}}],"finish_reason":`

// TestItems holds that every item is recorded the same however it comes: whole,
// with the end of a stream, or each alone in a stream that breaks.
func TestItems(t *testing.T) {
	list := "[" + strings.Join(everyItem, ",") + "]"
	response := func(status string) string {
		return `{"id":"r","model":"m","status":"` + status + `","output":` + list + `}`
	}
	created := say("response.created", `"response":{"id":"r","model":"m","status":"in_progress","output":[]}`)
	var done []string
	for i, item := range everyItem {
		done = append(done, say("response.output_item.done", fmt.Sprintf(`"output_index":%d,"item":%s`, i, item)))
	}
	pieces := []string{
		created,
		say("response.output_item.added", `"output_index":0,"item":{"type":"reasoning","id":"i0","summary":[]}`),
		say("response.reasoning_text.delta", `"output_index":0,"content_index":0,"delta":"thou"`),
		say("response.reasoning_summary_text.delta", `"output_index":0,"summary_index":0,"delta":"fir"`),
		say("response.reasoning_summary_text.delta", `"output_index":0,"summary_index":0,"delta":"st"`),
		say("response.reasoning_summary_text.delta", `"output_index":0,"summary_index":1,"delta":"second"`),
		say("response.reasoning_text.delta", `"output_index":0,"content_index":0,"delta":"ght"`),
		say("response.output_item.added", `"output_index":1,"item":{"type":"file_search_call","id":"i1","status":"in_progress","queries":[]}`),
		done[1], done[2], done[3], done[4], done[5],
		say("response.output_item.added", `"output_index":6,"item":{"type":"custom_tool_call","id":"i6","call_id":"c6","name":"sql","input":""}`),
		say("response.custom_tool_call_input.delta", `"output_index":6,"delta":"4"`),
		say("response.custom_tool_call_input.delta", `"output_index":6,"delta":"2"`),
		say("response.output_item.added", `"output_index":7,"item":{"type":"function_call","id":"i7","call_id":"c7","name":"plant","arguments":""}`),
		say("response.function_call_arguments.done", `"output_index":7,"arguments":"{\"n\":1}"`), // LM Studio sends no pieces
		say("response.output_item.added", `"output_index":8,"item":{"type":"function_call","id":"i8","call_id":"c8","name":"dig","arguments":""}`),
		say("response.output_item.added", `"output_index":9,"item":{"type":"message","id":"i9","role":"assistant","content":[]}`),
		say("response.output_text.delta", `"output_index":9,"content_index":0,"delta":"Oa"`),
		say("response.output_text.delta", `"output_index":9,"content_index":0,"delta":"ks"`),
		say("response.output_text.annotation.added", `"output_index":9,"content_index":0,"annotation_index":0,"annotation":{"type":"file_citation","file_id":"f"}`),
		say("response.output_text.annotation.added", `"output_index":9,"content_index":0,"annotation_index":1,"annotation":{"type":"file_citation","file_id":"f"}`),
		say("response.output_text.annotation.added", `"output_index":9,"content_index":0,"annotation_index":1,"annotation":{"type":"url_citation","url":"https://a.test"}`),
		say("response.output_text.done", `"output_index":9,"content_index":0,"text":"Oaks"`),
		say("response.refusal.delta", `"output_index":9,"content_index":1,"delta":"no more"`),
	}
	const broke = "the stream ended before the answer was complete"
	for name, c := range map[string]struct {
		stream      []string // or the answer whole
		finish, err string
	}{
		"whole":                      {nil, `"tool_calls"`, ""},
		"with the end":               {[]string{created, say("response.completed", `"response":`+response("completed"))}, `"tool_calls"`, ""},
		"with an end that is early":  {[]string{created, say("response.incomplete", `"response":`+response("incomplete"))}, "", ""},
		"each alone":                 {append([]string{created}, done...), `"error"`, broke},
		"in pieces":                  {pieces, `"error"`, broke},
		"in pieces and then whole":   {append(slices.Clip(pieces), done...), `"error"`, broke},
		"in pieces, the end without": {append(slices.Clip(pieces), say("response.completed", `"response":{"id":"r","status":"completed","output":[]}`)), `"tool_calls"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := answered{path: "/v1/responses", outputs: everyOutputs + c.finish + "}", err: c.err}
			if c.finish == "" {
				a.outputs = strings.TrimSuffix(everyOutputs, `,"finish_reason":`) + "}"
			}
			handler := whole(200, response("completed"))
			if c.stream != nil {
				handler = stream(c.stream...)
			}
			a.check(t, a.event(t, handler, fmt.Sprintf(`{"model":"m","input":"a","stream":%t}`, c.stream != nil)))
		})
	}
	t.Run("cut anywhere", func(t *testing.T) { // no cut loses what had come whole
		for i := range done {
			a := answered{path: "/v1/responses", err: broke}
			e := a.event(t, stream(append([]string{created}, done[:i]...)...), `{"model":"m","input":"a","stream":true}`)
			alone := answered{path: "/v1/responses"}
			want := alone.event(t, whole(200, `{"id":"r","model":"m","status":"completed","output":[`+strings.Join(everyItem[:i], ",")+`]}`), `{"model":"m","input":"a"}`)
			got, full := parsed(t, e.Outputs.String()), parsed(t, want.Outputs.String())
			if i == 0 {
				continue
			}
			delete(got.(map[string]any), "finish_reason")
			delete(full.(map[string]any), "finish_reason")
			if diff := cmp.Diff(full, got); diff != "" || e.Error.Or("") != broke {
				t.Errorf("after %d items: %v %s", i, e.Error, diff)
			}
		}
	})
}

// TestItemsWithoutRoom keeps the pieces of an item where there is no room for it
// whole.
func TestItemsWithoutRoom(t *testing.T) {
	l := newLab(t, stream(
		say("response.output_text.delta", `"output_index":0,"content_index":0,"delta":"`+strings.Repeat("b", 300)+`"`),
		say("response.output_text.delta", `"output_index":1,"content_index":0,"delta":"some text"`),
		say("response.output_item.done", `"output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"some text","annotations":[{"a":"`+strings.Repeat("a", 500)+`"}]}]}`),
	), llmhttp.WithLimit(750))
	if _, err := l.post("/v1/responses", `{"model":"m","input":"a","stream":true}`); err != nil {
		t.Fatal(err)
	}
	e := l.only()
	if out := e.Outputs.String(); !strings.Contains(out, "bsome text") && !strings.Contains(out, `b\nsome text`) {
		t.Error(out)
	}
	metadata(t, e, map[string]string{"answer_truncated": "true"})
}

// TestFirstOfTools knows when the first content came of streams in which no text
// does.
func TestFirstOfTools(t *testing.T) {
	search := `{"type":"web_search_call","id":"w","status":"completed","action":{"query":"oak"}}`
	end := say("response.completed", `"response":{"id":"r","status":"completed","output":[`+search+`]}`)
	for name, pieces := range map[string][]string{
		"added":      {say("response.output_item.added", `"output_index":0,"item":{"type":"web_search_call","id":"w","status":"in_progress"}`), end},
		"done":       {say("response.output_item.done", `"output_index":0,"item":`+search), end},
		"its code":   {say("response.code_interpreter_call_code.delta", `"output_index":0,"delta":"1+1"`), end},
		"with all":   {end},
		"a function": {say("response.output_item.added", `"output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}`), end},
	} {
		t.Run(name, func(t *testing.T) {
			a := answered{path: "/v1/responses"}
			e := a.event(t, stream(pieces...), `{"model":"m","input":"a","stream":true}`)
			if !e.Metadata.Has("time_to_first_chunk_ms") {
				t.Error(e.Metadata)
			}
		})
	}
	a := answered{path: "/v1/responses"}
	begun := answered{path: "/v1/responses", outputs: `{"role":"assistant","content":[{"type":"web_search_call","id":"w","status":"in_progress"}],"finish_reason":"error"}`, err: "the stream ended before the answer was complete"}
	begun.check(t, begun.event(t, stream(say("response.output_item.added", `"output_index":0,"item":{"type":"web_search_call","id":"w","status":"in_progress"}`)), `{"model":"m","input":"a","stream":true}`))
	e := a.event(t, stream(say("response.output_item.added", `"output_index":0,"item":{"type":"message","content":[]}`)), `{"model":"m","input":"a","stream":true}`)
	if e.Metadata.Has("time_to_first_chunk_ms") {
		t.Error("an empty message is no content")
	}
}
