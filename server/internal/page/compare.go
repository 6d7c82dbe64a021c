package page

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// side is one of two things that are compared: a session or an event.
type side struct {
	Letter    string // A or B
	ID, URL   string
	IsSession bool
	Name      string
	Kind      string // session, or the kind of the event
	Of        string // the session of an event
	Status    store.Status
	Error     string
	Model     string
	Measures  store.Measures
	Errors    int64
	Events    int64
	Cost      costs

	amounts []store.Cost
	session honeyhive.UUID
	event   honeyhive.UUID // of an event
	seq     int64
	objects []honeyhive.Object // those of bucketTitles
}

// compareView is two of them side by side, or one with what it can be compared with.
type compareView struct {
	base
	A, B     *side
	Swap     string
	Figures  []figureRow
	Same     int // values that are equal
	Values   []valueRow
	Texts    []titledDiff
	Steps    []stepRow
	MoreStep int

	Others  []otherRow // what A can be compared with
	Problem string
}

type titledDiff struct {
	Title, ID string
	*textDiff
}

// figureRow is a measure of both.
type figureRow struct {
	Title, A, B, By string
	Worse, Better   bool
}

// valueRow is a value of config, metadata and so on that differs.
type valueRow struct {
	Bucket, Key, A, B string
}

// otherRow is something to compare with.
type otherRow struct {
	ID, URL, Name, When, Model, Took string
	Status                           store.Status
}

// compareMost is how many things to compare with are offered.
const compareMost = 50

// compareURL is the address at which things are compared.
func compareURL(ids ...string) string {
	return "/compare?" + url.Values{"id": ids}.Encode()
}

// CompareURL leads to what the session, or the chosen event, can be compared with.
func (v *sessionView) CompareURL(id string) string { return compareURL(id) }

var anyID = regexp.MustCompile(`[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}`)

// namedBy returns the id that a text names: an id, or the address of a session or of an
// event in it.
func namedBy(text string) (honeyhive.UUID, bool) {
	text = strings.TrimSpace(text)
	if u, err := url.Parse(text); err == nil && u.Path != text {
		if event := u.Query().Get("event"); event != "" {
			text = event
		} else {
			text = u.Path
		}
	}
	found := anyID.FindAllString(text, -1)
	if len(found) == 0 {
		return honeyhive.UUID{}, false
	}
	id, err := honeyhive.ParseUUID(found[len(found)-1])
	return id, err == nil && !id.IsZero()
}

// compare shows two sessions or events side by side.
func (p *page) compare(w http.ResponseWriter, r *http.Request) error {
	ctx, given := r.Context(), r.URL.Query()
	v := &compareView{base: p.base(r, "Compare")}
	var ids []string
	for _, text := range given["id"] {
		if strings.TrimSpace(text) == "" {
			continue
		}
		id, ok := namedBy(text)
		switch {
		case !ok:
			v.Problem = line(text, 100) + " is no id, and no address of a session or event."
		case len(ids) == 2:
			return badRequest("Two sessions can be compared at a time, and more are named.")
		default:
			ids = append(ids, id.String())
		}
	}
	if len(ids) == 0 {
		return badRequest("No session is named that could be compared: select two in the list.")
	}
	if len(given) > 1 || len(given["id"]) != len(ids) && v.Problem == "" {
		http.Redirect(w, r, compareURL(ids...), http.StatusSeeOther) // without what a form sends along
		return nil
	}
	for i, at := range []**side{&v.A, &v.B}[:len(ids)] {
		s, err := p.side(ctx, ids[i])
		if err != nil {
			return err
		}
		s.Letter = string(rune('A' + i))
		*at = s
	}
	if v.B == nil {
		var err error
		if v.Others, err = p.others(ctx, v.A); err != nil {
			return err
		}
		return p.render(w, http.StatusOK, "compare.html", v)
	}
	v.Swap = compareURL(v.B.ID, v.A.ID)
	v.figures()
	v.values()
	if v.A.IsSession && v.B.IsSession {
		if err := p.steps(ctx, v); err != nil {
			return err
		}
	}
	return p.render(w, http.StatusOK, "compare.html", v)
}

