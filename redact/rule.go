package redact

import (
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// A rule says what is done with the values of a key.
type rule struct {
	label  string
	action Action
}

// rules are found by their folded names: a path is folded segment by segment, and each
// of its ends that begins with a segment may be one.
type rules struct {
	list    map[string]rule
	longest int // bytes of a folded name
}

func (r *rules) add(folded, label string, a Action) {
	if r.list == nil {
		r.list = make(map[string]rule)
	}
	r.list[folded] = rule{label, a}
	r.longest = max(r.longest, len(folded))
}

func (r *rules) have(a Action) bool {
	for _, v := range r.list {
		if v.action == a {
			return true
		}
	}
	return false
}

// bucketPrefix begins the names of the attributes that hold buckets.
const bucketPrefix = "honeyhive_"

// foldRule folds the key of a rule.
func foldRule(key string) string {
	var p path
	p.push(strings.TrimSpace(key))
	return string(p.folded)
}

// path is where a value stands, as text and folded.
type path struct {
	text   []byte
	folded []byte
	starts []int // where the segments of folded begin
}

// a step is what push has to take back.
type step struct{ text, folded, starts int }

// push adds a name, which may have several segments.
func (p *path) push(name string) step {
	s := step{len(p.text), len(p.folded), len(p.starts)}
	folded := name
	if len(p.text) > 0 {
		p.text = append(p.text, '.')
	} else {
		folded = strings.TrimPrefix(name, bucketPrefix)
	}
	p.text = append(p.text, name...)
	p.fold(folded)
	return s
}

// fold adds the segments of a name. Positions in lists are left out.
func (p *path) fold(name string) {
	from, digits := len(p.folded), true
	end := func() {
		switch {
		case len(p.folded) == from:
		case digits:
			p.folded = p.folded[:from]
		default:
			p.starts = append(p.starts, from)
		}
		from, digits = len(p.folded), true
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' || c == '[' || c == ']' || c == '/':
			end()
		case c == '_' || c == '-' || c == ' ':
		case 'A' <= c && c <= 'Z':
			p.folded, digits = append(p.folded, c+'a'-'A'), false
		default:
			p.folded = append(p.folded, c)
			digits = digits && '0' <= c && c <= '9'
		}
	}
	end()
}

func (p *path) pop(s step) {
	p.text, p.folded, p.starts = p.text[:s.text], p.folded[:s.folded], p.starts[:s.starts]
}

// find returns the rule for what stands at a path, where the path ends with its key.
func (r *rules) find(p *path) (found rule, ok bool) {
	if len(r.list) == 0 {
		return rule{}, false
	}
	for _, start := range slices.Backward(p.starts) {
		end := p.folded[start:]
		if len(end) > r.longest {
			break
		}
		if v, is := r.list[string(end)]; is {
			found, ok = v, true
		}
	}
	return found, ok
}

// under returns the rule for a path, or for what it is below: the nearest counts.
func (r *rules) under(p *path) (rule, bool) {
	if len(r.list) == 0 {
		return rule{}, false
	}
	q := *p
	for {
		if found, ok := r.find(&q); ok {
			return found, true
		}
		if len(q.starts) < 2 {
			return rule{}, false
		}
		last := q.starts[len(q.starts)-1]
		q.folded, q.starts = q.folded[:last], q.starts[:len(q.starts)-1]
	}
}

// credential says how sure a name is one of a credential.
type credential int

const (
	noName credential = iota
	weakName
	strongName
)

// strong are parts of names that stand for nothing but credentials. What else
// [secret.Named] knows (key, token, code) is a word of ordinary content too: there the
// value has to look like a credential.
var strong = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "apikey", "accesskey", "privatekey", "accountkey", "sharedkey", "signingkey",
	"encryptionkey", "subscriptionkey", "accesstoken", "refreshtoken", "apitoken", "authtoken", "bearertoken", "sessiontoken", "idtoken", "authorization",
	"credential", "connectionstring", "clientassertion", "setcookie", "pwd",
}

// nameOf says whether a name is one of a credential.
func nameOf(name string) credential {
	const most = 128
	if len(name) > most || !secret.Named(name) {
		return noName
	}
	var buffer [most]byte
	b := buffer[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == '.' || c == ' ':
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	for _, s := range strong {
		if strings.Contains(string(b), s) {
			return strongName
		}
	}
	if string(b) == "cookie" {
		return strongName
	}
	return weakName
}
