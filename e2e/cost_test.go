package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/server/local"
)

// TestDerivedCosts looks at costs that were derived, also on rows that a script makes, and
// at a model without a price; then at the same session by another table.
func TestDerivedCosts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	serve := func(name string, price int) *local.Server {
		table, err := prices.Parse(fmt.Appendf(nil, `{"name":%q,"date":"2026-11-30","sources":["test"],"providers":[{"name":"openai","models":[{"name":"m","input":%d,"output":1000000}]}]}`, name, price))
		if err != nil {
			t.Fatal(err)
		}
		s, err := local.Start(t.Context(), local.WithAddress("127.0.0.1:0"), local.WithFile(file), local.WithPrices(table))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := serve("our prices", 500_000)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	ctx, session := tracer.StartSession(context.Background(), "costs")
	const calls = 120 // so that a script makes rows
	for i := range calls {
		model := "m"
		if i == calls-1 {
			model = "new"
		}
		_, e := sessionspan.StartEvent(ctx, sessionspan.Model, fmt.Sprint("call ", i), sessionspan.WithModel("openai", model))
		e.SetUsage(sessionspan.Usage{InputTokens: 10})
		e.End()
	}
	session.End()
	deliver(t, tracer)
	look := func(t *testing.T, s *local.Server, name, cost, sum string) {
		t.Helper()
		b := newTab(t, s.URL()) // which ends with the test, before the server does
		b.show("/")
		title := "derived from tokens by " + name + " of 2026-11-30"
		b.wait(`document.querySelector("#sessions .cost")?.textContent === ` + fmt.Sprintf("%q", "≈ "+sum+" + no price") + ` && document.querySelector("#sessions .cost").title.startsWith(` + fmt.Sprintf("%q", title) + `)`)
		if got := eval[string](b, `document.querySelector("#sessions .cost").title`); !strings.HasSuffix(got, "; no price for new (openai) by "+name+" of 2026-11-30") {
			t.Errorf("the list says %q", got)
		}
		b.show("/s/" + session.ID() + "?view=tree")
		b.has("#session .figures", "Cost ≈ "+sum+" + no price")
		b.wait(`[...document.querySelectorAll("#rows .body .row[data-event]")].some((r) => r.children[5].textContent === ` + fmt.Sprintf("%q", "≈ "+cost) +
			` && (r.children[5].title || r.children[5].querySelector("[title]")?.title) === ` + fmt.Sprintf("%q", title) + `)`)
		eval[bool](b, `document.getElementById("rows").scrollTo(0, 1e6), window.scrollTo(0, 1e6), true`)
		b.wait(`[...document.querySelectorAll("#rows .body .row")].some((r) => r.children[5].textContent === "no price" && r.children[5].title === ` + fmt.Sprintf("%q", "no price for new (openai) by "+name+" of 2026-11-30") + `)`)
	}
	t.Run("at first", func(t *testing.T) { look(t, s, "our prices", "5.00", "595") })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = serve("newer prices", 250_000)
	t.Run("by another table", func(t *testing.T) { look(t, s, "newer prices", "2.50", "298") })
}
