package llmhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/sessionspan/sessionspan"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/llmhttp"
)

// found are 10 documents of 1 KB.
var found = func() (list []sessionspan.Document) {
	for i := range 10 {
		text := fmt.Sprintf("Document %d says where wrens live, \"in hedges\" and elsewhere.\n", i)
		list = append(list, sessionspan.Document{
			ID: fmt.Sprint("bird-", i), Score: 0.9 - float64(i)/100, Content: strings.Repeat(text, 1<<10/len(text)),
			Metadata: map[string]any{"lang": "en", "page": float64(i)},
		})
	}
	return list
}()

const searchRequest = `{"query":{"text":"where do wrens live?","model":"m"},"filter":{"must":[{"key":"lang","match":{"value":"en"}}]},"limit":10,"with_payload":true}`

// searchAnswer is the answer that has them.
var searchAnswer = func() string {
	var b strings.Builder
	for i, d := range found {
		fmt.Fprintf(&b, `%s{"id":%q,"version":0,"score":%v,"payload":{"text":%q,"lang":"en","page":%d}}`, strings.Repeat(",", min(i, 1)), d.ID, d.Score, d.Content, i)
	}
	return `{"result":{"points":[` + b.String() + `]},"status":"ok","time":0.001}`
}()

func startSearchByHand(ctx context.Context) *sessionspan.Event {
	_, e := sessionspan.StartEvent(ctx, sessionspan.Retriever, "retrieval birds", sessionspan.WithQuery("where do wrens live?"), sessionspan.WithTopK(10),
		sessionspan.WithConfig(map[string]any{"provider": "qdrant", "collection": "birds"}),
		sessionspan.WithInputs(map[string]any{"filter": map[string]any{"must": []any{map[string]any{"key": "lang", "match": map[string]any{"value": "en"}}}}}))
	e.SetAttributes(attribute.String("gen_ai.provider.name", "qdrant"), attribute.String("server.address", "localhost"), attribute.Int("server.port", 6333))
	return e
}

func endSearchByHand(e *sessionspan.Event) {
	e.SetDocuments(found...)
	e.SetMetadata(map[string]any{"documents": 10, "ranked_by": "score"})
	e.SetAttributes(attribute.Int("http.response.status_code", 200))
	e.End()
}

func searchBase(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, ContentLength: int64(len(searchAnswer)), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(searchAnswer))}, nil
}

func searchOf(ctx context.Context, tr http.RoundTripper) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost:6333/collections/birds/points/query", strings.NewReader(searchRequest))
	if err != nil {
		return err
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Api-Key": {"qdrant-bench-0123456789abcdef"}}
	resp, err := tr.RoundTrip(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

// TestSearchByHand checks that the benchmark compares two ways to record the same.
func TestSearchByHand(t *testing.T) {
	s := newStage(t)
	ctx := s.request("http://x/", "").Context()
	endSearchByHand(startSearchByHand(ctx))
	if err := searchOf(ctx, llmhttp.Transport(roundTrip(searchBase))); err != nil {
		t.Fatal(err)
	}
	var got [2]map[string]any
	for i, e := range s.end() {
		got[i] = map[string]any{"name": e.EventName.Or("")}
		for key, o := range map[string]honeyhive.Object{"inputs": e.Inputs, "outputs": e.Outputs, "config": e.Config, "metadata": e.Metadata} {
			got[i][key] = parsed(t, o.String())
		}
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkSearch compares a search that finds 10 documents of 1 KB with the same
// recorded by hand, and with neither.
func BenchmarkSearch(b *testing.B) {
	tr := llmhttp.Transport(roundTrip(searchBase))
	for _, c := range []struct {
		name   string
		search func(ctx context.Context) error
	}{
		{"none", func(ctx context.Context) error { return searchOf(ctx, roundTrip(searchBase)) }},
		{"by hand", func(ctx context.Context) error {
			e := startSearchByHand(ctx)
			err := searchOf(ctx, roundTrip(searchBase))
			endSearchByHand(e)
			return err
		}},
		{"llmhttp", func(ctx context.Context) error { return searchOf(ctx, tr) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			ctx, s := benchTracer(b).StartSession(b.Context(), "s")
			defer s.End()
			b.ReportAllocs()
			for b.Loop() {
				if err := c.search(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
