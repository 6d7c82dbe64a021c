package exporter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/await"
	"github.com/sessionspan/sessionspan/internal/pipeline"
)

func newHTTP(cfg exporter.HTTPConfig, options ...exporter.Option) (*exporter.Exporter, error) {
	return exporter.NewHTTP(cfg, append([]exporter.Option{exporter.WithErrorHandler(nil)}, options...)...)
}

// inBubble returns an exporter to a server without a network.
func inBubble(f *fake, options ...exporter.Option) (*exporter.Exporter, error) {
	return newHTTP(exporter.HTTPConfig{URL: "http://localhost", Transport: f}, options...)
}

func TestRoutes(t *testing.T) {
	for _, v1 := range []bool{false, true} {
		t.Run(fmt.Sprint("v1=", v1), func(t *testing.T) {
			srv := newServer(t, ok)
			e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL + "/base/", Key: "k", V1: v1})
			tracer := tracerFor(t, e, err)
			s := run(tracer, "s", "a", "b")
			flush(t, tracer)
			if err := tracer.Update(context.Background(), s.ID(), sessionspan.WithFeedback(map[string]any{"late": 1})); err != nil {
				t.Fatal(err)
			}
			flush(t, tracer)
			reqs := srv.seen()
			for i := range reqs {
				if h := reqs[i].header; h.Get("Authorization") != "Bearer k" || h.Get("Content-Type") != "application/json" || !strings.HasPrefix(h.Get("User-Agent"), "sessionspan-go/") {
					t.Errorf("headers %v", h)
				}
				if len(reqs[i].header.Values("Traceparent")) > 0 {
					t.Error("the export is traced")
				}
			}
			var session honeyhive.SessionStartRequest
			if !v1 {
				want := []string{"POST /base/session/start", "POST /base/events/batch", "PUT /base/events"}
				if diff := cmp.Diff(want, srv.routes()); diff != "" {
					t.Fatal(diff)
				}
				var wrapped struct{ Session honeyhive.SessionStartRequest }
				if err := json.Unmarshal(reqs[0].body, &wrapped); err != nil {
					t.Fatal(err)
				}
				session = wrapped.Session
				if session.Project.Or("") != "p" || session.Error.Or("") != "failed" || session.Metrics.String() != `{"m":1}` || session.Feedback.String() != `{"f":1}` {
					t.Errorf("%s", reqs[0].body)
				}
				if events := eventsOf(t, reqs[1].body); names(events) != "a b" || events[0].Project.Or("") != "p" {
					t.Errorf("%s", reqs[1].body)
				}
				return
			}
			want := []string{"POST /base/v1/sessions", "POST /base/v1/events/batch", "PUT /base/v1/events/" + s.ID(), "PUT /base/v1/events/" + s.ID()}
			got := srv.routes()
			slices.Sort(want[1:])
			slices.Sort(got[1:])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			// What the routes do not declare is left out, and sent otherwise.
			if err := json.Unmarshal(reqs[0].body, &session); err != nil {
				t.Fatal(err)
			}
			if !session.Project.IsZero() || !session.Error.IsZero() || !session.Metrics.IsZero() || !session.Feedback.IsZero() || session.Metadata.String() != `{"project":"p","error":"failed"}` {
				t.Errorf("%s", reqs[0].body)
			}
			for _, r := range reqs {
				switch {
				case strings.HasSuffix(r.path, "batch"):
					if events := eventsOf(t, r.body); names(events) != "a b" || !events[0].Project.IsZero() {
						t.Errorf("%s", r.body)
					}
				case r.method == "PUT" && !bytes.Contains(r.body, []byte("late")):
					if want := `{"event_id":"` + s.ID() + `","metrics":{"m":1},"feedback":{"f":1}}`; string(r.body) != want {
						t.Errorf("%s, want %s", r.body, want)
					}
				}
			}
		})
	}
}

