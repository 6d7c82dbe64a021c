package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/store"
)

// odd is a store whose records hold any number there is, as one that was filled
// before numbers had bounds may, or one that another program wrote.
type odd struct{ store.Store }

var (
	oddNumbers = []float64{
		math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300, -1e300, 1e21, 9.3e18, -9.3e18, 1e15, 1.1e15, -1.1e15, -1, 0.5,
	}
	oddIntegers = []int64{math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, -1, 0, 1 << 62, 7}
	oddTimes    = []time.Time{{}, time.UnixMilli(math.MaxInt64), time.UnixMilli(math.MinInt64), time.Unix(1<<61, 0), time.Unix(-1<<61, 0), time.UnixMilli(1.7e12)}
)

func oddID(kind, n int) honeyhive.UUID {
	return honeyhive.UUID{byte(kind), 6: 0x40, 8: 0x80, 14: byte(n >> 8), 15: byte(n)}
}

func oddOptional(n int) honeyhive.Optional[float64] {
	return honeyhive.Some(oddNumbers[n%len(oddNumbers)])
}

func oddInteger(n int) int64 { return oddIntegers[n%len(oddIntegers)] }

// inJSON leaves out what no payload can hold.
func inJSON(v honeyhive.Optional[float64]) honeyhive.Optional[float64] {
	if n := v.Or(0); math.IsNaN(n) || math.IsInf(n, 0) {
		return honeyhive.Optional[float64]{}
	}
	return v
}

// oddMeasures have the n-th number in all places at once, or in each another one.
func oddMeasures(n, step int) store.Measures {
	return store.Measures{
		Start: oddOptional(n), End: oddOptional(n + step), Duration: oddOptional(n + 2*step), FirstToken: oddOptional(n + 3*step), Cost: oddOptional(n + 4*step), Rating: oddOptional(n + 5*step),
		TokensIn: honeyhive.Some(oddInteger(n)), TokensOut: honeyhive.Some(oddInteger(n + step)), Feedback: true,
	}
}

func oddRow(n int) store.SessionRow {
	return store.SessionRow{
		ID: oddID(1, n), Seq: 1, Name: "odd", Project: "p", Status: store.StatusOK, Measures: oddMeasures(n, n/len(oddNumbers)), Received: oddNumbers[n%len(oddNumbers)],
		Events: int64(2 * len(oddNumbers)), ModelEvents: oddInteger(n), ToolEvents: oddInteger(n + 1), ChainEvents: oddInteger(n + 2), Errors: oddInteger(n + 3), Bytes: oddInteger(n + 4),
	}
}

func oddEvent(session honeyhive.UUID, n int) store.Event {
	feedback, _ := honeyhive.ParseObject(`{"rating":1.7e308,"score":-1.7e308}`)
	outputs, _ := honeyhive.ParseObject(`{"documents":[{"content":"a","score":1.7e308},{"content":"b","score":-1.7e308}]}`)
	id := oddID(2, n)
	e := store.Event{EventRow: store.EventRow{ID: id, Session: session, Parent: session, Seq: int64(n) + 1, Name: "odd", Type: honeyhive.TypeModel, Measures: oddMeasures(n, n/len(oddNumbers)), Bytes: 1000}}
	if n > 0 {
		e.Parent = oddID(2, n/2)
	}
	e.Payload = honeyhive.Event{
		EventID: honeyhive.Some(id.String()), SessionID: honeyhive.Some(session.String()), EventType: honeyhive.Some(honeyhive.TypeModel), EventName: honeyhive.Some("odd"),
		Duration: inJSON(e.Duration), StartTime: inJSON(e.Start), EndTime: inJSON(e.End), Inputs: honeyhive.EmptyObject(), Outputs: outputs, Feedback: feedback, Metrics: feedback,
	}
	return e
}

func (odd) Seq(context.Context) (int64, error) { return 1, nil }

func (odd) Info(context.Context) (store.Info, error) {
	return store.Info{Sessions: math.MaxInt64, Events: math.MaxInt64}, nil
}

