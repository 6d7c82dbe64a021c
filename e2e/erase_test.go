package e2e

import (
	"fmt"
	"os"
	"testing"
)

// TestErase erases a session by the form, which asks again: with scripts and without.
func TestErase(t *testing.T) {
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("npm ci installs axe-core: %v", err)
	}
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			b, session, _ := travel(t)
			axe := func(look string) {
				t.Helper()
				if !scripts {
					return
				}
				eval[bool](b, string(source)+"\n;true")
				for _, dark := range []bool{false, true} {
					b.dark(dark)
					b.axe(fmt.Sprintf("%s, dark %t", look, dark))
				}
				b.dark(false)
			}
			if !scripts {
				b.withoutScripts()
			}
			b.open("/")
			before := len(b.names())
			b.click(`header a[href="/erase"]`)
			b.waitShown("#session")
			axe("the form")
			b.fill("#session", "nothing")
			b.click("form.erase button")
			b.waitShown("#problem")
			b.expect("400")
			b.fill("#session", session)
			b.click("form.erase button")
			b.waitShown("#foretold")
			b.has("#foretold", session)
			axe("what would go")
			b.click("form.erase button.primary") // without the confirmation nothing is sent
			b.click("#confirm")
			b.click("form.erase button.primary")
			b.waitShown("#erased")
			axe("done")
			b.open("/")
			if now := len(b.names()); now != before-1 {
				t.Errorf("%d sessions, then %d", before, now)
			}
		})
	}
}
