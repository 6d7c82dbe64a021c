package clienttest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client is one that programs use, with the way it is traced.
type client struct {
	name, module string
	wire         *wire
	open         func(t testing.TB, l *lab) ask
	attempts     bool     // it tells the server which attempt a request is
	again        bool     // it tries again where there is no server
	sends        string   // what of the key is in each request, if it is not the key itself; "-" for nothing
	varies       []string // headers that differ from call to call
	// cannot says which cases end otherwise, and why.
	cannot map[string]limit
	// adjust changes what is expected where this client asks otherwise.
	adjust func(tc *testCase, n int, want *record)
}

// A limit is a case that ends otherwise with a client.
type limit struct {
	why string
	// change makes of the case what is checked instead.
	change func(tc *testCase)
}

// limits returns limits together.
func limits(all ...map[string]limit) map[string]limit {
	m := make(map[string]limit)
	for _, l := range all {
		maps.Copy(m, l)
	}
	return m
}

// noRetry is the limit of clients that do not try again.
var noRetry = func() map[string]limit {
	once := limit{"does not try again by itself", func(tc *testCase) { tc.replies, tc.want, tc.fails = tc.replies[:1], tc.want[:1], true }}
	return map[string]limit{"rate limit, tried again": once, "rate limit of a stream, tried again": once}
}()

// silent is the limit of clients that return no error where a stream breaks.
func silent(cases ...string) map[string]limit {
	m := make(map[string]limit)
	for _, name := range cases {
		m[name] = limit{"the event has the error, but the client returns none, or not always", func(tc *testCase) { tc.mute = true }}
	}
	return m
}

// ask asks a question. It gives the text of a stream to each as it comes, and
// stops where that returns false; where each is nil the answer comes whole.
type ask func(ctx context.Context, q question, each func(piece string) bool) (answer, error)

var clients = []*client{openAIMiddleware, openAITransport, openAIResponses, goOpenAI, langchain, eino, anthropicMiddleware, anthropicTransport, genAI, ollama, bedrock, cohereGo}

// TestClients asks every question with every client.
func TestClients(t *testing.T) {
	results := newTable()
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			for _, tc := range testCases {
				why := ""
				if l, ok := c.cannot[tc.name]; ok {
					why = l.why
					tc.replies, tc.want = slices.Clone(tc.replies), slices.Clone(tc.want)
					l.change(&tc)
				}
				operation := c.wire.name
				if tc.streamed {
					operation += ", streamed"
				}
				passed := t.Run(tc.name, func(t *testing.T) { results.add(c, operation, c.check(t, &tc)...) })
				results.result(c, tc.name, passed, why)
			}
		})
	}
	t.Run("sources", func(t *testing.T) { testSources(t, results) })
	t.Run("embeddings", func(t *testing.T) { testEmbeddings(t, results) })
	results.compare(t)
}

// check runs a case and returns what was recorded.
func (c *client) check(t *testing.T, tc *testCase) []record {
	return c.checkThrough(t, tc, func(base http.RoundTripper) http.RoundTripper { return base })
}

// checkThrough is check with another transport between the client and the server.
func (c *client) checkThrough(t *testing.T, tc *testCase, through func(base http.RoundTripper) http.RoundTripper) []record {
	l := newLab(t, c.wire, tc.replies...)
	l.plain.Transport = through(l.plain.Transport)
	l.trace()
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	var each func(string) bool
	var pieces []string
	if tc.streamed {
		each = func(piece string) bool {
			if piece != "" {
				pieces = append(pieces, piece)
			}
			if len(pieces) == 1 && tc.leave == cancels {
				cancel()
			}
			return len(pieces) == 0 || tc.leave != closes
		}
	}
	got, err := c.open(t, l)(ctx, tc.question, each)
	close(l.resume)
	if (err != nil) != tc.fails && !tc.mute {
		t.Errorf("the client returned %v", err)
	}
	last := &tc.want[len(tc.want)-1]
	if !tc.fails && !last.cut {
		if diff := cmp.Diff(last.answer, answer{Pieces: []string{got.text()}, Calls: got.Calls}, cmp.Transformer("text", func(a answer) any {
			return []any{a.text(), len(a.Calls), encode(a.Calls)}
		})); diff != "" {
			t.Errorf("the client read (-want +got)\n%s", diff)
		}
	}
	if tc.streamed && last.failed != "http" && (len(pieces) == 0) != (len(last.answer.Pieces) == 0) {
		t.Errorf("pieces %q", pieces)
	}
	events := l.events(len(tc.want))
	attributes := l.attributes()
	var records []record
	for i, e := range events {
		r := recordOf(e, attributes[i])
		if diff := cmp.Diff(c.expected(tc, i), r); diff != "" {
			t.Errorf("attempt %d (-want +got)\n%s", i+1, diff)
		}
		records = append(records, r)
	}
	wanted := len(tc.want)
	if tc.gone {
		wanted = 0
	}
	if len(l.requests) != wanted {
		t.Errorf("%d requests, %d events", len(l.requests), len(tc.want))
	}
	if tc.replies[0].zip && l.zipped == 0 && !tc.gone {
		t.Error("the client did not ask for gzip")
	}
	if r := l.Reports(); len(r) > 0 {
		t.Errorf("reports %v", r)
	}
	return records
}
