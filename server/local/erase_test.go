package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/server/internal/access"
	"github.com/sessionspan/sessionspan/server/internal/audit"
	roles "github.com/sessionspan/sessionspan/server/internal/caller"
)

// ofUser posts a session of a user with words in all that is kept.
func ofUser(t *testing.T, s *Server, token, id, user, word string) {
	t.Helper()
	for path, body := range map[string]string{
		"/session/start": fmt.Sprintf(`{"session":{"session_id":%q,"session_name":"name%[3]s","inputs":{"q":"question%[3]s"},"outputs":{"content":"answer%[3]s"},"user_properties":{"user_id":%[2]q},"metadata":{"run_id":"run%[3]s"},"feedback":{"comment":"comment%[3]s"}}}`, id, user, word),
		"/events":        fmt.Sprintf(`{"event":{"session_id":%q,"event_type":"model","event_name":"call%[2]s","inputs":{"text":"text%[2]s"},"config":{"model":"model%[2]s"},"error":"error%[2]s"}}`, id, word),
	} {
		if status, answer := send(t, http.MethodPost, s.URL()+path, "application/json", []byte(body), "Authorization", "Bearer "+token); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, answer)
		}
	}
}

// inFiles returns in which of the files of a server, and of the folder that they are in, a
// text stands, in any case.
func inFiles(t *testing.T, s *Server, text string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(s.File() + "*")
	if err != nil || len(all) < 2 {
		t.Fatalf("%v %v", all, err)
	}
	for _, name := range all {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytes.ToUpper(content), []byte(strings.ToUpper(text))) {
			names = append(names, filepath.Base(name))
		}
	}
	return names
}

// entries are those of the audit log about erasures that came to their end.
func entries(t *testing.T, s *Server, token string) (list []audit.Entry) {
	t.Helper()
	status, answer := send(t, http.MethodGet, s.URL()+"/api/audit", "", nil, "Authorization", "Bearer "+token)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	for line := range strings.Lines(answer) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Action == audit.Erase && e.Counts != nil {
			list = append(list, e)
		}
	}
	return list
}

const (
	annsWord = "QZXANNSSECRETJKW"
	bobsWord = "QZXBOBSSECRETJKW"
	annsID   = "ann.QZXUSERJKW@example.com"
)

// TestEraseRoutes erases a user by the API and by the form: nothing of them is left in any
// file of the server, the record of it names nobody, and what comes late is not taken.
func TestEraseRoutes(t *testing.T) {
	for _, way := range []string{"API", "form", "session"} {
		t.Run(way, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sessions.db")
			admin := newToken(t, file, access.Token{Name: "dpo", Roles: roles.Admin})
			s := start(t, WithFile(file))
			ofUser(t, s, admin, shopSession, annsID, annsWord)
			ofUser(t, s, admin, bankSession, "bob", bobsWord)
			if err := s.store.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			send(t, http.MethodGet, s.URL()+"/?q="+annsWord, "", nil, "Authorization", "Bearer "+admin)
			if inFiles(t, s, annsWord) == nil || inFiles(t, s, annsID) == nil {
				t.Fatal("the words are not in the files: nothing was tested")
			}
			kind, id := audit.User, annsID
			var status int
			var answer string
			switch way {
			case "API":
				status, answer = send(t, http.MethodPost, s.URL()+"/api/erase", "application/json", []byte(`{"user":"`+annsID+`"}`), "Authorization", "Bearer "+admin)
			case "session":
				kind, id = audit.Session, shopSession
				status, answer = send(t, http.MethodPost, s.URL()+"/api/erase", "application/json", []byte(`{"session_id":"`+strings.ToUpper(shopSession)+`"}`), "Authorization", "Bearer "+admin)
			default:
				form := url.Values{"user": {annsID}}
				status, answer = send(t, http.MethodPost, s.URL()+"/erase", "application/x-www-form-urlencoded", []byte(form.Encode()), "Authorization", "Bearer "+admin)
				if status != http.StatusOK || !strings.Contains(answer, "1 sessions with 1 events") || len(entries(t, s, admin)) != 0 {
					t.Fatalf("%d %s", status, answer)
				}
				form.Set("confirm", "yes")
				status, answer = send(t, http.MethodPost, s.URL()+"/erase", "application/x-www-form-urlencoded", []byte(form.Encode()), "Authorization", "Bearer "+admin)
			}
			if status != http.StatusOK || !strings.Contains(answer, "1") {
				t.Fatalf("%d %s", status, answer)
			}
			ofUser(t, s, admin, shopSession, annsID, annsWord) // late
			if err := s.store.Scrub(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{annsWord, annsID} {
				if names := inFiles(t, s, text); names != nil {
					t.Errorf("%q is in %v", text, names)
				}
			}
			if inFiles(t, s, bobsWord) == nil {
				t.Error("what was not erased is gone")
			}
			for _, path := range []string{"/", "/facets?by=user", "/facets?by=model", "/runs", "/insights", "/v1/sessions/" + shopSession, "/?q=text" + annsWord} {
				_, answer := send(t, http.MethodGet, s.URL()+path, "", nil, "Authorization", "Bearer "+admin)
				if strings.Contains(strings.ReplaceAll(answer, "text"+annsWord, ""), annsWord) || strings.Contains(answer, annsID) {
					t.Errorf("GET %s tells of it", path)
				}
			}
			list := entries(t, s, admin)
			if len(list) != 1 || !list[0].About(kind, id) || list[0].About(kind, "bob") || list[0].Counts["sessions"] != 1 || list[0].Counts["events"] != 1 || list[0].Name != "dpo" || list[0].Error != "" {
				t.Errorf("the record: %+v", list)
			}
		})
	}
}