func TestGzip(t *testing.T) {
	srv := newServer(t, ok)
	e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL, Gzip: true})
	tracer := tracerFor(t, e, err)
	run(tracer, "s", "a")
	flush(t, tracer)
	for _, r := range srv.seen() {
		if r.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", r.path)
		}
		zr, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(zr); err != nil || !json.Valid(plain) {
			t.Errorf("%s: %q, %v", r.path, plain, err)
		}
	}
}

// TestRetries lets the server fail in each way that passes: all is delivered, in
// order, and not earlier than the server allows.
func TestRetries(t *testing.T) {
	status := func(code int, header ...string) answer {
		return func(_ int, w http.ResponseWriter, _ request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	for name, tc := range map[string]struct {
		fail answer
		wait time.Duration
	}{
		"408":             {status(408), 0},
		"425":             {status(425), 0},
		"429":             {status(429), 0},
		"429 in seconds":  {status(429, "Retry-After", "7"), 7 * time.Second},
		"503 with a date": {status(503, "Retry-After", time.Date(2000, 1, 1, 0, 0, 9, 0, time.UTC).Format(http.TimeFormat)), 8 * time.Second}, // a bubble starts at 2000-01-01
		"503 with junk":   {status(503, "Retry-After", "soon"), 0},
		"500":             {status(500), 0},
		"500 with HTML":   {func(_ int, w http.ResponseWriter, _ request) { w.WriteHeader(500); _, _ = io.WriteString(w, "<html>") }, 0},
		"502":             {status(502), 0},
		"504":             {status(504), 0},
		"401":             {status(401), 0},
		"403":             {status(403), 0},
		"404":             {status(404), 0},
		"302":             {status(302, "Location", "http://localhost/elsewhere"), 0},
		"307":             {status(307, "Location", "http://evil.example/"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.answer = func(n int, w http.ResponseWriter, r request) {
					if n < 3 {
						tc.fail(n, w, r)
						return
					}
					ok(n, w, r)
				}
				e, err := inBubble(f)
				tracer := tracerFor(t, e, err)
				start := time.Now()
				run(tracer, "s", "a", "b")
				time.Sleep(5 * time.Minute)
				if s := e.Stats(); s.Delivered != 3 || s.Retried == 0 {
					t.Errorf("%+v", s)
				}
				if routes := f.routes(); routes[len(routes)-1] != "POST /events/batch" || slices.Contains(routes, "POST /elsewhere") || slices.Contains(routes, "GET /elsewhere") {
					t.Errorf("routes %q", routes)
				}
				if waited := f.seen()[1].at.Sub(start); waited < tc.wait {
					t.Errorf("tried again after %s, allowed after %s", waited, tc.wait)
				}
			})
		})
	}
}

// TestNoRedirect posts to a server that redirects to another, which must not
// see anything.
func TestNoRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		other := newServer(t, ok)
		srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
			w.Header().Set("Location", strings.Replace(other.URL, "127.0.0.1", "localhost", 1))
			w.WriteHeader(code)
		})
		var reports errorList
		e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL, Key: "secret"}, exporter.WithErrorHandler(reports.add))
		tracer := tracerFor(t, e, err)
		run(tracer, "s")
		_ = await.Until(t, func() bool { return strings.Contains(reports.text(), fmt.Sprint("status ", code)) }, tracer.Shutdown)
		if n := len(other.seen()); n != 0 {
			t.Errorf("%d: the other server got %d requests", code, n)
		}
	}
}

// TestBrokenConnections lets a real server hang up, answer half, and be away.
func TestBrokenConnections(t *testing.T) {
	hijack := func(w http.ResponseWriter, answer string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
	for name, answer := range map[string]string{
		"reset":     "",
		"half":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
		"junk":      "SSH-2.0-OpenSSH\r\n",
		"no header": "HTTP/1.1 200",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t, func(n int, w http.ResponseWriter, r request) {
				if n < 2 {
					hijack(w, answer)
					return
				}
				ok(n, w, r)
			})
			e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL})
			tracer := tracerFor(t, e, err)
			run(tracer, "s", "a")
			flush(t, tracer)
			if s := e.Stats(); s.Delivered != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestBadRecords refuses one event of many: the others arrive.
