package page

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// bulkMost is how many sessions a request deletes or rates at most.
const bulkMost = 10_000

// bulkStep is how many of them it does at once.
const bulkStep = 100

// bulkActions are what can be done with sessions of the list.
var bulkActions = []choice{{"up", "Rate good"}, {"down", "Rate bad"}, {"none", "Take the rating back"}, {deletion, "Delete"}}

// deletion is the action that deletes.
const deletion = "delete"

// bulkRequest is what a form asks to do, and with which sessions: with those that are
// named, or with all of a list.
type bulkRequest struct {
	Action    string
	IDs       []honeyhive.UUID
	All       bool
	List      string // the query of the list
	Until     int64  // of a list, only sessions that have not changed since this number
	Confirmed bool
}

// readBulk reads the form.
func (p *page) readBulk(values url.Values) (bulkRequest, error) {
	b := bulkRequest{Action: values.Get("action"), All: values.Get("all") == "1", List: p.listQuery(values.Get("list")), Confirmed: values.Get("confirm") == "1"}
	if !slices.ContainsFunc(bulkActions, func(c choice) bool { return c.is(b.Action) }) {
		return b, badRequest("action is none of up, down, none and delete.")
	}
	if q, _ := p.parseQuery(b.List); b.All && (len(q.problems) > 0 || q.Wrong() != nil || b.List == "" && values.Get("list") != "") {
		return b, badRequest("The list cannot be read.") // and must not be taken for one of more sessions
	}
	b.Until, _ = strconv.ParseInt(values.Get("until"), 10, 64)
	for _, text := range values["id"] {
		id, err := honeyhive.ParseUUID(text)
		if err != nil || id.IsZero() {
			return b, badRequest("%s is no id of a session.", line(text, 80))
		}
		if !b.All && !slices.Contains(b.IDs, id) {
			b.IDs = append(b.IDs, id)
		}
	}
	if !b.All && len(b.IDs) == 0 {
		return b, badRequest("No session is selected. Go back, and select some in the list.")
	}
	return b, nil
}

// confirmView asks whether it is meant.
type confirmView struct {
	base
	bulkRequest
	Question string
	Count    int64
	Names    []string // of the first ones
	More     int64
	Most     int64 // set where there are more than one request does
	Back     string
}

// namesShown is how many sessions the question names.
const namesShown = 10

// bulk rates sessions of the list. It asks before it does so with all of a list, and
// before they are deleted, which bulkDelete does.
func (p *page) bulk(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	b, err := p.readBulk(values)
	if err != nil {
		return err
	}
	to := local(values.Get("return"))
	if b.Action == deletion || b.All && !b.Confirmed {
		return p.confirm(w, r, b, to)
	}
	return p.each(w, r, b, to, func(ids []honeyhive.UUID) error { return p.rate(r.Context(), b.Action, ids) })
}

// bulkDelete deletes sessions of the list, about which bulk has asked.
func (p *page) bulkDelete(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	b, err := p.readBulk(values)
	if err != nil {
		return err
	}
	if b.Action != deletion || !b.Confirmed {
		return badRequest("The form does not say that these sessions are to be deleted.")
	}
	return p.each(w, r, b, local(values.Get("return")), func(ids []honeyhive.UUID) error {
		for _, id := range ids {
			if p.NoteDelete == nil {
				break
			}
			if err := p.NoteDelete(r, id); err != nil {
				return err
			}
		}
		return p.Store.Delete(r.Context(), ids...)
	})
}

// each does something with the sessions of a request, some at a time, and leads back.
func (p *page) each(w http.ResponseWriter, r *http.Request, b bulkRequest, to string, do func([]honeyhive.UUID) error) error {
	ids := b.IDs
	if b.All {
		var err error
		if ids, err = p.listed(r.Context(), b); err != nil {
			return err
		}
	}
	for step := range slices.Chunk(ids, bulkStep) {
		if err := do(step); err != nil {
			return err
		}
	}
	back(w, r, to)
	return nil
}

// rate gives sessions a rating, or takes it back.
func (p *page) rate(ctx context.Context, action string, ids []honeyhive.UUID) error {
	given, err := feedbackFrom(url.Values{"rating": {action}})
	if err != nil {
		return err
	}
	now := p.Now()
	batch := make([]store.Write, 0, len(ids))
	for _, id := range ids {
		batch = append(batch, store.Write{Update: &honeyhive.Update{EventID: honeyhive.Some(id.String()), Feedback: given}, At: now})
	}
	return p.Store.Write(ctx, batch)
}

// listed returns the sessions of a list that have not changed since the reader was
// asked.
func (p *page) listed(ctx context.Context, b bulkRequest) ([]honeyhive.UUID, error) {
	q, _ := p.parseQuery(b.List)
	ask := store.SessionQuery{Filter: q.filter, Limit: 1000}
	var ids []honeyhive.UUID
	for {
		part, err := p.Store.Sessions(ctx, ask)
		if err != nil {
			return nil, err
		}
		for i := range part.Sessions {
			if row := &part.Sessions[i]; row.Seq <= b.Until && len(ids) < bulkMost {
				ids = append(ids, row.ID)
			}
		}
		if ask.After = part.Next; ask.After == "" || len(ids) == bulkMost {
			return ids, nil
		}
	}
}

// confirm shows what would be done.
func (p *page) confirm(w http.ResponseWriter, r *http.Request, b bulkRequest, to string) error {
	ctx := r.Context()
	v := confirmView{bulkRequest: b, Back: to}
	name := func(row store.SessionRow) {
		v.Names = append(v.Names, nameOf(row)+", "+stamp(when(row))+" UTC")
	}
	var err error
	if v.Until, err = p.Store.Seq(ctx); err != nil {
		return err
	}
	if b.All {
		q, order := p.parseQuery(b.List)
		sums, err := p.Store.Aggregate(ctx, q.filter, store.Grouping{})
		if err != nil {
			return err
		}
		if len(sums) > 0 {
			v.Count = sums[0].Total.Count
		}
		first, err := p.Store.Sessions(ctx, store.SessionQuery{Filter: q.filter, Sort: store.Sort(order.Sort), Ascending: order.Ascending, Limit: namesShown})
		if err != nil {
			return err
		}
		for i := range first.Sessions {
			name(first.Sessions[i])
		}
		if v.Count > bulkMost {
			v.Most = bulkMost
		}
	} else {
		v.Count = int64(len(b.IDs))
		for _, id := range b.IDs[:min(len(b.IDs), namesShown)] {
			s, err := p.Store.Session(ctx, id)
			if err != nil {
				return err
			}
			name(s.SessionRow)
		}
	}
	v.More = max(v.Count-int64(len(v.Names)), 0)
	v.Question = map[string]string{"up": "Rate these sessions good?", "down": "Rate these sessions bad?", "none": "Take the ratings of these sessions back?", deletion: "Delete these sessions?"}[b.Action]
	v.base = p.base(r, v.Question)
	return p.render(w, http.StatusOK, "confirm.html", v)
}
