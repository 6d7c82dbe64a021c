package command

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestErase erases a user from a file that no server has open.
func TestErase(t *testing.T) {
	data := filepath.Join(t.TempDir(), "s.db")
	const sessions = `{"session":{"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c21","inputs":{"q":"QZXSECRET"},"user_properties":{"user_id":"ann"}}}
{"event":{"event_type":"tool","event_id":"caf77ace-3417-4da4-944d-f4a0688f3c27","session_id":"caf77ace-3417-4da4-944d-f4a0688f3c21","inputs":{"q":"QZXSECRET"}}}
{"session":{"session_id":"caf77ace-3417-4da4-944d-f4a0688f3c22","inputs":{"q":"QZXOTHER"},"user_properties":{"user_id":"bob"}}}
`
	load := func() {
		t.Helper()
		if err := run(t.Context(), []string{"import", "-data", data}, strings.NewReader(sessions), io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	load()
	var says bytes.Buffer
	if err := run(t.Context(), []string{"erase", "-data", data, "-user", "ann"}, nil, io.Discard, &says); err != nil || says.String() != "1 sessions with 1 events and 0 updates that waited were erased\n" {
		t.Errorf("%s %v", &says, err)
	}
	load() // what was exported before does not come back
	if err := run(t.Context(), []string{"erase", "-data", data, "-session", "caf77ace-3417-4da4-944d-f4a0688f3c21"}, nil, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]bool{"qzxsecret": false, "qzxother": true} {
		content, err := os.ReadFile(data)
		if err != nil || bytes.Contains(bytes.ToLower(content), []byte(text)) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	log, err := os.ReadFile(data + "-audit")
	if err != nil || bytes.Contains(log, []byte("ann\"")) && !bytes.Contains(log, []byte(`"name":"ann"`)) || bytes.Count(log, []byte(`"action":"erase"`)) != 4 {
		t.Errorf("%s %v", log, err)
	}
	for _, args := range [][]string{{"erase"}, {"erase", "-user", "a", "-session", "b"}, {"erase", "-session", "x"}, {"erase", "-user", "x", "y"}} {
		if err := run(t.Context(), append(args[:1:1], append([]string{"-data", data}, args[1:]...)...), nil, io.Discard, io.Discard); err == nil {
			t.Errorf("%q", args)
		}
	}
}
