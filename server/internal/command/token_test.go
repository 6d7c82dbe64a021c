package command

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestTokens makes, lists and revokes them; the token is printed once, and only there.
func TestTokens(t *testing.T) {
	data := filepath.Join(t.TempDir(), "s.db")
	command := func(args ...string) (out, says string, err error) {
		var stdout, stderr bytes.Buffer
		err = run(t.Context(), append([]string{"token", args[0], "-data", data}, args[1:]...), nil, &stdout, &stderr)
		return stdout.String(), stderr.String(), err
	}
	secret, says, err := command("create", "-name", "ann", "-role", "read,write", "-project", "shop", "-expires", "90d", "-rate", "5", "-max-body", "1MiB")
	if err != nil || !strings.HasPrefix(secret, "sspn_") || strings.Count(secret, "\n") != 1 || strings.Contains(says, strings.TrimSpace(secret)) {
		t.Fatalf("%q, %q, %v", secret, says, err)
	}
	id := strings.Split(secret, "_")[1]
	list, _, err := command("list")
	for _, want := range []string{id, `"ann"`, "read,write", "shop", "5", "1048576"} {
		if err != nil || !strings.Contains(list, want) {
			t.Errorf("no %s in %s %v", want, list, err)
		}
	}
	if strings.Contains(list, strings.TrimSpace(secret)) {
		t.Error("the list shows the token")
	}
	for name, args := range map[string][]string{
		"no name": {"create", "-role", "read"}, "no role": {"create", "-name", "x"}, "odd role": {"create", "-name", "x", "-role", "root"}, "odd rate": {"create", "-name", "x", "-role", "read", "-rate", "-1"},
		"more": {"create", "-name", "x", "-role", "read", "y"}, "no id": {"revoke"}, "odd id": {"revoke", "nothing"}, "odd": {"show"},
	} {
		if out, _, err := command(args...); err == nil {
			t.Errorf("%s: %q", name, out)
		}
	}
	if _, _, err := command("revoke", id); err != nil {
		t.Error(err)
	}
	if list, _, err := command("list"); err != nil || strings.Contains(list, id) {
		t.Errorf("%s %v", list, err)
	}
	if err := run(t.Context(), []string{"token"}, nil, io.Discard, io.Discard); err == nil {
		t.Error("nothing is asked for")
	}
}
