package llmhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// secretKey is a key that no recording may have.
const secretKey = "sk-CANARY-0123456789abcdef"

// roundTripper is a function as a RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// pieces is a body that comes in pieces, some time apart, and ends with an error.
type pieces struct {
	list []string
	gap  time.Duration
	end  error // io.EOF if it is nil
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.list) == 0 {
		if p.end != nil {
			return 0, p.end
		}
		return 0, io.EOF
	}
	time.Sleep(p.gap)
	n := copy(b, p.list[0])
	if p.list[0] = p.list[0][n:]; p.list[0] == "" {
		p.list = p.list[1:]
	}
	return n, nil
}

func (*pieces) Close() error { return nil }

// answering returns a provider that answers each request with the next body.
func answering(bodies ...*pieces) roundTripper {
	var n atomic.Int64
	return func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}, "Set-Cookie": {"a=" + secretKey}, "Openai-Organization": {"acme"}, "Date": {"x"}}, Body: bodies[n.Add(1)-1]}, nil
	}
}

// nobody is a provider that must not be called.
var nobody = llmhttp.RecordThrough(roundTripper(func(r *http.Request) (*http.Response, error) {
	return nil, errors.New("the network was used for " + r.URL.Path)
}))

// exchange makes a request and returns its answer.
func exchange(ctx context.Context, via http.RoundTripper, url, body string, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return resp, data, err
}

// files returns the recordings of a folder, by name.
func files(t *testing.T, dir string) (names []string, texts string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		names, texts = append(names, e.Name()), texts+string(data)
	}
	return names, texts
}

const chatURL = "https://api.openai.com/v1/chat/completions"

// TestReplayStream replays a stream byte for byte, in its pieces, at once or at the
// times at which they came.
func TestReplayStream(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "calls")
	stream := []string{"data: {\"a\":\"gr", "ü\xc3", "\x9fe <&>\"}\n\n", "\x00\xff\xfe", "data: [DONE]\n\n"}
	synctest.Test(t, func(t *testing.T) {
		got, data, err := exchange(t.Context(), llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{list: slices.Clone(stream), gap: 30 * time.Millisecond}))), chatURL, `{"model":"m"}`)
		if err != nil || string(data) != strings.Join(stream, "") || got.StatusCode != 200 {
			t.Fatalf("recorded %q: %v", data, err)
		}
		for _, timed := range []bool{false, true} {
			options := []llmhttp.RecordOption{nobody}
			if timed {
				options = append(options, llmhttp.ReplayTimed())
			}
			start := time.Now()
			req, _ := http.NewRequest(http.MethodPost, chatURL, strings.NewReader(`{ "model": "m" }`))
			resp, err := llmhttp.Replay(dir, options...).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			var all []byte
			var reads []time.Duration
			buffer := make([]byte, 1000)
			for {
				n, err := resp.Body.Read(buffer)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				all, reads = append(all, buffer[:n]...), append(reads, time.Since(start))
			}
			if string(all) != strings.Join(stream, "") || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Request != req || len(resp.Header) != 1 {
				t.Errorf("replayed %q, %v", all, resp.Header)
			}
			want := []time.Duration{0, 0, 0, 0, 0}
			if timed {
				for i := range want {
					want[i] = time.Duration(i+1) * 30 * time.Millisecond
				}
			}
			if !slices.Equal(reads, want) {
				t.Errorf("pieces came after %v, want %v", reads, want)
			}
			_ = resp.Body.Close()
			if _, err := resp.Body.Read(buffer); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
	names, text := files(t, dir)
	if len(names) != 1 || !strings.HasPrefix(names[0], "api.openai.com-completions-") || !strings.Contains(text, `"url": "https://api.openai.com/v1/chat/completions"`) || !strings.Contains(text, `e <&>`) || strings.Contains(text, "acme") {
		t.Errorf("%q:\n%s", names, text)
	}
}