// side reads the session or event with an id.
func (p *page) side(ctx context.Context, name string) (*side, error) {
	id, err := honeyhive.ParseUUID(name)
	if err != nil {
		return nil, err
	}
	s, err := p.Store.Session(ctx, id)
	if err == nil {
		o := &s.Payload
		return &side{
			ID: s.ID.String(), URL: SessionPath(s.ID.String()), IsSession: true, Name: nameOf(s.SessionRow), Kind: honeyhive.TypeSession,
			Status: s.Status, Error: line(s.Error, 300), Model: line(strings.Join(s.Models, ", "), 120), Measures: sound(s.Measures), Errors: s.Errors, Events: s.Events,
			Cost: p.money.session(s.SessionRow), amounts: rowCosts(&s.SessionRow), session: s.ID, seq: s.Seq,
			objects: []honeyhive.Object{o.Inputs, o.Outputs, o.Config, o.Metrics, o.Metadata, o.Feedback, o.UserProperties},
		}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	e, err := p.Store.Event(ctx, id)
	if err != nil {
		return nil, err
	}
	o := &e.Payload
	out := &side{
		ID: e.ID.String(), URL: sessionURL(e.Session.String(), "event", e.ID.String()) + "#detail", Name: cmp.Or(line(e.Name, 200), "(no name)"), Kind: kindOf(e.EventRow),
		Error: line(e.Error, 300), Model: line(e.Model, 120), Measures: sound(e.Measures), Cost: p.money.own(e.EventRow), session: e.Session, event: e.ID,
		objects: []honeyhive.Object{o.Inputs, o.Outputs, o.Config, o.Metrics, o.Metadata, o.Feedback, o.UserProperties},
	}
	out.amounts = costsOf(out.Measures.Cost, 0, e.Currency, nil)
	if d, ok := e.Derived.Get(); ok && out.amounts == nil {
		out.amounts = []store.Cost{{Currency: e.DerivedCurrency, Amount: d, Derived: d}}
	}
	if out.Error != "" {
		out.Errors = 1
	}
	of, err := p.Store.Session(ctx, e.Session)
	if err != nil {
		return nil, err
	}
	out.Of = nameOf(of.SessionRow)
	out.seq = of.Seq
	return out, nil
}

// others are what a session or event is likely to be compared with: the latest sessions
// of its project, and the events of its session that are of its type; those of its name
// first.
func (p *page) others(ctx context.Context, a *side) ([]otherRow, error) {
	var list []otherRow
	if a.IsSession {
		s, err := p.Store.Session(ctx, a.session)
		if err != nil {
			return nil, err
		}
		found, err := p.Store.Sessions(ctx, store.SessionQuery{Filter: store.Filter{Project: s.Project}, Limit: 4 * compareMost})
		if err != nil {
			return nil, err
		}
		for i := range found.Sessions {
			row := &found.Sessions[i]
			if row.ID != a.session {
				list = append(list, otherRow{URL: compareURL(a.ID, row.ID.String()), Name: nameOf(*row), When: stamp(when(*row)), Model: line(strings.Join(row.Models, ", "), 80), Took: took(*row), Status: row.Status})
			}
		}
	} else {
		t, err := p.trees.get(ctx, p.Store, a.session, a.seq)
		if err != nil {
			return nil, err
		}
		at, ok := t.index[a.event]
		if !ok {
			return nil, nil
		}
		for i := range t.nodes {
			n := &t.nodes[i]
			if i != at && n.Type == t.nodes[at].Type && len(list) < 4*compareMost {
				list = append(list, otherRow{URL: compareURL(a.ID, n.ID.String()), Name: line(n.Name, 200), When: known(n.Start, stamp), Model: line(n.Model, 80), Took: lasts(n.Measures)})
			}
		}
	}
	slices.SortStableFunc(list, func(x, y otherRow) int {
		first := func(o otherRow) int {
			if o.Name == a.Name {
				return 0
			}
			return 1
		}
		return cmp.Compare(first(x), first(y))
	})
	return list[:min(len(list), compareMost)], nil
}
