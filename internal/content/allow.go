package content

import (
	"strings"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
)

// A rule says what may stand in a field or an attribute that is allowed.
type rule uint8

const (
	nothing rule = iota // it is content
	number              // numbers and booleans, and lists and objects of those
	label               // a short text besides: a name, an id, a type
	exact               // any text: the name of a session, of which its id is made
	uuid                // an id, or several
)

// fields are the members of payloads that are no content. What is not here is.
var fields = func() map[string]rule {
	m := make(map[string]rule)
	for r, lists := range map[rule]map[string]string{
		number: {
			"config": `temperature top_p top_k min_p max_tokens max_completion_tokens max_output_tokens min_tokens frequency_penalty presence_penalty
				repetition_penalty seed n choice_count candidate_count best_of logprobs top_logprobs dimensions stream streaming thinking_budget
				parallel_tool_calls num_ctx num_predict batch_size limit`,
			"metadata": `attempt chunks chunks_skipped tokens_per_second request_truncated answer_truncated answer_unrecognized incomplete
				root_received is_root is_failure_source conversation_compacted num_model_events response_status_code status_code
				left_out tool_calls_count documents_count`,
		},
		label: {
			"config": `model provider system prompt_name prompt_version prompt_id prompt_vendor service_tier output_type encoding_format
				reasoning_effort verbosity api_type api_version collection schema_name data_source_id guardrail_id knowledge_base_id`,
			"metadata": `response_model response_id finish_reasons operation_name event_kind agent_name agent_id agent_version
				main_agent_name main_agent_id main_agent_version tool_name tool_call_id tool_type tool_status error_type run_type span_kind
				span_type observation_type action_type action_name genkit_type operation_id function_id function_name entity_name
				workflow_name conversation_id correlation_id langsmith_project_id trace_name release version tags level state
				response_service_tier system_fingerprint api_type stream_end content_encoding mcp_method guardrail_name
				handoff_from_agent handoff_to_agent application_name message_format run_id datapoint_id dataset_id request_id
				original_event_id original_parent_id cost_currency`,
			"user_properties": `user_id`,
		},
		exact: {
			"metadata": convert.OriginalSessionID,
		},
	} {
		for bucket, names := range lists {
			for name := range strings.FieldsSeq(names) {
				m[bucket+"."+name] = r
			}
		}
	}
	return m
}()

// numeric are the ends, and the beginnings, of names of the metadata that stand for
// counts, times and costs.
var (
	numericEnds   = []string{"_tokens", "_ms", "_bytes", "_count", "_seconds"}
	numericStarts = []string{"cost", "token_count_"}
)

// ofField returns what may stand in a member of a payload, such as config.model.
func ofField(field string) rule {
	if r := fields[field]; r != nothing {
		return r
	}
	bucket, name, ok := strings.Cut(field, ".")
	switch {
	case !ok || !isName(name):
	case bucket == "metrics", bucket == "feedback": // scores and ratings: their texts are content
		return number
	case bucket == "metadata":
		for _, end := range numericEnds {
			if strings.HasSuffix(name, end) {
				return number
			}
		}
		for _, start := range numericStarts {
			if strings.HasPrefix(name, start) {
				return number
			}
		}
	}
	return nothing
}

