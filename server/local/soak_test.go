//go:build soak

package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sessionspan/sessionspan/store"
	"github.com/sessionspan/sessionspan/store/sqlite"
)

// The load that the server must bear on two cores that the clients share.
const (
	soakTime    = 60 * time.Second
	soakRate    = 5000 // spans a second
	soakBatch   = 100  // spans in a request, five traces
	soakClients = 4
	soakContent = 2000 // bytes in a span
	maxResident = 600  // MiB
)

// TestSoakLoad sends 5,000 spans of 2 KB a second for a minute. All must be
// acknowledged in that time, and be there when the server was killed after it.
func TestSoakLoad(t *testing.T) {
	file := t.TempDir() + "/sessions.db"
	url, process, kill := spawn(t, file)
	var sent, late atomic.Int64
	var clients sync.WaitGroup
	begin := time.Now()
	const requests = int(soakTime/time.Second) * soakRate / soakBatch
	for c := range soakClients {
		clients.Go(func() {
			for n := c; n < requests; n += soakClients {
				due := begin.Add(time.Duration(n) * soakBatch * time.Second / soakRate)
				if wait := time.Until(due); wait > 0 {
					<-time.After(wait)
				} else if wait < -time.Second {
					late.Add(1)
				}
				if !takenTraces(t.Context(), url, soakRequest(t, n)) {
					t.Errorf("request %d was not taken", n)
					return
				}
				sent.Add(soakBatch)
			}
		})
	}
	peak := watch(process.Pid, &clients)
	took := time.Since(begin)
	t.Logf("%d spans acknowledged in %v, %.0f a second; %d of %d requests came more than a second late; peak of resident memory %d MiB",
		sent.Load(), took.Round(time.Millisecond), float64(sent.Load())/took.Seconds(), late.Load(), requests, peak)
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
	if err != nil || len(page.Sessions) != 100 || page.Sessions[0].Events != 20 {
		t.Errorf("the list: %v %d", err, len(page.Sessions))
	}
}

// soakRequest is a request with spans whose content no compression of the disk
// makes small.
func soakRequest(t *testing.T, n int) []byte {
	var spans []*tracepb.Span
	now := uint64(time.Now().UnixNano())
	for i := range soakBatch {
		trace := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(n)+1), uint64(i/20)+1)
		id := binary.BigEndian.AppendUint64(nil, uint64(i)+1)
		parent := binary.BigEndian.AppendUint64(nil, uint64(i/20*20)+1)
		if i%20 == 0 {
			parent = nil
		}
		content := strings.Repeat(fmt.Sprintf("word%d of request%d, ", i, n), soakContent/24)
		spans = append(spans, &tracepb.Span{
			TraceId: trace, SpanId: id, ParentSpanId: parent, Name: "chat", StartTimeUnixNano: now, EndTimeUnixNano: now + 1e6,
			Attributes: []*commonpb.KeyValue{
				attr("gen_ai.operation.name", "chat"), attr("gen_ai.request.model", "m"),
				attr("gen_ai.input.messages", `[{"role":"user","parts":[{"type":"text","content":"`+content+`"}]}]`),
			},
		})
	}
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}})
	if err != nil {
		t.Error(err)
	}
	return body
}

func attr(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
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
