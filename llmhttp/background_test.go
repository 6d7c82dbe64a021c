package llmhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// A queue is a server that answers in the background: what it says of a response
// is what it was told to. Its response is resp_b to the test, and has an id of its
// own to others, since what is remembered of it is so for the whole process.
type queue struct {
	id string

	mu  sync.Mutex
	say map[string]http.HandlerFunc // by method and path
}

var queues atomic.Int64

func newQueue(say map[string]http.HandlerFunc) *queue {
	return &queue{id: fmt.Sprint("resp_own_", queues.Add(1)), say: say}
}

func (q *queue) serve(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	handler := q.say[r.Method+" "+strings.ReplaceAll(r.URL.Path, q.id, "resp_b")]
	q.mu.Unlock()
	if handler == nil {
		handler = whole(404, `{"error":{"code":"not_found","message":"no such response"}}`)
	}
	handler(&renaming{w, q.id}, r)
}

// renaming writes an id in place of resp_b.
type renaming struct {
	http.ResponseWriter
	id string
}

func (w *renaming) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.ResponseWriter, strings.ReplaceAll(string(p), "resp_b", w.id))
	return len(p), err
}

func (w *renaming) Flush() { w.ResponseWriter.(http.Flusher).Flush() }

func (q *queue) tell(call string, handler http.HandlerFunc) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.say[call] = handler
}

// call makes a request and reads the answer.
func call(t *testing.T, ctx context.Context, client *http.Client, method, url, body string) { //nolint:revive // the test comes first
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
}

const (
	backgroundRequest = `{"model":"m","background":true,"input":"write a report"}`
	queuedAnswer      = `{"id":"resp_b","object":"response","status":"queued","background":true,"model":"m-1","output":[],"usage":null,"error":null}`
	runningAnswer     = `{"id":"resp_b","object":"response","status":"in_progress","background":true,"model":"m-1","output":[],"usage":null,"error":null}`
	finalAnswer       = `{"id":"resp_b","object":"response","status":"completed","background":true,"model":"m-1","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"The report.","annotations":[]}]}],"usage":{"input_tokens":12,"output_tokens":900,"total_tokens":912,"output_tokens_details":{"reasoning_tokens":700}}}`
	failedAnswer      = `{"id":"resp_b","object":"response","status":"failed","background":true,"model":"m-1","output":[],"usage":null,"error":{"code":"server_error","message":"broke"}}`
	reportOutputs     = `{"role":"assistant","content":"The report.","finish_reason":"stop"}`
)

var reportMetadata = map[string]string{
	"response_status": `"completed"`, "prompt_tokens": "12", "completion_tokens": "900", "reasoning_tokens": "700", "finish_reasons": `["stop"]`,
	"tokens_per_second": "", // when it was written is not known
}

