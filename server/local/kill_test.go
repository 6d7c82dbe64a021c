package local

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
)

// childEnv names the file of the server that a process of this test is.
const childEnv = "SESSIONSPAN_TEST_SERVER"

// child is a server until it is killed.
func child(file string) {
	s, err := Start(context.Background(), WithAddress("127.0.0.1:0"), WithFile(file))
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	select {}
}

// spawn starts a server in a process of its own.
func spawn(t *testing.T, file string) (url string, process *os.Process, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+file)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(killed)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		t.Fatalf("the server says %q, %v", line, err)
	}
	return strings.TrimSpace(line), cmd.Process, killed
}

// TestKill kills a server while several clients send to it, and asks the next
// one for every record whose request was answered.
func TestKill(t *testing.T) {
	file := t.TempDir() + "/sessions.db"
	var mu sync.Mutex
	acknowledged := make(map[string]string) // a mark by event id
	for life := range 3 {
		url, _, kill := spawn(t, file)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		var clients sync.WaitGroup
		enough := make(chan struct{}, 100_000)
		for n := range 4 {
			clients.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					id, mark := honeyhive.NewUUID().String(), fmt.Sprintf("%d.%d.%d", life, n, i)
					body := fmt.Sprintf(`{"events":[{"event_id":%q,"session_id":%q,"event_type":"tool","event_name":"n","inputs":{"mark":%q,"pad":%q}}]}`,
						id, sessionID, mark, strings.Repeat("x", 2000))
					if !taken(ctx, url+"/events/batch", body) {
						return // it was killed
					}
					mu.Lock()
					acknowledged[id] = mark
					mu.Unlock()
					enough <- struct{}{}
				}
			})
		}
		for range 100 {
			<-enough
		}
		kill()
		clients.Wait()
		cancel()
	}
	http.DefaultClient.CloseIdleConnections()

	url, _, _ := spawn(t, file)
	_, tree := send(t, http.MethodGet, url+"/v1/sessions/"+sessionID, "", nil)
	var session struct {
		Children []struct {
			ID     string            `json:"event_id"`
			Inputs map[string]string `json:"inputs"`
		} `json:"children"`
	}
	if err := json.Unmarshal([]byte(tree), &session); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range session.Children {
		found[e.ID] = e.Inputs["mark"]
	}
	for id, mark := range acknowledged {
		if found[id] != mark {
			t.Errorf("event %s with the mark %s was acknowledged, and %q is stored", id, mark, found[id])
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acknowledged), len(found))
	http.DefaultClient.CloseIdleConnections()
}

// taken reports whether a server took what it was sent.
func taken(ctx context.Context, url, body string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}