func (odd) Sessions(_ context.Context, q store.SessionQuery) (store.SessionPage, error) {
	var page store.SessionPage
	for n := range 2 * len(oddNumbers) {
		page.Sessions = append(page.Sessions, oddRow(n))
	}
	if q.After == "" {
		page.Next = "more"
	}
	return page, nil
}

func (odd) Session(_ context.Context, id honeyhive.UUID) (store.Session, error) {
	if id[0] != 1 {
		return store.Session{}, store.ErrNotFound
	}
	s := store.Session{SessionRow: oddRow(int(id[14])<<8 | int(id[15]))}
	s.Payload = honeyhive.SessionStartRequest{SessionID: honeyhive.Some(id.String()), Duration: inJSON(s.Duration), StartTime: inJSON(s.Start), EndTime: inJSON(s.End)}
	return s, nil
}

func (odd) Runs(context.Context, store.RunQuery) (store.RunPage, error) {
	var page store.RunPage
	for n, v := range oddNumbers {
		page.Runs = append(page.Runs, store.RunRow{ID: fmt.Sprintf("run %d", n), Start: v})
	}
	return page, nil
}

func (odd) Attempts(_ context.Context, run string) iter.Seq2[store.Attempt, error] {
	return func(yield func(store.Attempt, error) bool) {
		for n := range 2 * len(oddNumbers) {
			row := oddRow(n)
			a := store.Attempt{Session: row.ID, Run: run, Name: fmt.Sprint(n / 2), Baseline: "run 1", Number: oddInteger(n), MoreScores: n, Status: row.Status, Measures: row.Measures}
			for i := range 3 {
				a.Scores = append(a.Scores, store.Score{Name: fmt.Sprintf("s%d", i), Value: oddNumbers[(n+i*len(run))%len(oddNumbers)], Bool: i == 2})
			}
			if !yield(a, nil) {
				return
			}
		}
	}
}

func (odd) Events(_ context.Context, session honeyhive.UUID, _ store.EventQuery) iter.Seq2[store.EventRow, error] {
	return func(yield func(store.EventRow, error) bool) {
		for n := range 2 * len(oddNumbers) {
			if !yield(oddEvent(session, n).EventRow, nil) {
				return
			}
		}
	}
}

func (odd) EventBodies(_ context.Context, session honeyhive.UUID, q store.EventQuery) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		for n := int(q.After); n < 2*len(oddNumbers); n++ {
			if !yield(oddEvent(session, n), nil) {
				return
			}
		}
	}
}

func (odd) Event(_ context.Context, id honeyhive.UUID) (store.Event, error) {
	return oddEvent(oddID(1, 0), int(id[14])<<8|int(id[15])), nil
}

func (odd) Aggregate(_ context.Context, _ store.Filter, g store.Grouping) ([]store.Series, error) {
	summary := func(n int) store.Summary {
		percentiles := func(n int) store.Percentiles {
			return store.Percentiles{Count: oddInteger(n), P50: oddNumbers[n%len(oddNumbers)], P90: oddNumbers[(n+1)%len(oddNumbers)], P99: oddNumbers[(n+2)%len(oddNumbers)]}
		}
		return store.Summary{
			Count: oddInteger(n), Errors: oddInteger(n + 1), Events: oddInteger(n + 2), TokensIn: oddInteger(n + 3), TokensOut: oddInteger(n + 4),
			Cost: oddNumbers[n%len(oddNumbers)], Duration: percentiles(n), FirstToken: percentiles(n + 1),
		}
	}
	var list []store.Series
	for n := range 20 {
		s := store.Series{Key: "k", Total: summary(n)}
		s.Total.Count = max(s.Total.Count, 1)
		for i := range g.Buckets {
			s.Points = append(s.Points, store.Point{From: oddTimes[i%len(oddTimes)], To: oddTimes[(i+n)%len(oddTimes)], Summary: summary(n + i)})
		}
		list = append(list, s)
	}
	return list, nil
}

