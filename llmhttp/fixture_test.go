package llmhttp_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/llmhttp"
	"github.com/sessionspan/sessionspan/sessiontest"
)

// A fixture is one answer of a format: as it comes whole and as it comes as a
// stream, with what an event is to hold of it. The tests of oracle_test.go hold for
// each. A format's fixtures stand in fixture_FORMAT_test.go, written by hand from
// the provider's documentation.
type fixture struct {
	name   string
	header []string // of the request, in pairs
	method string   // POST if empty

	// The answer that comes whole; none if whole is empty.
	url, request string
	whole        string

	// The same answer as a stream; none if chunks is empty.
	streamURL, streamRequest string
	chunks                   []piece
	wire                     func(chunks []piece) string
	kind                     string // content type of the stream; text/event-stream if empty

	// What the event holds, whichever way the answer came.
	outputs  string            // JSON
	metadata map[string]string // some of it, as JSON
	streamed map[string]string // metadata of the stream alone, such as what only a chunk says
	// noEnd is a stream that has no terminator: where its last choice ended, it
	// may be whole.
	noEnd bool

	// Of a search: what is asked for, as JSON, and the kind of the event.
	inputs, config, eventKind string
}

// A piece is a chunk of a stream, and the name of its event.
type piece struct{ event, data string }

// chunked returns pieces without names.
func chunked(list ...string) []piece {
	pieces := make([]piece, len(list))
	for i, data := range list {
		pieces[i] = piece{data: data}
	}
	return pieces
}

// The ways in which streams are written.

func events(chunks []piece) string {
	var b strings.Builder
	for _, c := range chunks {
		if c.event != "" {
			b.WriteString("event: " + c.event + "\n")
		}
		b.WriteString("data: " + c.data + "\n\n")
	}
	return b.String()
}

func eventsDone(chunks []piece) string { return events(chunks) + "data: [DONE]\n\n" }

func jsonLines(chunks []piece) string {
	var b strings.Builder
	for _, c := range chunks {
		b.WriteString(c.data + "\n")
	}
	return b.String()
}

func jsonArray(chunks []piece) string {
	var b strings.Builder
	for i, c := range chunks {
		b.WriteString([]string{"[", ",\r\n"}[min(i, 1)] + c.data)
	}
	return b.String() + "\n]\n"
}

func binaryFrames(chunks []piece) string {
	var b strings.Builder
	for _, c := range chunks {
		b.WriteString(frameEvent(c.event, c.data))
	}
	return b.String()
}

