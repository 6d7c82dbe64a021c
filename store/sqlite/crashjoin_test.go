package sqlite

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/storetest"
)

const crashTraces = "SESSIONSPAN_STORE_CRASH_TRACES"

// shuffled returns what a trace comes to, in an order of its own for each seed.
func shuffled(run int, seed uint64) []store.Write {
	writes := storetest.Example(run)
	rand.New(rand.NewPCG(seed, uint64(run))).Shuffle(len(writes), func(a, b int) { writes[a], writes[b] = writes[b], writes[a] })
	return writes
}

// TestTracesChild is the process that TestKilledTraces kills: it writes traces for
// ever, and says which it has begun.
func TestTracesChild(t *testing.T) {
	dir := os.Getenv(crashTraces)
	if dir == "" {
		return // it is no test of its own
	}
	smallEvents = 2 // so that most is computed in the background
	s := openIn(t, dir)
	for run := 1; ; run++ {
		fmt.Println("begun", run)
		writes := shuffled(run, 1)
		for len(writes) > 0 {
			n := min(len(writes), 3)
			holdWrite(t, s.(*Store), writes[:n]...)
			writes = writes[n:]
		}
	}
}

// TestKilledTraces kills a process in the midst of traces, whose client then sends all
// that it knows once more, in another order: they come to what the reference does.
func TestKilledTraces(t *testing.T) {
	dir := t.TempDir()
	last := 0
	for round := range 2 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTracesChild$")
		child.Env = append(os.Environ(), crashTraces+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			run := 0
			if _, err := fmt.Sscanf(lines.Text(), "begun %d", &run); err != nil {
				t.Fatalf("the child says %q: %v", lines.Text(), err)
			}
			last = max(last, run)
			if n == 4+3*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	s := openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	for run := 1; run <= last; run++ {
		writes := shuffled(run, 2)
		holdWrite(t, s, writes...)
		storetest.Check(t, s, writes)
	}
	checkTables(t, s)
}