// TestEraseOfAProject erases what is of the project of the token, and nothing else.
func TestEraseOfAProject(t *testing.T) {
	s := newTenants(t)
	ofUser(t, s.Server, s.shop, "44444444-1111-4111-8111-000000000001", annsID, "X")
	ofUser(t, s.Server, s.bank, "44444444-1111-4111-8111-000000000002", annsID, "X")
	for body, want := range map[string]string{
		`{"user":"` + annsID + `"}`:               `"sessions":1,`,
		`{"session_id":"` + bankSession + `"}`:    `"sessions":0,`,
		`{"session_id":"` + shopSession + `"}`:    `"sessions":1,`,
		`{"user":"a","session_id":"` + `x` + `"}`: `one of both`,
		`{"user":""}`:        `one of both`,
		`{"session_id":"x"}`: `no UUID`,
		`[]`:                 `no JSON object`,
	} {
		_, answer := send(t, http.MethodPost, s.URL()+"/api/erase", "application/json", []byte(body), "Authorization", "Bearer "+s.shop)
		if !strings.Contains(answer, want) {
			t.Errorf("%s: %s, want %s", body, answer, want)
		}
	}
	for id, want := range map[string]int{"44444444-1111-4111-8111-000000000001": 404, "44444444-1111-4111-8111-000000000002": 200, bankSession: 200, shopSession: 404} {
		if got, _ := send(t, http.MethodGet, s.URL()+"/session/"+id, "", nil, "Authorization", "Bearer "+s.all); got != want {
			t.Errorf("%s: %d, want %d", id, got, want)
		}
	}
}

// TestEraseWithoutTokens works, and is recorded, where nobody is asked for a token.
func TestEraseWithoutTokens(t *testing.T) {
	s := start(t)
	ofUser(t, s, "", shopSession, annsID, annsWord)
	if status, answer := send(t, http.MethodPost, s.URL()+"/api/erase", "application/json", []byte(`{"user":"`+annsID+`"}`)); status != http.StatusOK || !strings.Contains(answer, `"sessions":1,"events":1`) {
		t.Errorf("%d %s", status, answer)
	}
	if list := entries(t, s, ""); len(list) != 1 || list[0].Caller != "local" {
		t.Errorf("%+v", list)
	}
	if status, _ := send(t, http.MethodPost, s.URL()+"/erase", "application/x-www-form-urlencoded", []byte("user=x&confirm=yes"), "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", status)
	}
}
