package exporter

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/delivery"
	"github.com/sessionspan/sessionspan/internal/version"
)

// DefaultURL is the public address of the HoneyHive API.
const DefaultURL = "https://api.honeyhive.ai"

// HTTPConfig describes a server that speaks the HoneyHive HTTP API.
type HTTPConfig struct {
	// URL is the base of the routes; [DefaultURL] when empty. It must be https,
	// or http to a loopback address.
	URL string
	// Key is sent as a bearer token. It may be empty for a loopback address
	// alone. It is never logged, printed or quoted in an error.
	//
	// It is a project key or an ingestion key, which begins with hh_ingst_ and is
	// told by that. An ingestion key goes with V1 alone, which is then on. A data
	// plane key (hh_fgdp_) writes no events, so it is an error; so is an ingestion
	// key that is not whole. See [honeyhive.ParseKey].
	Key string `json:"-" xml:"-" yaml:"-"`
	// KeySource is where the key is from, in place of Key: a text that nothing can print, a
	// variable, a file or a function; see [Key]. With a function whose key is an ingestion
	// key V1 must be set.
	KeySource Key `json:"-" xml:"-" yaml:"-"`
	// V1 uses the routes POST /v1/sessions, POST /v1/events/batch and PUT
	// /v1/events/{id}. The default is POST /session/start, POST /events/batch and
	// PUT /events. A spool keeps apart what was written for the one and the other.
	//
	// The routes of V1 reject or ignore fields that they do not declare, so those
	// are not sent. The project, which the key decides there, and the error of a
	// session go to its metadata, as does a field that the contract does not name;
	// its metrics and feedback follow in an update. Events are sent without the
	// name of the project. What that API cannot give: a session's error stands in
	// its metadata alone, and a second session of the same id has its metadata and user
	// properties merged into the first and nothing else. That a conversation has another
	// turn is said by POST /v1/sessions with and without V1.
	V1 bool
	// Gzip compresses requests; see also [WithCompression]. The default is off:
	// that the public API takes compressed bodies is not documented.
	Gzip bool
	// Insecure allows http to any address. The key and all content then cross
	// the network in the clear.
	Insecure bool
	// Project and Source are for spans that name none themselves.
	Project, Source string
	// Transport sends the requests; nil for one of its own, with proxies from
	// the environment. Redirects are never followed. It must not be traced by
	// the provider whose spans it sends.
	Transport http.RoundTripper
}

// Format prints the host of the URL alone, for every verb.
func (c HTTPConfig) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "HTTP to %q", hostOf(c.URL)) }

// NewHTTP returns an exporter that delivers to a server of the HoneyHive HTTP
// API: each session by POST /session/start, its events in batches by POST
// /events/batch, changes by PUT /events; each turn of a conversation by POST
// /v1/sessions, its events, and a PUT of what the session came to. NewHTTP does no network itself; the error
// joins all that is wrong with the configuration.
//
// A status of 408, 425, 429 or 5xx, and a connection that breaks, is tried again
// for as long as there is room in the queue, with back-off and jitter, and never
// before the time that Retry-After names. 413 sends halves of a batch; 400 and
// 422 find the record at fault, which is counted, reported, and set aside in the
// spool or dropped. Anything
// else (401, 403, 404, a redirect) pauses the destination: its records are kept,
// and it is tried from time to time.
func NewHTTP(cfg HTTPConfig, options ...Option) (*Exporter, error) {
	cfg.Key = strings.TrimSpace(cfg.Key)
	cfg.URL = cmp.Or(strings.TrimSpace(cfg.URL), DefaultURL)
	c := newConfig("", options)
	compression := c.compressed(map[bool]Compression{true: Gzip, false: NoCompression}[cfg.Gzip])
	u, err := delivery.CheckURL(cfg.URL, cfg.Insecure)
	c.check("HTTPConfig.URL", err)
	early := c.checkKeySource("HTTPConfig", cfg.Key, cfg.KeySource)
	kind, secret, err := writingKey(cmp.Or(cfg.Key, early))
	if cfg.Key == "" && cfg.KeySource.IsZero() && u != nil && !delivery.Loopback(u) {
		err = errors.New("a key is needed")
	}
	c.check("HTTPConfig.Key", err)
	cfg.V1 = cfg.V1 || kind == honeyhive.IngestionKey
	dir := c.directory()
	transport := c.transport(cfg.Transport, func() (*tls.Config, error) { return nil, nil })
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("export to HTTP: %w", errors.Join(c.problems...))
	}
	client, err := delivery.NewClient(delivery.ClientConfig{
		URL: cfg.URL, Insecure: cfg.Insecure, Key: delivery.Secret(cfg.Key), Parts: []delivery.Secret{secret}, Compression: compression,
		KeySource: cfg.KeySource.is, CheckKey: func(key string) ([]delivery.Secret, error) {
			kind, secret, err := writingKey(key)
			if err == nil && kind == honeyhive.IngestionKey && !cfg.V1 {
				err = errors.New("an ingestion key goes with HTTPConfig.V1 alone")
			}
			return []delivery.Secret{secret}, err
		},
		UserAgent: "sessionspan-go/" + version.Version(), Transport: transport,
	})
	if err != nil {
		return nil, fmt.Errorf("export to HTTP: %w", err)
	}
	c.name = cmp.Or(c.name, "http "+client.Host())
	t := &httpTransport{client: client, v1: cfg.V1}
	e := newPayloads(c, c.engine(), t, cfg.Project, cfg.Source)
	t.report, client.Report = e.engine.Report, e.engine.Report
	if err := c.keep(e.engine, dir, cfg.URL, fmt.Sprint("v1=", cfg.V1)); err != nil {
		return nil, fmt.Errorf("export to HTTP: %w", err)
	}
	e.closing = closing{what: c.name, do: func(context.Context) error { client.CloseIdle(); return nil }}
	if cfg.Transport == nil && strings.Trim(u.Path, "/") == "" {
		e.local, e.client = localAddress(u), client
	}
	e.live = func() {
		e.payloads.whole.Store(!cfg.V1) // whose route ignores most of the second
		if !c.notLive {
			e.engine.GoLive()
		}
	}
	return e, nil
}

