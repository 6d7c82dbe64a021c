package convert_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// TestTables shows every mapping in a file, so that a change of one is seen.
func TestTables(t *testing.T) {
	var b strings.Builder
	dialect := ""
	for _, m := range convert.Tables() {
		if m.Dialect != dialect {
			fmt.Fprintf(&b, "# %s\n", m.Dialect)
			dialect = m.Dialect
		}
		fmt.Fprintf(&b, "%-56s %s\n", m.Attribute, m.Field)
	}
	compareGolden(t, "tables.txt", b.String())
}

// TestTablesAreReached looks for lines that no attribute can reach, since an
// earlier one takes it.
func TestTablesAreReached(t *testing.T) {
	var seen []convert.Mapping
	for _, m := range convert.Tables() {
		for _, earlier := range seen {
			isPrefix := strings.HasSuffix(earlier.Attribute, ".")
			if earlier.Attribute == m.Attribute || isPrefix && strings.HasSuffix(m.Attribute, ".") && strings.HasPrefix(m.Attribute, earlier.Attribute) {
				t.Errorf("%s, %s: taken by %s, %s", m.Dialect, m.Attribute, earlier.Dialect, earlier.Attribute)
			}
		}
		seen = append(seen, m)
	}
}

// TestTablesHaveOwnAttributes looks for constants of package honeyhive that the
// conversion does not know.
func TestTablesHaveOwnAttributes(t *testing.T) {
	ignored := []string{honeyhive.AttrSessionAutoCreate, honeyhive.AttrSessionContinued, honeyhive.AttrLeftOut, honeyhive.AttrWithoutContent} // no field of a payload
	var known []string
	for _, m := range convert.Tables() {
		known = append(known, m.Attribute)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../honeyhive/attribute.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			value, err := strconv.Unquote(spec.Values[i].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if !slices.Contains(known, value) && !slices.Contains(ignored, value) {
				t.Errorf("no table has %s, %q", name.Name, value)
			}
			// Known or ignored, it is not kept as an attribute of somebody else.
			if got := bucket(newSpan(value, "x"), convert.Metadata); strings.Contains(got, `"`+value+`"`) {
				t.Errorf("%q is taken for a foreign attribute: %s", value, got)
			}
		}
		return true
	})
	if n < 19 {
		t.Errorf("found %d attributes of package honeyhive", n)
	}
}

func TestSpeaks(t *testing.T) {
	for _, name := range []string{
		"honeyhive_event_type", "honeyhive_inputs", "honeyhive_inputs.question", "honeyhive.event_type", "gen_ai.request.model", "openinference.span.kind",
		"llm.model_name", "retrieval.documents.0.document.id", "embedding.model_name", "reranker.query", "traceloop.span.kind", "llm.request.type", "ai.operationId", "langfuse.observation.type",
		"langsmith.span.kind", "mastra.span.type", "genkit:name", "pydantic_ai.all_messages", "lk.job_id", "mlflow.spanType", "mcp.method.name", "db.vector.query.top_k", "crewai.task.description",
	} {
		if !convert.Speaks(attributes("http.route", "/", name, "x")) {
			t.Errorf("%s says nothing", name)
		}
	}
	plain := attributes(
		"http.request.method", "GET", "db.system", "postgresql", "session.id", "s", "user.id", "u", "input.value", "i", "output.value", "o", "metadata", "{}",
		"tool.name", "t", "agent.name", "a", "error.type", "e", "exception.type", "e", "annotations.0.annotation.name", "a", "llmx", "1", "gen_ai", "1",
		"honeyhive.session_id", sessionUUID, "honeyhive.session_auto_create", true, "honeyhive.session_name", "n", "honeyhive.session_continued", true,
		"honeyhive.project", "p", "honeyhive.source", "s", "honeyhive_parent_id", eventUUID,
		"traceloop.association.properties.session_id", "s", "traceloop.workflow.name", "w", "traceloop.entity.path", "p",
		"gen_ai.conversation.id", "c", "langfuse.environment", "e", "langfuse.trace.name", "t", "langfuse.session.id", "s", "langsmith.metadata.session_id", "s", "mastra.metadata.threadId", "t",
		"ai.telemetry.metadata.sessionId", "s", "ai.settings.context.userId", "u", "logfire.msg", "m", "mcp.session.id", "m", "mlflow.trace.session", "s", "agent_name", "a", "events", "[]", "gen_ai.request.model", nil,
		"honeyhive.left_out", true,
	)
	for i := range plain {
		if convert.Speaks(plain[i : i+1]) {
			t.Errorf("%s makes a plain span one of a pipeline", plain[i].Key)
		}
	}
	if convert.Speaks(nil) {
		t.Error("nothing says something")
	}
}