// TestSameRequests has requests that are the same, and others that are not.
func TestSameRequests(t *testing.T) {
	now := time.Now().UTC()
	today, old := now.Format("2006-01-02"), now.AddDate(-1, 0, 0).Format("2006-01-02")
	for name, c := range map[string]struct {
		recorded, asked [2]string // URL and body
		same            bool
	}{
		"order and white space": {[2]string{chatURL, `{"a":1,"b":{"c":[1, 2],"d":"x"}}`}, [2]string{chatURL, "{\"b\": {\"d\":\"x\", \"c\":[1,2]},\n\"a\":1}"}, true},
		"escapes":               {[2]string{chatURL, `{"a":"\u00e4<"}`}, [2]string{chatURL, `{"a":"ä\u003c"}`}, true},
		"another text":          {[2]string{chatURL, `{"a":"x"}`}, [2]string{chatURL, `{"a":"y"}`}, false},
		"order of a list":       {[2]string{chatURL, `{"a":[1,2]}`}, [2]string{chatURL, `{"a":[2,1]}`}, false},
		"digits":                {[2]string{chatURL, `{"a":9007199254740993}`}, [2]string{chatURL, `{"a":9007199254740992}`}, false},
		"another path":          {[2]string{chatURL, `{}`}, [2]string{"https://api.openai.com/v1/responses", `{}`}, false},
		"another host":          {[2]string{chatURL, `{}`}, [2]string{"https://api.groq.com/v1/chat/completions", `{}`}, false},
		"loopback":              {[2]string{"http://127.0.0.1:1234/v1/x", `{}`}, [2]string{"http://localhost:99/v1/x", `{}`}, true},
		"key in the URL":        {[2]string{"https://h/v1?key=" + secretKey + "&alt=sse", `{}`}, [2]string{"https://h/v1?alt=sse", `{}`}, true},
		"parameters":            {[2]string{"https://h/v1?alt=sse&b=1", `{}`}, [2]string{"https://h/v1?b=1&alt=sse", `{}`}, true},
		"another parameter":     {[2]string{"https://h/v1?alt=sse", `{}`}, [2]string{"https://h/v1?alt=json", `{}`}, false},
		"a signed URL":          {[2]string{"https://h/v1?X-Amz-Signature=" + secretKey + "&X-Amz-Date=20260101T000000Z", `{}`}, [2]string{"https://h/v1", `{}`}, true},
		"key in the body":       {[2]string{chatURL, `{"a":1,"api_key":"` + secretKey + `"}`}, [2]string{chatURL, `{"a":1}`}, true},
		"today":                 {[2]string{chatURL, `{"a":"It is ` + today + `."}`}, [2]string{chatURL, `{"a":"It is ` + now.AddDate(0, 0, 1).Format("2006-01-02") + `."}`}, true},
		"now":                   {[2]string{chatURL, `{"a":"` + now.Format(time.RFC3339Nano) + `"}`}, [2]string{chatURL, `{"a":"` + now.Add(-time.Hour).In(time.FixedZone("", 3600)).Format(time.RFC3339) + `"}`}, true},
		"in English":            {[2]string{chatURL, `{"a":"` + now.Format("Monday, January 2, 2006") + `"}`}, [2]string{chatURL, `{"a":"` + now.AddDate(0, 0, -1).Format("Monday, January 2, 2006") + `"}`}, true},
		"as a header has it":    {[2]string{chatURL, `{"a":"` + now.Format(http.TimeFormat) + `"}`}, [2]string{chatURL, `{"a":"` + now.Add(time.Hour).Format(http.TimeFormat) + `"}`}, true},
		"Unix":                  {[2]string{chatURL, fmt.Sprintf(`{"a":%d,"b":"%d"}`, now.Unix(), now.UnixMilli())}, [2]string{chatURL, fmt.Sprintf(`{"a":%d,"b":"%d"}`, now.Unix()+99, now.UnixMilli()-99)}, true},
		"another day":           {[2]string{chatURL, `{"a":"On ` + old + `."}`}, [2]string{chatURL, `{"a":"On ` + now.AddDate(-1, 0, -1).Format("2006-01-02") + `."}`}, false},
		"another number":        {[2]string{chatURL, `{"a":1234567890}`}, [2]string{chatURL, `{"a":1234567891}`}, false},
		"ignored":               {[2]string{chatURL, `{"a":[{"trace":"x"}],"trace":1}`}, [2]string{chatURL, `{"a":[{"trace":"y"}]}`}, true},
		"no JSON":               {[2]string{chatURL, "a=1"}, [2]string{chatURL, "a=2"}, false},
		"bytes":                 {[2]string{chatURL, "\xff\xfe"}, [2]string{chatURL, "\xff\xfd"}, false},
		"the same bytes":        {[2]string{chatURL, "\xff\xfe"}, [2]string{chatURL, "\xff\xfe"}, true},
		"no body":               {[2]string{chatURL, ""}, [2]string{chatURL, ""}, true},
		"an image":              {[2]string{chatURL, `{"u":"data:image/png;base64,` + strings.Repeat("AAAA", 1000) + `"}`}, [2]string{chatURL, `{"u":"data:image/png;base64,` + strings.Repeat("AAAA", 1000) + `"}`}, true},
		"another image":         {[2]string{chatURL, `{"u":"` + strings.Repeat("AAAA", 1000) + `"}`}, [2]string{chatURL, `{"u":"` + strings.Repeat("AAAB", 1000) + `"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ignoring := llmhttp.RecordIgnoring("trace")
			if _, _, err := exchange(t.Context(), llmhttp.Record(dir, ignoring, llmhttp.RecordThrough(answering(&pieces{list: []string{"ok"}}))), c.recorded[0], c.recorded[1], "Authorization", "Bearer "+secretKey); err != nil {
				t.Fatal(err)
			}
			_, data, err := exchange(t.Context(), llmhttp.Replay(dir, ignoring, nobody), c.asked[0], c.asked[1])
			var missing *llmhttp.NotRecordedError
			if c.same && (err != nil || string(data) != "ok") || !c.same && !errors.As(err, &missing) {
				t.Errorf("%q: %v", data, err)
			}
			_, text := files(t, dir)
			if strings.Contains(text, "CANARY") || err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the key stands in\n%s\n%v", text, err)
			}
			if len(text) > 3000 {
				t.Errorf("the recording has %d bytes", len(text))
			}
		})
	}
}

// TestMultipart compares forms without their boundaries.
func TestMultipart(t *testing.T) {
	dir := t.TempDir()
	form := func(boundary string) (body, kind string) {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--" + boundary + "--\r\n", "multipart/form-data; boundary=" + boundary
	}
	body, kind := form("x123")
	if _, _, err := exchange(t.Context(), llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{list: []string{"ok"}}))), chatURL, body, "Content-Type", kind); err != nil {
		t.Fatal(err)
	}
	body, kind = form("y45678")
	if _, data, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, body, "Content-Type", kind); err != nil || string(data) != "ok" {
		t.Errorf("%q: %v", data, err)
	}
}

// TestNoKeyInRecordings has keys in all places of a request, and answers that quote
// them.
func TestNoKeyInRecordings(t *testing.T) {
	quote := `{"error":"the key ` + secretKey + ` is old, \u0073k-CANARY-0123456789abcdef too"}`
	for name, answer := range map[string][]string{
		"whole": {quote}, "in two pieces": {quote[:25], quote[25:]}, "byte by byte": strings.Split(quote, ""), "with bytes": {"\xff", quote, "\xfe"},
	} {
		dir := t.TempDir()
		via := llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{list: slices.Clone(answer)}, &pieces{list: slices.Clone(answer)}, &pieces{list: slices.Clone(answer), end: errors.New("dial with " + secretKey)})))
		url := "https://user:" + secretKey + "@h/v1/chat/completions?key=" + secretKey
		body := `{"model":"m","api_key":"` + secretKey + `","tools":[{"type":"mcp","authorization":"` + secretKey + `","headers":{"X-Api-Key":"` + secretKey + `"}}],"messages":[{"role":"user","content":"hi"}]}`
		for _, header := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key"} {
			_, data, err := exchange(t.Context(), via, url, body, header, "Bearer "+secretKey)
			if string(data) != strings.Join(answer, "") && err == nil {
				t.Errorf("%s: the client got %q: %v", name, data, err)
			}
		}
		names, text := files(t, dir)
		if len(names) != 3 || strings.Contains(text, "CANARY") || !strings.Contains(text, `[key]`) {
			t.Errorf("%s: %q\n%s", name, names, text)
		}
		_, _, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), url, strings.Replace(body, "hi", "ho", 1), "Authorization", secretKey)
		if err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRepeated replays the same request in the order of its answers, again and again;
// a new recording replaces an older one of the same request, and no other.
func TestRepeated(t *testing.T) {
	dir := t.TempDir()
	one := func(text string) *pieces { return &pieces{list: []string{text}} }
	record := func(url string, answers ...string) {
		var list []*pieces
		for _, a := range answers {
			list = append(list, one(a))
		}
		via := llmhttp.Record(dir, llmhttp.RecordThrough(answering(list...)))
		for range answers {
			if _, _, err := exchange(t.Context(), via, url, "{}"); err != nil {
				t.Fatal(err)
			}
		}
	}
	replayed := func(url string, n int) (all string) {
		via := llmhttp.Replay(dir, nobody)
		for range n {
			_, data, err := exchange(t.Context(), via, url, "{}")
			if err != nil {
				t.Fatal(err)
			}
			all += string(data)
		}
		return all
	}
	record(chatURL, strings.Split("abcdefghijkl", "")...)
	record("https://h/other", "z")
	if got := replayed(chatURL, 14); got != "abcdefghijklab" {
		t.Errorf("replayed %s", got)
	}
	record(chatURL, "x", "y")
	if got := replayed(chatURL, 3) + replayed("https://h/other", 1); got != "xyxz" {
		t.Errorf("replayed %s", got)
	}
	if names, _ := files(t, dir); len(names) != 3 {
		t.Errorf("files %q", names)
	}
}

// TestNotRecorded says how a request differs from the nearest recording.
func TestNotRecorded(t *testing.T) {
	dir := t.TempDir()
	_, _, err := exchange(t.Context(), llmhttp.Replay(dir+"/none", nobody), chatURL, "{}")
	var missing *llmhttp.NotRecordedError
	if !errors.As(err, &missing) || missing.Nearest != "" || err.Error() != "llmhttp: replay: POST "+chatURL+" is not recorded in "+dir+"/none: the test flag -llmhttp.record calls and records" {
		t.Errorf("%v", err)
	}
	via := llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{}, &pieces{})))
	for _, body := range []string{`{"model":"a","messages":[{"content":"Be brief.\nHow warm is it?"}],"n":1}`, `{"input":"x"}`} {
		if _, _, err := exchange(t.Context(), via, chatURL, body); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(body string) *llmhttp.NotRecordedError {
		_, _, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, body)
		if !errors.As(err, &missing) {
			t.Fatal(err)
		}
		return missing
	}
	e := ask(`{"model":"a","messages":[{"content":"Be brief.\nHow cold is it?"}],"n":1}`)
	if want := "-       How warm is it?\"\n+       How cold is it?\"\n"; strings.ReplaceAll(e.Diff, "-  How", "-       How") != want && e.Diff != "- How warm is it?\"\n+ How cold is it?\"\n" || !strings.Contains(e.Error(), "the nearest is api.openai.com-completions-") {
		t.Errorf("%v", e)
	}
	long := strings.Repeat("x", 5000)
	if _, _, err := exchange(t.Context(), llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{}))), chatURL, `{"long":"`+long+` warm `+long+`"}`); err != nil {
		t.Fatal(err)
	}
	if e := ask(`{"long":"` + long + ` cold ` + long + `"}`); !strings.Contains(e.Diff, "x warm x") || !strings.Contains(e.Diff, "x cold x") || len(e.Diff) > 1000 {
		t.Errorf("%v", e)
	}
	if e := ask(`{"a":[` + strings.Repeat("1,", 10_000) + `1]}`); !strings.Contains(e.Diff, "lines more") || len(e.Diff) > 10_000 {
		t.Errorf("%v", e)
	}
}

// TestInPart has bodies that are not read to their end: they end there again.
func TestInPart(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(resp *http.Response, cancel func())
		end   error
	}{
		"closed":    {func(resp *http.Response, _ func()) { _ = resp.Body.Close() }, nil},
		"cancelled": {func(_ *http.Response, cancel func()) { cancel() }, nil},
		"broken":    {func(resp *http.Response, _ func()) { _, _ = io.ReadAll(resp.Body) }, errors.New("connection reset")},
	} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			body := &pieces{list: []string{"one", "two"}, end: c.end}
			if c.end != nil {
				body.list = body.list[:1]
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, chatURL, strings.NewReader("{}"))
			resp, err := llmhttp.Record(dir, llmhttp.RecordThrough(answering(body))).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
				t.Fatal(err)
			}
			c.leave(resp, cancel)
			synctest.Wait()
			_ = resp.Body.Close()
		})
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if _, data, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, "{}"); string(data) != "one" || !errors.Is(err, io.ErrUnexpectedEOF) || (time.Since(start) > 0) != (c.end == nil) {
				t.Errorf("%s: %q %v after %v", name, data, err, time.Since(start))
			}
		})
	}
	// A call without an answer is not kept.
	dir := t.TempDir()
	if _, _, err := exchange(t.Context(), llmhttp.Record(dir, nobody), chatURL, "{}"); err == nil {
		t.Error("no error")
	}
	if names, _ := files(t, dir); len(names) != 0 {
		t.Errorf("files %q", names)
	}
}

// TestReplayCancelled honours the context of a request, before it and while a piece is
// waited for.
func TestReplayCancelled(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if _, _, err := exchange(t.Context(), llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{list: []string{"a", "b"}, gap: time.Hour}))), chatURL, "{}"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		via := llmhttp.Replay(dir, nobody, llmhttp.ReplayTimed())
		if _, data, err := exchange(ctx, via, chatURL, "{}"); string(data) != "a" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q %v", data, err)
		}
		if _, _, err := exchange(ctx, via, chatURL, "{}"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestEncodings records gzip as what it holds, whether net/http takes it off or the
// client asked for it, and refuses what cannot be read.
func TestEncodings(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, `{"key":"`+secretKey+`"}`)
	_ = z.Close()
	encoding := "gzip"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // whatever was asked for
		w.Header().Set("Content-Encoding", encoding)
		_, _ = w.Write(zipped.Bytes())
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for _, asked := range []string{"gzip", "identity", "gzip, br"} {
		dir := t.TempDir()
		_, data, err := exchange(t.Context(), llmhttp.Record(dir), server.URL, "{}", "Accept-Encoding", asked, "Authorization", secretKey)
		if err != nil || string(data) != `{"key":"`+secretKey+`"}` {
			t.Errorf("%s: %q %v", asked, data, err)
		}
		resp, data, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), server.URL, "{}", "Accept-Encoding", asked)
		if err != nil || string(data) != `{"key":"[key]"}` || resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: replayed %q %v", asked, data, err)
		}
	}
	encoding = "br"
	if _, _, err := exchange(t.Context(), llmhttp.Record(t.TempDir()), server.URL, "{}"); err == nil || !strings.Contains(err.Error(), `encoded as "br"`) {
		t.Errorf("br: %v", err)
	}
}

// TestRecordFlag records by Replay where the flag says so.
func TestRecordFlag(t *testing.T) {
	dir := t.TempDir()
	via := llmhttp.Replay(dir, llmhttp.RecordThrough(answering(&pieces{list: []string{"ok"}})))
	if flag.Lookup("llmhttp.record") == nil || flag.Lookup("record") != nil {
		t.Fatal("the flag is missing, or has a name that others have")
	}
	if err := flag.Set("llmhttp.record", "true"); err != nil {
		t.Fatal(err)
	}
	_, data, err := exchange(t.Context(), via, chatURL, "{}")
	if reset := flag.Set("llmhttp.record", "false"); reset != nil {
		t.Fatal(reset)
	}
	if err != nil || string(data) != "ok" {
		t.Fatal(err)
	}
	if _, data, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, "{}"); err != nil || string(data) != "ok" {
		t.Errorf("%q %v", data, err)
	}
}

// TestBadRecordings names files that are none.
func TestBadRecordings(t *testing.T) {
	for text, want := range map[string]string{
		"{": "unexpected end", `{}`: "the status is 0", `{"response":{"status":200}}`: "there is no request",
		`{"request":{"method":"POST","url":"u"},"response":{"status":200,"chunks":[{"base64":"?"}]}}`: "chunk 1: illegal base64",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "bad.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, "{}"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exchange(t.Context(), llmhttp.Replay(file, nobody), chatURL, "{}"); err == nil || !strings.HasPrefix(err.Error(), "llmhttp: read the recordings: ") {
		t.Errorf("a file: %v", err)
	}
	if _, err := llmhttp.Replay(file).RoundTrip(nil); err == nil {
		t.Error("no request: no error")
	}
	if _, _, err := exchange(t.Context(), llmhttp.Record(filepath.Join(file, "x"), llmhttp.RecordThrough(answering(&pieces{}))), chatURL, "{}"); err == nil {
		t.Error("a folder that cannot be made: no error")
	}
}

// TestRecordTogether records and replays many requests at the same time.
func TestRecordTogether(t *testing.T) {
	dir := t.TempDir()
	echo := roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, err
	})
	for _, via := range []http.RoundTripper{llmhttp.Record(dir, llmhttp.RecordThrough(echo)), llmhttp.Replay(dir, nobody)} {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				body := fmt.Sprintf(`{"n":%d}`, i%10)
				if _, data, err := exchange(context.Background(), via, chatURL, body); err != nil || string(data) != body {
					t.Errorf("%q %v", data, err)
				}
			})
		}
		all.Wait()
	}
	if names, _ := files(t, dir); len(names) != 40 {
		t.Errorf("%d files", len(names))
	}
}

// FuzzRecording replays whatever was recorded, byte for byte.
func FuzzRecording(f *testing.F) {
	f.Add(`{"a":[1,"x\n"],"b":{"token":"y"}}`, "data: ü\n", "\xe2\x82")
	f.Add(`{"a":1,"a":2}`, "", "x")
	f.Add("\x00", "\xff", "[key]")
	f.Fuzz(func(t *testing.T, body, first, second string) {
		dir := t.TempDir()
		_, recorded, err := exchange(t.Context(), llmhttp.Record(dir, llmhttp.RecordThrough(answering(&pieces{list: slices.DeleteFunc([]string{first, second}, func(s string) bool { return s == "" })}))), chatURL, body)
		if err != nil {
			t.Fatal(err)
		}
		_, replayed, err := exchange(t.Context(), llmhttp.Replay(dir, nobody), chatURL, body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(recorded, replayed) && !bytes.Contains(replayed, []byte("[key]")) {
			t.Errorf("recorded %q, replayed %q", recorded, replayed)
		}
	})
}
