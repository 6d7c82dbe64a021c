package redact_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/redact"
)

// TestHostileTexts counts the letters that detectors look at around those of texts which are
// made to keep them busy: of a text that is four times as long four times as many, and of
// none more than some of each letter, of which escapes and queries may need several views.
func TestHostileTexts(t *testing.T) {
	const most = 100 // looks at each letter
	p := policy(t, redact.WithKey("ssn", redact.Mask))
	for _, part := range redact.HostileParts {
		small, large := strings.Repeat(part, (1<<14)/len(part)), strings.Repeat(part, (1<<16)/len(part))
		few, many := p.Looks(small), p.Looks(large)
		if many > most*len(large) {
			t.Errorf("%q: %d looks at each of %d letters", part, many/len(large), len(large))
		}
		if many > 6*few+most {
			t.Errorf("%q: %d looks at %d letters, and %d at %d", part, few, len(small), many, len(large))
		}
	}
}

// TestAmongNothing finds what stands among texts that keep detectors busy.
func TestAmongNothing(t *testing.T) {
	p := policy(t)
	for secret, text := range map[string]string{
		"S3cr3tValue12345678":              "key=S3cr3tValue12345678",
		"sk-proj-Zx81kQp02mVt73Lw9Ra4Bc56": "sk-proj-Zx81kQp02mVt73Lw9Ra4Bc56",
		"AKIAIOSFODNN7EXAMPLF":             "AKIAIOSFODNN7EXAMPLF",
		"hunter2hunter2":                   "password=hunter2hunter2",
		"ann@example.org":                  "ann@example.org",
	} {
		for _, part := range redact.HostileParts {
			if strings.ContainsAny(part, "\"'`\\") || strings.HasPrefix(part, "-----BEGIN") { // which say that it is something else
				continue
			}
			for _, between := range []string{" ", "\n", " ; "} {
				before := strings.Repeat(part, 200)
				if got := p.Text("x", before+between+text+between+before); strings.Contains(got, secret) {
					t.Errorf("%q is left among %q%q", secret, part, between)
				}
			}
		}
	}
}
