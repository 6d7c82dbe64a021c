package audit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// Kinds of subjects of an erasure.
const (
	User    = "user"
	Session = "session"
)

// Of sets what an entry is about, by its kind and id, in a form from which the id cannot
// be read: whoever knows the id can tell that the entry is about it, by [Entry.About].
func (e *Entry) Of(kind, id string) {
	e.Kind, e.Salt = kind, rand.Text()
	e.Subject = e.hash(id)
}

// About reports whether the entry is about an id.
func (e *Entry) About(kind, id string) bool {
	return e.Kind == kind && e.Subject != "" && hmac.Equal([]byte(e.Subject), []byte(e.hash(id)))
}

func (e *Entry) hash(id string) string {
	h := hmac.New(sha256.New, []byte(e.Salt))
	h.Write([]byte(e.Kind + "\x00" + id))
	return hex.EncodeToString(h.Sum(nil))
}
