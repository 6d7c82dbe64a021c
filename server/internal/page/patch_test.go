package page

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// counting counts what a page asks of a store.
type counting struct {
	store.Store
	lists, sums, sessions, others int
}

func (c *counting) Sessions(ctx context.Context, q store.SessionQuery) (store.SessionPage, error) {
	c.lists++
	return c.Store.Sessions(ctx, q)
}

func (c *counting) Aggregate(ctx context.Context, f store.Filter, g store.Grouping) ([]store.Series, error) {
	c.sums++
	return c.Store.Aggregate(ctx, f, g)
}

func (c *counting) Session(ctx context.Context, id honeyhive.UUID) (store.Session, error) {
	c.sessions++
	return c.Store.Session(ctx, id)
}

func (c *counting) Events(ctx context.Context, id honeyhive.UUID, q store.EventQuery) iter.Seq2[store.EventRow, error] {
	c.others++
	return c.Store.Events(ctx, id, q)
}

func (c *counting) Info(ctx context.Context) (store.Info, error) {
	c.others++
	return c.Store.Info(ctx)
}

// many are sessions of which a page of the list is full, the n-th started n minutes ago.
func many(t *testing.T, n int, rest string) store.Write {
	return sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","source":"s","session_name":"session %d","start_time":%d%s}`,
		testID(n), n, testNow.Add(-time.Duration(n)*time.Minute).UnixMilli(), rest))
}

// TestChangesOfList asks for what has changed of a list of many sessions. The answer has
// the rows that have, and costs one query of the store and no sums, nor does it grow with
// the list.
func TestChangesOfList(t *testing.T) {
	var list []store.Write
	for n := range 300 {
		list = append(list, many(t, 10+n, ""))
	}
	s := newSite(t, list...)
	asked := &counting{Store: s.store}
	s.handler = newPage(Config{Store: asked, Now: func() time.Time { return testNow }}, time.Minute)
	whole := s.answer(http.StatusOK, "/").Body.Len()
	seq := s.seq()
	*asked = counting{Store: s.store}

	changed := func(query string, want ...string) element {
		t.Helper()
		text := s.answer(http.StatusOK, "/?"+query).Body
		size := text.Len()
		page := parse(t, text.String())
		if got := names(page); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
		if most := 300 + 1500*len(want); size > most || size*20 > whole {
			t.Errorf("%s: %d bytes of %d rows; the whole list has %d", query, size, len(want), whole)
		}
		return page
	}
	changed("changed=" + strconv.FormatInt(seq, 10))
	s.write(many(t, 1, ""), many(t, 12, `,"end_time":99999999999999`))
	page := changed("changed="+strconv.FormatInt(seq, 10), "session 1", "session 12")
	if next := page.id("sessions").attr("data-seq"); next != strconv.FormatInt(s.seq(), 10) {
		t.Errorf("the rows are those up to %s, want %d", next, s.seq())
	}
	if *asked != (counting{Store: s.store, lists: 2}) {
		t.Errorf("the store was asked %+v", asked)
	}

	// A row that is shown and has left the page, or the filter, is asked for by name.
	s.write(many(t, 250, `,"error":"late"`))
	after := "changed=" + strconv.FormatInt(s.seq(), 10)
	changed(after+"&row="+testID(250), "session 250")
	changed(after+"&project=other&row="+testID(250), "session 250")
	changed(after+"&row="+testID(12), "session 12") // it is on the page, and as it was
	changed(after + "&row=" + testID(9999))         // it was deleted

	*asked = counting{Store: s.store}
	sums := s.get("/?sums=only&source=s")
	sums.id("figures").has(t, "Sessions 301", "Errors 1")
	if len(sums.id("histogram").all(is("svg"))) != 1 || len(sums.all(is("table"))) != 0 || *asked != (counting{Store: s.store, sums: 1}) {
		t.Errorf("the sums: the store was asked %+v", asked)
	}
	for _, query := range []string{"changed=1&query=stauts:ok", "sums=only&query=stauts:ok", "changed=x", "changed=-1", "changed=1&row=x", "changed=1" + strings.Repeat("&row="+testID(1), 101)} {
		s.answer(http.StatusBadRequest, "/?"+query)
	}
}

// TestChangesKeepLinks: the links of rows that are patched are those of the list.
func TestChangesKeepLinks(t *testing.T) {
	s := newSite(t, shopSessions(t)...)
	row := func(page element) string {
		var text strings.Builder
		if err := html.Render(&text, page.id("s-"+testID(1)).Node); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	if err := s.store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"source=staging&sort=duration&dir=asc", "query=" + url.QueryEscape("parcel source:staging")} {
		if a, b := row(s.get("/?"+query)), row(s.get("/?"+query+"&changed=0")); a != b || a == "" {
			t.Errorf("%s: in the list:\n%s\nchanged:\n%s", query, a, b)
		}
	}
}
