package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/sessionspan/sessionspan/store"
)

// hostileText does harm wherever it is taken for more than text.
const hostileText = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'` onmouseover=alert(3) {{.}} " +
	"[click](javascript:alert(4)) [data](data:text/html,x) ![pixel](https://evil.test/p.png) [out](https://evil.test/?a=1&b=\"2) <https://evil.test/auto> " +
	"\x00\x1b[31m\u202eesrever\u2066\u200b\U000e0041 </textarea></title></pre> --> ]]> \u2028 ${alert(5)} //evil.test\n\n<iframe src=https://evil.test></iframe>\n\n    code\n\n||b|\n|:-|-:|\n|<b>|[x](javascript:1)|\n\n- [x] task\n"

func hostile(t *testing.T) (id string, writes []store.Write) {
	id = testID(66)
	text := quote(hostileText)
	call := `[{"id":` + text + `,"function":{"name":` + text + `,"arguments":{` + text + `:` + text + `}}}]`
	messages := `[{"role":"user","content":` + text + `},{"role":` + text + `,"name":` + text + `,"content":[{"type":"text","text":` + text + `},{"type":` + text + `,"image_url":` + text + `}]},
		{"role":"assistant","content":` + text + `,"reasoning":` + text + `,"finish_reason":` + text + `,"tool_calls":` + call + `},{"role":"tool","tool_call_id":` + text + `,"content":` + text + `}]`
	documents := `[{"id":` + text + `,"score":2,"content":` + text + `,` + text + `:` + text + `}]`
	for n, kind := range []string{"model", "tool", "chain"} {
		writes = append(writes, eventWrite(t, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"parent_id":%q,"event_type":%q,"event_name":%s,"project":%[5]s,"source":%[5]s,"error":%[5]s,
			"inputs":{"chat_history":%[6]s,%[5]s:%[5]s},"outputs":{"documents":%[7]s,"content":%[5]s,"role":"assistant"},"config":{"model":%[5]s},"metadata":{%[5]s:[%[5]s]},"feedback":{"comment":%[5]s},"start_time":%[8]s,"duration":5}`,
			testID(67+n), id, id, kind, text, messages, documents, at(0))))
	}
	return id, append(writes, sessionWrite(t, fmt.Sprintf(`{"session_id":%q,"project":%s,"session_name":%[2]s,"source":%[2]s,"error":%[2]s,"inputs":{"question":%[2]s},"outputs":{"answer":%[2]s},
		"user_properties":{"user_id":%[2]s},"feedback":{"comment":%[2]s,"rating":1},"metrics":{%[2]s:1},"metadata":{%[2]s:{}},"config":{"model":%[2]s},"start_time":%[3]s,"end_time":%[3]s}`, id, text, at(0))))
}

func TestHostileTextIsNothingButText(t *testing.T) {
	id, writes := hostile(t)
	s := newSite(t, writes...)
	event := testID(67)
	text := url.QueryEscape(hostileText)
	paths := []string{
		"/", "/?q=" + text, "/?project=" + text + "&source=" + text + "&user=" + text + "&model=" + text + "&from=" + text, "/insights", "/insights?q=" + text,
		"/s/" + id, "/s/" + id + "?event=" + id, "/s/" + id + "?event=" + event, "/s/" + id + "?view=tree", "/s/" + id + "?view=timeline&event=" + event,
		"/leave?to=" + url.QueryEscape("https://evil.test/\"><script>"),
	}
	for _, path := range paths {
		w := s.answer(http.StatusOK, path)
		page := parse(t, w.Body.String())
		for _, r := range w.Body.String() {
			if hidden(r) {
				t.Errorf("%s holds U+%04X as it is", path, r)
				break
			}
		}
		for _, n := range page.all(func(element) bool { return true }) {
			checkHarmless(t, path, n)
		}
	}
	for _, path := range []string{"/?status=" + text, "/?after=" + text, "/s/" + text, "/leave?to=" + text, "/" + url.PathEscape(hostileText)} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = u
		w := s.do(r)
		for _, n := range parse(t, w.Body.String()).all(func(element) bool { return true }) {
			checkHarmless(t, path, n)
		}
	}
}

// allowed are the elements that pages are made of.
const allowed = " html head meta title link script body a header nav div svg rect path circle g text form input button main h1 h2 h3 h4 h5 h6 p span small ul ol li " +
	"dl dt dd table thead tbody tr th td figure figcaption details summary label select option textarea section article aside time code pre kbd dialog strong em bdi i " +
	"blockquote hr br del "

func checkHarmless(t *testing.T, path string, n element) {
	t.Helper()
	if !strings.Contains(allowed, " "+n.Data+" ") {
		t.Errorf("%s holds a %s", path, n.Data)
	}
	if n.Data == "script" && (n.attr("src") != assetPrefix+"main.mjs" || n.FirstChild != nil) {
		t.Errorf("%s holds a script: %v", path, n.Attr)
	}
	for _, a := range n.Attr {
		switch {
		case a.Key == "style", strings.HasPrefix(a.Key, "on"), a.Key == "srcset", a.Key == "background":
			t.Errorf("%s: %s has %s=%q", path, n.Data, a.Key, a.Val)
		case a.Key == "href", a.Key == "src", a.Key == "action":
			follows := n.attr("id") == "follow" && strings.HasPrefix(a.Val, "https://evil.test/")
			local := strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "//") || strings.HasPrefix(a.Val, "#")
			if !local && !follows {
				t.Errorf("%s: %s leads to %q", path, n.Data, a.Val)
			}
		}
	}
}

func TestLinksOfModelsAskFirst(t *testing.T) {
	text := string(renderMarkdown("[a](https://evil.test/x?y=1) <http://evil.test> ![i](https://evil.test/p.png \"t\") [j](JavaScript:alert) [r](/local) [p](//evil.test/) <b>bold</b>\n\n<div onclick=x>\n"))
	root := parse(t, text)
	var links []string
	for _, a := range root.all(is("a")) {
		links = append(links, a.attr("href"))
	}
	want := []string{"/leave?to=https%3A%2F%2Fevil.test%2Fx%3Fy%3D1", "/leave?to=http%3A%2F%2Fevil.test", "/leave?to=https%3A%2F%2Fevil.test%2Fp.png"}
	if strings.Join(links, " ") != strings.Join(want, " ") {
		t.Errorf("links: %q", links)
	}
	root.has(t, "⟨JavaScript:alert⟩", "⟨/local⟩", "⟨//evil.test/⟩", "<b>", "bold", "</b>", "<div onclick=x>", "image:")
	s := newSite(t)
	page := s.get(want[0])
	page.id("follow").has(t, "Follow the link")
	if got := page.id("follow").attr("href"); got != "https://evil.test/x?y=1" {
		t.Errorf("it leads to %q", got)
	}
	for _, to := range []string{"", "javascript:alert(1)", "data:text/html,x", "//evil.test", "/local", "https:///x", "https://evil.test/\u202e", "file:///etc/passwd"} {
		s.answer(http.StatusBadRequest, "/leave?to="+url.QueryEscape(to))
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newSite(t, agent(t)...)
	for _, path := range []string{"/", "/s/" + agentID, "/s/" + agentID + "/rows", "/insights", "/nothing", "/facets?by=source", assetPrefix + "page.css"} {
		h := s.do(httptest.NewRequest(http.MethodGet, path, nil)).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if cached := strings.Contains(h.Get("Cache-Control"), "immutable"); cached != strings.HasPrefix(path, "/assets/") {
			t.Errorf("%s: Cache-Control is %q", path, h.Get("Cache-Control"))
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if got := s.answer(http.StatusOK, "/s/"+agentID+"/value").Header().Get("Content-Security-Policy"); !strings.Contains(got, "sandbox") {
		t.Errorf("a download has the policy %q", got)
	}
}

func TestPostsOfOtherSitesAreRefused(t *testing.T) {
	s := newSite(t, agent(t)...)
	for _, path := range []string{"/feedback", "/demo", "/theme"} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("id="+agentID+"&rating=down&theme=dark"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(name, value)
			if w := s.do(r); w.Code != http.StatusForbidden {
				t.Errorf("%s with %s: %d", path, name, w.Code)
			}
		}
	}
	if s.get("/s/"+agentID+"?event="+agentID).id("thumb-down").attr("aria-pressed") != "false" {
		t.Error("it had an effect")
	}
}

func TestFormsAreChecked(t *testing.T) {
	s := newSite(t, agent(t)...)
	for name, form := range map[string]url.Values{
		"no id":   {"rating": {"up"}},
		"rating":  {"id": {agentID}, "rating": {"sideways"}},
		"score":   {"id": {agentID}, "score": {"many"}},
		"not one": {"id": {agentID}, "score": {"NaN"}},
	} {
		if w := s.post("/feedback", form); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := s.post("/feedback", url.Values{"id": {agentID}, "comment": {strings.Repeat("x", formMost)}}); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("large: %d", w.Code)
	}
	if w := s.post("/theme", url.Values{"theme": {"pink"}}); w.Code != http.StatusBadRequest {
		t.Errorf("theme: %d", w.Code)
	}
}

func TestAFormLeadsBackToThisServer(t *testing.T) {
	for to, want := range map[string]string{
		"/s/1?event=2#detail": "/s/1?event=2#detail", "": "/", "https://evil.test/": "/", "//evil.test/": "/", "/\\evil.test": "/", "evil": "/",
		"/%5Cevil.test": "/", "\\\\evil.test": "/", "javascript:alert(1)": "/", "/x\r\nSet-Cookie: a=b": "/", "///evil.test": "/",
	} {
		if got := local(to); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}

func TestTheThemeIsKept(t *testing.T) {
	s := newSite(t)
	w := s.post("/theme", url.Values{"theme": {"dark"}, "return": {"/insights"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/insights" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	root := parse(t, s.do(r).Body.String())
	if got := root.all(is("html"))[0].attr("data-theme"); got != "dark" {
		t.Errorf("the theme is %q", got)
	}
	if s.get("/").all(is("html"))[0].attr("data-theme") != "" {
		t.Error("a reader who chose nothing has a theme")
	}
	if cookies := s.post("/theme", url.Values{"theme": {"auto"}}).Result().Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("auto keeps %v", cookies)
	}
}

func TestAssetsAreKeptByBrowsers(t *testing.T) {
	s := newSite(t)
	page := s.get("/")
	for _, n := range page.all(func(n element) bool { return strings.HasPrefix(n.attr("href")+n.attr("src"), "/assets/") }) {
		s.answer(http.StatusOK, n.attr("href")+n.attr("src"))
	}
	for name := range assets {
		w := s.answer(http.StatusOK, assetPrefix+name)
		r := httptest.NewRequest(http.MethodGet, assetPrefix+name, nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		if again := s.do(r); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: %d", name, again.Code)
		}
		if got := s.answer(http.StatusOK, "/assets/old/"+name).Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("an old address of %s may be kept: %q", name, got)
		}
		// Nothing of it asks another host, and no script makes markup of text.
		for _, bad := range []string{"http://", "https://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import"} {
			text := strings.ReplaceAll(string(assets[name]), "http://www.w3.org/2000/svg", "")
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
	}
	s.answer(http.StatusNotFound, "/assets/x/none.mjs")
}

func TestPagesAreSound(t *testing.T) {
	s := newSite(t, agent(t)...)
	for _, path := range []string{"/", "/insights", "/s/" + agentID, "/s/" + agentID + "?event=" + agentID, "/s/" + agentID + "?view=tree&event=" + testID(13), "/s/" + agentID + "?view=timeline", "/leave?to=https://a.test/"} {
		page := s.get(path)
		ids := make(map[string]bool)
		for _, n := range page.all(func(element) bool { return true }) {
			if id := n.attr("id"); id != "" {
				if ids[id] {
					t.Errorf("%s: two elements have the id %s", path, id)
				}
				ids[id] = true
			}
		}
		if n := len(page.all(is("h1"))); n != 1 {
			t.Errorf("%s has %d main headings", path, n)
		}
		for _, n := range page.all(func(n element) bool {
			return (n.Data == "input" && n.attr("type") != "hidden") || n.Data == "select" || n.Data == "textarea"
		}) {
			if !isLabelled(page, n) {
				t.Errorf("%s: %s %s has no label", path, n.Data, n.attr("name"))
			}
		}
		for _, n := range page.all(func(n element) bool { return n.Data == "a" || n.Data == "button" }) {
			if n.text() == "" && n.attr("aria-label") == "" && n.attr("id") != "new" {
				t.Errorf("%s: a link without a name to %s", path, n.attr("href"))
			}
		}
		for _, n := range page.all(is("th")) {
			if n.attr("scope") == "" && len(n.Parent.Attr) > 0 {
				t.Errorf("%s: a head of a table without scope: %s", path, n.text())
			}
		}
	}
}

func isLabelled(page, n element) bool {
	if n.attr("aria-label") != "" {
		return true
	}
	for p := n.Node; p != nil; p = p.Parent {
		if p.Type == html.ElementNode && p.Data == "label" {
			return true
		}
	}
	return len(page.all(func(l element) bool { return l.Data == "label" && l.attr("for") != "" && l.attr("for") == n.attr("id") })) > 0
}

func TestMarkdownOfModelsIsAccessible(t *testing.T) {
	root := parse(t, string(renderMarkdown("||b|\n|:-|-:|\n|1|2|\n\n- [ ] open\n- [x] done\n")))
	if heads := texts(root.all(is("th"))); strings.Join(heads, ",") != "b" {
		t.Errorf("heads: %q", heads)
	}
	if n := len(root.all(is("input"))); n != 0 {
		t.Errorf("%d fields without a label", n)
	}
	root.has(t, "[ ] open", "[x] done")
}

// TestAssetsAreSmall bounds what a browser loads before a page acts.
func TestAssetsAreSmall(t *testing.T) {
	scripts := 0
	for name, data := range assets {
		if strings.HasSuffix(name, ".mjs") {
			scripts += len(data)
		}
	}
	if scripts > 76_000 || len(assets["page.css"]) > 46_000 {
		t.Errorf("%d bytes of scripts, %d of styles", scripts, len(assets["page.css"]))
	}
}
