package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sessionspan/sessionspan/internal/credential"
)

// keys are the credentials of a client whose key may change.
type keys struct {
	source  credential.Key
	check   func(key string) (parts []Secret, err error)
	headers map[string]string

	now  atomic.Pointer[string]
	hide atomic.Pointer[Secrets]

	mu     sync.Mutex
	asking *asked   // what is asked at the moment, or nil
	seen   []Secret // keys and parts of them, the newest last
}

// mostSeen is how many keys, and parts of keys, are hidden: the servers may quote those
// of earlier requests.
const mostSeen = 16

func newKeys(source credential.Key, check func(string) ([]Secret, error), headers map[string]string) *keys {
	k := &keys{source: source, check: check, headers: headers}
	k.note()
	return k
}

// note makes sure that keys are not shown.
func (k *keys) note(more ...Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, more...)
	k.seen = k.seen[max(0, len(k.seen)-mostSeen):]
	hide := NewSecrets("", k.seen, k.headers)
	k.hide.Store(&hide)
}

// get returns the key, and asks for it where it was not asked for yet.
func (k *keys) get(ctx context.Context) (string, error) { return k.other(ctx, nil) }

// asked is a question for the key that somebody has asked.
type asked struct {
	done chan struct{}
	text string
	err  error
}

// other returns the key where it is not the one that was refused, and else asks for it
// again: on a goroutine of its own, of which there is one at a time, since it runs code of
// users. One that does not return is left behind, and waited for by all who ask.
func (k *keys) other(ctx context.Context, refused *string) (string, error) {
	k.mu.Lock()
	if now := k.now.Load(); now != nil && (refused == nil || *now != *refused) {
		k.mu.Unlock()
		return *now, nil
	}
	q := k.asking
	if q == nil {
		q = &asked{done: make(chan struct{}), err: errNoAnswer}
		k.asking = q
		go k.ask(ctx, q)
	}
	k.mu.Unlock()
	select {
	case <-q.done:
		return q.text, q.err
	case <-ctx.Done():
		return "", fmt.Errorf("ask for the key: %w", context.Cause(ctx))
	}
}

// errNoAnswer is the error of a function that ended its goroutine.
var errNoAnswer = errors.New("ask for the key: the function ended its goroutine")

func (k *keys) ask(ctx context.Context, q *asked) {
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if q.err == nil {
			k.now.Store(&q.text)
		}
		k.asking = nil
		close(q.done)
	}()
	text, err := credential.Ask(ctx, k.source)
	if err == nil && text == "" {
		err = errors.New("it is empty")
	}
	if err == nil {
		var parts []Secret
		parts, err = k.check(text)
		k.note(append(parts, Secret(text))...)
	}
	if err != nil {
		err = fmt.Errorf("ask for the key: %w", err)
	}
	q.text, q.err = text, err
}