func TestBadRecords(t *testing.T) {
	for _, code := range []int{400, 413, 422} {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			f := &fake{}
			f.answer = func(n int, w http.ResponseWriter, r request) {
				if strings.HasSuffix(r.path, "batch") {
					if bytes.Contains(r.body, []byte(`"bad"`)) {
						http.Error(w, "\x1b[31mno\r\n\u202e"+strings.Repeat("x", 10_000), code)
						return
					}
					got = append(got, strings.Fields(names(eventsOf(t, r.body)))...)
				}
				ok(n, w, r)
			}
			var reports errorList
			e, err := inBubble(f, exporter.WithErrorHandler(reports.add))
			tracer := tracerFor(t, e, err)
			var events []string
			for i := range 50 {
				events = append(events, fmt.Sprint("e", i))
			}
			run(tracer, "s", append(events, "bad")...)
			time.Sleep(time.Minute)
			f.one.Lock()
			defer f.one.Unlock()
			want := slices.Clone(events)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%d: %d events arrived, want %d", code, len(got), len(want))
			}
			s := e.Stats()
			if s.Dropped[exporter.Refused]+s.Dropped[exporter.TooLarge] != 1 || s.Waiting != 0 {
				t.Errorf("%d: %+v", code, s)
			}
			text := reports.text()
			if strings.ContainsAny(text, "\x1b\r\u202e") || len(text) > 2000 || !strings.Contains(text, fmt.Sprint("status ", code)) {
				t.Errorf("%d: reports %q", code, text)
			}
		})
	}
}

func TestPartialSuccess(t *testing.T) {
	for name, tc := range map[string]struct {
		answer            func(ids []string) string
		status            int
		delivered, resent int64
		refused           int64
	}{
		"some":              {func(ids []string) string { return answerIDs(ids[:2], "no inputs") }, 500, 3, 1, 1},
		"some with 200":     {func(ids []string) string { return answerIDs(ids[:2], "no inputs") }, 200, 3, 1, 1},
		"ids of its own":    {func([]string) string { return answerIDs([]string{"x", "y", "z"}) }, 200, 4, 0, 0},
		"upper case":        {func(ids []string) string { return strings.ToUpper(answerIDs(ids)) }, 200, 4, 0, 0},
		"errors in objects": {func(ids []string) string { return `{"event_ids":["` + ids[0] + `"],"errors":[{"m":1},{}]}` }, 500, 2, 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sends := map[string]int{}
				f := &fake{}
				f.answer = func(n int, w http.ResponseWriter, r request) {
					if !strings.HasSuffix(r.path, "batch") {
						ok(n, w, r)
						return
					}
					events := eventsOf(t, r.body)
					var ids []string
					for _, e := range events {
						ids = append(ids, e.EventID.Or(""))
						sends[e.EventName.Or("")]++
					}
					if len(events) < 3 { // alone, and refused again
						w.WriteHeader(400)
						return
					}
					w.WriteHeader(tc.status)
					_, _ = io.WriteString(w, tc.answer(ids))
				}
				e, err := inBubble(f)
				tracer := tracerFor(t, e, err)
				run(tracer, "s", "a", "b", "c")
				time.Sleep(10 * time.Minute)
				s := e.Stats()
				if s.Delivered != tc.delivered || s.Dropped[exporter.Refused] != tc.refused {
					t.Errorf("%+v", s)
				}
				f.one.Lock()
				defer f.one.Unlock()
				if sends["a"] != 1 {
					t.Errorf("a was taken, and sent %d times", sends["a"])
				}
			})
		})
	}
}