// binaryChunks are those of Bedrock's InvokeModel, which hold another provider's.
func binaryChunks(chunks []piece) string {
	var b strings.Builder
	for _, c := range chunks {
		b.WriteString(frameEvent("chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(c.data))+`"}`))
	}
	return b.String()
}

// fixtures are those of all formats.
func fixtures() []fixture {
	return slices.Concat(openAIFixtures, anthropicFixtures, geminiFixtures, ollamaFixtures, bedrockFixtures, invokeFixtures, cohereFixtures, interactionsFixtures, storeFixtures, searchFixtures, rerankFixtures)
}

// An answer is what a server sends.
type answer struct {
	kind, body string
	cut        error // in place of the end of the body
	sizes      []int // of what the client reads; all at once if empty
}

// whole is the answer that came whole.
func (f *fixture) wholeAnswer() answer { return answer{kind: "application/json", body: f.whole} }

// streamAnswer is the answer as a stream of chunks.
func (f *fixture) streamAnswer(chunks []piece) answer {
	kind := f.kind
	if kind == "" {
		kind = "text/event-stream"
	}
	return answer{kind: kind, body: f.wire(chunks)}
}

// A stage is a session in which fixtures are played.
type stage struct {
	t       testing.TB
	p       *sessiontest.Pipeline
	request func(url, body string) *http.Request
	end     func() []*sessiontest.Event
}

func newStage(t testing.TB, options ...sessionspan.Option) *stage {
	p := sessiontest.New(t, options...)
	ctx, s := p.Tracer.StartSession(t.Context(), "s")
	return &stage{
		t: t, p: p,
		request: func(url, body string) *http.Request {
			return httptest.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		},
		end: func() []*sessiontest.Event {
			s.End()
			return p.Session("s").Events
		},
	}
}

// play makes a call of a fixture that is answered so: as a stream, or whole.
func (s *stage) play(f *fixture, streams bool, a answer, options ...llmhttp.Option) {
	s.t.Helper()
	s.send(s.ask(f, streams), a, options...)
}

// ask returns the request of a fixture for a stream, or for a whole answer.
func (s *stage) ask(f *fixture, streams bool) *http.Request {
	url, body := f.url, f.request
	if streams {
		url, body = f.streamURL, f.streamRequest
	}
	r := s.request(url, body)
	if f.method != "" {
		r.Method = f.method
	}
	for i := 0; i < len(f.header); i += 2 {
		r.Header.Set(f.header[i], f.header[i+1])
	}
	return r
}

// send makes a call that is answered so, and checks that its client gets that.
func (s *stage) send(r *http.Request, a answer, options ...llmhttp.Option) {
	s.t.Helper()
	sizes := a.sizes
	if len(sizes) == 0 {
		sizes = []int{max(1, len(a.body))}
	}
	var body io.Reader = &piecewise{a.body, sizes}
	if a.cut != nil {
		body = io.MultiReader(body, failing{a.cut})
	}
	base := roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {a.kind}}, Body: io.NopCloser(body)}, nil
	})
	resp, err := llmhttp.Transport(base, options...).RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if string(got) != a.body || err != a.cut { //nolint:errorlint // the very error
		s.t.Fatalf("the client got %q, %v", got, err)
	}
	_ = resp.Body.Close()
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// observed is what an event says of an answer: parsed, so that the order of
// members does not count, and without times.
type observed struct {
	Outputs  any
	Metadata map[string]any
	Error    string
}

func observe(t testing.TB, e *sessiontest.Event) observed {
	t.Helper()
	o := observed{Error: e.Error.Or("")}
	if text := e.Outputs.String(); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Outputs); err != nil {
			t.Fatal(err)
		}
	}
	if err := json.Unmarshal([]byte(e.Metadata.String()), &o.Metadata); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"time_to_first_chunk_ms", "tokens_per_second"} {
		delete(o.Metadata, key)
	}
	return o
}

// marked reports whether an event says that its answer was not whole.
func (o *observed) marked() bool {
	for _, key := range []string{"stream_end", "chunks_skipped", "answer_truncated"} {
		if o.Metadata[key] != nil {
			return true
		}
	}
	return o.Error != ""
}

func (o *observed) equal(other *observed) bool { return reflect.DeepEqual(o, other) }

// check compares an event with what the fixture says.
func (f *fixture) check(t *testing.T, o observed, streams bool) {
	t.Helper()
	if diff := cmp.Diff(parsed(t, f.outputs), o.Outputs); diff != "" {
		t.Errorf("outputs: %s", diff)
	}
	if o.Error != "" || o.marked() {
		t.Errorf("error %q, metadata %v", o.Error, o.Metadata)
	}
	want := []map[string]string{f.metadata}
	if streams {
		want = append(want, f.streamed)
	}
	for _, list := range want {
		for key, text := range list {
			if diff := cmp.Diff(parsed(t, text), o.Metadata[key]); diff != "" {
				t.Errorf("metadata.%s: %s", key, diff)
			}
		}
	}
}

// ways calls a test for each way in which each fixture comes.
func ways(t *testing.T, test func(t *testing.T, f *fixture, streams bool, a answer)) {
	for _, f := range fixtures() {
		if f.whole != "" {
			t.Run(f.name+"/whole", func(t *testing.T) { test(t, &f, false, f.wholeAnswer()) })
		}
		if len(f.chunks) > 0 {
			t.Run(f.name+"/stream", func(t *testing.T) { test(t, &f, true, f.streamAnswer(f.chunks)) })
		}
	}
}
