package clienttest

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// TestReplay asks every question with every client twice: of a server, where the
// calls are recorded, and of the recordings, where there is no server and the client
// reads and records the same.
func TestReplay(t *testing.T) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			for _, tc := range testCases {
				if l, ok := c.cannot[tc.name]; ok {
					tc.replies, tc.want = append([]reply(nil), tc.replies...), append([]outcome(nil), tc.want...)
					l.change(&tc)
				}
				t.Run(tc.name, func(t *testing.T) {
					dir := t.TempDir()
					first := c.checkThrough(t, &tc, func(base http.RoundTripper) http.RoundTripper {
						return llmhttp.Record(dir, llmhttp.RecordThrough(base))
					})
					checkRecordings(t, dir, len(tc.want))
					if c == eino && tc.leave == closes {
						t.Skip("it leaves a stream when the next piece comes, which is there at once where it is replayed")
					}
					gone := tc
					gone.replies = append([]reply(nil), tc.replies...)
					gone.gone = true
					again := c.checkThrough(t, &gone, func(http.RoundTripper) http.RoundTripper { return llmhttp.Replay(dir) })
					if diff := cmp.Diff(first, again); diff != "" {
						t.Errorf("replayed (-recorded +replayed)\n%s", diff)
					}
				})
			}
		})
	}
}

// checkRecordings looks for keys in the files, and counts them.
func checkRecordings(t *testing.T, dir string, n int) {
	t.Helper()
	// A client that neither reads to the end nor closes ends a call with its context,
	// on another goroutine.
	var files []string
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		files, _ = filepath.Glob(filepath.Join(dir, "*.json"))
		if len(files) == n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files, %d calls", len(files), n)
		}
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || strings.Contains(string(data), "CANARY") {
			t.Errorf("%v: the recording has the key:\n%s", err, data)
		}
	}
}
