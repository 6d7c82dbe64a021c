package page

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	lang "github.com/sessionspan/sessionspan/store/query"
)

// The filter of a page is one query (package store/query), in the parameter query of its
// address. The parameters that stand for one field each say a part of it: addresses have
// them, and so have the links and fields that change one thing. The box shows the query
// as a whole, and what is sent from there has only the query.

// queryTime is how long a page looks for what a query asks.
const queryTime = 20 * time.Second

// asking is the query of an address.
type asking struct {
	text  string // as it was written, where it is not understood
	wrong *lang.SyntaxError
	own   *lang.Query // of the parameter query, without what other parameters say
	all   *lang.Query // with these
}

// nothing is a query that no session matches.
var nothing = mustParse(`feedback:* -feedback:*`)

// shortcuts are the parameters of one field each, with the terms that they take the place
// of.
var shortcuts = map[string]func(*lang.Term) bool{
	"project": ofField("project"), "source": ofField("source"), "user": ofField("user"), "model": ofField("model"), "status": ofField("status"),
	"since": ofField("start"), "from": ofField("start", lang.Greater, lang.GreaterEqual, lang.Equal), "to": ofField("start", lang.Less, lang.LessEqual, lang.Equal),
	"min_ms": ofField("duration", lang.Greater, lang.GreaterEqual), "max_ms": ofField("duration", lang.Less, lang.LessEqual),
	"min_cost": ofField("cost", lang.Greater, lang.GreaterEqual), "max_cost": ofField("cost", lang.Less, lang.LessEqual),
	"feedback": func(t *lang.Term) bool { return t.Field.Name == "feedback" || t.Field.Name == "rating" },
}

func ofField(name string, ops ...lang.Op) func(*lang.Term) bool {
	return func(t *lang.Term) bool {
		return t.Field.Name == name && (len(ops) == 0 || slices.Contains(ops, t.Op))
	}
}

// without takes the terms out of a query that a parameter takes the place of.
func without(q *lang.Query, name string) *lang.Query {
	is := shortcuts[name]
	if is == nil || q.IsAll() {
		return q
	}
	return lang.Of(slices.DeleteFunc(q.Parts(), func(e lang.Expr) bool {
		if not, ok := e.(lang.Not); ok {
			e = not.Expr
		}
		t, ok := e.(*lang.Term)
		return ok && is(t)
	})...)
}

// ask reads the parameter query, and makes one query of it and of the other parameters.
func (q *query) ask(given url.Values, now time.Time) {
	a := &q.asked
	text := strings.TrimSpace(given.Get("query"))
	var err error
	switch {
	case len(text) > maxText:
		a.wrong = &lang.SyntaxError{Message: "it is longer than 2 KiB"}
	case text != "":
		q.values.Set("query", text)
		if a.own, err = lang.Parse(text); errors.As(err, &a.wrong) {
			a.text = text
		}
	}
	var terms []lang.Expr
	for _, name := range []string{"status", "project", "source", "user", "model", "since", "from", "to", "min_ms", "max_ms", "min_cost", "max_cost", "feedback"} {
		if v := q.values.Get(name); v != "" {
			a.own = without(a.own, name)
			terms = append(terms, shortcut(name, v)...)
		}
	}
	a.all = lang.All(lang.All(lang.Of(terms...), a.own), lang.FromText(q.filter.Text))
	if a.wrong != nil {
		q.filter.Query = nothing // whoever goes on all the same is told of no session, rather than of all
		return
	}
	q.filter.Query = a.own
	if !a.own.IsAll() {
		q.values.Set("query", a.own.String())
	} else {
		q.values.Del("query")
	}
	for _, part := range a.own.Parts() { // buckets of time divide what is asked for
		if t, ok := part.(*lang.Term); ok && t.Field.Kind == lang.Time {
			from, to := t.Times(now)
			if !from.IsZero() && from.After(q.filter.From) {
				q.filter.From = from
			}
			if !to.IsZero() && (q.filter.To.IsZero() || to.Before(q.filter.To)) {
				q.filter.To = to
			}
		}
	}
}

