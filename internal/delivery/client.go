package delivery

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sessionspan/sessionspan/internal/credential"
)

// Bounds of what is read of an answer, and of what an error quotes of it.
const (
	answerMost = 1 << 20
	quoteMost  = 512
)

// Client posts bodies to one server. Client follows no redirect, reads a bounded
// piece of each answer, and never shows its key.
type Client struct {
	base   url.URL
	header http.Header
	http   *http.Client
	hide   Secrets
	keys   *keys // of a key that may change, or nil

	compressor *compressor
	// Report is told, if it is set before the first Do, of what the client does
	// otherwise than it was configured.
	Report func(kind string, err error)
	local  atomic.Pointer[func()] // see OnLocal
}

// ClientConfig describes the server.
type ClientConfig struct {
	URL      string   // base of the routes; https, or http to a loopback address
	Insecure bool     // take http to any address
	Key      Secret   // sent as a bearer token, if not empty
	Parts    []Secret // of the key, that are secret by themselves
	// KeySource is where a key is from that may change, in place of Key, and CheckKey
	// says what is wrong with one that came from there, and which of its parts are
	// secret by themselves.
	KeySource credential.Key
	CheckKey  func(key string) (parts []Secret, err error)
	// Compression of bodies. Where the server does not take it, a simpler one is
	// used instead.
	Compression Compression
	UserAgent   string
	// ContentType of bodies and answers; application/json when empty.
	ContentType string
	Headers     map[string]string // besides
	Transport   http.RoundTripper // a transport of its own when nil
}

// NewClient checks the configuration. NewClient does no network.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := CheckURL(cfg.URL, cfg.Insecure)
	if err := errors.Join(err, CheckKey(cfg.Key), CheckHeaders(cfg.Headers)); err != nil {
		return nil, err
	}
	u.Host = strings.TrimSuffix(u.Host, ":") // an empty port
	c := &Client{base: *u, compressor: newCompressor(cfg.Compression), header: make(http.Header), hide: NewSecrets(string(cfg.Key), cfg.Parts, cfg.Headers)}
	contentType := cmp.Or(cfg.ContentType, "application/json")
	c.header.Set("Content-Type", contentType)
	c.header.Set("Accept", contentType)
	c.header.Set("User-Agent", cfg.UserAgent)
	if cfg.Key != "" {
		c.header.Set("Authorization", "Bearer "+string(cfg.Key))
	}
	for name, value := range cfg.Headers {
		c.header.Set(name, value)
	}
	if !cfg.KeySource.IsZero() {
		c.keys = newKeys(cfg.KeySource, cfg.CheckKey, cfg.Headers)
	}
	transport := cfg.Transport
	if transport == nil {
		transport = NewTransport(nil, nil)
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: NoRedirect}
	return c, nil
}

// CheckKey returns an error where a key cannot be sent.
func CheckKey(key Secret) error {
	if strings.ContainsFunc(string(key), func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return errors.New("the key holds characters that no header can carry")
	}
	return nil
}

// CheckHeaders returns an error where one of the headers cannot be sent. CheckHeaders does not
// quote names: one may be a key in the wrong place.
func CheckHeaders(headers map[string]string) error {
	for name, value := range headers {
		if name == "" || strings.ContainsFunc(name, notOfToken) {
			return errors.New("a header has a name that no request can carry")
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("the header %.64s has a value that no request can carry", name)
		}
	}
	return nil
}

