package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/sessionspan/sessionspan/server/internal/erasure"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// erase erases a user, {"user":"…"}, or a session, {"session_id":"…"}. The answer comes
// when nothing is left of it.
func (a *API) erase(w http.ResponseWriter, r *http.Request, body string) error {
	var asked struct {
		User    string `json:"user"`
		Session string `json:"session_id"`
	}
	if err := json.Unmarshal([]byte(body), &asked); err != nil {
		return reject.Errorf(http.StatusBadRequest, "the body is no JSON object with user or session_id")
	}
	done, err := a.Erasure.Erase(r.Context(), asked.User, asked.Session)
	if errors.Is(err, erasure.ErrSubject) {
		return reject.Errorf(http.StatusBadRequest, "%v", err)
	}
	if err != nil {
		return reject.Errorf(http.StatusServiceUnavailable, "the erasure did not come to its end, ask again: %v", err)
	}
	return answerJSON(w, struct {
		Success  bool  `json:"success"`
		Sessions int64 `json:"sessions"`
		Events   int64 `json:"events"`
		Updates  int64 `json:"updates"`
	}{true, done.Sessions, done.Events, done.Updates})
}
