package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const mcpUsage = `usage: sessionspan mcp [flags]

mcp speaks the Model Context Protocol by its standard input and output, for agents that
start a program rather than open an address: it passes their calls on to /mcp of a server
that runs. An agent that opens addresses needs no more than that one.

`

// bridge passes calls of an agent on to a server, until its input ends.
func bridge(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	c, rest, err := parsed("mcp", mcpUsage, args, stderr, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	defer c.close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("mcp: %w", err)
		}
	}()
	if len(rest) > 0 {
		return fmt.Errorf("%.64q is no flag", rest[0])
	}
	// What is in the way is told before an agent is answered at all.
	var info struct {
		Seq int64 `json:"seq"`
	}
	if err := c.json(ctx, "/api/info", nil, &info); err != nil {
		return err
	}
	self := &mcp.Implementation{Name: "sessionspan", Title: "sessionspan"}
	remote, err := mcp.NewClient(self, nil).Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: c.url + "/mcp", DisableStandaloneSSE: true,
		HTTPClient: &http.Client{Transport: bearer{c}, CheckRedirect: c.http.CheckRedirect},
	}, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remote.Close()) }()
	options := &mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}}}
	if told := remote.InitializeResult(); told != nil {
		options.Instructions = told.Instructions
		if told.ServerInfo != nil {
			self.Version = told.ServerInfo.Version
		}
	}
	server := mcp.NewServer(self, options)
	for tool, err := range remote.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		server.AddTool(tool, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return remote.CallTool(ctx, &mcp.CallToolParams{Name: r.Params.Name, Arguments: r.Params.Arguments})
		})
	}
	err = server.Run(ctx, &mcp.IOTransport{Reader: io.NopCloser(stdin), Writer: open{stdout}})
	if ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil // that is how it ends
	}
	return err
}

// bearer adds the token to requests.
type bearer struct{ c *client }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.c.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.c.token)
	}
	return b.c.http.Transport.RoundTrip(r)
}

// open is a writer that is not closed.
type open struct{ io.Writer }

func (open) Close() error { return nil }
