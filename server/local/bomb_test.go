package local

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// What a request may cost in memory: so many times what it is after decompression,
// and what the largest span or record that is taken apart costs, however small the
// request is.
const (
	memoryFactor = 4
	memoryFixed  = 48 << 20
)

// peakLive runs f and returns how much the memory in use grew meanwhile, at most, as
// the collector finds it: it runs whenever a tenth was allocated.
func peakLive(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	before := liveHeap()
	var most atomic.Int64
	var done atomic.Bool
	var again func()
	again = func() { // after each collection
		most.Store(max(most.Load(), liveHeap()))
		if !done.Load() {
			runtime.SetFinalizer(new([64]byte), func(*[64]byte) { again() })
		}
	}
	again()
	f()
	done.Store(true)
	return max(most.Load()-before, 0)
}

func liveHeap() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// encoded returns a body in a content encoding.
func encoded(t testing.TB, encoding string, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	switch encoding {
	case "gzip":
		z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
		_, _ = z.Write(body)
		_ = z.Close()
	case "zstd":
		z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = z.Write(body)
		_ = z.Close()
	default:
		return body
	}
	return out.Bytes()
}

// bombSizes are how large the bombs are after decompression: SESSIONSPAN_BOMB_KIB, a
// list, or what lets the suite end soon.
func bombSizes(t *testing.T) (sizes []int, all bool) {
	list := os.Getenv("SESSIONSPAN_BOMB_KIB")
	if list == "" {
		return []int{500 << 10}, false
	}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, n<<10)
	}
	return sizes, true
}

// perServer is how many bombs one server is sent: none is to find what all others
// have left.
const perServer = 25

// stride is how many bombs there are for each one that a short run sends, in the
// three encodings by turns.
const stride = 5

// sink is a store that makes of records what any store does, and forgets them.
type sink struct{ store.Store }

func (sink) Write(ctx context.Context, batch []store.Write) error {
	for _, w := range batch {
		switch {
		case w.Session != nil:
			_ = w.Session.AppendJSON(nil)
		case w.Event != nil:
			_ = w.Event.AppendJSON(nil)
		case w.Update != nil:
			_ = w.Update.AppendJSON(nil)
		}
	}
	return ctx.Err()
}

func (sink) Speaks(context.Context, honeyhive.UUID) (bool, error) { return false, nil }

func (sink) Steps(context.Context) iter.Seq2[store.Edge, error] {
	return func(func(store.Edge, error) bool) {}
}

func (sink) Delete(context.Context, ...honeyhive.UUID) error { return nil }

func (sink) Sessions(context.Context, store.SessionQuery) (store.SessionPage, error) {
	return store.SessionPage{}, nil
}

// TestBombs sends each route what becomes much more than it is. Each is answered,
// with a few words, and costs no more memory than it may.
//
// With SESSIONSPAN_BOMB_KIB set, to sizes, it sends all kinds of texts in all places
// of them, to a server with a file; that takes long. With SESSIONSPAN_BOMB_CPU set,
// to a number of milliseconds, it measures the time of the processor instead, which
// is so much at most on a machine that does nothing else.
func TestBombs(t *testing.T) {
	sizes, all := bombSizes(t)
	most, _ := strconv.Atoi(os.Getenv("SESSIONSPAN_BOMB_CPU"))
	for _, size := range sizes {
		var url string
		for i, b := range slices.Concat(pbBombs(all), jsonBombs(all), logBombs(all), badBombs()) {
			if testing.Short() && i%stride != 0 {
				continue
			}
			switch {
			case i%perServer > 0:
			case all:
				url = start(t).URL()
			default:
				url = over(t, sink{})
			}
			encoding := []string{"gzip", "zstd", ""}[i%3]
			t.Run(strings.ReplaceAll(b.name, "/", " "), func(t *testing.T) { throw(t, url, b, size, encoding, most) })
		}
	}
}

// throw sends a bomb, and measures what it costs.
func throw(t *testing.T, url string, b bomb, size int, encoding string, most int) {
	t.Helper()
	body := []byte(b.body(size - 2000))
	sent := encoded(t, encoding, body)
	send(t, http.MethodDelete, url+"/v1/sessions/"+sessionID, "", nil)
	if b.method == http.MethodPut {
		post(t, url+"/events", `{"event":{"event_type":"tool","inputs":{},"event_id":"`+bombEvent+`","session_id":"`+sessionID+`"}}`)
	}
	var status int
	var answer string
	used := cpuTime()
	var grown int64
	allowed := int64(memoryFactor*len(body) + memoryFixed)
	if most > 0 { // the collector runs as usual
		status, answer = sendBomb(t, url, b, encoding, sent)
	} else {
		// What is allocated while the collector marks counts as in use, which is much
		// where it gets no processor: the least of some tries is nearest to the truth.
		for range 3 {
			if grown = peakLive(func() { status, answer = sendBomb(t, url, b, encoding, sent) }); grown <= allowed {
				break
			}
		}
	}
	used = cpuTime() - used
	t.Logf("%d KiB, %d KiB sent %s: %d KiB, %.1f times, %d ms, %d %.100s", len(body)>>10, len(sent)>>10, encoding, grown>>10, float64(grown)/float64(len(body)), used.Milliseconds(), status, answer)
	if grown > allowed {
		t.Errorf("%d MiB became %d MiB, more than %d", len(body)>>20, grown>>20, allowed>>20)
	}
	if !slices.Contains([]int{200, 400, 413, 500}, status) || len(answer) > 2<<20 {
		t.Errorf("%d %.200s (%d bytes)", status, answer, len(answer))
	}
	if most > 0 && used > time.Duration(most)*time.Millisecond {
		t.Errorf("it took %v", used)
	}
}

func sendBomb(t testing.TB, url string, b bomb, encoding string, sent []byte) (int, string) {
	t.Helper()
	if b.contentType == grpcType {
		flags := byte(0)
		var headers []string
		if encoding != "" {
			flags, headers = 1, []string{"Grpc-Encoding", encoding}
		}
		code, message, answer := newCaller(t, strings.TrimPrefix(url, "http://")).call(t.Context(), t, b.path, bytes.NewReader(frame(flags, sent)), headers...)
		status, ok := map[string]int{"0": 200, "3": 400, "8": 413, "13": 500}[code]
		if !ok {
			t.Errorf("%s: %s", b.name, code)
		}
		return status, fmt.Sprintf("%s %q", message, answer)
	}
	req, err := http.NewRequestWithContext(t.Context(), b.method, url+b.path, bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", b.contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 3<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, fmt.Sprintf("%q", text)
}

// TestTinyChunks sends bodies a byte at a time, as each chunk of its own: that takes
// no more memory than any other way, whatever the answer is.
func TestTinyChunks(t *testing.T) {
	url := over(t, sink{})
	for _, path := range []string{"/v1/traces", "/events/batch", "/session/start"} {
		var status string
		grown := peakLive(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", path)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 200 { // until the server hangs up
					if _, err := io.WriteString(conn, strings.Repeat("1\r\n[\r\n", 10_000)); err != nil {
						return
					}
				}
				_, _ = io.WriteString(conn, "0\r\n\r\n")
			}()
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				status = res.Status
				_ = res.Body.Close()
			}
			_ = conn.Close()
			<-sent
		})
		if grown > memoryFixed/2 {
			t.Errorf("%s: %d MiB", path, grown>>20)
		}
		if status != "" && status[0] != '4' { // none is read where the server hung up before
			t.Errorf("%s: %q", path, status)
		}
	}
}
