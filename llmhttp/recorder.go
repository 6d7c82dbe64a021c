package llmhttp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// recordFlag makes Replay call and record. Its name has the package's in it, since
// programs have flags of their own. Only tests have it.
var recordFlag = func() *bool {
	if !testing.Testing() {
		return new(bool)
	}
	return flag.Bool("llmhttp.record", false, "call the providers, and record their answers where llmhttp.Replay finds them")
}()

// A RecordOption configures [Record] and [Replay].
type RecordOption func(*recorder)

// RecordThrough makes calls by base; nil stands for http.DefaultTransport, which is
// the default.
func RecordThrough(base http.RoundTripper) RecordOption {
	return func(r *recorder) {
		if base != nil {
			r.base = base
		}
	}
}

// RecordIgnoring leaves members of JSON bodies out of the request, wherever they
// stand: for what differs from run to run, such as an id that the program draws.
func RecordIgnoring(members ...string) RecordOption {
	return func(r *recorder) {
		for _, name := range members {
			r.ignored[name] = true
		}
	}
}

// ReplayTimed gives the pieces of an answer at the times at which they came, in place
// of at once.
func ReplayTimed() RecordOption { return func(r *recorder) { r.timed = true } }

// Record returns a RoundTripper that makes calls and keeps each, with its answer, in
// a file of the folder, for [Replay]. The folder is made; recordings of an earlier
// process of the same request are replaced.
//
//	client := &http.Client{Transport: llmhttp.Transport(llmhttp.Record("testdata/calls"))}
//
// A call is kept when its answer was read to its end, was closed, or broke, with what
// had come until then. One without an answer is not kept, and one whose answer comes
// in an encoding other than gzip is an error, since no credential can be found in it.
// Requests pass as they are, but for the header Accept-Encoding, which net/http sets
// itself.
//
// # What is kept
//
// Of a request the method, the URL and the body, of an answer the status, the headers
// that tell clients something (Content-Type, Retry-After, X-Ratelimit-… and the like),
// and the body in the pieces in which it came, with their times; as JSON, to be read
// and looked at in reviews. Prompts and answers stand there in full. Credentials do
// not: they are left out of the request by the rules of this package, and where the
// answer quotes them "[key]" stands in their place.
//
// # Which requests are the same
//
// Requests are the same where their method, URL and body are. JSON is compared as
// such, without regard to the order of members and to white space; of a multipart form
// the boundary does not count. Left out are all headers, credentials, parameters that
// sign a URL, the host where it is a loopback address, members of [RecordIgnoring],
// and dates and times (RFC 3339, RFC 1123, "November 30, 2026", Unix times of ten or
// thirteen digits) that are within two days of the clock: what a program writes of the
// present. Other dates count.
//
// The same request may be made several times. Each has its own file, and they are
// replayed in the order of their calls, again from the first after the last.
func Record(dir string, options ...RecordOption) http.RoundTripper {
	r := newRecorder(dir, options)
	r.calls = func() bool { return true }
	return r
}

// Replay returns a RoundTripper that answers requests from the files of a folder that
// [Record] wrote, byte for byte, without a network and without a key. Under the test
// flag -llmhttp.record it is Record.
//
//	client := &http.Client{Transport: llmhttp.Transport(llmhttp.Replay("testdata/calls"))}
//
// A request that is not recorded is a [*NotRecordedError], which says how it differs
// from the most similar one. A body that was recorded in part ends with io.ErrUnexpectedEOF there:
// at once where its connection broke, and where its client had left it after ten
// seconds, in which the client can leave it again. The folder is read at the first
// request.
func Replay(dir string, options ...RecordOption) http.RoundTripper {
	r := newRecorder(dir, options)
	r.calls = func() bool { return *recordFlag }
	return r
}

// recorder is what Record and Replay return.
type recorder struct {
	dir     string
	base    http.RoundTripper
	calls   func() bool
	ignored map[string]bool
	timed   bool
	now     func() time.Time

	mu     sync.Mutex
	loaded bool
	failed error                 // of reading the folder
	known  map[string][]*fixture // by the hash of the request, in the order of the calls
	asked  map[string]int        // how often each was asked for
	fresh  map[string]bool       // hashes of which this process has removed older files
}