func (o odd) AggregateAll(ctx context.Context, f store.Filter, g []store.Grouping) (all [][]store.Series, err error) {
	for i := range g {
		one, err := o.Aggregate(ctx, f, g[i])
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (odd) Values(context.Context, store.ValueQuery) (all []store.Value, err error) {
	for n, v := range oddNumbers {
		all = append(all, store.Value{Text: fmt.Sprint(v), Number: v, IsNumber: n%3 > 0, Count: oddInteger(n)})
	}
	return all, nil
}

func (odd) Hits(_ context.Context, q store.HitQuery) (map[honeyhive.UUID]store.Hit, error) {
	all := make(map[honeyhive.UUID]store.Hit)
	for _, id := range q.Sessions {
		all[id] = store.Hit{Record: id, Text: "odd", Marks: [][2]int{{0, 3}}}
	}
	return all, nil
}

func (odd) Complete(context.Context, string, string, int) ([]string, error) {
	return []string{"odd"}, nil
}

func (odd) Changes(_ context.Context, after int64, _ int) ([]store.Change, error) {
	return []store.Change{{Seq: after + 1, Session: oddID(1, 0)}}, nil
}

func (odd) WaitChange(context.Context, int64) error { return nil }

// over serves the routes over a store.
func over(t *testing.T, kept store.Store) string {
	t.Helper()
	c, err := newConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = (&Server{log: c.log, store: kept, stop: make(chan struct{})}).newHTTP(c)
	server.Start()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		_ = server.Config.Shutdown(context.Background())
		server.Close()
	})
	return server.URL
}

var noNumber = regexp.MustCompile(`\b(NaN|Inf(inity)?)\b`)

// TestOddNumbers reads a store whose records hold any number by every route: each
// answers with a page, or JSON, in which every number is one.
func TestOddNumbers(t *testing.T) {
	url := over(t, odd{})
	paths := []string{
		"/", "/?sums=wait", "/?after=x", "/?sort=duration&min_ms=1e12&max_cost=1e308", "/insights", "/insights?since=24h", "/facets?by=model",
		"/runs", "/run?id=run+2", "/run?id=run+10&against=run+3&metric=s1&sort=score&case=0:1", "/api/runs", "/api/run?id=run+12", "/api/run/cases?id=run+12&sort=difference&metric=s0",
		"/events", "/v1/events?limit=7500", `/events?filters=[{"field":"duration","operator":"greater+than","value":1}]`,
	}
	for n := range 2 * len(oddNumbers) {
		session, event := oddID(1, n).String(), oddID(2, n).String()
		paths = append(paths, "/session/"+session)
		if n%5 == 0 {
			for _, p := range []string{"", "?view=tree", "?view=timeline&event=" + event, "?event=" + session, "/rows", "/rows?from=3&n=2", "/session.json", "/session.jsonl", "/value", "/e/" + event + "/json", "/e/" + event + "/value?k=outputs"} {
				paths = append(paths, "/s/"+session+p)
			}
			paths = append(paths, "/v1/sessions/"+session, "/v1/events/"+session)
		}
	}
	for _, path := range paths {
		if strings.Contains(path, "/e/") || strings.Contains(path, "event=") { // an event is of the first session alone
			path = "/s/" + oddID(1, 0).String() + path[len("/s/")+36:]
		}
		status, text := send(t, http.MethodGet, url+path, "", nil)
		if status != http.StatusOK || len(text) > 2<<20 {
			t.Errorf("%s: %d, %d bytes: %.300s", path, status, len(text), text)
			continue
		}
		isHTML := strings.HasPrefix(text, "<!doctype")
		if at := noNumber.FindStringIndex(text); at != nil {
			t.Errorf("%s: %.200s", path, text[max(0, at[0]-100):])
		}
		if !isHTML && !strings.Contains(path, ".jsonl") && !json.Valid([]byte(text)) {
			t.Errorf("%s: %.300s", path, text)
		}
	}
	status, text := send(t, http.MethodPost, url+"/events/export", jsonType, []byte(`{"limit":7500}`))
	if status != http.StatusOK || !json.Valid([]byte(text)) || noNumber.MatchString(text) {
		t.Errorf("export: %d %.300s", status, text)
	}
	res, err := http.Get(url + "/api/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 100)); err != nil {
		t.Errorf("the stream: %v", err)
	}
}
