package sessionspan

import (
	"context"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/exporter"
	"github.com/sessionspan/sessionspan/redact"
)

// WithRedactor passes every text through redactor before it is written to or sent
// to any destination that New makes; see [exporter.WithRedactor] for one
// destination alone. It works on copies: the spans themselves, which other
// exporters of the provider may read, stay as they are. A nil redactor is
// ignored. The attributes of metrics ([WithMeterProvider]) are shown to it too, each text
// once, by who ends an event, who waits 100 ms for it at most: then the text is masked.
func WithRedactor(redactor exporter.Redactor) Option {
	return optionFunc(func(c *config) {
		if redactor == nil {
			return
		}
		WithDefaults(exporter.WithRedactor(redactor)).apply(c)
		policy, err := redact.New(redact.WithoutDetectors(), redact.WithFunc(func(v redact.Value) string { return redactor(v.Path, v.Text) }, redactorTimeout))
		if err != nil {
			c.problems = append(c.problems, err)
		}
		c.policies = append(c.policies, policy)
	})
}

// WithRedaction redacts by a policy, before anything is queued on disk, written or
// sent, what goes to any destination that New makes; see [exporter.WithRedaction] for
// one destination alone, and package redact for what a policy is. The spans themselves,
// which other exporters of the provider may read, stay as they are. A nil policy is
// ignored. The attributes of metrics ([WithMeterProvider]) are redacted too.
func WithRedaction(policy *redact.Policy) Option {
	return optionFunc(func(c *config) {
		if policy != nil {
			WithDefaults(exporter.WithRedaction(policy)).apply(c)
			c.policies = append(c.policies, policy)
		}
	})
}

// redactorTimeout is how long a redactor may hold up who ends an event, for the attributes
// of metrics, of which each text is shown once.
const redactorTimeout = 100 * time.Millisecond

// labels are the texts of the attributes of metrics, of which there are few, redacted.
type labels struct {
	policies []*redact.Policy
	mu       sync.Mutex
	known    map[[2]string]string
}

// mostLabels is how many are remembered.
const mostLabels = 4096

// text returns what may stand in place of a text.
func (l *labels) text(key, text string) string {
	at := [2]string{key, text}
	l.mu.Lock()
	out, ok := l.known[at]
	l.mu.Unlock()
	if ok {
		return out
	}
	out = text
	for _, p := range l.policies {
		out = p.Text(key, out)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= mostLabels {
		l.known = make(map[[2]string]string)
	}
	l.known[at] = out
	return out
}

// WithContentOffSpans keeps what users, models and tools say off the spans themselves,
// for a provider that has other exporters which should not see it: what is set on
// sessions and events is written there as far as [exporter.WithoutContent] would let it
// through. The destinations of the tracer get all of it the same. [ContextWithoutContent]
// is for single requests.
func WithContentOffSpans() Option { return optionFunc(func(c *config) { c.offSpans = true }) }

// ContentOnSpans reports whether spans may hold what users, models and tools say:
// whether the tracer of the context, or else the default one, records, and does
// so without [WithContentOffSpans], and the context is none of [ContextWithoutContent]. ContentOnSpans is for what adds to spans of other tracers;
// see [Event.SetAttributes] for those of events.
func ContentOnSpans(ctx context.Context) bool {
	t := tracerOf(ctx)
	return !t.disabled && !t.offSpans && !withoutContent(ctx)
}
