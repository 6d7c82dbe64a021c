package local

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/redact"
	"github.com/sessionspan/sessionspan/store"
)

// TestRedaction sends what is to be redacted by every way in and looks for it in what
// is answered, and in every byte of the file.
func TestRedaction(t *testing.T) {
	policy, err := redact.New(redact.WithKey("ssn", redact.Mask))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sessions.db")
	s := start(t, WithFile(file), WithRedaction(policy))
	const session, event, other = "5ca1ab1e-0000-4000-8000-00000000c0de", "5ca1ab1e-0000-4000-8000-00000000c0df", "5ca1ab1e-0000-4000-8000-00000000c0e0"
	const address, card, key, number = "ann.lee@mail.example.org", "4012 8888 8888 1881", "sk-proj-Zx81kQp02mVt73Lw9Ra4Bc56", "078-05-1120"
	all := strings.Join([]string{address, card, key}, " and ")
	fields := fmt.Sprintf(`"inputs":{"q":%q,"ssn":%q,%q:1},"outputs":{"a":{"b":[%q]}},"config":{"a":%[1]q},"metadata":{"a":%[1]q},"metrics":{"a":%[1]q},"feedback":{"a":%[1]q},"user_properties":{"a":%[1]q},"error":%[1]q`, all, number, address, all)
	put := func(method, path, body string) {
		t.Helper()
		if status, answer := send(t, method, s.URL()+path, "application/json", []byte(body)); status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, status, answer)
		}
	}
	put(http.MethodPost, "/session/start", fmt.Sprintf(`{"session":{"session_id":%q,"project":%q,"session_name":%[2]q,"source":%[2]q,"start_time":1,"end_time":2,%s}}`, session, all, fields))
	put(http.MethodPost, "/events", fmt.Sprintf(`{"event":{"event_id":%q,"session_id":%q,"project":"p","event_name":%q,"event_type":"tool","source":"s","start_time":1,"end_time":2,%s}}`, event, session, all, fields))
	put(http.MethodPost, "/events/batch", fmt.Sprintf(`{"events":[{"event_id":%q,"session_id":%q,"project":"p","event_name":%q,"event_type":"tool","source":"s","start_time":1,"end_time":2,%s}]}`, other, session, all, fields))
	put(http.MethodPut, "/events", fmt.Sprintf(`{"event_id":%q,"metadata":{"late":%q},"feedback":{"ssn":%q}}`, event, all, number))
	span := func(trace int, user string) string {
		return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%[1]q}}]},"scopeSpans":[{"scope":{"name":%[1]q},"spans":[
			{"traceId":"%032[2]d","spanId":"0000000000000001","name":%[1]q,"startTimeUnixNano":"1000000000","endTimeUnixNano":"2000000000","status":{"code":2,"message":%[1]q},
			"attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.conversation.id","value":{"stringValue":%[3]q}},{"key":"gen_ai.prompt.0.content","value":{"stringValue":%[1]q}},{"key":%[1]q,"value":{"intValue":"1"}}],
			"events":[{"name":"exception","attributes":[{"key":"exception.message","value":{"stringValue":%[1]q}}]}]},
			{"traceId":"%032[2]d","spanId":"0000000000000002","parentSpanId":"0000000000000001","name":%[1]q,"kind":1,"startTimeUnixNano":"1000000000","endTimeUnixNano":"2000000000"}]}]}]}`, all, trace, user)
	}
	put(http.MethodPost, "/v1/traces", span(1, address))
	put(http.MethodPost, "/v1/traces", span(2, "bob.ray@mail.example.org"))
	secrets := []string{address, "bob.ray", card, key, number}
	if err := s.store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	page, err := s.store.Sessions(t.Context(), store.SessionQuery{})
	if err != nil || len(page.Sessions) != 3 {
		t.Fatalf("%d sessions, %v: two users are two", len(page.Sessions), err)
	}
	marks := 0
	for _, row := range page.Sessions {
		full, err := s.store.Session(t.Context(), row.ID)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{fmt.Sprintf("%+v", row), fmt.Sprintf("%+v", full), string(full.Payload.AppendJSON(nil))}
		for e, err := range s.store.EventBodies(t.Context(), row.ID, store.EventQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(e.Payload.AppendJSON(nil)))
		}
		for _, text := range texts {
			marks += strings.Count(text, "[redacted:")
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in %.500s", secret, text)
				}
			}
		}
	}
	if marks < 30 {
		t.Errorf("%d marks", marks)
	}
	for _, name := range []string{file, file + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(b), secret) {
				t.Errorf("%q is in %s", secret, name)
			}
		}
	}
}
