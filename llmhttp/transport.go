package llmhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/pipeline"
	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// Transport returns a RoundTripper that traces calls of models, searches and rerankers
// on their way to base. A nil base stands for http.DefaultTransport. Put it inside of transports
// that write headers of their own, such as otelhttp's: the headers of tracers are
// taken off calls of models and of hosted searches, recorded or not, and off everything
// else that goes to a host of a provider. What a base that it is given writes stays.
func Transport(base http.RoundTripper, options ...Option) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{newTracing(options), base, base.RoundTrip}
}

type transport struct {
	tracing *tracing
	base    http.RoundTripper
	next    func(*http.Request) (*http.Response, error)
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r == nil {
		return nil, errors.New("llmhttp: round trip: the request is nil")
	}
	return t.tracing.do(r, t.next)
}

// Middleware returns a function that traces calls as [Transport] does on their way to
// next, for clients that take one of this form. A call that passes through
// several of this package is traced once, by the outermost.
func Middleware(options ...Option) func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	t := newTracing(options)
	return func(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
		if r == nil {
			return next(r)
		}
		return t.do(r, next)
	}
}

// tracedKey marks the context of a request that is traced already.
type tracedKey struct{}

func (t *tracing) do(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	found, ok := t.recognise(r)
	if !ok {
		return next(t.unrecorded(r))
	}
	if t.filter != nil && !t.filter(r) {
		return next(found.outgoing(r, r.Context()))
	}
	if r.Context().Value(tracedKey{}) != nil {
		return next(found.outgoing(r, r.Context())) // something between us may have added headers
	}
	given := r
	if found.tell != nil { // which call it is its body says
		if r, found, ok = t.peek(r, found); !ok {
			resp, err := next(r)
			if resp != nil && resp.Request == r {
				resp.Request = given
			}
			return resp, err
		}
	}
	ctx, c := t.start(r, found)
	if c == nil {
		return next(found.outgoing(r, r.Context()))
	}
	sent := found.outgoing(r, context.WithValue(ctx, tracedKey{}, true))
	c.takeRequest(sent)
	returned := false
	defer func() {
		if !returned {
			c.finish(errors.New("panic in the transport"))
		}
	}()
	resp, err := next(sent)
	returned = true
	if err != nil {
		c.finish(err)
		return resp, err
	}
	if resp != nil {
		if resp.Request == sent {
			resp.Request = given
		} else {
			c.answered = resp.Request
		}
		c.takeResponse(r.Context(), resp)
	} else {
		c.finish(nil)
	}
	return resp, nil
}

// start starts the event of a call, or takes the span that the client made for
// it. It returns nil where nothing is recorded.
func (t *tracing) start(r *http.Request, found route) (context.Context, *call) {
	ctx := r.Context()
	c := newCall(t, r)
	c.x.route = found
	c.x.room, c.x.blind = t.limit, t.blind
	if found.retrieves {
		return ctx, c
	}
	if span := foreignSpan(ctx, found.operation); span != nil {
		c.span = span
		c.x.attributes = nil // nobody knows how long a span that is not ours holds them
		c.exports = !t.blind && sessionspan.ContentOnSpans(sessionspan.ContextWithTracer(ctx, t.tracer))
		c.measured, _ = pipeline.Measured(ctx, t.tracer, found.kind()).(*sessionspan.Event)
		return ctx, c
	}
	if t.tracer != nil {
		ctx, c.event = t.tracer.StartEvent(ctx, found.kind(), found.operation)
	} else {
		ctx, c.event = sessionspan.StartEvent(ctx, found.kind(), found.operation)
	}
	if !c.event.IsRecording() {
		if !c.event.IsMeasured() {
			c.giveSpace()
			return ctx, nil
		}
		c.x.blind = true
	}
	c.span = c.event.Span()
	c.exports = !t.blind && c.event.ExportsSpan()
	c.x.config.text("provider", found.provider)
	return ctx, c
}

