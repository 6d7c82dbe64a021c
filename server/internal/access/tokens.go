// Package access decides who may do what on the server. Each route has a rule in one
// table (rules.go), and a route without one is refused; who asks is found out by tokens
// and by the cookie of the sign-in page.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sessionspan/sessionspan/server/internal/caller"
)

// TokensSuffix is what the name of the file of tokens has behind that of the file of the
// sessions.
const TokensSuffix = "-tokens"

// A Token is what the file keeps of one: not the token, but its SHA-256. Tokens are 256
// random bits, so that a hash which is slow to compute would add nothing.
type Token struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Roles   caller.Roles `json:"roles"`
	Project string       `json:"project,omitempty"`
	Created time.Time    `json:"created"`
	Expires time.Time    `json:"expires,omitzero"`
	// Rate bounds the requests in a second, and in a burst twice as many; MaxBody the
	// body of one, in bytes, after decompression. 0 does not.
	Rate    float64 `json:"rate,omitempty"`
	MaxBody int64   `json:"max_body,omitempty"`
	Hash    string  `json:"sha256"`
}

// prefix starts all tokens, so that they are known where they leak; the id of a token
// follows, and what is secret.
const prefix = "sspn_"

const (
	idBytes     = 6
	secretBytes = 32
)

// maxTokens bounds the tokens of a server.
const maxTokens = 10_000

// newSecret returns a token with its id.
func newSecret() (id, secret string) {
	b := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(b) // it never fails
	id = hex.EncodeToString(b[:idBytes])
	return id, prefix + id + "_" + base64.RawURLEncoding.EncodeToString(b[idBytes:])
}

// idOf returns the id of a token, "" where it is none of this kind.
func idOf(secret string) string {
	rest, ok := strings.CutPrefix(secret, prefix)
	id, _, found := strings.Cut(rest, "_")
	if !ok || !found || len(id) != 2*idBytes {
		return ""
	}
	return id
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// equal compares in a time that does not depend on what is alike.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// file is what the file of tokens holds.
type file struct {
	Tokens []Token `json:"tokens"`
}

func readFile(path string) (*file, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	f := new(file)
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s is no file of tokens: %w", path, err)
	}
	return f, nil
}

// change reads the file, lets a function change it, and writes it whole. Who does so at
// the same time is refused.
func change(path string, with func(*file) error) (err error) {
	next := path + ".new"
	out, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside the file of tokens
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there: somebody else changes the tokens, or was killed while they did: remove it then", next)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(next))
		}
	}()
	f, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = new(file), nil
	}
	if err == nil {
		err = with(f)
	}
	var text []byte
	if err == nil {
		text, err = json.MarshalIndent(f, "", "  ")
	}
	if err == nil {
		_, err = out.Write(append(text, '\n'))
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// Create adds a token to a file, which it makes where there is none, and returns the
// token, which nothing keeps. Of t the name, roles, project, end and bounds count.
func Create(path string, t Token) (secret string, made Token, err error) {
	t.ID, secret = newSecret()
	t.Hash, t.Created = hash(secret), time.Now().UTC().Truncate(time.Second)
	if t.Roles == 0 {
		return "", t, errors.New("create token: it has no role")
	}
	err = change(path, func(f *file) error {
		if len(f.Tokens) >= maxTokens {
			return fmt.Errorf("there are %d already: revoke some", maxTokens)
		}
		f.Tokens = append(f.Tokens, t)
		return nil
	})
	if err != nil {
		return "", t, fmt.Errorf("create token: %w", err)
	}
	return secret, t, nil
}

// List returns the tokens of a file, none where there is no file.
func List(path string) ([]Token, error) {
	f, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return f.Tokens, nil
}

// Revoke takes a token out of a file, by its id.
func Revoke(path, id string) error {
	err := change(path, func(f *file) error {
		for i := range f.Tokens {
			if f.Tokens[i].ID == id {
				f.Tokens = append(f.Tokens[:i], f.Tokens[i+1:]...)
				return nil
			}
		}
		return fmt.Errorf("no token has the id %.64q", id)
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// keys are the tokens of a file as they are now: the file is read anew when it changes,
// so that a token that is revoked is none with the next request.
type keys struct {
	path string

	mu   sync.Mutex
	info fs.FileInfo // of what was read
	byID map[string]*Token
	err  error
	seen bool // there was a file: from then on requests need a token
}

// get returns the tokens by their ids, and whether requests need one. While the file
// cannot be read nobody has one.
func (k *keys) get() (byID map[string]*Token, needed bool, err error) {
	if k.path == "" {
		return nil, false, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.info, k.byID, k.err = nil, nil, nil
	case err != nil:
		k.info, k.byID, k.err, k.seen = nil, nil, err, true
	case k.info == nil || !os.SameFile(k.info, info) || !info.ModTime().Equal(k.info.ModTime()) || info.Size() != k.info.Size():
		k.seen = true
		k.read(info)
	}
	return k.byID, k.seen, k.err
}

func (k *keys) read(info fs.FileInfo) {
	k.info, k.byID, k.err = nil, nil, nil
	if info.Mode().Perm()&0o077 != 0 && onlyOwner {
		k.err = fmt.Errorf("other users can read or change %s: chmod 600", k.path)
		return
	}
	f, err := readFile(k.path)
	if err != nil {
		k.err = err
		return
	}
	k.info, k.byID = info, make(map[string]*Token, len(f.Tokens))
	for i := range f.Tokens {
		k.byID[f.Tokens[i].ID] = &f.Tokens[i]
	}
}

// nobody is compared with where no token has the id, so that this takes as long.
var nobody = strings.Repeat("0", 2*sha256.Size)

// find returns the token that a request carries, or nil.
func (k *keys) find(secret string, now time.Time) (*Token, error) {
	byID, _, err := k.get()
	if err != nil {
		return nil, err
	}
	t, want := byID[idOf(secret)], nobody
	if t != nil {
		want = t.Hash
	}
	same := subtle.ConstantTimeCompare([]byte(hash(secret)), []byte(want)) == 1
	if t == nil || !same || t.expired(now) {
		return nil, nil
	}
	return t, nil
}

func (t *Token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// caller returns who uses the token.
func (t *Token) caller() caller.Caller {
	return caller.Caller{ID: t.ID, Name: t.Name, Roles: t.Roles, Project: t.Project, MaxBody: t.MaxBody}
}
