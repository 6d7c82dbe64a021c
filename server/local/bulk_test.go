package local

import (
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

// TestBulkDeletionIsNoted deletes sessions by the form of the list: who may delete a
// session may, and each stands in the audit log.
func TestBulkDeletionIsNoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	writer := newToken(t, file, access.Token{Roles: roles.Read | roles.Write})
	admin := newToken(t, file, access.Token{Roles: roles.Admin})
	s := start(t, WithFile(file))
	ids := []string{"10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"}
	for _, id := range ids {
		if status, answer := send(t, http.MethodPost, s.URL()+"/session/start", "application/json", []byte(`{"session":{"session_id":"`+id+`","session_name":"x"}}`), "Authorization", "Bearer "+writer); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	ask := func(secret string) int {
		t.Helper()
		form := url.Values{"action": {"delete"}, "confirm": {"1"}, "id": ids, "return": {"/insights"}}
		status, _ := send(t, http.MethodPost, s.URL()+"/bulk/delete", "application/x-www-form-urlencoded", []byte(form.Encode()), "Authorization", "Bearer "+secret)
		return status
	}
	if got := ask(writer); got != http.StatusForbidden {
		t.Errorf("who may not delete: %d", got)
	}
	if got := ask(admin); got != http.StatusOK { // of the page that it leads to
		t.Errorf("who may: %d", got)
	}
	for _, id := range ids {
		if status, _ := send(t, http.MethodGet, s.URL()+"/s/"+id, "", nil, "Authorization", "Bearer "+admin); status != http.StatusNotFound {
			t.Errorf("%s: %d", id, status)
		}
	}
	text, err := os.ReadFile(file + audit.Suffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		noted := 0
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"action":"delete"`) && strings.Contains(line, `"route":"POST /bulk/delete"`) && strings.Contains(line, id) {
				noted++
			}
		}
		if noted != 1 {
			t.Errorf("%s is noted %d times in\n%s", id, noted, text)
		}
	}
}
