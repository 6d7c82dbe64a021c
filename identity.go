package sessionspan

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/members"
)

// This file says who may name a session: callers that sign what they send, and which
// session a name from outside stands for.

// leastIdentityKey is how many bytes a key has at least that signs or maps identities.
const leastIdentityKey = 16

// WithSigning signs the identity of sessions that the tracer sends to other services, by
// [Transport], [Inject] and [Propagator], for those that take signed ones alone; see
// [WithSignedCallers]. The member honeyhive.session_signature of the baggage is an
// HMAC-SHA-256, by the key, of the ids of the session and of the event and of whether the
// session is recorded. A key of fewer than 16 bytes is an error of New. The key is copied.
//
// A signature says that somebody with the key has sent these ids, not when, nor to whom: who
// sees it can send it again.
func WithSigning(key []byte) Option {
	key = slices.Clone(key)
	return optionFunc(func(c *config) {
		if len(key) < leastIdentityKey {
			c.problems = append(c.problems, fmt.Errorf("WithSigning: a key of %d bytes is too short: at least %d", len(key), leastIdentityKey))
		}
		c.signing = key
	})
}

// WithSignedCallers takes the identity of a session from those alone who have signed it with
// one of the keys, as a tracer does with [WithSigning]: whoever else names a session, also one
// that there is, is not in it. Several keys are for changing them. Keys of fewer than 16
// bytes, and none at all, are passed to [otel.Handle] at once, and nobody is believed then
// whose key they are. The keys are copied.
func WithSignedCallers(keys ...[]byte) ExtractOption {
	list := make([][]byte, 0, len(keys))
	for _, key := range keys {
		if len(key) >= leastIdentityKey {
			list = append(list, slices.Clone(key))
		}
	}
	if len(list) < max(1, len(keys)) {
		otel.Handle(fmt.Errorf("sessionspan: WithSignedCallers: %d keys of at least %d bytes, of %d", len(list), leastIdentityKey, len(keys)))
	}
	return ExtractOption{func(x *extraction) { x.signed, x.keys = true, list }}
}

// WithMappedSessions takes a session that a caller names for another one, whose id follows
// from the key and from the id that was named: the same for the same, in every process with
// the key. So callers keep together what they call together, and reach no session of this
// service's own, nor one that somebody else names elsewhere, whatever id they know, and
// cannot choose one that a sampler keeps or leaves out. Events hang on the session directly,
// since the event that a caller names is of its own session. A key of fewer than 16 bytes is
// passed to [otel.Handle] at once, and nobody names a session then. The key is copied.
func WithMappedSessions(key []byte) ExtractOption {
	key = slices.Clone(key)
	if len(key) < leastIdentityKey {
		otel.Handle(errors.New("sessionspan: WithMappedSessions: a key of at least 16 bytes is needed: no session is taken from callers"))
		return ExtractOption{func(x *extraction) { x.nobody = true }}
	}
	return ExtractOption{func(x *extraction) { x.mapping = key }}
}

// extraction is what is taken from those who name a session.
type extraction struct {
	trust   bool
	signed  bool
	keys    [][]byte
	mapping []byte
	nobody  bool
}

func extractionOf(options []ExtractOption) (x extraction) {
	for _, o := range options {
		if o.apply != nil {
			o.apply(&x)
		}
	}
	return x
}

// identity returns the session, and the event in it, that a carrier names and that its
// sender may name.
func (x *extraction) identity(found members.Found) (session, parent honeyhive.UUID, ok bool) {
	session, ok = found.Session()
	if !ok || x.nobody {
		return session, parent, false
	}
	parent, _ = found.Parent()
	if x.signed && !slices.ContainsFunc(x.keys, func(key []byte) bool {
		return hmac.Equal([]byte(found[members.Signature]), []byte(signature(key, session, parent, found[members.Sampled])))
	}) {
		return session, parent, false
	}
	if x.mapping != nil {
		return mapped(x.mapping, session), honeyhive.UUID{}, true
	}
	return session, parent, true
}

// signature returns what a sender with the key signs.
func signature(key []byte, session, parent honeyhive.UUID, sampled string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "sessionspan identity 1\n%s\n%s\n%q", session, parent, sampled)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// mapped returns the id of a session that another one stands for: a UUID of version 8 (RFC
// 9562, section 5.8).
func mapped(key []byte, session honeyhive.UUID) honeyhive.UUID {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "sessionspan mapping 1\n%s", session)
	id := honeyhive.UUID(mac.Sum(nil)[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

// signingKey returns the key by which the identity of the recording is signed, or nil.
func (r *recording) signingKey(ctx context.Context) []byte {
	t := r.tracer
	if t == nil {
		if t, _ = ctx.Value(tracerKey{}).(*Tracer); t == nil {
			t = Default()
		}
	}
	return t.signing
}
