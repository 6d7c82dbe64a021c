package llmhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/llmhttp"
)

const wantsWhole = `{"model":"m","messages":[]}`

// TestUnreadable answers with a status of 200 and with what is no answer: each is an
// error that says what came.
func TestUnreadable(t *testing.T) {
	const page = "<html><head><title>Blocked</title></head><body>No.</body></html>\n"
	for name, c := range map[string]struct {
		kind, encoding, body, want string
	}{
		"page":            {"text/html; charset=utf-8", "", page, "text/html; charset=utf-8, 65 bytes: it is no JSON but looks like a page of HTML"},
		"page as JSON":    {"application/json", "", page, "application/json, 65 bytes: it is no JSON but looks like a page of HTML"},
		"empty":           {"application/json", "", "", "application/json, 0 bytes: it is empty"},
		"white space":     {"application/json", "", " \n\n", "application/json, 3 bytes: it is empty"},
		"byte order mark": {"application/json", "", "\ufeff", "application/json, 3 bytes: it is empty"},
		"no type":         {"", "", "ok", "no content type, 2 bytes: it is no JSON and no stream of events: ok"},
		"text":            {"text/plain", "", "upstream timed out\n", "text/plain, 19 bytes: it is no JSON and no stream of events: upstream timed out"},
		"cut":             {"application/json", "", `{"choices":[{"index":0,"mess`, "application/json, 28 bytes: it is JSON that ends too soon"},
		"a mistake":       {"application/json", "", `{"choices":[,]}`, "application/json, 15 bytes: it is JSON with a mistake: invalid JSON at byte 12: expected a value"},
		"a number":        {"application/json", "", `42`, "application/json, 2 bytes: a JSON number"},
		"null":            {"application/json", "", `null`, "application/json, 4 bytes: a JSON null"},
		"another coding":  {"application/json", "br", "\x0b\x02\x80", "application/json, 3 bytes: its content encoding is not read"},
		"no gzip":         {"application/json", "gzip", "\x1f\x8b no", "application/json, 5 bytes: its compression is broken or ends too soon"},
		"gzip, cut":       {"application/json", "gzip", compressed(chatAnswer)[:60], "application/json, 60 bytes: its compression is broken or ends too soon"},
	} {
		for _, asks := range []string{wantsWhole, ask} {
			t.Run(name, func(t *testing.T) {
				s := newStage(t)
				r := s.request("https://api.openai.com/v1/chat/completions", asks)
				base := roundTrip(func(*http.Request) (*http.Response, error) {
					header := http.Header{}
					if c.kind != "" {
						header.Set("Content-Type", c.kind)
					}
					if c.encoding != "" {
						header.Set("Content-Encoding", c.encoding)
					}
					body := io.NopCloser(strings.NewReader(c.body))
					if c.body == "" {
						body = http.NoBody
					}
					return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: header, Body: body}, nil
				})
				resp, err := llmhttp.Transport(base).RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != c.body {
					t.Errorf("%q, %v", b, err)
				}
				_ = resp.Body.Close()
				e := s.end()[0]
				if want := "the answer cannot be read: " + c.want; e.Error.Or("") != want {
					t.Errorf("error %q, want %q", e.Error.Or(""), want)
				}
			})
		}
	}
}

func compressed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// TestNoAnswer holds which answers are no error although they hold nothing.
func TestNoAnswer(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.Redirect(w, r, "/", http.StatusFound)
			}
		},
	} {
		l := newLab(t, handler)
		if _, err := l.post("/v1/chat/completions", wantsWhole); err != nil {
			t.Fatal(err)
		}
		e := l.only()
		if e.Error.Or("") != "" {
			t.Errorf("%s: %v", name, e.Error)
		}
		metadata(t, e, map[string]string{"answer_unrecognized": "true"})
	}
	l := newLab(t, whole(200, `{"ok":true}`))
	if _, err := l.post("/v1/chat/completions", wantsWhole); err != nil {
		t.Fatal(err)
	}
	e := l.only()
	metadata(t, e, map[string]string{"answer_unrecognized": "true"})
	if e.Error.Or("") != "" {
		t.Error(e.Error)
	}
}

// first begins an answer of each format that has a stream.
func beginning(f *fixture) string {
	whole := f.wire(f.chunks)
	n := len(f.wire(f.chunks[:1]))
	if strings.HasPrefix(whole, "[") { // without the end of the list
		return whole[:len("[")+len(f.chunks[0].data)] + ","
	}
	return whole[:n-len(f.wire(nil))]
}

