package redact

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Policy says what is redacted, and how. It does not change and may be used by many
// goroutines. A nil Policy redacts nothing.
type Policy struct {
	actions   map[Detector]Action
	detects   bool // an action is not Keep
	on        finds
	keys      rules
	named     bool // names of credentials
	functions []*function
	salt      []byte
}

// An Option changes a Policy that [New] makes.
type Option func(*config)

type config struct {
	policy   Policy
	salted   bool
	problems []error
}

func (c *config) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

// New returns a Policy. Without options it masks what all detectors find, and the
// values of names of credentials. The error joins all that is wrong with the options;
// nil options are ignored.
func New(options ...Option) (*Policy, error) {
	c := &config{policy: Policy{actions: make(map[Detector]Action), named: true}}
	for _, d := range Detectors() {
		c.policy.actions[d] = Mask
	}
	for _, o := range options {
		if o != nil {
			o(c)
		}
	}
	p := &c.policy
	p.on.set(p.actions)
	hashes := p.keys.have(Hash)
	for _, a := range p.actions {
		hashes = hashes || a == Hash
		p.detects = p.detects || a != Keep
	}
	if hashes && !c.salted {
		c.problem("Hash needs a salt: WithSalt")
	}
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("redaction policy: %w", errors.Join(c.problems...))
	}
	return p, nil
}

// WithDetector sets what is done with what a detector finds; [Keep] turns it off. The
// default is [Mask]. [Credential] is the detector of names too.
func WithDetector(d Detector, a Action) Option {
	return func(c *config) {
		switch {
		case !slices.Contains(Detectors(), d):
			c.problem("WithDetector: there is no detector %q", string(d))
		case !a.valid():
			c.problem("WithDetector: there is no %v", a)
		default:
			c.policy.actions[d] = a
			if d == Credential {
				c.policy.named = a != Keep
			}
		}
	}
}

// WithoutDetectors turns all built-in detectors off. Options after it turn some on.
func WithoutDetectors() Option {
	return func(c *config) {
		for d := range c.policy.actions {
			c.policy.actions[d] = Keep
		}
		c.policy.named = false
	}
}

// WithKey redacts the value of a key, and all that is below it: of a member of JSON, of
// an attribute, of an assignment in a text (ssn=…, "ssn": …). key is a name, such as
// email, or the end of a path, such as user.email or inputs.user.email; case, "_", "-",
// spaces and positions in lists do not count, so userEmail is user.email too. A bucket
// may be named as the payload has it, or by its attribute: inputs and honeyhive_inputs
// are the same. Of rules that fit, the one for the longest path counts, and of equal
// ones the last.
func WithKey(key string, a Action) Option {
	return func(c *config) {
		switch folded := foldRule(key); {
		case folded == "":
			c.problem("WithKey: %q is no name", key)
		case !a.valid():
			c.problem("WithKey: there is no %v", a)
		default:
			c.policy.keys.add(folded, strings.TrimSpace(key), a)
		}
	}
}

// WithSalt sets the key of [Hash], which has at least 16 bytes. Whoever knows it can
// find out which of the values that he can guess stands behind a hash. It is copied.
func WithSalt(salt []byte) Option {
	return func(c *config) {
		const least = 16
		if len(salt) < least {
			c.problem("WithSalt: %d bytes are too few: at least %d", len(salt), least)
		}
		c.policy.salt, c.salted = slices.Clone(salt), true
	}
}

// WithFunc has f look at each value before the detectors do, which look at what f
// returns. Several functions run in the order in which they are given; a nil f is
// ignored. See [Func].
//
// A call that takes longer than timeout is given up: the field is masked, and the call
// goes on in its goroutine. While 16 calls of f hang, f is not called and all that it
// should see is masked. A timeout of 0 is for a function that returns at once: it runs
// on the goroutine of the caller. A negative one is an error.
func WithFunc(f Func, timeout time.Duration) Option {
	return func(c *config) {
		switch {
		case f == nil:
		case timeout < 0:
			c.problem("WithFunc: the timeout is negative: %v", timeout)
		default:
			c.policy.functions = append(c.policy.functions, &function{call: f, timeout: timeout})
		}
	}
}

// Format prints nothing of what the policy holds, for every verb: the salt is a key.
func (p *Policy) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "redaction policy") }

// off reports whether the policy changes nothing.
func (p *Policy) off() bool {
	return p == nil || !p.detects && !p.named && len(p.functions) == 0 && len(p.keys.list) == 0
}