// notOfToken reports whether names of headers cannot hold a character: RFC 9110,
// section 5.6.2.
func notOfToken(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// CheckURL reads the base URL of a server. Only https is taken, and http to a
// loopback address or where insecure says so.
func CheckURL(raw string, insecure bool) (*url.URL, error) {
	// An address without a scheme is quoted where it cannot be a key.
	host, port, _ := net.SplitHostPort(raw)
	if _, err := strconv.ParseUint(port, 10, 16); err == nil && loopback(host) {
		return nil, fmt.Errorf("the URL lacks its scheme: write http://%s", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error quotes the whole text, which may hold a password.
		return nil, errors.New("the URL cannot be read")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("the URL must not hold a user or password")
	// What is no URL is not quoted: it may be a key in the wrong place.
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL must begin with https:// or http:// and name a host")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the URL of %q must not hold a query or fragment", u.Host)
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%q would be sent keys and prompts in the clear: use https", u.Host)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// NoRedirect is an http.Client.CheckRedirect that follows none: a redirect
// would post prompts, and with some status codes the key, to another host.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// NewTransport returns a transport that keeps connections alive. A nil proxy takes those
// of the environment.
func NewTransport(tlsConfig *tls.Config, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	if tlsConfig == nil {
		tlsConfig = new(tls.Config)
	}
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// LocalServer is how the local server of this project is called in the header Server
// of its answers.
const LocalServer = "sessionspan"

// OnLocal has learned called, once, when an answer is one of the local server.
func (c *Client) OnLocal(learned func()) { c.local.Store(&learned) }

// CloseIdle closes connections that are not in use.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// Answer is what a server said.
type Answer struct {
	Status     int // 0 where no answer came
	Header     http.Header
	Body       []byte // a bounded piece
	Err        error  // why no answer came
	KeyErr     error  // why there is no other key for one that the server does not know
	RetryAfter time.Duration
	Hide       Secrets // not to be quoted
	// Released is set where nobody reads the pieces any more.
	Released bool
}

// Do sends a body, which is given in pieces, and waits for the answer. The pieces
// must not change until the answer says that they are released. A body that the
// server does not take because of its compression is sent once more, simpler.
func (c *Client) Do(ctx context.Context, method, path string, pieces ...[]byte) Answer {
	with := c.compressor.current()
	a := c.do(ctx, method, path, with, pieces)
	for next := with; next != NoCompression && c.compressor.refuses(a.Status); {
		next = next.simpler()
		again := c.do(ctx, method, path, next, pieces)
		if again.taken() {
			c.compressor.fallBack(with, next)
			c.report(with, next, &a)
			return again
		}
		if !c.compressor.refuses(again.Status) {
			return again // it cannot be told what the server minds
		}
	}
	if a.taken() {
		c.compressor.proven.Store(true)
	}
	return a
}

// report says that another compression is used from now on.
func (c *Client) report(before, now Compression, because *Answer) {
	if c.Report == nil {
		return
	}
	c.Report("compression", fmt.Errorf("%s does not take %s and gets %s from now on: %w",
		c.Host(), before, cmp.Or(now, "no compression"), because.Error()))
}

// taken reports whether the server took the body.
func (a *Answer) taken() bool { return a.Status >= 200 && a.Status < 300 }

// do sends a body once.
func (c *Client) do(ctx context.Context, method, path string, with Compression, pieces [][]byte) Answer {
	if with == NoCompression {
		return c.post(ctx, method, path, with, pieces)
	}
	body := c.compressor.compress(with, pieces)
	a := c.post(ctx, method, path, with, [][]byte{body.Bytes()})
	if a.Released {
		c.compressor.release(body)
	}
	a.Released = true // the pieces themselves are read
	return a
}

// smallBody is up to what size a body is copied: net/http knows then that reading
// it takes no time, and sends it together with the headers.
const smallBody = 16 << 10

// post sends a body, and once more where the server does not know the key and there is
// another one by now.
func (c *Client) post(ctx context.Context, method, path string, with Compression, pieces [][]byte) Answer {
	if c.keys == nil {
		return c.send(ctx, method, path, "", with, pieces)
	}
	key, err := c.keys.get(ctx)
	if err != nil {
		return Answer{Err: c.secrets().Error(err), Hide: c.secrets(), Released: true}
	}
	a := c.send(ctx, method, path, key, with, pieces)
	if a.Status != http.StatusUnauthorized {
		return a
	}
	other, err := c.keys.other(ctx, &key)
	switch {
	case err != nil:
		a.KeyErr = c.secrets().Error(err)
		return a
	case other == key:
		return a
	}
	again := c.send(ctx, method, path, other, with, pieces)
	again.Released = again.Released && a.Released
	return again
}

// secrets are not to be shown.
func (c *Client) secrets() Secrets {
	if c.keys == nil {
		return c.hide
	}
	return *c.keys.hide.Load()
}

// send sends a body with a key, if there is one that may change.
func (c *Client) send(ctx context.Context, method, path, key string, with Compression, pieces [][]byte) Answer {
	u := c.base
	u.Path += path
	sent := &sending{pieces: pieces}
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	var small io.Reader
	if size <= smallBody {
		small = bytes.NewReader(slices.Concat(pieces...))
	}
	req, err := http.NewRequestWithContext(ctx, method, "", small)
	if err != nil {
		return Answer{Err: err}
	}
	req.URL, req.Host = &u, u.Host // no text of the URL is written and read again
	if small == nil {
		req.Body, req.ContentLength = sent.reader(), int64(size)
		req.GetBody = func() (io.ReadCloser, error) { return sent.reader(), nil }
	}
	req.Header = c.header.Clone()
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if with != NoCompression {
		req.Header.Set("Content-Encoding", string(with))
	}
	resp, err := c.http.Do(req) //nolint:bodyclose // ReadAnswer closes it
	if err != nil {
		return Answer{Err: c.secrets().Error(err)}
	}
	if learned := c.local.Load(); learned != nil && resp.Header.Get("Server") == LocalServer && c.local.CompareAndSwap(learned, nil) {
		(*learned)()
	}
	a := ReadAnswer(resp)
	a.Hide, a.Released = c.secrets(), sent.unread.Load() == 0
	return a
}

// sending is the body of a request, which is read again where a transport tries
// again by itself.
type sending struct {
	pieces [][]byte
	unread atomic.Int64 // readers that are not at their end
}

func (s *sending) reader() *reader {
	s.unread.Add(1)
	return &reader{pieces: s.pieces, unread: &s.unread}
}

// reader reads pieces one after the other. Past their end it does not look at
// them any more.
type reader struct {
	pieces [][]byte
	at     int           // in the first of them
	unread *atomic.Int64 // nil once the end was told of
}

// Read implements [io.Reader].
func (r *reader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.pieces) > 0 {
		m := copy(p[n:], r.pieces[0][r.at:])
		n += m
		if r.at += m; r.at == len(r.pieces[0]) {
			r.pieces, r.at = r.pieces[1:], 0
		}
	}
	if len(r.pieces) == 0 && r.unread != nil {
		r.unread.Add(-1)
		r.unread = nil
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer].
func (r *reader) Close() error { return nil }

// ReadAnswer reads and closes a response. An answer that breaks off is none.
func ReadAnswer(resp *http.Response) Answer {
	defer func() { _ = resp.Body.Close() }()
	a := Answer{Status: resp.StatusCode, Header: resp.Header, RetryAfter: RetryAfter(resp.Header, time.Now())}
	a.Body, a.Err = io.ReadAll(io.LimitReader(resp.Body, answerMost))
	if a.Err != nil {
		a.Status = 0
	}
	return a
}

// Result classifies the answer to a batch, apart from what the body may say.
func (a Answer) Result() Result {
	r := Result{RetryAfter: a.RetryAfter, Released: a.Released}
	switch s := a.Status; {
	case s == 0:
		// No answer: whether the server has the records is not known, so they
		// are sent again.
		r.Outcome, r.Err = Retry, a.Err
		return r
	case s >= 200 && s < 300:
		return Result{Outcome: Delivered, Released: a.Released}
	case s == http.StatusRequestTimeout, s == http.StatusTooEarly, s == http.StatusTooManyRequests,
		s == http.StatusBadGateway, s == http.StatusServiceUnavailable, s == http.StatusGatewayTimeout:
		r.Outcome = Retry
	case s >= 500:
		r.Outcome = Suspect
	case s == http.StatusRequestEntityTooLarge:
		r.Outcome = Large
	case s == http.StatusBadRequest, s == http.StatusConflict, s == http.StatusUnprocessableEntity:
		r.Outcome = Bad
	default:
		// A redirect, a wrong key, a wrong path: nothing is wrong with the
		// records, so they are kept until somebody mends it.
		r.Outcome = Blocked
	}
	r.Err = a.Error()
	return r
}

// Error describes an answer that is no success, with a bounded and escaped
// piece of its body.
func (a Answer) Error() error {
	text := a.Hide.Quote(strings.TrimSpace(string(a.Body)))
	err := fmt.Errorf("status %d", a.Status)
	if text != "" {
		err = fmt.Errorf("status %d: %q", a.Status, text)
	}
	if a.KeyErr != nil {
		err = fmt.Errorf("%w; no other key: %w", err, a.KeyErr)
	}
	return err
}

// Host returns the host of the server, with its port.
func (c *Client) Host() string { return c.base.Host }

// Loopback reports whether a server is on this machine.
func Loopback(u *url.URL) bool { return loopback(u.Hostname()) }
