package page

import (
	"context"
	"errors"
	"net/http"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// A set is the sessions of a list, in its order, through which its reader goes one by
// one; a queue is those of them that nobody has rated. Which one comes next is found
// out when it is asked for: from the place of the session in the order, whether the
// filter still lets it through or not, so that a session which was just rated has a
// next one, too.

// setPairs are the parameters of a session's address that say which set it is looked at
// in.
func (v *sessionView) setPairs() []string {
	pairs := []string{"back", v.back}
	if v.Queue {
		pairs = append(pairs, "queue", "1")
	}
	return pairs
}

// NextURL and PreviousURL lead to the neighbours of the session in its set.
func (v *sessionView) NextURL() string { return v.besideURL("/next") }

// PreviousURL is NextURL in the other direction.
func (v *sessionView) PreviousURL() string { return v.besideURL("/previous") }

func (v *sessionView) besideURL(path string) string {
	view := v.View
	if view == "thread" {
		view = ""
	}
	return sessionURL(v.ID+path, append([]string{"view", view}, v.setPairs()...)...)
}

// LeaveURL is the address of the session outside of the queue.
func (v *sessionView) LeaveURL() string {
	return sessionURL(v.ID, "back", v.back)
}

// FirstURL leads to the first session of the queue.
func (v *sessionView) FirstURL() string { return "/queue?" + v.back }

// beside returns the first session of a list behind one of it, or before it. The zero
// UUID stands for the beginning of the list.
func (p *page) beside(ctx context.Context, list string, of honeyhive.UUID, before, unrated bool) (honeyhive.UUID, error) {
	q, order := p.parseQuery(list)
	if q.Wrong() != nil {
		return honeyhive.UUID{}, badRequest("The query of the list is not understood.")
	}
	ask := store.SessionQuery{
		Filter: q.filter, Sort: store.Sort(order.Sort), Ascending: order.Ascending != before, Behind: of, Limit: 1,
	}
	if unrated {
		ask.Feedback = honeyhive.Some(false)
	}
	found, err := p.Store.Sessions(ctx, ask)
	if err != nil || len(found.Sessions) == 0 {
		return honeyhive.UUID{}, err
	}
	return found.Sessions[0].ID, nil
}

// neighbour leads to the next or the previous session of a set, or back to the session,
// which then says that there is none.
func (p *page) neighbour(before bool) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := pathID(r, "id")
		if err != nil {
			return err
		}
		given := r.URL.Query()
		list, queue := p.listQuery(given.Get("back")), ""
		if given.Get("queue") == "1" {
			queue = "1"
		}
		found, err := p.beside(r.Context(), list, id, before, queue != "")
		if err != nil {
			return err
		}
		end := ""
		if found.IsZero() {
			if found, end = id, "next"; before {
				end = "previous"
			}
		}
		view := ""
		for _, c := range views[1:] {
			if c.is(given.Get("view")) {
				view = c.Value
			}
		}
		http.Redirect(w, r, sessionURL(found.String(), "view", view, "back", list, "queue", queue, "end", end), http.StatusSeeOther)
		return nil
	}
}

// queue leads to the first session of a list that nobody has rated.
func (p *page) queue(w http.ResponseWriter, r *http.Request) error {
	list := p.listQuery(r.URL.RawQuery)
	found, err := p.beside(r.Context(), list, honeyhive.UUID{}, false, true)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if found.IsZero() {
		return p.render(w, http.StatusOK, "rated.html", struct {
			base
			Back string
		}{p.base(r, "All are rated"), listURL(list)})
	}
	http.Redirect(w, r, sessionURL(found.String(), "back", list, "queue", "1"), http.StatusSeeOther)
	return nil
}

// listURL is the address of a list by its query.
func listURL(query string) string {
	if query == "" {
		return "/"
	}
	return "/?" + query
}
