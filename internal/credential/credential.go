// Package credential holds keys that no way of printing shows, and where they come from.
package credential

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// A Key is a credential of a destination: a text, or where to get one. No way of printing,
// encoding or logging shows it, also where it stands in an unexported field of yours, which
// fmt prints without asking. The zero Key is none.
//
// A key that is not a text is asked for when the first request is sent, and again when the
// server answers 401: where that gives another key, the request is sent again with it, once.
// So a key can be changed while the program runs. It is asked on a goroutine that sends,
// never on one of the caller's, and given up when the request is. Functions of the program
// may be called by several goroutines.
type Key struct {
	// A function shows as its address, by whatever follows pointers.
	reveal func() source
}

// source is where a key comes from.
type source struct {
	text  string                                // of New
	ask   func(context.Context) (string, error) // of all others
	early bool                                  // ask reads what is there already, and at once
}

// Of returns the key that an exporter.Key is. Package exporter sets it.
var Of func(key any) Key

const hidden = "[redacted]"

// New returns the key with a text. Of an empty one it is the zero Key.
func New(text string) Key {
	if text = strings.TrimSpace(text); text == "" {
		return Key{}
	}
	return of(source{text: text})
}

func of(s source) Key { return Key{func() source { return s }} }

// FromEnv returns the key that stands in the first of the variables that is set.
func FromEnv(names ...string) Key {
	return of(source{early: true, ask: func(context.Context) (string, error) {
		for _, name := range names {
			if text := strings.TrimSpace(os.Getenv(name)); text != "" {
				return text, nil
			}
		}
		return "", fmt.Errorf("none of the variables %q is set", names)
	}})
}

// mostFile is how long a file with a key may be.
const mostFile = 64 << 10

// FromFile returns the key that stands in a file, without the white space around it.
func FromFile(path string) Key {
	return of(source{early: true, ask: func(context.Context) (string, error) {
		f, err := os.Open(path) //nolint:gosec // the user names the file
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, mostFile+1))
		if err != nil {
			return "", err
		}
		text := strings.TrimSpace(string(b))
		if len(b) > mostFile || text == "" {
			return "", fmt.Errorf("the file %s holds no key", path)
		}
		return text, nil
	}})
}

// Func returns the key that a function returns. A nil function is the zero Key.
func Func(ask func(context.Context) (string, error)) Key {
	if ask == nil {
		return Key{}
	}
	return of(source{ask: ask})
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.reveal == nil }

// String returns a placeholder; so do the other ways to print the key.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return hidden
}

// GoString returns a placeholder.
func (k Key) GoString() string { return "exporter.Key(" + k.String() + ")" }

// Format prints a placeholder for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText returns a placeholder.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalJSON returns a placeholder.
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + k.String() + `"`), nil }

// LogValue returns a placeholder.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Early returns the text of a key that can be had at once: of a text, a variable or a file.
// ok is false for that of a function.
func Early(k Key) (text string, ok bool, err error) {
	if k.IsZero() {
		return "", true, nil
	}
	s := k.reveal()
	switch {
	case s.ask == nil:
		return s.text, true, nil
	case s.early:
		text, err = s.ask(context.Background())
		return text, true, err
	}
	return "", false, nil
}

// Fixed returns the text of a key that never changes; ok is false for others.
func Fixed(k Key) (text string, ok bool) {
	if k.IsZero() {
		return "", true
	}
	s := k.reveal()
	return s.text, s.ask == nil
}

// Ask returns the text of a key, on this goroutine. A function that panics is an error.
func Ask(ctx context.Context, k Key) (text string, err error) {
	if text, ok := Fixed(k); ok {
		return text, nil
	}
	defer func() {
		if r := recover(); r != nil {
			text, err = "", fmt.Errorf("the function that was asked for the key: panic: %T", r) // its value may be the key
		}
	}()
	text, err = k.reveal().ask(ctx)
	return strings.TrimSpace(text), err
}
