package command

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDeploy parses the arguments that the files in deploy give to the command.
func TestDeploy(t *testing.T) {
	t.Setenv("SESSIONSPAN_TOKEN", "a token that is long enough")
	for file, in := range map[string]string{
		"sessionspan.service": `(?m)^ExecStart=\S+ (.*)$`,
		"Containerfile":       `(?m)^ENTRYPOINT (.*)$`,
		"kubernetes.yaml":     `(?m)^ +args: (.*)$`,
	} {
		text, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(in).FindSubmatch(text)
		if found == nil {
			t.Errorf("%s has no arguments", file)
			continue
		}
		var args []string
		if line := string(found[1]); !strings.HasPrefix(line, "[") {
			args = strings.Fields(line)
		} else if err := json.Unmarshal(found[1], &args); err != nil {
			t.Fatal(err)
		}
		if len(args) > 0 && args[0] == "/sessionspan" {
			args = args[1:]
		}
		if _, _, err := parse(args, io.Discard); err != nil || len(args) == 0 {
			t.Errorf("%s: %q: %v", file, args, err)
		}
	}
}