// shortcut returns the terms that a parameter stands for.
func shortcut(name, value string) (list []lang.Expr) {
	add := func(field string, op lang.Op, value string) {
		if t, err := lang.NewTerm(field, op, value); err == nil {
			list = append(list, t)
		}
	}
	feedback := anyFeedback()
	switch name {
	case "since":
		add("start", lang.GreaterEqual, "-"+cmp.Or(map[string]string{"168h": "7d", "720h": "30d"}[value], value))
	case "from":
		add("start", lang.GreaterEqual, value)
	case "to":
		add("start", lang.Less, value)
	case "min_ms":
		add("duration", lang.GreaterEqual, value)
	case "max_ms":
		add("duration", lang.LessEqual, value)
	case "min_cost":
		add("cost", lang.GreaterEqual, value)
	case "max_cost":
		add("cost", lang.LessEqual, value)
	case "feedback":
		switch value {
		case "any":
			list = append(list, feedback)
		case "none":
			list = append(list, lang.Not{Expr: feedback})
		case "up":
			add("rating", lang.Greater, "0")
		case "down":
			add("rating", lang.Less, "0")
		}
	default:
		add(name, lang.Equal, value)
	}
	return list
}

func anyFeedback() lang.Expr {
	return anyOf("feedback")
}

// give writes the query into the parameters of an address some of which change: what a
// parameter now says takes the place of what the query said.
func (a *asking) give(values url.Values, pairs []string) {
	if a.wrong != nil || a.own.IsAll() {
		return
	}
	own := a.own
	for i := 0; i+1 < len(pairs); i += 2 {
		own = without(own, pairs[i])
	}
	if own.IsAll() {
		values.Del("query")
	} else {
		values.Set("query", own.String())
	}
}

// Query is what the box shows.
func (q *query) Query() string {
	if q.asked.wrong != nil {
		return q.asked.text
	}
	return q.asked.all.String()
}

// Wrong is what the box shows where it is not understood: the text before the mistake,
// the mistake, and what follows; and what it is.
type wrong struct{ Before, Mark, After, Message string }

// Wrong returns nil where the query is understood.
func (q *query) Wrong() *wrong {
	e, text := q.asked.wrong, q.asked.text
	if e == nil {
		return nil
	}
	return &wrong{visible(text[:e.Offset]), visible(text[e.Offset:e.End]), visible(text[e.End:]), e.Message}
}

// Asking is URL for a query in place of this one, of all that chooses sessions.
func (q *query) Asking(path string, all *lang.Query) string {
	values := make(url.Values)
	for _, name := range []string{"sort", "dir", "paused", "axis"} {
		if v := q.values.Get(name); v != "" {
			values.Set(name, v)
		}
	}
	if !all.IsAll() {
		values.Set("query", all.String())
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// And is the address of the list for what is asked for here and a term besides.
func (q *query) And(terms ...lang.Expr) string {
	all := q.asked.all
	for _, t := range terms {
		all = lang.All(all, lang.Of(t))
	}
	return q.Asking("/", all)
}

// A chip is a part of the query, and the address without it.
type chip struct{ Text, Without string }

// Chips are the parts of the query that must all hold.
func (q *query) Chips() []chip {
	if q.asked.wrong != nil {
		return nil
	}
	parts := q.asked.all.Parts()
	var list []chip
	for i, part := range parts {
		rest := slices.Delete(slices.Clone(parts), i, i+1)
		list = append(list, chip{line(lang.Print(part), 60), q.Asking(q.path, lang.Of(rest...))})
	}
	return list
}

// fieldHelp is a field as the help shows it.
type fieldHelp struct{ Name, About string }

// Fields are the fields that a query may name.
func (q *query) Fields() (list []fieldHelp) {
	for _, f := range lang.Fields() {
		name := f.Name
		if f.Kind == lang.Map {
			name += "key"
		}
		list = append(list, fieldHelp{name, f.About})
	}
	return list
}
