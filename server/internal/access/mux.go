package access

import (
	"net/http"
	"slices"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/server/internal/audit"
	"github.com/sessionspan/sessionspan/server/internal/caller"
	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// Mux is the one table of routes of the server. It serves a route to those whom the rule
// of its pattern lets in; one without a rule it serves to nobody.
type Mux struct {
	keeper   *Keeper
	mux      *http.ServeMux
	patterns []string
	first    []special
}

// special is a route that is known by more than its method and path.
type special struct {
	is      func(*http.Request) bool
	handler http.Handler
}

// NewMux returns a table without routes, for callers that a keeper identifies.
func NewMux(k *Keeper) *Mux { return &Mux{keeper: k, mux: http.NewServeMux()} }

// Handle adds a route, by a pattern as [http.ServeMux] has them.
func (m *Mux) Handle(pattern string, h http.Handler) {
	m.mux.Handle(pattern, m.guarded(pattern, h))
}

// HandleFunc adds a route, by a pattern as [http.ServeMux] has them.
func (m *Mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// HandleIf adds a route for the requests that a function knows, before all patterns. The
// name stands in the place of the pattern.
func (m *Mux) HandleIf(name string, is func(*http.Request) bool, h http.Handler) {
	m.first = append(m.first, special{is, m.guarded(name, h)})
}

// Patterns returns the patterns and names of all routes, in their order.
func (m *Mux) Patterns() []string { return slices.Sorted(slices.Values(m.patterns)) }

func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, s := range m.first {
		if s.is(r) {
			s.handler.ServeHTTP(w, r)
			return
		}
	}
	m.mux.ServeHTTP(w, r)
}

// guarded returns a handler that serves those whom the rule of the pattern lets in.
func (m *Mux) guarded(pattern string, h http.Handler) http.Handler {
	m.patterns = append(m.patterns, pattern)
	rule, declared := rules[pattern]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !declared {
			m.keeper.Reject(w, r, reject.Errorf(http.StatusForbidden, "no rule says who may use %s", pattern))
			return
		}
		if err := rule.check(r); err != nil {
			m.keeper.turnDown(w, r, err)
			return
		}
		if err := m.keeper.note(r, pattern, rule.Audit); err != nil {
			m.keeper.Reject(w, r, reject.Errorf(http.StatusServiceUnavailable, "what is shown must stand in the audit log, which cannot be written: %v", err))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// check returns why the caller of a request is not let in.
func (rule Rule) check(r *http.Request) *reject.Error {
	c := caller.From(r.Context())
	switch {
	case rule.Open:
	case c.Roles == 0:
		return reject.Errorf(http.StatusUnauthorized, "the token is missing or wrong: send it as Authorization: Bearer TOKEN")
	case !c.Roles.May(rule.Needs):
		return reject.Errorf(http.StatusForbidden, "the token may %s, this needs one that may %s", c.Roles, rule.Needs)
	case rule.Whole && c.Project != "":
		return reject.Errorf(http.StatusForbidden, "the token is bound to a project, this needs one that is not")
	}
	return nil
}

// note writes that a route is used into the audit log, before it is: what cannot be
// written is not shown. A server that asks for no token has nobody to name, and notes
// what is deleted alone.
func (k *Keeper) note(r *http.Request, pattern, action string) error {
	if action == "" || k.Audit == nil || !k.Needed() && action != audit.Delete && action != audit.Erase {
		return nil
	}
	return k.Audit.Add(Entry(r, pattern, action))
}

// Entry returns what the audit log has of a request.
func Entry(r *http.Request, pattern, action string) *audit.Entry {
	c := caller.From(r.Context())
	e := &audit.Entry{Action: action, Caller: c.ID, Name: c.Name, Project: c.Project, Route: pattern}
	for name, into := range map[string]*string{"id": &e.Session, "event": &e.Event} {
		if id, err := honeyhive.ParseUUID(r.PathValue(name)); err == nil {
			*into = id.String() // anything else may be content
		}
	}
	return e
}