func newRecorder(dir string, options []RecordOption) *recorder {
	r := &recorder{dir: dir, base: http.DefaultTransport, ignored: make(map[string]bool), now: time.Now, asked: make(map[string]int), fresh: make(map[string]bool)}
	for _, o := range options {
		if o != nil {
			o(r)
		}
	}
	return r
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (r *recorder) CloseIdleConnections() {
	if base, ok := r.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// mostRecorded bounds the bodies of requests and answers, in bytes.
const mostRecorded = 64 << 20

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req == nil || req.URL == nil {
		return nil, errors.New("llmhttp: round trip: the request is nil, or has no URL")
	}
	body, err := readRequest(req)
	if err != nil {
		return nil, fmt.Errorf("llmhttp: read the request: %w", err)
	}
	asked := r.normalize(req, body)
	if err := r.load(); err != nil {
		return nil, err
	}
	n := r.count(asked.hash)
	if !r.calls() {
		return r.replay(req, asked, n)
	}
	return r.record(req, body, asked, n)
}

// readRequest reads the body of a request and closes it.
func readRequest(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, mostRecorded+1))
	if closing := req.Body.Close(); err == nil {
		err = closing
	}
	if err == nil && len(body) > mostRecorded {
		err = fmt.Errorf("it is longer than %d bytes", mostRecorded)
	}
	return body, err
}

// count returns how often a request was made before.
func (r *recorder) count(hash string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[hash]++
	return r.asked[hash] - 1
}

// record makes a call and wraps its answer.
func (r *recorder) record(req *http.Request, body []byte, asked *request, n int) (*http.Response, error) {
	sent := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		sent.Body = io.NopCloser(bytes.NewReader(body))
		sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		sent.ContentLength = int64(len(body))
	}
	if e := sent.Header.Get("Accept-Encoding"); e != "" && e != "identity" && !covered(sent.Header.Get("Authorization"), "Accept-Encoding") {
		sent.Header.Del("Accept-Encoding") // net/http asks for gzip, and takes it off
	}
	start := r.now()
	resp, err := r.base.RoundTrip(sent)
	if err != nil {
		return resp, err
	}
	resp.Request = req
	from := resp.Body
	switch e := strings.ToLower(resp.Header.Get("Content-Encoding")); e {
	case "", "identity":
	case "gzip":
		from = &gunzip{ReadCloser: from}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength, resp.Uncompressed = -1, true
	default:
		_ = resp.Body.Close()
		return nil, fmt.Errorf("llmhttp: record: the answer is encoded as %.20q, in which no credential can be found", e)
	}
	var found secret.Values
	found.Header(req.Header)
	found.URL(req.URL)
	found = append(found, asked.credentials...)
	kept := &recordedBody{ReadCloser: from, r: r, last: start, keys: secret.NewMatcher(found), f: &fixture{Request: asked.shown, asked: asked, n: n}}
	kept.f.Response.Status, kept.f.Response.Header = resp.StatusCode, keptHeaders(resp.Header, kept.keys)
	resp.Body = kept
	kept.watch(req.Context())
	return resp, nil
}

// keptHeaders returns the headers that tell clients something.
func keptHeaders(h http.Header, keys *secret.Matcher) map[string]string {
	kept := make(map[string]string)
	for name, values := range h {
		switch n := strings.ToLower(name); {
		case secret.Credential(name, strings.Join(values, ",")):
		case n == "content-type", n == "request-id", n == "x-request-id", n == "x-should-retry", n == "location",
			strings.HasPrefix(n, "retry-after"), strings.HasPrefix(n, "x-ratelimit-"), strings.HasPrefix(n, "anthropic-ratelimit-"), strings.HasPrefix(n, "x-amzn-"):
			kept[name] = keys.Hide(strings.Join(values, ", "), keyMark)
		}
	}
	return kept
}