func answerIDs(ids []string, errs ...string) string {
	data, _ := json.Marshal(map[string]any{"event_ids": ids, "errors": errs, "success": true})
	return string(data)
}

// TestUpdateBeforeItsSession is told 400 and 404 until the session is there.
func TestUpdateBeforeItsSession(t *testing.T) {
	for _, code := range []int{400, 404} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			f := &fake{}
			f.answer = func(n int, w http.ResponseWriter, r request) {
				if r.method == "PUT" && time.Since(start) < 3*time.Minute {
					w.WriteHeader(code)
					return
				}
				ok(n, w, r)
			}
			e, err := inBubble(f)
			tracer := tracerFor(t, e, err)
			if err := tracer.Update(t.Context(), honeyhive.NewUUID().String(), sessionspan.WithFeedback(1)); err != nil {
				t.Fatal(err)
			}
			run(tracer, "s", "a") // is not held up
			time.Sleep(time.Minute)
			if s := e.Stats(); s.Delivered != 2 || s.Waiting != 1 {
				t.Errorf("%+v", s)
			}
			time.Sleep(3 * time.Minute)
			if s := e.Stats(); s.Delivered != 3 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestAnnouncement runs a session for a minute: it is announced when it has
// finished events, and updated at its end.
func TestAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok}
		e, err := inBubble(f)
		tracer := tracerFor(t, e, err)
		ctx, s := tracer.StartSession(t.Context(), "s", sessionspan.WithInputs(map[string]any{"q": 1, "old": 1}), sessionspan.WithMetadata(map[string]any{"m": 1}))
		_, a := sessionspan.StartEvent(ctx, sessionspan.Tool, "a")
		a.End()
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"POST /session/start", "POST /events/batch"}, f.routes()); diff != "" {
			t.Fatal(diff)
		}
		want := `{"session":{"project":"p","session_name":"s","source":"s","session_id":"` + s.ID() + `","inputs":{"old":1,"q":1},"metadata":{"m":1},"start_time":946684800000}}`
		if got := string(f.seen()[0].body); got != want {
			t.Errorf("announced %s, want %s", got, want)
		}
		s.SetInputs(map[string]any{"q": 2, "late": true})
		s.SetOutputs(map[string]any{"answer": 42})
		s.SetError("failed")
		s.SetName("renamed")
		_, b := sessionspan.StartEvent(ctx, sessionspan.Tool, "b")
		b.End()
		s.End()
		time.Sleep(time.Minute)
		routes := f.routes()
		slices.Sort(routes[2:])
		if diff := cmp.Diff([]string{"POST /session/start", "POST /events/batch", "POST /events/batch", "PUT /events"}, routes); diff != "" {
			t.Fatal(diff)
		}
		want = `{"event_id":"` + s.ID() + `","children_ids":["` + a.ID() + `","` + b.ID() + `"],"outputs":{"answer":42},"duration":60000,"end_time":946684860000,` +
			`"metadata":{"m":1,"inputs":{"q":2,"late":true},"error":"failed","session_name":"renamed"}}`
		for _, r := range f.seen() {
			if r.method == "PUT" && string(r.body) != want {
				t.Errorf("updated %s, want %s", r.body, want)
			}
		}
	})
}

func TestLiveSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok}
		e, err := inBubble(f, exporter.WithLiveSessions())
		tracer := tracerFor(t, e, err)
		ctx, s := tracer.StartSession(t.Context(), "s")
		_, a := sessionspan.StartEvent(ctx, sessionspan.Tool, "a")
		a.End()
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"POST /session/start", "POST /events/batch"}, f.routes()); diff != "" {
			t.Error(diff)
		}
		s.End()
	})
}

