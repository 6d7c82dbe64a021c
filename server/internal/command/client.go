package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/server/local"
)

// Environment variables of the commands that ask a server that runs.
const (
	serverEnv = "SESSIONSPAN_SERVER"
	tokenEnv  = "SESSIONSPAN_TOKEN"
)

// client asks a server that runs.
type client struct {
	url   string
	token string
	http  *http.Client
	given bool // the address was named by the flag
	named bool // or by the environment
}

// flags adds those that every command has which asks a server.
func (c *client) flags(flags *flag.FlagSet) {
	flags.StringVar(&c.url, "server", "", "`address` of the server, such as http://127.0.0.1:4318 (default $"+serverEnv+", else that)")
	flags.StringVar(&c.token, "token", os.Getenv(tokenEnv), "`token` of the server (default $"+tokenEnv+")")
	flags.Lookup("token").DefValue = "" // help must not print it
}

// begin checks the address, once the flags are read. Where the token would go over a
// network in the clear, it does not go.
func (c *client) begin() error {
	c.given = c.url != ""
	c.url = cmp.Or(c.url, os.Getenv(serverEnv))
	c.named = c.url != ""
	c.url = cmp.Or(c.url, "http://"+local.DefaultAddress)
	if !strings.Contains(c.url, "://") {
		c.url = "http://" + c.url
	}
	u, err := url.Parse(c.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("-server: %.200q is no address such as http://%s", redactedURL(c.url), local.DefaultAddress)
	}
	c.url = strings.TrimRight(c.url, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if loopback(u.Hostname()) {
		transport.Proxy = nil // whatever the environment names
		transport.DisableCompression = true
	} else if u.Scheme == "http" && c.token != "" {
		return errors.New("-server: the token and the sessions would be sent in the clear: use https")
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

func loopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost")
}

func redactedURL(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// close lets go of connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for a path, and returns the answer, to be closed.
func (c *client) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	address := c.url + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("User-Agent", "sessionspan")
	res, err := c.http.Do(req) //nolint:gosec // the user names it
	if err != nil {
		if wrong, ok := errors.AsType[*url.Error](err); ok {
			err = wrong.Err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w: is the server running there? Name another one with -server", c.url, err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = "it is no server of sessionspan, or an older one"
	}
	if res.StatusCode == http.StatusUnauthorized {
		said.Error = "a token is needed: set $" + tokenEnv + " or -token"
	}
	return nil, fmt.Errorf("%s answers %d: %s", c.url, res.StatusCode, plain(said.Error, 1000))
}

// json asks for a path, and reads the answer.
func (c *client) json(ctx context.Context, path string, query url.Values, into any) error {
	res, err := c.get(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: read the answer: %w", c.url, err)
	}
	return nil
}

// filters are flags that choose sessions, by the parameters of the page's list.
type filters struct {
	values url.Values
	since  time.Duration
}

func (f *filters) flags(flags *flag.FlagSet) {
	f.values = make(url.Values)
	for name, usage := range map[string]string{
		"query":    "`query` as the page's box takes it, such as 'status:error duration>2s \"rate limit\"'",
		"q":        "`words` to look for, and phrases in double quotes",
		"project":  "`name` of the project",
		"source":   "`name` of the source",
		"user":     "`id` of the user",
		"model":    "`name` of a model that was called",
		"status":   "`status`: ok, error, running, incomplete or orphan",
		"feedback": "`kind` of feedback: any, none, up or down",
		"min-ms":   "`milliseconds` that sessions lasted at least",
		"max-ms":   "`milliseconds` that sessions lasted at most",
		"min-cost": "`amount` that sessions cost at least",
		"max-cost": "`amount` that sessions cost at most",
		"from":     "`time` from which on sessions started, such as 2026-01-31T15:04 (UTC)",
		"to":       "`time` before which sessions started",
	} {
		flags.Func(name, usage, func(s string) error {
			f.values.Set(strings.ReplaceAll(name, "-", "_"), s)
			return nil
		})
	}
	flags.Func("since", "`age` of the oldest sessions, such as 15m, 24h or 7d", func(s string) (err error) {
		if f.since, err = parseAge(s); err == nil && f.since <= 0 {
			err = errors.New("is no age")
		}
		return err
	})
}

// query returns the parameters.
func (f *filters) query() url.Values {
	if f.since > 0 {
		f.values.Set("from", time.Now().Add(-f.since).UTC().Format("2006-01-02T15:04:05.000"))
	}
	return f.values
}

// number is a flag that is a number within bounds.
func number(flags *flag.FlagSet, name, usage string, otherwise, most int) *int {
	n := otherwise
	flags.Func(name, usage+fmt.Sprintf(" (default %d)", otherwise), func(s string) error {
		v, err := strconv.Atoi(s)
		if err != nil || v < 1 || v > most {
			return fmt.Errorf("is no number from 1 to %d", most)
		}
		n = v
		return nil
	})
	return &n
}
