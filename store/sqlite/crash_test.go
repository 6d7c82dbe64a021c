package sqlite

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// crashDir is where the child process of TestKilled has its store.
const crashDir = "SESSIONSPAN_STORE_CRASH_DIR"

const crashWriters = 4

// crashWrite makes the i-th batch of a writer of a round: an event under a
// session, and an update of one before.
func crashWrite(round, writer, i int) []store.Write {
	name := func(i int) honeyhive.Optional[string] {
		return honeyhive.Some(honeyhive.SessionID("crash", fmt.Sprint(round, " ", writer, " ", i)).String())
	}
	session := honeyhive.Some(honeyhive.SessionID("crash", fmt.Sprint("session ", i/10)).String())
	inputs, _ := honeyhive.ObjectOf(map[string]any{"text": strings.Repeat("some words ", 100), "number": i})
	batch := []store.Write{{Event: &honeyhive.Event{
		EventID: name(i), SessionID: session, EventType: honeyhive.Some(honeyhive.TypeTool), Inputs: inputs,
	}}}
	if i > 0 {
		metrics, _ := honeyhive.ObjectOf(map[string]any{"updated": i})
		batch = append(batch, store.Write{Update: &honeyhive.Update{EventID: name(i - 1), Metrics: metrics}, MustExist: true})
	}
	return batch
}

// TestCrashChild is the process that TestKilled kills: it writes for ever, and
// says which batches were acknowledged.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return // it is no test of its own
	}
	s := openIn(t, dir)
	var round int
	_, _ = fmt.Sscan(os.Getenv(crashDir+"_ROUND"), &round)
	var out sync.Mutex
	for n := range crashWriters {
		go func() {
			for i := 0; ; i++ {
				err := s.Write(t.Context(), crashWrite(round, n, i))
				out.Lock()
				fmt.Println("acknowledged", n, i, err)
				out.Unlock()
			}
		}()
	}
	select {}
}

// TestKilled kills a process in the midst of its writes, several times on the
// same file, and looks for every batch that was acknowledged.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	acknowledged := make(map[[3]int]bool)
	for round := range rounds {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
		child.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", crashDir, round))
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines, killed := bufio.NewScanner(out), false
		for n := 1; lines.Scan(); n++ {
			var key [3]int
			var failed string
			key[0] = round
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d %d %s", &key[1], &key[2], &failed); err != nil {
				t.Fatalf("the child says %q: %v", lines.Text(), err)
			}
			if failed != "<nil>" {
				t.Fatalf("the child says %q", lines.Text())
			}
			acknowledged[key] = true
			if n == 100+50*round && !killed {
				killed = true
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || !killed {
			t.Fatalf("the child ended by itself: %v", err)
		}
	}
	s := openIn(t, dir).(*Store)
	defer func() { _ = s.Close() }()
	for key := range acknowledged {
		for i, w := range crashWrite(key[0], key[1], key[2]) {
			id := w.Event
			if i == 0 {
				got, err := s.Event(t.Context(), parse(t, id.EventID))
				if err != nil {
					t.Fatalf("batch %v: %v", key, err)
				}
				if got.Payload.Inputs != id.Inputs {
					t.Errorf("batch %v has the inputs %s", key, got.Payload.Inputs)
				}
				continue
			}
			got, err := s.Event(t.Context(), parse(t, w.Update.EventID))
			if err != nil {
				t.Fatalf("batch %v: %v", key, err)
			}
			if got.Payload.Metrics != w.Update.Metrics {
				t.Errorf("batch %v has the metrics %s", key, got.Payload.Metrics)
			}
		}
	}
	t.Logf("%d batches were acknowledged and are there", len(acknowledged))
	checkConsistent(t, s)
}

func parse(t *testing.T, id honeyhive.Optional[string]) honeyhive.UUID {
	t.Helper()
	u, err := honeyhive.ParseUUID(id.Or(""))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// checkTables sees that the tables agree with each other, and SQLite with the file.
func checkTables(t *testing.T, s *Store) {
	t.Helper()
	for query, want := range map[string]string{
		`PRAGMA integrity_check`: "ok",
		`SELECT count(*) FROM session s WHERE events <> (SELECT count(*) FROM event e WHERE e.session = s.pk) + (SELECT count(*) FROM home h JOIN record r ON r.id = h.origin JOIN event e ON e.session = r.pk WHERE h.target = s.id AND h.origin <> s.id)`: "0",
		`SELECT count(*) FROM event e WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.pk = e.pk AND r.session = e.session AND r.seq = e.seq)`:                                                                                                              "0",
		`SELECT (SELECT count(*) FROM record WHERE kind = 2) - (SELECT count(*) FROM event)`:                                                                                                                                                                "0",
		`SELECT (SELECT count(*) FROM record WHERE kind = 1 AND id NOT IN (SELECT origin FROM home WHERE parts IS NOT NULL)) - (SELECT count(*) FROM session)`:                                                                                              "0",
		`SELECT count(*) FROM event e WHERE session NOT IN (SELECT pk FROM session UNION ALL SELECT session FROM doomed UNION ALL SELECT r.pk FROM home h JOIN record r ON r.id = h.origin)`:                                                                "0",
		`SELECT count(*) FROM attempt a WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.pk = a.pk AND r.id = a.id AND r.kind = 1)`:                                                                                                                         "0",
	} {
		var got string
		if err := s.read.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s gives %s, %v", query, got, err)
		}
	}
}

// checkConsistent sees that the tables agree; then that the index catches up.
func checkConsistent(t *testing.T, s *Store) {
	t.Helper()
	checkTables(t, s)
	for {
		info, err := s.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if info.Unindexed == 0 {
			break
		}
	}
	var missing int
	if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM record WHERE kind = 2 AND pk NOT IN (SELECT rowid FROM search WHERE search MATCH 'words')`).Scan(&missing); err != nil || missing > 0 {
		t.Errorf("%d events are not in the index, %v", missing, err)
	}
}
