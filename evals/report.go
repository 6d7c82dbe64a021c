package evals

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/secret"
)

// A Report makes a run of HoneyHive's experiments out of a run of a suite: it is made
// before the first attempt, its run_id is that of the sessions, and at the end it is
// told of the sessions and how it went. The sessions themselves go where the tracer
// sends them; see [Suite.Tracing].
//
// Without a key nothing is reported, so that a suite runs without an account. With
// one, a run that cannot be made fails the test: it was asked for.
//
// The format is that of the public OpenAPI document of HoneyHive's data plane
// (versions 1.1.0 and 1.17.0) and of its page on experiments by the API: POST and PUT
// of runs, whose event_ids are the ids of the sessions.
type Report struct {
	// Project is the id of the project. Where it is empty the route is /v1/runs, which
	// HoneyHive calls deprecated; else /v1/projects/{id}/runs.
	Project string
	// Name is the name of the run; the default is that of the test.
	Name string
	// URL is the base of the routes: HH_API_URL, HH_DATA_PLANE_URL or
	// https://api.honeyhive.ai where it is empty. It must be https, or http to a
	// loopback address.
	URL string
	// Key is a data plane key or a project key: HH_DATA_PLANE_API_KEY, HH_API_KEY or
	// HH_PROJECT_API_KEY where it is empty. It is never printed. It may be missing for a
	// loopback address.
	Key string `json:"-"`
	// Transport sends the requests; nil stands for http.DefaultTransport.
	Transport http.RoundTripper `json:"-"`
}

// Format prints the project alone, for every verb.
func (c Report) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "report to project %q", c.Project) }

// reportTimeout bounds one request of a report.
const reportTimeout = 30 * time.Second

// reporting is a report while the suite runs. A nil one does nothing.
type reporting struct {
	runs   string // the route
	key    string
	client *http.Client
	points []string
}

// start makes the run and takes its id. It returns nil where nothing is reported.
func (c *Report) start(ctx context.Context, r *run, datapoints []string) (*reporting, error) {
	if c == nil {
		return nil, nil
	}
	base, local, err := baseOf(first(c.URL, os.Getenv("HH_API_URL"), os.Getenv("HH_DATA_PLANE_URL"), "https://api.honeyhive.ai"))
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	p := &reporting{key: first(c.Key, os.Getenv("HH_DATA_PLANE_API_KEY"), os.Getenv("HH_API_KEY"), os.Getenv("HH_PROJECT_API_KEY")), points: datapoints}
	if p.key == "" && !local {
		return nil, nil
	}
	if kind, _, err := honeyhive.ParseKey(p.key); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	} else if kind == honeyhive.IngestionKey {
		return nil, errors.New("report: an ingestion key makes no runs: take a data plane key")
	}
	p.runs = base + "/v1/runs"
	if c.Project != "" {
		p.runs = base + "/v1/projects/" + url.PathEscape(c.Project) + "/runs"
	}
	p.client = &http.Client{Transport: c.Transport, Timeout: reportTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var answer struct {
		RunID string `json:"run_id"`
	}
	body := map[string]any{"name": first(c.Name, r.test), "status": "running", "dataset_id": r.dataset, "datapoint_ids": datapoints, "metadata": map[string]any{"test": r.test}}
	if strings.HasPrefix(r.dataset, "EXT-") { // one that HoneyHive does not hold
		delete(body, "dataset_id")
		body["metadata"] = map[string]any{"test": r.test, "offline_dataset_id": r.dataset}
	}
	if err := p.send(ctx, http.MethodPost, p.runs, body, &answer); err != nil {
		return nil, fmt.Errorf("report: make the run: %w", err)
	}
	if answer.RunID == "" {
		return nil, errors.New("report: make the run: the answer names no run_id")
	}
	r.id = answer.RunID
	return p, nil
}

// finish tells the run its sessions and how it went.
func (p *reporting) finish(r *run, failed bool) error {
	if p == nil {
		return nil
	}
	sessions, results := []string{}, make(map[string]any)
	for i := range r.table.cases {
		for _, o := range r.table.cases[i].attempts {
			if o.ran() {
				sessions = append(sessions, o.session)
			}
		}
	}
	for i, s := range r.table.scorers {
		if means := r.table.caseMeans(i); len(means) > 0 {
			results[s.name] = mean(means)
		}
	}
	status := "completed"
	if r.ctx.Err() != nil {
		status = "cancelled"
	}
	body := map[string]any{"status": status, "event_ids": sessions, "session_ids": sessions, "datapoint_ids": p.points, "results": results, "metadata": map[string]any{"test": r.test, "passed": !failed}}
	if err := p.send(context.Background(), http.MethodPut, p.runs+"/"+url.PathEscape(r.id), body, nil); err != nil {
		return fmt.Errorf("report: end the run %s: %w", r.id, err)
	}
	return nil
}

// mostAnswer bounds what is read of an answer, and quoted what is quoted of it.
const (
	mostAnswer = 1 << 20
	quoted     = 300
)

func (p *reporting) send(ctx context.Context, method, address string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data)) //nolint:gosec // the caller names the server
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	resp, err := p.client.Do(req) //nolint:gosec // the caller names the server
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", resp.Status, p.quote(answer))
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			return fmt.Errorf("the answer is no JSON: %s", p.quote(answer))
		}
	}
	return nil
}

// baseOf checks the base of the routes, and reports whether it is this machine.
func baseOf(text string) (base string, local bool, err error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.User != nil {
		return "", false, errors.New("the URL is none of a server, or has a user in it")
	}
	local = isLoopback(u)
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", false, errors.New("the URL must be https, or http to a loopback address")
	}
	return strings.TrimSuffix(u.Scheme+"://"+u.Host+u.EscapedPath(), "/"), local, nil
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}

// quote returns the beginning of an answer without the key, which a server may have
// written into it.
func (p *reporting) quote(answer []byte) string {
	var keys secret.Values
	keys.Field(p.key)
	return fmt.Sprintf("%.*q", quoted, secret.NewMatcher(keys).HideCut(string(answer), "[key]"))
}
