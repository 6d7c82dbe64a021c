package convert_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/convert"
)

// TestConventionsOfTheirOwn reads what semantic-conventions-genai has changed since
// the core repository's last version, beside what it was before.
func TestConventionsOfTheirOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		given            []any
		config, metadata string
		kind             string
	}{
		"how many are searched for": {[]any{"gen_ai.operation.name", "retrieval", "gen_ai.retrieval.top_k", 7}, `{"top_k":7}`, `{"operation_name":"retrieval","event_kind":"retriever"}`, "tool"},
		"sampling":                  {[]any{"gen_ai.operation.name", "chat", "gen_ai.request.top_k", 40.0}, `{"top_k":40}`, `{"operation_name":"chat"}`, "model"},
		"both":                      {[]any{"gen_ai.request.top_k", 40.0, "gen_ai.retrieval.top_k", 7}, `{"top_k":7}`, ``, "tool"},
		"workflow":                  {[]any{"gen_ai.operation.name", "invoke_workflow", "gen_ai.workflow.name", "refund"}, ``, `{"operation_name":"invoke_workflow","agent_name":"refund","workflow_name":"refund"}`, "chain"},
		"workflow as an agent":      {[]any{"gen_ai.operation.name", "invoke_workflow", "gen_ai.agent.name", "refund"}, ``, `{"operation_name":"invoke_workflow","agent_name":"refund"}`, "chain"},
		"agent in a workflow":       {[]any{"gen_ai.workflow.name", "refund", "gen_ai.agent.name", "clerk"}, ``, `{"agent_name":"clerk","workflow_name":"refund"}`, "chain"},
		"main agent":                {[]any{"gen_ai.main_agent.name", "desk", "gen_ai.main_agent.id", "a1", "gen_ai.main_agent.description", "d"}, ``, `{"main_agent_name":"desk","main_agent_id":"a1","main_agent_description":"d"}`, "chain"},
		"cache under three names":   {[]any{"gen_ai.usage.cache_write.input_tokens", 3, "gen_ai.usage.cache_creation.input_tokens", 2, "gen_ai.usage.cache_read.input_tokens", 1}, ``, `{"cache_write_input_tokens":3,"cache_read_input_tokens":1}`, "tool"},
		"background answer":         {[]any{"gen_ai.operation.name", "fetch_response", "gen_ai.response.status", "in_progress", "gen_ai.request.stream_cursor", 5}, `{"stream_cursor":5}`, `{"operation_name":"fetch_response","response_status":"in_progress"}`, "model"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := convert.Convert(newSpan(tc.given...))
			if d := cmp.Diff(tc.config, rec.Buckets[convert.Config].JSONText()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tc.metadata, rec.Buckets[convert.Metadata].JSONText()); d != "" {
				t.Error(d)
			}
			if rec.Type != tc.kind {
				t.Errorf("type %q, want %q", rec.Type, tc.kind)
			}
			valid(t, &rec)
		})
	}
}

// TestExceptionsByName reads an exception under each name that it had, and no other.
func TestExceptionsByName(t *testing.T) {
	for name, is := range map[string]bool{
		"exception": true, "gen_ai.client.inference.exception": true, "gen_ai.client.operation.exception": true, "gen_ai.execute_tool.exception": true,
		"my.exception": false, "gen_ai.exceptional": false,
	} {
		s := newSpan()
		s.Failed = true
		s.Events = []convert.Event{{Name: name, Attributes: attributes("exception.type", "TimeoutError", "exception.message", "too slow")}}
		rec := convert.Convert(s)
		metadata := rec.Buckets[convert.Metadata]
		if got := rec.Error == "too slow" && metadata.Has("exception") && !metadata.Has("span_events"); got != is {
			t.Errorf("%s: error %q, metadata %s", name, rec.Error, metadata.JSONText())
		}
	}
}
