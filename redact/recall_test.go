package redact_test

import (
	"strings"
	"testing"

	"github.com/sessionspan/sessionspan/internal/samples"
	"github.com/sessionspan/sessionspan/redact"
)

func policy(t testing.TB, options ...redact.Option) *redact.Policy {
	t.Helper()
	p, err := redact.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRecall prints how many of the generated values each detector finds in ordinary
// text, and holds that it is at least 99 of 100.
func TestRecall(t *testing.T) {
	const tries, least = 1000, 0.99
	for _, d := range redact.Detectors() {
		p := policy(t, redact.WithoutDetectors(), redact.WithDetector(d, redact.Mask))
		r, found := samples.Rand(1), 0
		var missed []string
		for range tries {
			m := samples.Of(r, string(d))
			text := samples.Sentence(r, m.Text)
			if got := p.Text("x", text); !strings.Contains(got, m.Secret) && strings.Contains(got, "[redacted:"+string(d)+"]") {
				found++
			} else if len(missed) < 5 {
				missed = append(missed, text+" => "+got)
			}
		}
		recall := float64(found) / tries
		t.Logf("%-12s recall %.4f of %d", d, recall, tries)
		if recall < least {
			t.Errorf("%s: %v", d, missed)
		}
	}
}
