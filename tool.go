package sessionspan

import (
	"encoding/json"

	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/internal/genai"
)

// WithToolCallID says which call of a tool an event runs, by the id that the model
// gave the call: metadata.tool_call_id, and gen_ai.tool.call.id on the span, where
// viewers look for what to show under the call. An empty id sets nothing.
//
// It is of use to StartEvent, Do, End and EndErr of events of any kind, since an
// agent may be called as a tool; sessions have no use for it. A [ToolCall] as the
// inputs of an event says the same.
func WithToolCallID(id string) FieldOption { return FieldOption{field: fieldToolCallID, text: id} }

// setTool says which call the event runs, and of which tool. What is empty is left
// out. The conversion makes metadata of the attributes; after the end only an update
// is left.
func (r *recording) setTool(id, name string) {
	if !r.active() {
		return
	}
	var list [2]attribute.KeyValue
	var o objectWriter
	set := list[:0]
	if id = validText(id); id != "" {
		set = append(set, genai.ToolCallID.String(id))
		o.text("tool_call_id", id)
	}
	if name = validText(name); name != "" {
		set = append(set, genai.ToolName.String(name))
		o.text("tool_name", name)
	}
	if len(set) > 0 && !r.fields.SetAttributes(set...) {
		r.setBytes(convert.Metadata, o.bytes())
	}
}

// runsTool returns the inputs of an event: of a call, which the event then runs, its
// arguments. Those that are the text of the model are JSON, where that is none a text.
func (r *recording) runsTool(inputs any) any {
	call, ok := inputs.(*ToolCall)
	if value, is := inputs.(ToolCall); is {
		call, ok = &value, true
	}
	if !ok || call == nil {
		return inputs
	}
	r.setTool(call.ID, call.Name)
	switch text, ok := call.Arguments.(string); {
	case ok && text == "":
		return nil
	case ok && json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	return call.Arguments
}
