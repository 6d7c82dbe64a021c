package page

import (
	"net/http"

	"github.com/sessionspan/sessionspan/server/internal/reject"
)

// signInView is the page where somebody signs in.
type signInView struct {
	base
	To      string // where it leads then
	Problem string
}

// signIn shows the page. Who asks for it in a frame of another site, or is signed in
// already, sees the same.
func (p *page) signIn(w http.ResponseWriter, r *http.Request) error {
	if p.SignIn == nil {
		return notFound("This server asks for no token.")
	}
	return p.showSignIn(w, r, http.StatusOK, local(r.URL.Query().Get("to")), "")
}

func (p *page) showSignIn(w http.ResponseWriter, r *http.Request, status int, to, problem string) error {
	v := &signInView{base: p.base(r, "Sign in"), To: to, Problem: problem}
	v.Here = "/signin" // the colours must not lead to what a form was posted to
	return p.render(w, status, "signin.html", v)
}

// takeSignIn takes the token.
func (p *page) takeSignIn(w http.ResponseWriter, r *http.Request) error {
	if p.SignIn == nil {
		return notFound("This server asks for no token.")
	}
	values, err := form(w, r)
	if err != nil {
		return err
	}
	to := local(values.Get("to"))
	if err := p.SignIn(w, r, values.Get("token")); err != nil {
		e := reject.As(err)
		return p.showSignIn(w, r, e.Status, to, e.Reason)
	}
	back(w, r, to)
	return nil
}

// signOut ends what takeSignIn began.
func (p *page) signOut(w http.ResponseWriter, r *http.Request) error {
	if p.SignOut != nil {
		p.SignOut(w, r)
	}
	back(w, r, "/signin")
	return nil
}