func newPayloads(c config, limits delivery.Config, t transport, project, source string) *Exporter {
	c.privacy.converts, c.privacy.closed.converts = true, true
	p := &payloads{transport: t, view: view{privacy: c.privacy, cut: c.cutter(), project: project, source: source}}
	return &Exporter{engine: delivery.New(limits, p), sessions: true, privacy: c.privacy, payloads: p}
}

// localAddress returns the address of a server at a loopback address that is spoken
// to in the clear, as the local server is, and else "".
func localAddress(u *url.URL) string {
	if u.Scheme != "http" || !delivery.Loopback(u) {
		return ""
	}
	return "http://" + u.Host
}

// httpTransport sends payloads to the routes of the API.
type httpTransport struct {
	client *delivery.Client
	v1     bool
	report func(kind string, err error)
}

func (t *httpTransport) appendSession(dst []byte, s *honeyhive.SessionStartRequest) ([]byte, *honeyhive.Update) {
	if !t.v1 {
		return append(s.AppendJSON(append(dst, `{"session":`...)), '}'), nil
	}
	return appendDeclared(dst, s)
}

// appendTurn writes the payload of the route that promises to be idempotent.
func (t *httpTransport) appendTurn(dst []byte, s *honeyhive.SessionStartRequest) []byte {
	dst, _ = appendDeclared(dst, s) // a turn sets nothing that needs an update
	return dst
}

// appendDeclared writes what the route POST /v1/sessions declares, and returns an
// update with what else it can be told.
func appendDeclared(dst []byte, s *honeyhive.SessionStartRequest) ([]byte, *honeyhive.Update) {
	// The route does not declare project, which the key decides, error, metrics and
	// feedback. An update can set the last two; the others go where they can be found.
	declared := *s
	declared.Project, declared.Error = honeyhive.Optional[string]{}, honeyhive.Optional[string]{}
	declared.Metrics, declared.Feedback, declared.Unknown = honeyhive.Object{}, honeyhive.Object{}, honeyhive.Object{}
	if name, ok := s.Project.Get(); ok {
		declared.Metadata = beside(declared.Metadata, "project", name)
	}
	if text, ok := s.Error.Get(); ok {
		declared.Metadata, _ = declared.Metadata.With("error", text)
	}
	for key, value := range s.Unknown.All() {
		declared.Metadata = beside(declared.Metadata, key, value)
	}
	var rest *honeyhive.Update
	if !s.Metrics.IsEmpty() || !s.Feedback.IsEmpty() {
		rest = &honeyhive.Update{EventID: s.SessionID, Metrics: s.Metrics, Feedback: s.Feedback}
	}
	return declared.AppendJSON(dst), rest
}

func (t *httpTransport) appendEvent(dst []byte, e *honeyhive.Event) []byte {
	if t.v1 {
		declared := *e
		declared.Project, declared.Unknown = honeyhive.Optional[string]{}, honeyhive.Object{}
		for key, value := range e.Unknown.All() {
			declared.Metadata = beside(declared.Metadata, key, value)
		}
		e = &declared
	}
	return e.AppendJSON(dst)
}

