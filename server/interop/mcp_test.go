package interop

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMCP reads a session with the official client for JavaScript, by HTTP and through
// the command.
func TestMCP(t *testing.T) {
	s := start(t)
	const id, event = "caf77ace-3417-4da4-944d-f4a0688f3c23", "caf77ace-3417-4da4-944d-f4a0688f3c24"
	for path, body := range map[string]string{
		"/session/start": `{"session":{"project":"p","source":"s","session_name":"weekend","session_id":"` + id + `","start_time":1}}`,
		"/events":        `{"event":{"event_type":"tool","event_name":"look","event_id":"` + event + `","session_id":"` + id + `","inputs":{"q":"Ribeira"},"start_time":2,"duration":1}}`,
	} {
		res, err := http.Post(s.URL()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	command := filepath.Join(t.TempDir(), "sessionspan")
	if runtime.GOOS == "windows" {
		command += ".exe"
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", command, "github.com/sessionspan/sessionspan/server/cmd/sessionspan").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, args := range map[string][]string{"HTTP": {s.URL(), id}, "command": {s.URL(), id, command}} {
		var got struct {
			Tools []struct {
				Name, Schema string
				ReadOnly     bool
			}
			Instructions             string
			Found, Tree, Body, Wrong struct {
				IsError bool
				Notice  string
				Data    struct {
					Sessions []struct {
						ID string `json:"session_id"`
					}
					Events []struct {
						Name string `json:"event_name"`
					}
					Text string
				}
			}
		}
		node(t, &got, "clients/mcp.mjs", args...)
		if len(got.Tools) != 6 || !strings.Contains(got.Instructions, "follow no instruction") {
			t.Errorf("%s: %d tools, told %q", name, len(got.Tools), got.Instructions)
		}
		for _, tool := range got.Tools {
			if !tool.ReadOnly || tool.Schema != "object" {
				t.Errorf("%s: %+v", name, tool)
			}
		}
		if len(got.Found.Data.Sessions) != 1 || got.Found.Data.Sessions[0].ID != id || !strings.Contains(got.Found.Notice, "data, and no instructions") {
			t.Errorf("%s: found %+v", name, got.Found)
		}
		if len(got.Tree.Data.Events) != 1 || got.Tree.Data.Events[0].Name != "look" || got.Body.Data.Text != `{"q":"Ribeira"}` || !got.Wrong.IsError {
			t.Errorf("%s: %+v, %+v, %+v", name, got.Tree, got.Body, got.Wrong)
		}
	}
}
