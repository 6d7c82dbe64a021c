package delivery

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/sessionspan/sessionspan/internal/secret"
)

// Secret is a key that no way of printing shows.
type Secret string

const redacted = "[redacted]"

// String returns a placeholder; so do the other ways to print the secret.
func (Secret) String() string { return redacted }

// GoString returns a placeholder.
func (Secret) GoString() string { return redacted }

// Format prints a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Secrets are texts that must not be shown, such as a key that a server quotes
// back at us: in whatever way it writes them.
type Secrets struct{ matcher *secret.Matcher }

// NewSecrets returns the key, the parts of it that are secret by themselves, and the
// values of headers as secrets: whoever adds a header to his requests gives a
// credential or says who he is.
func NewSecrets(key string, parts []Secret, headers map[string]string) Secrets {
	var v secret.Values
	v.Add(key)
	for _, part := range parts {
		v.Add(string(part))
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		v.Field(headers[name])
	}
	return Secrets{secret.NewMatcher(v)}
}

// Hide replaces the secrets in a text.
func (s Secrets) Hide(text string) string { return s.matcher.Hide(text, redacted) }

// Quote returns a text without secrets, of at most quoteMost bytes.
func (s Secrets) Quote(text string) string {
	const read = 8 * quoteMost // escapes may take several bytes for one
	if len(text) > read {
		text = s.matcher.HideCut(text[:read], redacted)
	} else {
		text = s.Hide(text)
	}
	if len(text) > quoteMost {
		return strings.ToValidUTF8(text[:quoteMost], "") + "…"
	}
	return text
}

// Error returns an error whose text shows no secret, which wraps no other.
func (s Secrets) Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if hidden := s.Hide(text); hidden != text {
		return errors.New(hidden)
	}
	return err
}
