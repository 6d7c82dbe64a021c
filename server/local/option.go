package local

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/prices"
	"github.com/sessionspan/sessionspan/redact"
	"github.com/sessionspan/sessionspan/server/internal/access"
	"github.com/sessionspan/sessionspan/server/internal/datafile"
)

// DefaultAddress is where clients of OTLP/HTTP send to when nobody tells them
// otherwise.
const DefaultAddress = "127.0.0.1:4318"

// grpcPort is where clients of OTLP over gRPC send to when nobody tells them
// otherwise.
const grpcPort = "4317"

// An Option changes what [Start] starts.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	address  string
	grpc     string // "" is no port of its own
	noGRPC   bool
	file     string
	token    string
	exposed  string // an address that other machines can reach, without a token
	hosts    []string
	maxAge   time.Duration
	maxBytes int64
	headers  time.Duration // that those of a request may take
	closing  time.Duration // that requests may take to end when the server is closed
	prices   *prices.Table
	policy   *redact.Policy
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

// WithGRPCAddress sets the host and port of a port for OTLP over gRPC, beside that of
// [WithAddress], which takes it as well, as it takes HTTP. The default is port 4317 of
// the host of [WithAddress], but none where that asks for a free port; "" is none. What
// is said of [WithAddress] holds for it, but that a port which is taken already is no
// error: the log says so, and [Server.GRPC] is empty.
func WithGRPCAddress(hostport string) Option {
	return optionFunc(func(c *config) { c.grpc, c.noGRPC = hostport, hostport == "" })
}

// WithFile sets the file of the sessions. The default is a file in the data
// folder of the user: see [store/sqlite].
//
// [store/sqlite]: https://pkg.go.dev/github.com/sessionspan/sessionspan/store/sqlite
func WithFile(path string) Option { return optionFunc(func(c *config) { c.file = path }) }

// WithToken asks every request for a token, as Authorization: Bearer TOKEN; a browser is
// asked for it once, or opens an address with ?token=TOKEN, and gets a cookie for it that
// ends after an hour without use. This token may do everything. Others, which may read or
// write alone, or in one project, are in a file beside that of the sessions (-tokens),
// which the command sessionspan token keeps; once that file is there, every request
// needs one of them or this one. The default, "", asks for none where there is no such
// file, and listens on loopback addresses alone.
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

// WithPrices sets the table by which the server derives what calls cost that say their
// tokens and not their cost. The default is [prices.Default], list prices in US dollars;
// with nil nothing is derived. A server that is started on the same file with another
// table shows old sessions by that, too: they are computed anew in the background. A cost
// that a client sends goes before a derived one.
func WithPrices(table *prices.Table) Option {
	return optionFunc(func(c *config) { c.prices = table })
}

// WithRedaction redacts by a policy what clients send, before it is written to the
// file: those of other languages have no other place for it. What the file has already
// stays as it is. A nil policy, the default, redacts nothing.
func WithRedaction(policy *redact.Policy) Option {
	return optionFunc(func(c *config) { c.policy = policy })
}

// WithLog sets where the server says what happens in the background. The
// default, and nil, is nowhere.
func WithLog(log *slog.Logger) Option { return optionFunc(func(c *config) { c.log = log }) }

func newConfig(options []Option) (*config, error) {
	c := &config{address: DefaultAddress, headers: headerTime, closing: closeTime, prices: prices.Default()}
	for _, o := range options {
		o.apply(c)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if host, port, err := net.SplitHostPort(c.address); err == nil && c.grpc == "" && !c.noGRPC && port != "0" && port != grpcPort {
		c.grpc = net.JoinHostPort(host, grpcPort)
	}
	for _, address := range slices.Compact([]string{c.address, cmp.Or(c.grpc, c.address)}) {
		if err := c.checkAddress(address); err != nil {
			c.problems = append(c.problems, err)
			break // the other one is of the same host, as a rule
		}
	}
	return c, errors.Join(c.problems...)
}

func (c *config) checkAddress(address string) error {
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return fmt.Errorf("address %q: it is no host:port", address)
	case !loopback(host) && c.token == "":
		c.exposed = address
	}
	return nil
}

// checkTokens returns an error where other machines can reach the server, and nothing is
// asked of them.
func (c *config) checkTokens() error {
	if c.exposed == "" {
		return nil
	}
	file, err := datafile.Name(c.file)
	if err != nil {
		return err
	}
	tokens, err := access.List(datafile.Beside(file, access.TokensSuffix))
	if err != nil {
		return err
	}
	if len(tokens) == 0 {
		return fmt.Errorf("address %q: other machines can reach it, so a token is needed: WithToken, or those that the command sessionspan token makes", c.exposed)
	}
	return nil
}

// loopback reports whether only this machine can reach the host.
func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
