package soak

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// Variables by which a test tells a child, which is the test program run again,
// what to be.
const (
	envChild = "SESSIONSPAN_SOAK_CHILD"
	envURL   = "SESSIONSPAN_SOAK_URL"
	envDir   = "SESSIONSPAN_SOAK_DIR"
	envSeed  = "SESSIONSPAN_SOAK_SEED"
	// envBreath is how long a child waits after each step, at random without it.
	envBreath = "SESSIONSPAN_SOAK_BREATH"
)

// children are the programs that a child can be.
var children = map[string]func(){
	"record": recordChild,
	"drain":  drainChild,
	"term":   termChild,
}

func TestMain(m *testing.M) {
	for _, kv := range os.Environ() { // no test depends on the machine
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "HH_") || strings.HasPrefix(name, "OTEL_") {
			_ = os.Unsetenv(name)
		}
	}
	if name := os.Getenv(envChild); name != "" {
		go func() { // a test that dies takes its children along
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		children[name]()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fromEnv returns a number that a variable may set.
func fromEnv(name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return n
}