// attributes are those that are no content by themselves, whatever the tables of the
// conversion make of them: names, ids and states of the conventions of OpenTelemetry
// (https://opentelemetry.io/docs/specs/semconv/), and what this library itself writes. A
// name with a dot at its end stands for all below it.
var attributes = func() map[string]rule {
	m := map[string]rule{
		honeyhive.AttrSessionID: exact, "honeyhive_session_id": exact, honeyhive.AttrSessionAutoCreate: label, honeyhive.AttrSessionName: exact,
		honeyhive.AttrProject: exact, "honeyhive_project": exact, honeyhive.AttrSource: exact, "honeyhive_source": exact,
		honeyhive.AttrEventType: label, "honeyhive.event_type": label, honeyhive.AttrEventName: exact, "honeyhive.event_name": exact,
		honeyhive.AttrEventID: uuid, honeyhive.AttrParentID: uuid, honeyhive.AttrChildrenIDs: uuid, honeyhive.AttrDuration: number,
		honeyhive.AttrSessionContinued: label, honeyhive.AttrTurn: label, honeyhive.AttrLeftOut: label, honeyhive.AttrWithoutContent: label,
	}
	for r, names := range map[rule]string{
		number: `http.response.status_code http.status_code http.request.resend_count http.request.body.size http.response.body.size http.request.size
			http.response.size http.request_content_length http.response_content_length server.port client.port network.peer.port
			network.local.port net.peer.port net.host.port rpc.grpc.status_code rpc.connect_rpc.error_code db.response.returned_rows
			db.operation.batch.size messaging.batch.message_count messaging.message.body.size messaging.message.envelope.size thread.id
			code.line.number code.lineno exception.escaped lk.function_tool.is_error gen_ai.evaluation.score.value process.pid
			process.parent_pid`,
		label: `error.type exception.type http.request.method http.method http.route http.flavor http.scheme url.scheme server.address
			network.protocol.name network.protocol.version network.transport network.type net.peer.name net.host.name
			rpc.system rpc.system.name rpc.service rpc.method db.system db.system.name db.operation.name db.operation db.collection.name
			db.namespace db.name db.sql.table db.response.status_code messaging.system messaging.operation messaging.operation.name
			messaging.operation.type messaging.destination.name messaging.destination.template messaging.consumer.group.name
			code.function code.function.name code.namespace thread.name peer.service otel.status_code otel.scope.name
			otel.scope.version langfuse.observation.level genkit:state gen_ai.agent.id gen_ai.agent.version gen_ai.data_source.id
			gen_ai.conversation.id gen_ai.evaluation.name gen_ai.token.type gen_ai.guardrail.name
			service.name service.version service.namespace service.instance.id telemetry.sdk.name telemetry.sdk.language
			telemetry.sdk.version telemetry.distro.name telemetry.distro.version deployment.environment deployment.environment.name
			host.name host.id host.arch host.type os.type os.name os.version os.build_id container.id container.name
			container.image.name container.image.tags process.executable.name process.runtime.name process.runtime.version
			process.runtime.description openinference.project.name session.id`,
	} {
		for name := range strings.FieldsSeq(names) {
			m[name] = r
		}
	}
	for _, family := range []string{"k8s.", "cloud.", "faas.", "aws.ecs.", "aws.eks.", "aws.lambda.", "gcp.cloud_run.", "azure.vm.", "telemetry."} {
		m[family] = label
	}
	return m
}()

// contents are attributes with content that no table of the conversion names.
var contents = map[string]Kind{
	"exception.message": Errors, "exception.stacktrace": Errors, "error.message": Errors, "error.stack": Errors, "otel.status_description": Errors,
	"gen_ai.event.content": Inputs, "content": Inputs, "message": Inputs, "message.content": Inputs, "tool_calls": Outputs,
	"gen_ai.evaluation.explanation": Notes, "gen_ai.evaluation.score.label": Notes, "feedback": Notes,
	"url.full": Other, "url.path": Other, "url.query": Other, "url.fragment": Other, "http.url": Other, "http.target": Other,
	"db.query.text": Other, "db.statement": Other, "db.query.parameter": Other, "db.operation.parameter": Other, "db.query.summary": Other,
	"http.request.header": Other, "http.response.header": Other, "user_agent.original": Other, "client.address": Other,
	"llm.invocation_parameters": Config, "llm.headers": Other,
}

// events are the names of the events of spans that are kept; others may say anything.
var events = func() map[string]bool {
	m := map[string]bool{
		"exception": true, "message": true, "gen_ai.choice": true, "gen_ai.evaluation.result": true, "gen_ai.client.inference.operation.details": true,
		"gen_ai.content.prompt": true, "gen_ai.content.completion": true, "First Token Stream Event": true, "ai.stream.firstChunk": true,
		"ai.stream.finish": true,
	}
	for _, role := range []string{"system", "user", "assistant", "tool"} {
		m["gen_ai."+role+".message"] = true
	}
	return m
}()