// foreignSpan returns the span of the context where the client made it for this
// very call: it is of another tracer than ours and about a call of a model. In a
// session it must be one of its events: that of another provider is none.
func foreignSpan(ctx context.Context, operation string) trace.Span {
	span := trace.SpanFromContext(ctx)
	read, ok := span.(sdktrace.ReadOnlySpan)
	if !ok || !span.IsRecording() || read.InstrumentationScope().Name == "github.com/sessionspan/sessionspan" {
		return nil
	}
	about, event := false, sessionspan.SessionFromContext(ctx) == nil
	for _, kv := range read.Attributes() {
		switch kv.Key {
		case honeyhive.AttrSessionID:
			event = true
		case genai.OperationName:
			switch name := kv.Value.AsString(); name {
			case genai.Chat, genai.TextCompletion, genai.GenerateContent, genai.Embeddings:
				about = operation != genai.Retrieval && operation != genai.Rerank
			case genai.Retrieval, genai.Rerank:
				about = operation == name
			}
		}
	}
	if about && event {
		return span
	}
	return nil
}

// takeRequest reads what is asked, from a copy of the body where the request has
// one, or else as it is sent.
func (c *call) takeRequest(sent *http.Request) {
	defer c.guard()
	kept := &c.space.sent
	*kept = capture{limit: c.t.limit, b: c.space.takeBody()}
	c.sent = kept
	switch {
	case sent.Body == nil || sent.Body == http.NoBody:
		c.readRequest()
	case sent.GetBody != nil:
		body, err := sent.GetBody()
		if err != nil {
			return
		}
		defer func() { _ = body.Close() }()
		if c.t.askUsage && c.x.usageAsk {
			body = c.askUsage(sent, body)
		}
		kept.expect(sent.ContentLength, kept.b)
		_, _ = io.Copy(kept, body)
		// GetBody may have rewound the very reader that is to be sent (openai-go).
		_ = sent.Body.Close()
		if again, err := sent.GetBody(); err == nil {
			sent.Body = again
		}
		c.readRequest()
	default:
		sent.Body = &sentBody{sent.Body, c, sent.ContentLength}
	}
}

// sentBody keeps a body as it is sent.
type sentBody struct {
	io.ReadCloser
	c    *call
	left int64 // bytes that are to come, where it is known
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	if !b.c.asked {
		b.c.sent.write(p[:n])
		b.left -= int64(n)
		b.c.sentAll = b.c.sentAll || n > 0 && b.left == 0 || errors.Is(err, io.EOF)
	}
	return n, err
}

// mostAsk bounds the requests that are changed to ask for usage.
const mostAsk = 64 << 20

// askUsage adds stream_options to a request for a stream that has none, and
// returns the body to read.
func (c *call) askUsage(sent *http.Request, body io.ReadCloser) io.ReadCloser {
	if sent.Header.Get("Content-Encoding") != "" || sent.ContentLength > mostAsk || signed(sent.Header) {
		return body
	}
	data, err := io.ReadAll(io.LimitReader(body, mostAsk+1))
	if err != nil || len(data) > mostAsk {
		if again, err := sent.GetBody(); err == nil {
			return again
		}
		return io.NopCloser(bytes.NewReader(data))
	}
	canonical, err := rawjson.Parse(string(data))
	if err == nil && get(canonical, "stream") == "true" {
		_, has := rawjson.Get(canonical, "stream_options")
		at := bytes.IndexByte(data, '{') + 1
		if !has && at > 0 {
			data = bytes.Join([][]byte{data[:at], data[at:]}, []byte(`"stream_options":{"include_usage":true},`))
			_ = sent.Body.Close()
			sent.ContentLength = int64(len(data))
			sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
			sent.Body, _ = sent.GetBody()
			if sent.Header.Get("Content-Length") != "" {
				sent.Header = sent.Header.Clone()
				sent.Header.Del("Content-Length")
			}
		}
	}
	return io.NopCloser(bytes.NewReader(data))
}

// signed reports whether the body of a request is signed or digested, so that it
// must stay as it is.
func signed(h http.Header) bool {
	for _, name := range [...]string{"X-Amz-Content-Sha256", "Content-Digest", "Digest", "Content-Md5", "Signature"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return strings.HasPrefix(h.Get("Authorization"), "AWS4-")
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