// TestBackground joins the answer of a response to the event of the call that
// asked for it, once, whoever gets it and how.
func TestBackground(t *testing.T) {
	final := stream(
		say("response.created", `"response":`+runningAnswer), say("response.output_text.delta", `"output_index":0,"content_index":0,"delta":"The report."`),
		say("response.completed", `"response":`+finalAnswer))
	for name, c := range map[string]struct {
		get    func(t *testing.T, l *lab, q *queue, url string)
		err    bool
		status string
	}{
		"polled": {get: func(t *testing.T, l *lab, q *queue, url string) {
			call(t, l.ctx, l.client, "GET", url, "")
			q.tell("GET /v1/responses/resp_b", whole(200, runningAnswer))
			call(t, l.ctx, l.client, "GET", url, "")
			q.tell("GET /v1/responses/resp_b", whole(200, finalAnswer))
			call(t, l.ctx, l.client, "GET", url, "")
			call(t, l.ctx, l.client, "GET", url, "") // to which nothing is new
		}},
		"streamed": {get: func(t *testing.T, l *lab, q *queue, url string) {
			q.tell("GET /v1/responses/resp_b", final)
			call(t, l.ctx, l.client, "GET", url+"?stream=true&starting_after=3", "")
		}},
		"by another client, in another request": {get: func(t *testing.T, l *lab, q *queue, url string) {
			q.tell("GET /v1/responses/resp_b", whole(200, finalAnswer))
			base := &http.Transport{}
			defer base.CloseIdleConnections()
			ctx, s := l.Tracer.ContinueSession(t.Context(), l.session.ID())
			call(t, ctx, &http.Client{Transport: llmhttp.Transport(base)}, "GET", url, "")
			s.End()
		}},
		"after the session": {get: func(t *testing.T, l *lab, q *queue, url string) {
			l.session.End()
			q.tell("GET /v1/responses/resp_b", whole(200, finalAnswer))
			call(t, context.Background(), l.client, "GET", url, "")
		}},
		"never": {get: func(t *testing.T, l *lab, _ *queue, url string) {
			call(t, l.ctx, l.client, "GET", url, "")
			call(t, l.ctx, l.client, "GET", url+"x", "")
		}, status: `"queued"`},
		"failed": {get: func(t *testing.T, l *lab, q *queue, url string) {
			q.tell("GET /v1/responses/resp_b", whole(200, failedAnswer))
			call(t, l.ctx, l.client, "GET", url, "")
		}, err: true, status: `"failed"`},
		"cancelled": {get: func(t *testing.T, l *lab, q *queue, url string) {
			q.tell("POST /v1/responses/resp_b/cancel", whole(200, strings.Replace(queuedAnswer, "queued", "cancelled", 1)))
			call(t, l.ctx, l.client, "POST", url+"/cancel", "")
		}, err: true, status: `"cancelled"`},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(map[string]http.HandlerFunc{"POST /v1/responses": whole(200, queuedAnswer), "GET /v1/responses/resp_b": whole(200, queuedAnswer)})
			l := newLab(t, q.serve)
			call(t, l.ctx, l.client, "POST", l.server.URL+"/v1/responses", backgroundRequest)
			c.get(t, l, q, l.server.URL+"/v1/responses/"+q.id)
			e := l.only()
			e.AssertInputs(`{"chat_history":[{"role":"user","content":"write a report"}]}`)
			if c.status != "" {
				metadata(t, e, map[string]string{"response_status": c.status, "prompt_tokens": ""})
				if e.Metadata.Has("error") != c.err || e.Metadata.Has("error_type") != c.err {
					t.Error(e.Metadata)
				}
				return
			}
			e.AssertOutputs(reportOutputs)
			metadata(t, e, reportMetadata)
			if name == "polled" {
				if n, _ := l.Session("s").Metadata.Get("completion_tokens"); string(n) != "900" {
					t.Errorf("the session has %s tokens", n)
				}
			}
		})
	}
}

// TestBackgroundOfOthers makes an event of an answer that another process asked
// for, once, and none of what has an event of its own.
func TestBackgroundOfOthers(t *testing.T) {
	q := newQueue(map[string]http.HandlerFunc{"GET /v1/responses/resp_b": whole(200, finalAnswer)})
	l := newLab(t, q.serve)
	url := l.server.URL + "/v1/responses/" + q.id
	call(t, l.ctx, l.client, "GET", url, "")
	call(t, l.ctx, l.client, "GET", url, "")
	stored := strings.NewReplacer("resp_b", "resp_s", `"background":true`, `"background":false`).Replace(finalAnswer)
	q.tell("GET /v1/responses/resp_s", whole(200, stored))
	call(t, l.ctx, l.client, "GET", l.server.URL+"/v1/responses/resp_s", "")
	for _, path := range []string{"/v1/responses/" + q.id + "/input_items", "/v1/responses/", "/v1/responses", "/x/responses/" + q.id} {
		call(t, l.ctx, l.client, "GET", l.server.URL+path, "")
	}
	call(t, l.ctx, l.client, "DELETE", url, "")
	e := l.only()
	e.AssertOutputs(reportOutputs)
	if e.EventName.Or("") != "fetch_response m-1" || e.EventType.Or("") != "model" {
		t.Error(e.EventName, e.EventType)
	}
	metadata(t, e, reportMetadata)
	check(t, l.attributes("fetch_response m-1"), map[string]any{
		"gen_ai.operation.name": "fetch_response", "gen_ai.provider.name": "openai", "server.address": "127.0.0.1", "gen_ai.response.id": q.id,
		"gen_ai.output.messages": `[{"role":"assistant","parts":[{"type":"text","content":"The report."}],"finish_reason":"stop"}]`,
	})
}

