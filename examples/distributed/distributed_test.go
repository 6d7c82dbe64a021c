package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is the search service when the front under test starts this program
// as one.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-search-service") {
		if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for _, kv := range os.Environ() { // no test depends on the machine
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// TestOneSessionTwoProcesses runs the command and looks at the session that two
// processes made.
func TestOneSessionTwoProcesses(t *testing.T) {
	t.Setenv("HH_API_URL", "") // set by the command, and put back by this
	var out strings.Builder
	if err := run(t.Context(), nil, strings.NewReader(""), &out, os.Stderr); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^session "ask across processes"  \(process (\d+)\)
  chain "call the search service"
    tool "search"  \(process (\d+)\)
inputs  {"question":"how does a session travel\?"}
outputs {"answer":"The identity of a session travels in the baggage header, to the hosts that were allowed and to no other\."}
$`)
	m := want.FindStringSubmatch(out.String())
	if m == nil {
		t.Fatal(out.String())
	}
	if m[1] == m[2] || m[1] != fmt.Sprint(os.Getpid()) {
		t.Errorf("processes %s and %s", m[1], m[2])
	}
}
