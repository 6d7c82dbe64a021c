package exporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/credential"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/secret"
)

var errDataPlaneKey = errors.New("a data plane key (hh_fgdp_…) is for reading and writes no events: an ingestion key (hh_ingst_…) or a project key is needed")

// writingKey says of which kind a key is that events are to be written with, and
// which part of it is secret by itself.
func writingKey(key string) (honeyhive.KeyKind, delivery.Secret, error) {
	kind, secret, err := honeyhive.ParseKey(key)
	if kind == honeyhive.DataPlaneKey {
		err = errDataPlaneKey
	}
	if err == nil {
		err = delivery.CheckKey(delivery.Secret(key))
	}
	return kind, delivery.Secret(secret), err
}

// writingHeaders is writingKey for the credentials in headers, wherever they stand.
func writingHeaders(headers map[string]string) (secrets []delivery.Secret, err error) {
	errs := []error{delivery.CheckHeaders(headers)}
	for _, value := range headers {
		credentials := value[strings.LastIndexByte(value, ' ')+1:]
		kind, secret, err := honeyhive.ParseKey(credentials)
		switch {
		case kind == honeyhive.DataPlaneKey:
			errs = append(errs, errDataPlaneKey)
		case err != nil:
			errs = append(errs, err)
		case kind == honeyhive.IngestionKey:
			secrets = append(secrets, delivery.Secret(secret))
		}
	}
	return secrets, errors.Join(errs...)
}

// A Key is a credential that no way of printing, encoding or logging shows, also where it
// stands in an unexported field of yours: make one with [NewKey], [KeyFromEnv],
// [KeyFromFile] or [KeyFunc], and give it to [HTTPConfig] or [OTLPConfig] as KeySource. The
// zero Key is none.
//
// A key of a variable, a file or a function is asked for when the first request is sent,
// and again when the server answers 401: where there is another one by then, the request is
// sent once more with it, so that keys can be changed while the program runs. It is asked
// for where requests are sent, never where spans end.
type Key struct{ is credential.Key }

// The root package reads keys of variables and files before it makes an exporter.
func init() { credential.Of = func(key any) credential.Key { return key.(Key).is } }

// NewKey returns the key with this text, without the white space around it. Of an empty
// text it is the zero Key.
func NewKey(text string) Key { return Key{credential.New(text)} }

// KeyFromEnv returns the key that stands in the first of the variables that is set. That
// none is set is an error of what the key is given to.
func KeyFromEnv(names ...string) Key { return Key{credential.FromEnv(names...)} }

// KeyFromFile returns the key that stands in a file of at most 64 KiB, without the white
// space around it. A file that cannot be read, or is empty, is an error of what the key is
// given to.
func KeyFromFile(path string) Key { return Key{credential.FromFile(path)} }

// KeyFunc returns the key that a function returns, such as one that asks a store of
// secrets. Its context ends with the request that wants the key. One call runs at a time;
// one that does not return holds up this destination alone, whose records wait, and a panic
// is an error that does not show its value. A nil function is the zero Key.
func KeyFunc(ask func(context.Context) (string, error)) Key { return Key{credential.Func(ask)} }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.is.IsZero() }

// String returns a placeholder, as do the other ways to print a key, and "" of no key.
func (k Key) String() string { return k.is.String() }

// GoString returns a placeholder.
func (k Key) GoString() string { return "exporter.Key(" + k.is.String() + ")" }

// Format prints a placeholder, for every verb.
func (k Key) Format(f fmt.State, verb rune) { k.is.Format(f, verb) }

// MarshalText returns a placeholder.
func (k Key) MarshalText() ([]byte, error) { return k.is.MarshalText() }

// MarshalJSON returns a placeholder.
func (k Key) MarshalJSON() ([]byte, error) { return k.is.MarshalJSON() }

// LogValue returns a placeholder.
func (k Key) LogValue() slog.Value { return k.is.LogValue() }

// checkKeySource notes what is wrong with a source of keys, and returns the key that can be
// had at once, if any.
func (c *config) checkKeySource(name, key string, source Key) (early string) {
	if source.IsZero() {
		return ""
	}
	if strings.TrimSpace(key) != "" {
		c.check(name+".KeySource", errors.New("Key is set besides"))
	}
	early, _, err := credential.Early(source.is)
	if err == nil {
		_, _, err = writingKey(early)
	}
	c.check(name+".KeySource", err)
	return early
}

// credentials reports whether there are headers whose names say that they hold a
// credential.
func credentials(headers map[string]string) bool {
	for name := range headers {
		if secret.Named(name) {
			return true
		}
	}
	return false
}

// inTheClear returns an error where others can read what is sent to a URL.
func inTheClear(u *url.URL) error {
	if u.Scheme != "http" || delivery.Loopback(u) || strings.EqualFold(otlpEnv("INSECURE"), "true") {
		return nil
	}
	return fmt.Errorf("%q would be sent a key in the clear: use https, or OTLPConfig.Insecure", u.Host)
}