// TestOpenAtShutdown leaves sessions open: they arrive as incomplete.
func TestOpenAtShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok}
		e, err := inBubble(f)
		tracer := tracerFor(t, e, err)
		ctx, open := tracer.StartSession(t.Context(), "open", sessionspan.WithInputs(map[string]any{"q": 1}))
		_, a := sessionspan.StartEvent(ctx, sessionspan.Tool, "a")
		a.End()
		actx, announced := tracer.StartSession(t.Context(), "announced")
		_, b := sessionspan.StartEvent(actx, sessionspan.Tool, "b")
		b.End()
		time.Sleep(time.Minute)
		open.SetOutputs("so far")
		if err := tracer.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		open.End()
		bodies := ""
		for _, r := range f.seen() {
			bodies += r.method + " " + string(r.body) + "\n"
		}
		for _, want := range []string{
			`PUT {"event_id":"` + open.ID() + `","outputs":{"result":"so far"},"metadata":{"incomplete":true}}`,
			`PUT {"event_id":"` + announced.ID() + `","metadata":{"incomplete":true}}`,
		} {
			if !strings.Contains(bodies, want) {
				t.Errorf("%s is missing in\n%s", want, bodies)
			}
		}
	})
}

// TestBehindABatchProcessor uses the exporter as a SpanExporter, with spans of
// the plain OpenTelemetry API and no notice of starts.
func TestBehindABatchProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: ok}
		e, err := newHTTP(exporter.HTTPConfig{URL: "http://localhost", Transport: f, Project: "dp", Source: "ds"})
		if err != nil {
			t.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(e, sdktrace.WithBatchTimeout(time.Second)))
		plain := provider.Tracer("plain")
		id := honeyhive.NewUUID().String()
		session := attribute.String(honeyhive.AttrSessionID, id)
		ctx, root := plain.Start(t.Context(), "s", trace.WithAttributes(attribute.String(honeyhive.AttrEventType, "session"), session))
		_, llm := plain.Start(ctx, "llm", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"), session))
		_, web := plain.Start(ctx, "GET", trace.WithAttributes(attribute.String("http.request.method", "GET"), session))
		_, none := plain.Start(ctx, "llm of no session", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat")))
		web.End()
		llm.End()
		none.End()
		time.Sleep(5 * time.Second)
		if n := len(f.seen()); n != 0 {
			t.Errorf("%d requests before the session", n)
		}
		root.End()
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff([]string{"POST /session/start", "POST /events/batch"}, f.routes()); diff != "" {
			t.Error(diff)
		}
		events := eventsOf(t, f.seen()[1].body)
		if names(events) != "llm" || events[0].ParentID.Or("") == "" || events[0].Project.Or("") != "dp" || events[0].Source.Or("") != "ds" {
			t.Errorf("%s", f.seen()[1].body)
		}

		// A session that runs for long is announced by what its events say; one
		// that another process holds is not.
		lid, rid := honeyhive.NewUUID().String(), honeyhive.NewUUID().String()
		lctx, long := plain.Start(t.Context(), "long", trace.WithAttributes(attribute.String(honeyhive.AttrEventType, "session"), attribute.String(honeyhive.AttrSessionID, lid)))
		_, step := plain.Start(lctx, "step", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"), attribute.String(honeyhive.AttrSessionID, lid)))
		step.End()
		_, remote := plain.Start(t.Context(), "remote", trace.WithAttributes(attribute.String("gen_ai.operation.name", "chat"),
			attribute.String(honeyhive.AttrSessionID, rid), attribute.Bool(honeyhive.AttrSessionContinued, true)))
		remote.End()
		time.Sleep(time.Minute)
		long.End()
		if err := provider.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		var tail []string
		for _, r := range f.seen()[2:] {
			tail = append(tail, r.method+" "+r.path)
		}
		want := []string{"POST /events/batch", "POST /session/start", "POST /events/batch", "PUT /events"}
		if diff := cmp.Diff(want, tail); diff != "" {
			t.Error(diff)
		}
		checkAccount(t, e)
	})
}

