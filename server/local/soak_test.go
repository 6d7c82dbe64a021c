//go:build soak

package local

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// The load that the server must bear on two cores that the clients share.
const (
	soakTime    = 60 * time.Second
	soakRate    = 5000 // spans a second
	soakClients = 4
	maxResident = 600 // MiB
)

// TestSoakLoad sends 5,000 spans of 2 KB a second for a minute. All must be
// acknowledged in that time, and be there when the server was killed after it.
func TestSoakLoad(t *testing.T) {
	file := t.TempDir() + "/sessions.db"
	url, process, kill := spawn(t, file)
	var sent, late atomic.Int64
	var clients sync.WaitGroup
	begin := time.Now()
	const requests = int(soakTime/time.Second) * soakRate / batchSpans
	for c := range soakClients {
		clients.Go(func() {
			for n := c; n < requests; n += soakClients {
				due := begin.Add(time.Duration(n) * batchSpans * time.Second / soakRate)
				if wait := time.Until(due); wait > 0 {
					<-time.After(wait)
				} else if wait < -time.Second {
					late.Add(1)
				}
				if !takenTraces(t.Context(), url, load(t, n)) {
					t.Errorf("request %d was not taken", n)
					return
				}
				sent.Add(batchSpans)
			}
		})
	}
	peak := watch(process.Pid, &clients)
	took := time.Since(begin)
	t.Logf("%d spans acknowledged in %v, %.0f a second; %d of %d requests came more than a second late; peak of resident memory %d MiB; %v of processor time",
		sent.Load(), took.Round(time.Millisecond), float64(sent.Load())/took.Seconds(), late.Load(), requests, peak, processorTime(process.Pid))
	kill()
	http.DefaultClient.CloseIdleConnections()
	if took > soakTime+5*time.Second {
		t.Errorf("it took %v", took)
	}
	if peak > maxResident {
		t.Errorf("%d MiB are resident", peak)
	}
	s, err := sqlite.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sessions and %d events are stored in %d MiB, %d not indexed yet", info.Sessions, info.Events, info.Bytes>>20, info.Unindexed)
	if info.Events != sent.Load() {
		t.Errorf("%d events are stored", info.Events)
	}
	page, err := s.Sessions(t.Context(), store.SessionQuery{})
	if err != nil || len(page.Sessions) != 100 || page.Sessions[0].Events != batchTrace {
		t.Errorf("the list: %v %d", err, len(page.Sessions))
	}
}

func takenTraces(ctx context.Context, url string, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// watch waits for the clients, and returns the most memory in MiB that was
// resident of the server meanwhile, where the system tells.
func watch(pid int, clients *sync.WaitGroup) int64 {
	done := make(chan struct{})
	go func() {
		clients.Wait()
		close(done)
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	peak := int64(0)
	for {
		select {
		case <-done:
			return peak
		case <-tick.C:
			peak = max(peak, resident(pid))
		}
	}
}

// resident returns the resident memory of a process in MiB, from /proc.
func resident(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb >> 10
		}
	}
	return 0
}

// processorTime returns what a process has used, from /proc, whose ticks are a
// hundredth of a second.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
