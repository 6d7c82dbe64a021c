package page

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/store"
)

// ParseQuery reads the parameters of a list as the page reads those of its address: the
// filters, sort, dir and after. The page leaves out what it does not understand, and
// says so; here it is an error, and so is a name that is none of them and none of own:
// a program that misspells a filter must not be told of all sessions.
func ParseQuery(given url.Values, own ...string) (store.SessionQuery, error) {
	q, order := parseList(&http.Request{URL: &url.URL{Path: "/", RawQuery: given.Encode()}}, time.Now())
	var errs []error
	for _, p := range q.problems {
		errs = append(errs, errors.New(strings.TrimSuffix(p, ", and is left out")))
	}
	if wrong := q.asked.wrong; wrong != nil {
		errs = append(errs, fmt.Errorf("query: %w", wrong))
	}
	for name, values := range given {
		known := q.values.Has(name) || slices.Contains(own, name) || name == "after" || name == "query"
		if !known && strings.TrimSpace(strings.Join(values, "")) != "" && !slices.ContainsFunc(q.problems, func(p string) bool { return strings.HasPrefix(p, name+" ") }) {
			errs = append(errs, errors.New(`there is no parameter `+line(name, 60)))
		}
	}
	return store.SessionQuery{Filter: q.filter, Sort: store.Sort(order.Sort), Ascending: order.Ascending, After: order.after}, errors.Join(errs...)
}