// beside adds a member to metadata, unless the user set one of that name.
func beside(metadata honeyhive.Object, key string, value any) honeyhive.Object {
	if !metadata.Has(key) {
		metadata, _ = metadata.With(key, value)
	}
	return metadata
}

// Send posts a batch.
func (t *httpTransport) Send(ctx context.Context, batch []*delivery.Record) delivery.Result {
	switch batch[0].Kind {
	case delivery.Opener:
		return t.sendSession(ctx, batch[0])
	case delivery.Update:
		return t.sendUpdate(ctx, batch)
	}
	return t.sendEvents(ctx, batch)
}

func (t *httpTransport) sendSession(ctx context.Context, r *delivery.Record) delivery.Result {
	path := "/session/start"
	if t.v1 || r.Group != r.ID { // a turn
		path = "/v1/sessions"
	}
	answer := t.client.Do(ctx, http.MethodPost, path, r.Body)
	result := answer.Result()
	if answer.Status == http.StatusConflict { // it has the session already
		return delivery.Result{Outcome: delivery.Delivered, Released: answer.Released}
	}
	if result.Outcome != delivery.Delivered {
		result.Err = wrap("start session", result.Err)
		return result
	}
	// Of the answer the session id alone is sure; some servers leave out more
	// than their schema says.
	var body struct {
		SessionID string `json:"session_id"`
	}
	want := honeyhive.UUID(r.ID).String()
	if json.Unmarshal(answer.Body, &body) == nil && body.SessionID != "" && !strings.EqualFold(body.SessionID, want) {
		t.report("session id", fmt.Errorf("start session: the server made session %.64q of %s: its events will not be found under it", answer.Hide.Hide(body.SessionID), want))
	}
	return result
}

// sendUpdate puts changes one by one; a batch has one unless it was split.
func (t *httpTransport) sendUpdate(ctx context.Context, batch []*delivery.Record) delivery.Result {
	r := batch[0]
	path := "/events"
	if t.v1 {
		path = "/v1/events/" + honeyhive.UUID(r.ID).String()
	}
	answer := t.client.Do(ctx, http.MethodPut, path, r.Body)
	result := answer.Result()
	if answer.Status == http.StatusBadRequest || answer.Status == http.StatusNotFound {
		// The API says so of a session or event that it does not know yet.
		result.Outcome = delivery.NotYet
	}
	if result.Err != nil {
		result.Err = wrap("update", result.Err)
	}
	return result
}

func (t *httpTransport) sendEvents(ctx context.Context, batch []*delivery.Record) delivery.Result {
	pieces := make([][]byte, 0, 2*len(batch)+1)
	before, comma := []byte(`{"events":[`), []byte(",")
	for _, r := range batch {
		pieces = append(pieces, before, r.Body)
		before = comma
	}
	pieces = append(pieces, []byte("]}"))
	path := "/events/batch"
	if t.v1 {
		path = "/v1/events/batch"
	}
	answer := t.client.Do(ctx, http.MethodPost, path, pieces...)
	result := answer.Result()
	if partial, ok := partialSuccess(&answer, batch); ok {
		result = partial
	}
	if result.Err != nil {
		result.Err = wrap("send events", result.Err)
	}
	return result
}

// partialSuccess reads the answer of a batch of which the server took a part:
// a 500, or a 2xx, with the ids it took and a list of errors.
func partialSuccess(a *delivery.Answer, batch []*delivery.Record) (delivery.Result, bool) {
	if a.Status != http.StatusInternalServerError && (a.Status < 200 || a.Status > 299) {
		return delivery.Result{}, false
	}
	var body struct {
		EventIDs []string `json:"event_ids"`
		Errors   []any    `json:"errors"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || len(body.Errors) == 0 && a.Status < 300 || len(body.EventIDs) == 0 {
		return delivery.Result{}, false
	}
	taken := make(map[string]bool, len(body.EventIDs))
	for _, id := range body.EventIDs {
		taken[strings.ToLower(id)] = true
	}
	result := delivery.Result{Outcome: delivery.Delivered, Released: a.Released}
	for _, r := range batch {
		if !taken[honeyhive.UUID(r.ID).String()] {
			result.Again = append(result.Again, r)
		}
	}
	if len(result.Again) == len(batch) {
		return delivery.Result{}, false // the ids are not ours: the status must do
	}
	if len(result.Again) > 0 {
		result.Err = fmt.Errorf("%d of %d were taken: %w", len(batch)-len(result.Again), len(batch), a.Error())
	}
	return result, true
}

func wrap(operation string, err error) error { return fmt.Errorf("%s: %w", operation, err) }
