package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sessionspan/sessionspan/store"
)

// versions are two sessions of one program, before and after a change of its prompt and
// its model, and a third of another project.
func versions(t *testing.T) []store.Write {
	var list []store.Write
	for i, v := range []struct{ model, prompt, answer, extra string }{
		{"m-1", "Be brief.\nAnswer in English.\nCite sources.", "In Porto.", ""},
		{"m-2", "Be very brief.\nAnswer in English.\nCite sources.\nAsk back.", "In Porto, since Friday.", "check"},
	} {
		session := testID(1 + i)
		event := func(n int, kind, name, rest string, took int) {
			list = append(list, eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%[2]q,"event_name":%q,"event_type":%q,"start_time":%s,"duration":%d,%s}`,
				testID(n+10*i), session, name, kind, at(int64(n)), took, rest)))
		}
		event(11, "tool", "search", `"inputs":{"query":"parcel"}`, 40)
		event(12, "model", "answer", fmt.Sprintf(`"config":{"model":%q,"temperature":0.3,"top_p":%d},"inputs":{"chat_history":[%s,%s]},"outputs":%s,"metadata":{"prompt_tokens":%d,"completion_tokens":20,"cost":%g}`,
			v.model, i, said("system", v.prompt), said("user", "Where is my parcel?"), said("assistant", v.answer), 100+50*i, 0.5+0.25*float64(i)), 200*(i+1))
		if v.extra != "" {
			event(13, "tool", v.extra, `"inputs":{}`, 5)
		}
		list = append(list, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"shop","session_name":"parcel","source":"staging","inputs":{"question":"Where is my parcel?"},"outputs":{"answer":%s},"config":{"release":"v%d","flags":{"a":1.0}},"start_time":%s,"duration":%d}`,
			session, quote(v.answer), i+1, at(int64(i)*1000), 300*(i+1))))
	}
	return append(list, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"other","session_name":"parcel","start_time":%s}`, testID(3), at(9000))))
}

func tableRows(page element, id string) []string {
	var list []string
	for _, row := range page.id(id).all(is("tr")) {
		list = append(list, row.text())
	}
	return list
}

func TestCompareSessions(t *testing.T) {
	s := newSite(t, versions(t)...)
	page := s.get(compareURL(testID(1), testID(2)))
	figures := strings.Join(tableRows(page, "compared"), "\n")
	for _, want := range []string{
		"Duration 300 ms 600 ms +300 ms (+100 %)", "Events 2 3 +1 (+50 %)", "Tokens in 100 150 +50 (+50 %)", "Tokens out 20 20 same",
		"Cost 0.5 0.75 +0.25 (+50 %)", "Model m-1 m-2", "Errors 0 0 same",
	} {
		if !strings.Contains(figures, want) {
			t.Errorf("%q is missing in\n%s", want, figures)
		}
	}
	page.id("diff-inputs").has(t, "the same in both")
	page.id("diff-outputs").has(t, "1 line differs", "In Porto")
	if got := texts(page.id("diff-outputs").all(is("ins"))); strings.Join(got, "|") != ", since Friday" {
		t.Errorf("what came is marked as %q", got)
	}
	// A value that is equal in another form does not differ.
	if diff := cmp.Diff([]string{"Value A B", "Config release v1 v2"}, tableRows(page, "differing")); diff != "" {
		t.Error(diff)
	}
	steps := tableRows(page, "steps")
	want := []string{
		"Step A B Difference Side by side", "tool search 40 ms – 40 ms – same compare", "model answer 200 ms 100 / 20 400 ms 150 / 20 +200 ms (+100 %) compare", "tool check only in B 5 ms –",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Error(diff)
	}
	// From a step of both to the calls side by side.
	var link string
	for _, a := range page.id("steps").all(is("a")) {
		if strings.HasPrefix(a.attr("href"), "/compare") {
			link = a.attr("href")
		}
	}
	call := s.get(link)
	call.has(t, "model of parcel")
	in := call.id("diff-inputs")
	in.has(t, "2 lines differ", "── system", "Ask back.")
	if got := texts(in.all(is("ins"))); strings.Join(got, "|") != "very" {
		t.Errorf("what came is marked as %q", got)
	}
	if diff := cmp.Diff([]string{"Value A B", "Config model m-1 m-2", "Config top_p 0 1", "Metadata prompt_tokens 100 150", "Metadata cost 0.5 0.75"}, tableRows(call, "differing")); diff != "" {
		t.Error(diff)
	}
	// What is compared with itself is the same.
	same := s.get(compareURL(testID(1), testID(1)))
	same.has(t, "No short value differs.")
	if n := len(same.all(is("ins"))) + len(same.all(is("del"))); n != 0 {
		t.Errorf("%d differences to itself", n)
	}
}

// TestCompareWith offers what is near, and takes ids and addresses of pages.
func TestCompareWith(t *testing.T) {
	s := newSite(t, versions(t)...)
	page := s.get(s.get("/s/" + testID(1)).id("compare-session").attr("href"))
	links := page.id("others").all(is("a", "open"))
	if len(links) != 1 || links[0].attr("href") != compareURL(testID(1), testID(2)) {
		t.Errorf("%q", texts(links))
	}
	call := s.get("/s/" + testID(1) + "?event=" + testID(12)).id("compare-event").attr("href")
	s.get(call).has(t, "model of parcel", "nothing else of its kind")
	for _, address := range []string{
		testID(22), strings.ToUpper(testID(22)), "http://localhost:4318/s/" + testID(2) + "?view=tree&event=" + testID(22) + "#detail",
		"/s/" + testID(2) + "/e/" + testID(22), " " + testID(22) + " ",
	} {
		w := s.do(newGet("/compare?" + url.Values{"id": {testID(12), address}}.Encode()))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `id="compared"`) {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
	// What a form of the list sends along is left out of the address.
	to, _ := s.follow("/compare?return=%2F&list=&id=" + testID(1) + "&id=" + testID(2))
	if to != compareURL(testID(1), testID(2)) {
		t.Errorf("leads to %s", to)
	}
	s.get("/compare?"+url.Values{"id": {testID(1), "nonsense"}}.Encode()).has(t, "nonsense is no id", "Compare with")
	s.answer(http.StatusBadRequest, "/compare")
	s.answer(http.StatusBadRequest, "/compare?id="+testID(1)+"&id="+testID(2)+"&id="+testID(3))
	s.answer(http.StatusNotFound, "/compare?id="+testID(777))
}

// TestCompareIsBounded compares large records that have nothing in common.
func TestCompareIsBounded(t *testing.T) {
	var list []store.Write
	for i := range 2 {
		var b strings.Builder
		for k := range 60_000 {
			fmt.Fprintf(&b, "%c%d ", 'a'+i, k)
			if k%40 == 0 {
				b.WriteByte('\n')
			}
		}
		list = append(list, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":"p","inputs":{"question":%s},"outputs":{"answer":%s},"metadata":{"x":%s}}`,
			testID(i+1), quote(b.String()), quote(strings.ReplaceAll(b.String(), "\n", "")), quote(b.String()))))
	}
	s := newSite(t, list...)
	page := s.answer(http.StatusOK, compareURL(testID(1), testID(2)))
	if page.Body.Len() > 1_500_000 {
		t.Errorf("the page has %d bytes", page.Body.Len())
	}
	parse(t, page.Body.String()).has(t, "Only the first part is compared.")
}