// TestErrorsAnywhere sends an error in each form and each place of the stream of
// each format, with a status of 200.
func TestErrorsAnywhere(t *testing.T) {
	const object = `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`
	const pretty = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"The model is overloaded.\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n"
	const want = "UNAVAILABLE: The model is overloaded."
	forms := map[string]string{
		"event":                object,
		"bare":                 object,
		"bare, over lines":     pretty,
		"bare, in an array":    "[" + object + "]",
		"array over lines":     "[" + pretty + "]\n",
		"field":                "error: " + object + "\n\n",
		"field with a text":    "error: The model is overloaded.\n\n",
		"event named error":    "event: error\ndata: " + object + "\n\n",
		"its message alone":    "event: error\ndata: {\"message\":\"The model is overloaded.\",\"code\":\"UNAVAILABLE\"}\n\n",
		"text after its name":  "event: error\ndata: The model is overloaded.\n\n",
		"string after it":      "event: error\ndata: \"The model is overloaded.\"\n\n",
		"text without a field": "event: error\nThe model is overloaded.\n\n",
		"event in an array":    "data: [" + object + "]\n\n",
		"no end of line":       "data: " + object,
		"errors":               "data: {\"errors\":[{\"message\":\"The model is overloaded.\",\"code\":\"UNAVAILABLE\"}]}\n\n",
	}
	for _, f := range fixtures() {
		if len(f.chunks) == 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			for form, text := range forms {
				body := beginning(&f)
				events := strings.HasPrefix(body, "data:") || strings.HasPrefix(body, "event:")
				// JSON alone, first and then behind a chunk.
				bodies := map[string]string{"first": text}
				switch {
				case events && form == "event":
					bodies = map[string]string{"first": "data: " + text + "\n\n", "behind a chunk": body + "data: " + text + "\n\n"}
				case events:
					bodies["behind a chunk"] = body + text
				case form == "event" || form == "bare":
					if strings.HasPrefix(body, "\x00") {
						continue
					}
					bodies["behind a chunk"] = body + text
				}
				for place, body := range bodies {
					s := newStage(t)
					s.play(&f, true, answer{kind: f.streamAnswer(nil).kind, body: body})
					got := s.end()[0].Error.Or("")
					if got != want && (!strings.Contains(form, "text") && !strings.Contains(form, "string")) || !strings.HasSuffix(got, "The model is overloaded.") {
						t.Errorf("%s, %s: %q", form, place, got)
					}
				}
			}
		})
	}
}

// TestWholeErrors answers with an error whose status is 200.
func TestWholeErrors(t *testing.T) {
	for _, f := range fixtures() {
		if f.whole == "" {
			continue
		}
		for body, want := range map[string]string{
			`{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}`: "UNAVAILABLE: m",
			`[{"error":{"message":"m","type":"t"}}]`:                      "t: m",
			`{"error":"m"}`:                                               "m",
			`{"message":"m","code":"c"}`:                                  "c: m",
			`{"type":"error","error":{"type":"t","message":"m"}}`:         "t: m",
			`{"detail":"m"}`:                                              "m",
			"event: error\ndata: {\"message\":\"m\"}\n\n":                 "m",
			"data: {\"error\":{\"message\":\"m\"}}\n\ndata: [DONE]\n\n":   "m",
		} {
			s := newStage(t)
			s.play(&f, false, answer{kind: "application/json", body: body})
			if got := s.end()[0].Error.Or(""); got != want {
				t.Errorf("%s: %s is %q, want %q", f.name, body, got, want)
			}
		}
	}
}

// TestCancelledWhenComplete ends the context of the request at each place of a
// stream: once all choices have ended, that is no error.
func TestCancelledWhenComplete(t *testing.T) {
	for _, f := range fixtures() {
		if len(f.chunks) == 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			body := f.wire(f.chunks)
			for n := range len(f.chunks) + 1 {
				sent := body
				if n < len(f.chunks) {
					sent = strings.TrimSuffix(f.wire(f.chunks[:n]), f.wire(nil))
				}
				s.play(&f, true, answer{kind: f.streamAnswer(nil).kind, body: sent, cut: context.Canceled})
			}
			s.play(&f, true, f.streamAnswer(f.chunks))
			list := s.end()
			all := observe(t, list[len(list)-1])
			ended := false
			for i, e := range list[:len(list)-1] {
				o := observe(t, e)
				switch {
				case i == len(f.chunks) && !o.equal(&all) && !f.noEnd:
					t.Errorf("cancelled at the end: %+v", o)
				case i == 0 && o.Error == "":
					t.Error("cancelled before anything came: no error")
				}
				if o.Error == "" {
					ended = true
					if !o.equal(&all) && o.Metadata["stream_end"] != "unterminated" {
						t.Errorf("cancelled behind %d chunks: not marked: %+v", i, o)
					}
				} else if ended {
					t.Errorf("cancelled behind %d chunks: %q, though fewer were enough", i, o.Error)
				}
			}
			if !ended && all.Metadata["finish_reasons"] != nil {
				t.Error("an error everywhere")
			}
		})
	}
}

