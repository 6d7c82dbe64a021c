package page

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/erasure"
	"github.com/sessionspan/sessionspan/store"
)

// eraseView is the form by which a user or a session is erased: first it asks for one,
// then it shows what would go, and asks again.
type eraseView struct {
	base
	User, Session string
	Problem       string
	Found         bool // what was asked for is shown, to be confirmed
	Sessions      int64
	Events        int64
	Done          *store.Erased
}

// mayErase reports whether the caller of a request may.
func (p *page) mayErase(r *http.Request) bool {
	return p.Erase != nil && caller.From(r.Context()).Roles.May(caller.Admin)
}

// erase shows the form. The session may come with its address, a user may not: addresses
// stay in histories.
func (p *page) erase(w http.ResponseWriter, r *http.Request) error {
	if !p.mayErase(r) {
		return notFound("There is no such page.")
	}
	return p.showErase(w, r, http.StatusOK, &eraseView{Session: r.URL.Query().Get("session")})
}

func (p *page) showErase(w http.ResponseWriter, r *http.Request, status int, v *eraseView) error {
	v.base = p.base(r, "Erase")
	v.Here = "/erase"
	return p.render(w, status, "erase.html", v)
}

// takeErase looks for what is named, and erases it where that is confirmed.
func (p *page) takeErase(w http.ResponseWriter, r *http.Request) error {
	if !p.mayErase(r) {
		return notFound("There is no such page.")
	}
	values, err := form(w, r)
	if err != nil {
		return err
	}
	v := &eraseView{User: values.Get("user"), Session: values.Get("session")}
	subject, _, _, err := erasure.Read(v.User, v.Session)
	if err != nil {
		v.Problem = "Name a user as the list shows them, or the id of a session, one of both."
		return p.showErase(w, r, http.StatusBadRequest, v)
	}
	if values.Get("confirm") == "yes" {
		done, err := p.Erase(r.Context(), v.User, v.Session)
		if err != nil {
			return &problem{http.StatusServiceUnavailable, "The erasure did not come to its end", "What was found is out of sight, and may be on the disk yet: erase it again. " + line(err.Error(), 200)}
		}
		v.Done = &done
		return p.showErase(w, r, http.StatusOK, v)
	}
	if err := p.foretell(r, subject, v); err != nil {
		return err
	}
	return p.showErase(w, r, http.StatusOK, v)
}

// foretell counts what is to go.
func (p *page) foretell(r *http.Request, subject store.Subject, v *eraseView) error {
	v.Found = true
	if subject.User != "" {
		list, err := p.Store.Aggregate(r.Context(), store.Filter{User: subject.User}, store.Grouping{})
		for _, s := range list {
			v.Sessions, v.Events = s.Total.Count, s.Total.Events
		}
		if err != nil {
			return fmt.Errorf("count what is to be erased: %w", err)
		}
		return nil
	}
	s, err := p.Store.Session(r.Context(), subject.Session)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		v.Sessions, v.Events = 1, s.Events
	}
	return err
}