// TestBackgroundStream joins the answer of a stream that its client left.
func TestBackgroundStream(t *testing.T) {
	created := say("response.created", `"response":`+queuedAnswer)
	for name, pieces := range map[string][]string{
		"left":     {created, say("response.output_text.delta", `"output_index":0,"content_index":0,"delta":"The"`)},
		"complete": {created, say("response.completed", `"response":`+finalAnswer)},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(map[string]http.HandlerFunc{"POST /v1/responses": stream(pieces...), "GET /v1/responses/resp_b": whole(200, finalAnswer)})
			l := newLab(t, q.serve)
			call(t, l.ctx, l.client, "POST", l.server.URL+"/v1/responses", strings.Replace(backgroundRequest, "{", `{"stream":true,`, 1))
			call(t, l.ctx, l.client, "GET", l.server.URL+"/v1/responses/"+q.id, "")
			l.only().AssertOutputs(reportOutputs)
		})
	}
}

// TestBackgroundConcurrently gives an answer to its event once, however many ask
// for it at once.
func TestBackgroundConcurrently(t *testing.T) {
	q := newQueue(map[string]http.HandlerFunc{})
	l := newLab(t, q.serve)
	const n = 20
	for i := range n {
		id := fmt.Sprint(q.id, "_", i)
		q.tell("POST /v1/responses", whole(200, strings.ReplaceAll(queuedAnswer, "resp_b", id)))
		call(t, l.ctx, l.client, "POST", l.server.URL+"/v1/responses", backgroundRequest)
		q.tell(fmt.Sprint("GET /v1/responses/resp_b_", i), whole(200, strings.ReplaceAll(finalAnswer, "resp_b", id)))
	}
	var wg sync.WaitGroup
	for i := range 3 * n {
		wg.Go(func() {
			call(t, l.ctx, l.client, "GET", fmt.Sprintf("%s/v1/responses/%s_%d", l.server.URL, q.id, i%n), "")
		})
	}
	wg.Wait()
	events := l.end()
	if len(events) != n {
		t.Fatalf("%d events, want %d", len(events), n)
	}
	for _, e := range events {
		e.AssertOutputs(reportOutputs)
	}
	if tokens, _ := l.Session("s").Metadata.Get("completion_tokens"); string(tokens) != fmt.Sprint(n*900) {
		t.Errorf("the session has %s tokens", tokens)
	}
}

// TestBackgroundBlind records nothing of what is said.
func TestBackgroundBlind(t *testing.T) {
	q := newQueue(map[string]http.HandlerFunc{"POST /v1/responses": whole(200, queuedAnswer), "GET /v1/responses/resp_b": whole(200, finalAnswer)})
	l := newLab(t, q.serve, llmhttp.WithoutContent())
	call(t, l.ctx, l.client, "POST", l.server.URL+"/v1/responses", backgroundRequest)
	call(t, l.ctx, l.client, "GET", l.server.URL+"/v1/responses/"+q.id, "")
	e := l.only()
	metadata(t, e, reportMetadata)
	if text := fmt.Sprint(e.Inputs, e.Outputs, e.Metadata); strings.Contains(text, "report") {
		t.Error(text)
	}
}

// TestCompact makes an event of a call that compacts a conversation.
func TestCompact(t *testing.T) {
	a := answered{path: "/v1/responses/compact", outputs: `{"role":"assistant","content":[{"type":"compaction","id":"c"}]}`, metadata: map[string]string{"prompt_tokens": "50", "completion_tokens": "9", "response_id": `"resp_c"`}}
	e := a.event(t, whole(200, `{"id":"resp_c","object":"response.compaction","output":[{"type":"compaction","id":"c","encrypted_content":"QUJD"}],"usage":{"input_tokens":50,"output_tokens":9,"total_tokens":59}}`), `{"model":"m","input":"a long talk"}`)
	a.check(t, e)
	e.AssertInputs(`{"chat_history":[{"role":"user","content":"a long talk"}]}`)
	if e.EventName.Or("") != "chat m" {
		t.Error(e.EventName)
	}
}