// TestNoUsage holds that a stream is marked whose usage was asked for and did not
// come.
func TestNoUsage(t *testing.T) {
	const chunk = `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}` + "\n\n"
	const counts = `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}` + "\n\n"
	const done = "data: [DONE]\n\n"
	for name, c := range map[string]struct{ options, body, want string }{
		"asked":               {`,"stream_options":{"include_usage":true}`, chunk + done, `"no_usage"`},
		"asked, empty":        {`,"stream_options":{"include_usage":true}`, chunk + `data: {"choices":[],"usage":{}}` + "\n\n" + done, `"no_usage"`},
		"asked and came":      {`,"stream_options":{"include_usage":true}`, chunk + counts + done, ""},
		"asked, cut":          {`,"stream_options":{"include_usage":true}`, chunk, `"unterminated"`},
		"not asked":           {"", chunk + done, ""},
		"said not to be sent": {`,"stream_options":{"include_usage":false}`, chunk + done, ""},
	} {
		s := newStage(t)
		s.send(s.request("https://api.openai.com/v1/chat/completions", `{"model":"m","stream":true`+c.options+`}`), answer{kind: "text/event-stream", body: c.body})
		e := s.end()[0]
		metadata(t, e, map[string]string{"stream_end": c.want})
		if e.Error.Or("") != "" {
			t.Errorf("%s: %v", name, e.Error)
		}
	}
}

// TestUnreadableAndClosed checks that an answer that begins as none does is an error
// also where its client closes it at its first bytes, as those do that read binary
// frames; one that may be an answer is no error then.
func TestUnreadableAndClosed(t *testing.T) {
	for name, c := range map[string]struct {
		url, request, kind, body string
		want                     string // of the error
	}{
		"page for frames":  {"http://h.test/model/m/converse-stream", `{}`, "text/html", "<!doctype html><p>No entry.", "the answer cannot be read: text/html, 12 bytes: it is no JSON but looks like a page of HTML"},
		"page for events":  {"http://h.test/v1/chat/completions", `{"stream":true}`, "text/html", "<!doctype html><p>No entry.", "the answer cannot be read: text/html, 12 bytes: it is no JSON but looks like a page of HTML"},
		"text under a lie": {"http://h.test/v1/chat/completions", `{"stream":true}`, "text/event-stream", "No\nentry for you.", "the answer cannot be read: text/event-stream, 12 bytes: it is no JSON and no stream of events: No"},
		"JSON":             {"http://h.test/v1/chat/completions", `{}`, "application/json", `{"choices":[{"message":{}}]}`, ""},
		"events":           {"http://h.test/v1/chat/completions", `{"stream":true}`, "text/event-stream", "data: {\"choices\":[]}\n\n", ""},
		"frames":           {"http://h.test/model/m/converse-stream", `{}`, "application/vnd.amazon.eventstream", frameEvent("messageStart", `{}`), ""},
	} {
		s := newStage(t)
		base := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, ContentLength: -1, Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(strings.NewReader(c.body))}, nil
		})
		resp, err := llmhttp.Transport(base).RoundTrip(s.request(c.url, c.request))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 12)); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		e := s.end()[0]
		if e.Error.Or("") != c.want {
			t.Errorf("%s: %q", name, e.Error.Or(""))
		}
		metadata(t, e, map[string]string{"stream_end": `"closed"`})
	}
}

// TestRequestsThatAreNotRead checks that a request that was compressed is read, and
// that one that cannot be read leaves a mark.
func TestRequestsThatAreNotRead(t *testing.T) {
	const read, unread, cut = "", "request_unreadable", "request_truncated"
	long := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("a b ", 1<<15) + `"}]}`
	for name, c := range map[string]struct{ body, encoding, mark string }{
		"plain":              {ask, "", read},
		"gzip":               {compressed(ask), "gzip", read},
		"gzip, in capitals":  {compressed(ask), "GZIP", read},
		"gzip by name alone": {ask, "gzip", read},
		"gzip, cut":          {compressed(ask)[:30], "gzip", unread},
		"gzip, long":         {compressed(long), "gzip", cut},
		"long":               {long, "", cut},
		"another encoding":   {"\x28\xb5\x2f\xfd", "zstd", unread},
		"no JSON":            {"model=m&stream=true", "", unread},
		"a list":             {"[]", "", unread},
		"nothing":            {"", "", read},
	} {
		for _, again := range []bool{true, false} {
			l := newLab(t, whole(200, smallAnswer), llmhttp.WithLimit(64<<10))
			r := l.request("/v1/chat/completions", c.body)
			if !again {
				r.GetBody = nil
			}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			resp, err := l.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			e := l.only()
			for _, mark := range []string{unread, cut} {
				want := ""
				if mark == c.mark {
					want = "true"
				}
				if v, _ := e.Metadata.Get(mark); string(v) != want {
					t.Errorf("%s: %s is %q", name, mark, v)
				}
			}
			if _, has := e.Inputs.Get("chat_history"); has != (c.mark == read && c.body != "") {
				t.Errorf("%s: %s", name, e.Inputs)
			}
			if l.got[0] != c.body {
				t.Errorf("%s: the server got %q", name, l.got[0])
			}
		}
	}
}
