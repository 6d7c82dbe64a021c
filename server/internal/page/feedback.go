package page

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// formMost bounds the body of a form, in bytes.
const formMost = 64_000

// form reads the body of a form.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, formMost)
	if err := r.ParseForm(); err != nil {
		if _, isLarge := errors.AsType[*http.MaxBytesError](err); isLarge {
			return nil, &problem{http.StatusRequestEntityTooLarge, "Too much text", "A form may hold " + size(formMost) + "."}
		}
		return nil, badRequest("The form cannot be read: %s", line(err.Error(), 200))
	}
	return r.PostForm, nil
}

// back leads to the page that a form was on.
func back(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, local(to), http.StatusSeeOther)
}

// local returns an address of this server: the path, query and fragment of what
// was asked for, or else the list.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(to, "\r\n\t") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
}

// feedback adds what a reader says of a session or event: feedback.rating (1 or
// -1; null takes it back), feedback.score (a number) and feedback.comment.
func (p *page) feedback(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	id, err := honeyhive.ParseUUID(values.Get("id"))
	if err != nil {
		return badRequest("The form names no session or event.")
	}
	given, err := feedbackFrom(values)
	if err != nil {
		return err
	}
	if !given.IsEmpty() {
		update := &honeyhive.Update{EventID: honeyhive.Some(id.String()), Feedback: given}
		if err := p.Store.Write(r.Context(), []store.Write{{Update: update, At: p.Now()}}); err != nil {
			return err
		}
	}
	back(w, r, values.Get("return"))
	return nil
}

// feedbackFrom reads the form. A button of rating sends the rest along.
func feedbackFrom(values url.Values) (honeyhive.Object, error) {
	var o honeyhive.Object
	set := func(key string, v any) { o, _ = o.With(key, v) } // numbers, texts and null have a JSON form
	switch rating := values.Get("rating"); rating {
	case "":
	case "up":
		set("rating", 1)
	case "down":
		set("rating", -1)
	case "none":
		set("rating", nil)
	default:
		return o, badRequest("rating is none of up, down and none.")
	}
	if text, changed := changed(values, "score"); changed && text == "" {
		set("score", nil)
	} else if changed {
		score, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(score, 0) || math.IsNaN(score) {
			return o, badRequest("The score is no number.")
		}
		set("score", score)
	}
	if text, changed := changed(values, "comment"); changed {
		set("comment", text)
	}
	return o, nil
}

// changed returns the text of a field, and whether it is another one than the
// form held: what was not touched is not written again, least of all where only
// its beginning was shown.
func changed(values url.Values, name string) (string, bool) {
	read := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(values.Get(name), "\r\n", "\n"))
	}
	text := read(name)
	return text, text != read("had-"+name)
}

// themeCookie holds light or dark, where the reader chose.
const themeCookie = "sessionspan_theme"

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// theme keeps the reader's choice.
func (p *page) theme(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	c := &http.Cookie{ //nolint:gosec // plain HTTP is what the server speaks, and it is no secret
		Name: themeCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 3600,
	}
	switch v := values.Get("theme"); v {
	case "light", "dark":
		c.Value = v
	case "auto":
		c.MaxAge = -1
	default:
		return badRequest("theme is none of light, dark and auto.")
	}
	http.SetCookie(w, c)
	back(w, r, values.Get("return"))
	return nil
}

// leave asks before a link out of a session is followed.
func (p *page) leave(w http.ResponseWriter, r *http.Request) error {
	to := r.URL.Query().Get("to")
	if !leadsOut(to) || len(to) > 8000 {
		return badRequest("The link does not lead to a page of the web: %s", line(to, 500))
	}
	u, err := url.Parse(to)
	if err != nil {
		return badRequest("The link cannot be read.")
	}
	return p.render(w, http.StatusOK, "leave.html", struct {
		base
		To, Host string
	}{p.base(r, "Follow a link"), to, u.Host})
}