// eventName takes the place of a name of an event that is not known.
const eventName = "event"

// A class is what is known of an attribute by its name.
type class struct {
	rule rule
	kind Kind
	// known is how many bytes of the name are known: all, or those of a family.
	known int
}

// table has what the tables of the conversion say of attributes, and of families of them
// with the dot at their end.
var table = func() map[string]class {
	m := make(map[string]class)
	for _, row := range convert.Tables() {
		c := class{kind: kindOfField(row.Field), known: len(row.Attribute)}
		if !isFamily(row.Attribute) {
			c.rule = ofFields(row.Field, "")
		}
		m[row.Attribute] = c
	}
	for name, kind := range contents {
		m[name] = class{kind: kind, known: len(name)}
	}
	for name, r := range attributes {
		kind := Other
		if c, ok := m[name]; ok {
			kind = c.kind
		}
		m[name] = class{r, kind, len(name)}
	}
	return m
}()

// rows are the fields of the families of the tables.
var rows = func() map[string]string {
	m := make(map[string]string)
	for _, row := range convert.Tables() {
		if isFamily(row.Attribute) {
			m[row.Attribute] = row.Field
		}
	}
	return m
}()

func isFamily(name string) bool { return strings.HasSuffix(name, ".") || strings.HasSuffix(name, ":") }

// ofFields returns what may stand in an attribute that lands in all of the fields, of
// which those with a star have a name in place of it: the least that each of them allows.
func ofFields(list, name string) rule {
	least := nothing
	for field := range strings.SplitSeq(list, ", ") {
		var r rule
		switch field {
		case "event_type":
			r = label
		case "session_id", "session_name", "event_name", "project", "source":
			r = exact
		default:
			field = strings.Replace(field, "*", name, 1)
			r = ofField(field)
			if r == nothing && name == "" && strings.HasSuffix(field, "_tokens") || field == "metadata.cost_" {
				r = number
			}
		}
		switch {
		case r == nothing:
			return nothing
		case least == nothing || r < least:
			least = r
		}
	}
	return least
}

// classify returns what is known of an attribute: by its name, or by the nearest family
// that it is of.
func classify(key string) class {
	if c, ok := table[key]; ok {
		return c
	}
	for i := len(key) - 1; i > 0; i-- {
		if key[i] != '.' && key[i] != ':' {
			continue
		}
		family := key[:i+1]
		if c, ok := table[family]; ok {
			if fields, ok := rows[family]; ok && c.rule == nothing {
				c.rule = ofFields(fields, key[i+1:])
			}
			return c
		}
		if c, ok := table[key[:i]]; ok { // below an attribute that is not one of a family
			return class{kind: c.kind, known: i}
		}
	}
	return class{kind: Other}
}

// keys are the keys of JSON with content that are names of the conventions rather than
// content themselves.
var keys = func() map[string]bool {
	m := make(map[string]bool)
	for name := range strings.FieldsSeq(`role content type text name id tool_calls tool_call_id function arguments result response parts
		finish_reason index reasoning refusal citations image audio file uri modality data url mime_type query documents document_id
		score metadata page_content question answer input output inputs outputs error messages message context rank title
		description parameters properties schema required enum items comment rating value label explanation system user assistant tool`) {
		m[name] = true
	}
	for _, row := range convert.Tables() {
		for field := range strings.SplitSeq(row.Field, ", ") {
			if _, name, ok := strings.Cut(field, "."); ok && isName(name) {
				m[name] = true
			}
		}
	}
	for field := range fields {
		_, name, _ := strings.Cut(field, ".")
		m[name] = true
	}
	return m
}()

// isName reports whether a text is a name as programs have them.
func isName(text string) bool {
	const most = 64
	if text == "" || len(text) > most {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case '0' <= c && c <= '9', c == '.', c == '-':
			if i == 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}