// TestExportSpansWaits returns an error when ctx ends, and delivers later all
// the same.
func TestExportSpansWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := &fake{}
		f.answer = func(n int, w http.ResponseWriter, r request) {
			if time.Since(start) < time.Minute {
				w.WriteHeader(503)
				return
			}
			ok(n, w, r)
		}
		e, err := inBubble(f)
		if err != nil {
			t.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider()
		_, root := provider.Tracer("plain").Start(t.Context(), "s", trace.WithAttributes(attribute.String(honeyhive.AttrEventType, "session")))
		root.End()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err = e.ExportSpans(ctx, []sdktrace.ReadOnlySpan{root.(sdktrace.ReadOnlySpan), nil})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(2 * time.Minute)
		if s := e.Stats(); s.Delivered != 1 || s.Created != 1 {
			t.Errorf("%+v", s)
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestOneFailsTheOthersDoNotNotice has a dead, a slow and a healthy destination.
func TestOneFailsTheOthersDoNotNotice(t *testing.T) {
	release := make(chan struct{})
	slow := newServer(t, func(n int, w http.ResponseWriter, r request) { <-release; ok(n, w, r) })
	dead := newServer(t, ok)
	deadURL := dead.URL
	dead.Close()
	healthy := newServer(t, ok)
	var destinations []sessionspan.Option
	for _, url := range []string{deadURL, slow.URL} {
		e, err := newHTTP(exporter.HTTPConfig{URL: url}, exporter.WithLimits(exporter.Limits{QueueBytes: 100_000, QueueWait: -1}))
		if err != nil {
			t.Fatal(err)
		}
		destinations = append(destinations, sessionspan.WithDestination(e))
	}
	e, err := newHTTP(exporter.HTTPConfig{URL: healthy.URL})
	tracer := tracerFor(t, e, err, destinations...)
	for i := range 200 {
		run(tracer, fmt.Sprint(i), "a", "b")
	}
	if err := await.Until(t, func() bool { return e.Stats().Delivered == 600 }, tracer.ForceFlush); err == nil {
		t.Error("the flush says that all is delivered")
	}
	if s := e.Stats(); s.Delivered != 600 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	close(release)
	stop, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_ = tracer.Shutdown(stop) // does not wait for the dead one
}

// TestExportIsNotTraced gives the exporter a transport that makes spans on the
// very provider whose spans it sends.
func TestExportIsNotTraced(t *testing.T) {
	srv := newServer(t, ok)
	provider := sdktrace.NewTracerProvider()
	traced := roundTripper(func(r *http.Request) (*http.Response, error) {
		ctx, span := provider.Tracer("http").Start(r.Context(), "POST", trace.WithAttributes(
			attribute.String("gen_ai.operation.name", "chat"), attribute.String(honeyhive.AttrSessionID, honeyhive.NewUUID().String())))
		defer span.End()
		return http.DefaultTransport.RoundTrip(r.WithContext(ctx))
	})
	e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL, Transport: traced})
	tracer := tracerFor(t, e, err, sessionspan.WithTracerProvider(provider))
	run(tracer, "s", "a")
	for range 5 {
		flush(t, tracer)
	}
	if s := e.Stats(); s.Created != 2 {
		t.Errorf("the export made records of its own: %+v", s)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestServerMakesAnotherSession(t *testing.T) {
	srv := newServer(t, func(_ int, w http.ResponseWriter, _ request) {
		_, _ = io.WriteString(w, `{"session_id":"`+honeyhive.NewUUID().String()+`","more":{}}`)
	})
	var reports errorList
	e, err := exporter.NewHTTP(exporter.HTTPConfig{URL: srv.URL}, exporter.WithErrorHandler(reports.add))
	tracer := tracerFor(t, e, err)
	run(tracer, "s")
	flush(t, tracer)
	if !strings.Contains(reports.text(), "the server made session") {
		t.Errorf("reports %q", reports.text())
	}
}

func TestNilExporter(t *testing.T) {
	var e *exporter.Exporter
	q := pipeline.Of(e)
	q.Open(honeyhive.UUID{}, nil)
	q.Gone(honeyhive.UUID{})
	q.Put(time.Time{}, nil, 0)
	err := errors.Join(e.ExportSpans(t.Context(), nil), e.ForceFlush(t.Context()), e.Shutdown(t.Context()))
	if err != nil || q.TakesSpans() || !errors.Is(e.Update(honeyhive.UUID{}, nil), exporter.ErrNoUpdates) || e.Stats().Created != 0 {
		t.Error("a nil exporter does something")
	}
}

// TestKeyThatIsQuotedBack has servers that show the key in their answers.
func TestKeyThatIsQuotedBack(t *testing.T) {
	const key = "hh-" + canary + "-key"
	for _, status := range []int{200, 400, 401, 403, 500, 503} {
		srv := newServer(t, func(_ int, w http.ResponseWriter, r request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"session_id":%q,"error":"bad key %s","partialSuccess":{"rejectedSpans":"1","errorMessage":"key %s of %s"}}`,
				key, r.header.Get("Authorization"), r.header.Get("Authorization"), r.header.Get("X-Other"))
		})
		var reports errorList
		options := []exporter.Option{exporter.WithErrorHandler(reports.add), exporter.WithName("n")}
		headers := map[string]string{"X-Other": "other " + canary}
		e, err := newHTTP(exporter.HTTPConfig{URL: srv.URL, Key: key}, options...)
		if err != nil {
			t.Fatal(err)
		}
		spooled, err := newOTLP(exporter.OTLPConfig{URL: srv.URL, Key: key, Headers: headers}, append(options, exporter.WithSpool(t.TempDir()))...)
		if err != nil {
			t.Fatal(err)
		}
		col, err := newOTLP(exporter.OTLPConfig{URL: srv.URL, Key: key, Headers: headers}, options...)
		tracer := tracerFor(t, e, err, sessionspan.WithDestination(col), sessionspan.WithDestination(spooled))
		run(tracer, "s", "a")
		err = await.Until(t, func() bool { return strings.Contains(reports.text(), "[redacted]") }, tracer.ForceFlush)
		reports.add(fmt.Errorf("flush: %w", err))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		reports.add(fmt.Errorf("shutdown: %w", errors.Join(tracer.Shutdown(ctx))))
		cancel()
		if text := reports.text(); strings.Contains(text, canary) {
			t.Errorf("%d: %s", status, text)
		}
	}
}

// TestKeyInConfiguration prints configurations, and errors of wrong ones.
func TestKeyInConfiguration(t *testing.T) {
	h := exporter.HTTPConfig{URL: "https://example.com/?key=" + canary, Key: canary}
	o := exporter.OTLPConfig{URL: "http://" + canary + "@example.com", Key: canary, Headers: map[string]string{"k": canary}}
	_, errH := exporter.NewHTTP(h)
	_, errO := exporter.NewOTLP(o)
	_, errKey := exporter.NewHTTP(exporter.HTTPConfig{URL: canary, Key: "k"})
	_, errClear := exporter.NewHTTP(exporter.HTTPConfig{URL: "http://example.com/" + canary, Key: "k"})
	for _, v := range []any{h, &h, o, &o, errH, errO, errKey, errClear} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, canary) {
				t.Errorf("%s shows %s", verb, text)
			}
		}
		if err, ok := v.(error); ok && err == nil {
			t.Error("no error")
		}
	}
}

// TestEmptyPort is no part of the name of a host.
func TestEmptyPort(t *testing.T) {
	var host string
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		host = r.Host
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	})
	e, err := newOTLP(exporter.OTLPConfig{URL: "http://collector.test:/v1/traces", Transport: transport})
	tracer := tracerFor(t, e, err)
	run(tracer, "s")
	if err := tracer.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if host != "collector.test" {
		t.Errorf("host %q", host)
	}
}
