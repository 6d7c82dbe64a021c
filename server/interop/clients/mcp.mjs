// The official SDK of the Model Context Protocol for JavaScript: lists the tools of a
// server and reads a session, by streamable HTTP, or by a command that it starts.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [, , url, session, command] = process.argv;
const transport = command
  ? new StdioClientTransport({ command, args: ["mcp", "-server", url], stderr: "inherit" })
  : new StreamableHTTPClientTransport(new URL(`${url}/mcp`));
const client = new Client({ name: "interop", version: "1" });
await client.connect(transport);
const { tools } = await client.listTools();
const read = async (name, args) => {
  const { content, isError } = await client.callTool({ name, arguments: args });
  return { isError: Boolean(isError), notice: content[0].text, data: isError ? null : JSON.parse(content[1].text) };
};
const found = await read("search_sessions", { q: "Ribeira", limit: 5 });
const tree = await read("read_session", { session_id: session });
const body = await read("read_body", { id: tree.data.events[0].event_id, part: "inputs" });
const wrong = await read("read_session", { session_id: "nonsense" });
await client.close();
console.log(JSON.stringify({
  tools: tools.map((t) => ({ name: t.name, readOnly: t.annotations.readOnlyHint, schema: t.inputSchema.type })),
  instructions: client.getInstructions(), found, tree, body, wrong,
}));
