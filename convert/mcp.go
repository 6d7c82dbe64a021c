package convert

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// mcp is the dialect of the conventions for the Model Context Protocol, which are part
// of those for GenAI, with the names of mark3labs/mcp-go. Its session is a connection,
// which is not what sessions are here.
var mcp = dialect{
	name:     "MCP",
	base:     rankMCP,
	prefixes: []string{"mcp."},
	identity: []string{"mcp.session.id", "mcp.protocol.version"},
	rules: []rule{
		mcpMethod("mcp.method.name"),
		mcpMethod("mcp.method"),
		to("mcp.tool.name", Metadata, "tool_name"),
		toJSON("mcp.request.argument", Inputs, "arguments"),
		spread("mcp.tool.arguments", Inputs, "arguments"),
		to("mcp.resource.uri", Inputs, "uri"),
		to("mcp.prompt.name", Config, "prompt_name"),
		toJSON("mcp.response.value", Outputs, "result"),
		spread("mcp.tool.result", Outputs, "result"),
		each("mcp.", Metadata, "mcp_"),
	},
}

// mcpMethod is the method of a message, which makes the span an event of a tool.
func mcpMethod(name string) rule {
	return set(name, "event_type, metadata.mcp_method", func(r *reader, v attribute.Value, from rank) {
		r.eventType.put(honeyhive.TypeTool, from)
		r.buckets[Metadata].putValue("mcp_method", v, from)
	})
}
