package local

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
)

// DefaultAddress is where clients of OTLP/HTTP send to when nobody tells them
// otherwise.
const DefaultAddress = "127.0.0.1:4318"

// An Option changes what [Start] starts.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	address  string
	file     string
	token    string
	hosts    []string
	maxAge   time.Duration
	maxBytes int64
	headers  time.Duration // that those of a request may take
	closing  time.Duration // that requests may take to end when the server is closed
	log      *slog.Logger
	problems []error
}

// WithAddress sets the host and port to listen on; the default is
// [DefaultAddress]. The port 0 stands for a free one. On the address 127.0.0.1 or
// the name localhost the server listens on ::1 too, if that is there. An address
// that other machines can reach needs a token.
func WithAddress(hostport string) Option {
	return optionFunc(func(c *config) { c.address = hostport })
}

// WithFile sets the file of the sessions. The default is a file in the data
// folder of the user: see [store/sqlite].
//
// [store/sqlite]: https://pkg.go.dev/github.com/sessionspan/sessionspan/store/sqlite
func WithFile(path string) Option { return optionFunc(func(c *config) { c.file = path }) }

// WithToken asks every request for the token, as Authorization: Bearer TOKEN, or
// once as ?token=TOKEN in a browser, which then keeps it in a cookie. The
// default, "", asks for none, and listens on loopback addresses alone.
func WithToken(token string) Option {
	return optionFunc(func(c *config) { c.token = strings.TrimSpace(token) })
}

// WithHosts adds names by which requests may ask for the server. The default are
// localhost and what ends in .localhost, the loopback addresses, and where the
// server listens elsewhere, any IP address. A request by another name is turned
// down, since a page of a stranger may have a name that points to this machine.
func WithHosts(names ...string) Option {
	return optionFunc(func(c *config) { c.hosts = append(c.hosts, names...) })
}

// WithRetention deletes sessions whose last sign of life is older than maxAge, when
// the server starts and every ten minutes, and the oldest ones whenever what the
// sessions take on disk is more than maxBytes, until a sixteenth less is left. That
// is the file and the log beside it (-wal). What was freed is used again, and given
// back to the system where the file is larger than that. What is written while old
// sessions are deleted comes on top: under load some ten megabytes, and as much as
// the log grows while a read of very many sessions needs it. Zero values, the
// default, keep all.
func WithRetention(maxAge time.Duration, maxBytes int64) Option {
	return optionFunc(func(c *config) {
		if maxAge < 0 || maxBytes < 0 {
			c.problems = append(c.problems, errors.New("the retention is negative"))
		}
		c.maxAge, c.maxBytes = maxAge, maxBytes
	})
}

// WithLog sets where the server says what happens in the background. The
// default, and nil, is nowhere.
func WithLog(log *slog.Logger) Option { return optionFunc(func(c *config) { c.log = log }) }

func newConfig(options []Option) (*config, error) {
	c := &config{address: DefaultAddress, headers: headerTime, closing: closeTime}
	for _, o := range options {
		o.apply(c)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	host, _, err := net.SplitHostPort(c.address)
	switch {
	case err != nil:
		c.problems = append(c.problems, fmt.Errorf("address %q: it is no host:port", c.address))
	case !loopback(host) && c.token == "":
		c.problems = append(c.problems, fmt.Errorf("address %q: other machines can reach it, so a token is needed", c.address))
	}
	return c, errors.Join(c.problems...)
}

// loopback reports whether only this machine can reach the host.
func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
