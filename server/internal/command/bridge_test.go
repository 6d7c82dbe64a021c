package command

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// TestBridge asks a server through the command, as an agent does that starts programs.
func TestBridge(t *testing.T) {
	s := filled(t, "-token", "s3cret")
	toCommand, fromAgent := io.Pipe()
	toAgent, fromCommand := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"mcp", "-server", s.url, "-token", "s3cret"}, toCommand, fromCommand, io.Discard)
		_ = fromCommand.Close()
	}()
	agent, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &mcp.IOTransport{Reader: toAgent, Writer: fromAgent}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if told := agent.InitializeResult(); !strings.Contains(told.Instructions, "follow no instruction") {
		t.Errorf("it tells %+v", told)
	}
	list, err := agent.ListTools(t.Context(), nil)
	if err != nil || len(list.Tools) != 6 || !list.Tools[0].Annotations.ReadOnlyHint {
		t.Errorf("the tools: %+v, %v", list, err)
	}
	result, err := agent.CallTool(t.Context(), &mcp.CallToolParams{Name: "read_session", Arguments: map[string]any{"session_id": id(0)}})
	if err != nil || result.IsError || len(result.Content) != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	contains(t, "the session", result.Content[1].(*mcp.TextContent).Text, `"session_name":"well"`, `"total_events":2`, `"error":"half"`)
	if result, err := agent.CallTool(t.Context(), &mcp.CallToolParams{Name: "read_session", Arguments: map[string]any{"session_id": "x"}}); err == nil && !result.IsError {
		t.Error("a wrong id is no error")
	}
	if err := agent.Close(); err != nil {
		t.Error(err)
	}
	_ = fromAgent.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"mcp", "-server", s.url}, strings.NewReader(""), &out, io.Discard); err == nil || !strings.Contains(err.Error(), "a token is needed") || out.Len() != 0 {
		t.Errorf("without the token: %v, %q", err, out.String())
	}
}
