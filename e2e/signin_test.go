package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sessionspan/sessionspan/server/local"
)

// command builds the command of the server once, into the folder scratch.
var command = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", filepath.Join(scratch, "sessionspan"), "github.com/sessionspan/sessionspan/server/cmd/sessionspan")
	build.Stderr = os.Stderr
	return build.Run()
})

// sessionspanCommand runs the command, and returns what it prints.
func sessionspanCommand(t testing.TB, args ...string) string {
	t.Helper()
	if err := command(); err != nil {
		t.Fatalf("build the command: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(scratch, "sessionspan"), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sessionspan %q: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// startTeam starts a server with a session of each of two projects, and returns the token
// of a role, which is bound to the project Travel.
func startTeam(t *testing.T, roles string) (s *local.Server, token, session string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sessions.db")
	s = startFile(t, file)
	tracer := newTracer(t, s.URL(), "Travel", "staging")
	session, _ = agent(tracer, anHourAgo())
	other := newTracer(t, s.URL(), "Bank", "staging")
	agent(other, anHourAgo())
	deliver(t, tracer)
	deliver(t, other)
	return s, sessionspanCommand(t, "token", "create", "-data", file, "-name", "ann", "-role", roles, "-project", "Travel"), session
}

// TestSignIn opens a session by a link, signs in on the way there, sees one project, and
// signs out: with scripts and without.
func TestSignIn(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			s, token, session := startTeam(t, "read")
			b := newTab(t, s.URL())
			if !scripts {
				b.withoutScripts()
			}
			b.open("/s/" + session)
			b.waitPath("/signin?to=")
			b.fill("#token", "sspn_wrong")
			b.click("form.signin button")
			b.waitShown("#problem")
			b.expect("401")
			b.fill("#token", token)
			b.click("form.signin button")
			b.waitPath("/s/" + session)
			b.open("/")
			if names := b.names(); len(names) != 1 { // the other project has one, too
				t.Errorf("it lists %q", names)
			}
			b.click(`form[action="/signout"] button`)
			b.waitPath("/signin")
			b.open("/")
			b.waitPath("/signin?to=")
		})
	}
}

// TestSignInAxe asks axe-core about the page to sign in.
func TestSignInAxe(t *testing.T) {
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("npm ci installs axe-core: %v", err)
	}
	s, _, _ := startTeam(t, "read")
	for _, problem := range []bool{false, true} {
		b := newTab(t, s.URL())
		b.do("open", chromedp.Navigate(s.URL()+"/signin"))
		b.ready()
		if problem {
			b.fill("#token", "sspn_wrong")
			b.click("form.signin button")
			b.waitShown("#problem")
			b.expect("401")
		}
		eval[bool](b, string(source)+"\n;true")
		for _, dark := range []bool{false, true} {
			b.dark(dark)
			b.axe(fmt.Sprintf("problem %t, dark %t", problem, dark))
		}
	}
}
