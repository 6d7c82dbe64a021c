package llmhttp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionspan/sessionspan/llmhttp"
)

// hashed returns a value with other hashes than those that a fixture spells out.
func hashed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if s, ok := v[k].(string); ok && k == "sha256" && (len(s) == 64 || s == "x") {
				v[k] = "x"
				continue
			}
			v[k] = hashed(v[k])
		}
	case []any:
		for i := range v {
			v[i] = hashed(v[i])
		}
	}
	return v
}

// TestSearches holds what is recorded of the requests of searches, and of what kind
// their events are.
func TestSearches(t *testing.T) {
	for _, f := range fixtures() {
		if f.eventKind == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			s.play(&f, false, f.wholeAnswer())
			if len(f.chunks) > 0 {
				s.play(&f, true, f.streamAnswer(f.chunks))
			}
			for _, e := range s.end() {
				if diff := cmp.Diff(hashed(parsed(t, f.inputs)), hashed(parsed(t, e.Inputs.String()))); diff != "" {
					t.Errorf("inputs: %s", diff)
				}
				if diff := cmp.Diff(parsed(t, f.config), parsed(t, e.Config.Without("stream").String())); diff != "" {
					t.Errorf("config: %s", diff)
				}
				metadata(t, e, map[string]string{"event_kind": `"` + f.eventKind + `"`})
				if e.EventType.Or("") != "tool" || !strings.HasPrefix(e.EventName.Or(""), map[string]string{"retriever": "retrieval", "reranker": "rerank"}[f.eventKind]) {
					t.Errorf("%s %q", e.EventType.Or(""), e.EventName.Or(""))
				}
			}
		})
	}
}

// TestSearchErrors sends what each service says where something went wrong, also with a
// status of 200.
func TestSearchErrors(t *testing.T) {
	const graphql = `{"query":"{Get{A(bm25:{query:\"x\"}){t}}}"}`
	for name, c := range map[string]struct {
		url, request string
		status       int
		answer       string
		kind, text   string // the error is the status, or one of 200, and this
		outputs      string
	}{
		"qdrant":                {"http://q:6333/collections/c/points/search", `{}`, 404, `{"status":{"error":"Not found: Collection c"},"time":0.1}`, "404", "Not found: Collection c", ""},
		"pinecone":              {"https://i-1.svc.x.pinecone.io/query", `{}`, 400, `{"code":3,"message":"Vector dimension 2","details":[]}`, "3", "3: Vector dimension 2", ""},
		"chroma":                {"http://c/api/v2/tenants/t/databases/d/collections/i/query", `{}`, 400, `{"error":"InvalidDimensionException","message":"of 3, got 2"}`, "InvalidDimensionException", "InvalidDimensionException: of 3, got 2", ""},
		"milvus, 200":           {"http://m/v2/vectordb/entities/search", `{}`, 200, `{"code":1100,"message":"collection not found"}`, "1100", "1100: collection not found", ""},
		"weaviate, 200":         {"http://w/v1/graphql", graphql, 200, `{"data":{"Get":{"A":null}},"errors":[{"message":"no class A","path":["Get"]}]}`, "provider_error", "no class A", ""},
		"weaviate, in part":     {"http://w/v1/graphql", graphql, 200, `{"data":{"Get":{"A":[{"t":"x"}]}},"errors":[{"message":"a module failed"}]}`, "provider_error", "a module failed", `{"documents":[{"metadata":{"t":"x"}}]}`},
		"elasticsearch":         {"http://e/i/_search", `{"knn":{"k":1}}`, 404, `{"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [i]"}],"type":"index_not_found_exception","reason":"all shards failed"},"status":404}`, "index_not_found_exception", "index_not_found_exception: no such index [i]", ""},
		"elasticsearch, of two": {"http://e/_msearch", "{}\n{\"knn\":{\"k\":1}}\n", 200, `{"responses":[{"error":{"type":"x_exception","reason":"broken"},"status":400},{"hits":{"hits":[{"_id":"1"}]}}]}`, "x_exception", "x_exception: broken", `{"documents":[{"id":"1"}]}`},
		"azure":                 {azureIndex + "/i/docs/search", `{}`, 400, `{"error":{"code":"InvalidName","message":"bad field"}}`, "InvalidName", "InvalidName: bad field", ""},
		"typesense, of two":     {"http://t/multi_search", `{"searches":[{"q":"x"}]}`, 200, `{"results":[{"code":404,"error":"Not found."},{"hits":[]}]}`, "provider_error", "Not found.", `{"documents":[]}`},
		"meilisearch":           {"http://m/indexes/i/search", `{"q":"x"}`, 404, `{"message":"Index i not found.","code":"index_not_found","type":"invalid_request","link":"l"}`, "index_not_found", "index_not_found: Index i not found.", ""},
		"bedrock":               {agentRuntime + "/knowledgebases/K/retrieve", `{}`, 400, `{"message":"no access"}`, "ValidationException", "no access", ""},
		"tavily":                {"https://api.tavily.com/search", `{}`, 432, `{"detail":{"error":"over the plan"}}`, "432", "over the plan", ""},
		"exa":                   {"https://api.exa.ai/search", `{}`, 401, `{"requestId":"r","error":"bad x","tag":"INVALID_API_KEY"}`, "401", "bad x", ""},
		"voyage":                {"https://api.voyageai.com/v1/rerank", `{}`, 400, `{"detail":"too many documents"}`, "400", "too many documents", ""},
		"an empty answer":       {"http://q/collections/c/points/search", `{}`, 200, ``, "unreadable_answer", "it is empty", ""},
		"a page":                {"http://q/collections/c/points/search", `{}`, 200, `<html>`, "unreadable_answer", "a page of HTML", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			base := roundTrip(func(*http.Request) (*http.Response, error) {
				h := http.Header{"Content-Type": {"application/json"}}
				if name == "bedrock" {
					h.Set("X-Amzn-Errortype", "ValidationException:http://x")
				}
				return &http.Response{StatusCode: c.status, ContentLength: -1, Header: h, Body: io.NopCloser(strings.NewReader(c.answer))}, nil
			})
			resp, err := llmhttp.Transport(base).RoundTrip(s.request(c.url, c.request))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			e := s.end()[0]
			if got := e.Error.Or(""); !strings.Contains(got, c.text) {
				t.Errorf("error %q, want %q", got, c.text)
			}
			metadata(t, e, map[string]string{"error_type": `"` + c.kind + `"`})
			if c.outputs != "" {
				e.AssertOutputs(c.outputs)
			} else if text := e.Outputs.String(); len(text) > len("null") {
				t.Errorf("outputs %s", text)
			}
		})
	}
}

// TestNothingFound holds that an answer without documents is one, and that an answer
// which is no answer is said to be none.
func TestNothingFound(t *testing.T) {
	for _, f := range fixtures() {
		if f.eventKind == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			s.play(&f, false, answer{kind: "application/json", body: `{"well":"known","to":["others"]}`})
			e := s.end()[0]
			metadata(t, e, map[string]string{"answer_unrecognized": "true"})
			if text := e.Outputs.String(); len(text) > len("null") {
				t.Errorf("outputs %s", text)
			}
		})
	}
	for url, body := range map[string]string{
		"http://q/collections/c/points/search": `{"result":[],"status":"ok"}`, "http://q/collections/c/points/query": `{"result":{"points":[]}}`,
		"http://c/api/v2/tenants/t/databases/d/collections/i/query": `{"ids":[[]],"documents":[[]]}`, "http://m/v2/vectordb/entities/search": `{"code":0,"data":[]}`,
		"https://api.cohere.com/v2/rerank": `{"results":[]}`, "https://api.tavily.com/search": `{"results":[]}`,
	} {
		s := newStage(t)
		s.send(s.request(url, `{}`), answer{kind: "application/json", body: body})
		e := s.end()[0]
		e.AssertOutputs(`{"documents":[]}`)
		if _, ok := e.Metadata.Get("answer_unrecognized"); ok {
			t.Errorf("%s: not recognised", url)
		}
	}
}

// TestSearchKeys sends a key with every search in each place where services have it,
// and an error, and an answer, that quote it: it is not recorded.
func TestSearchKeys(t *testing.T) {
	const key = "pcsk-Qx7!9/zz+Kk22"
	for _, f := range fixtures() {
		if f.eventKind == "" {
			continue
		}
		for place, with := range map[string]func(r *http.Request){
			"header of Pinecone":  func(r *http.Request) { r.Header.Set("Api-Key", key) },
			"header of Qdrant":    func(r *http.Request) { r.Header.Set("api-key", key) },
			"header of Chroma":    func(r *http.Request) { r.Header.Set("X-Chroma-Token", key) },
			"header of Typesense": func(r *http.Request) { r.Header.Set("X-Typesense-Api-Key", key) },
			"header of Brave":     func(r *http.Request) { r.Header.Set("X-Subscription-Token", key) },
			"ApiKey":              func(r *http.Request) { r.Header.Set("Authorization", "ApiKey "+key) },
			"bearer":              func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) },
			"model's":             func(r *http.Request) { r.Header.Set("X-OpenAI-Api-Key", key) },
			"URL":                 func(r *http.Request) { r.URL.RawQuery += "&api-key=" + url.QueryEscape(key) },
		} {
			s := newStage(t)
			for _, a := range []answer{
				{kind: "application/json", body: `{"error":{"message":"no such key ` + key + `","code":"` + key + `"}}`},
				{kind: "text/html", body: "<html>" + key}, {kind: "text/plain", body: "no such key " + key},
				{kind: "application/json", body: strings.Replace(f.whole, "{", `{"`+"model"+`":"`+key+`","id":"`+key+`",`, 1)},
			} {
				r := s.ask(&f, false)
				with(r)
				s.send(r, a)
			}
			for _, e := range s.end() {
				if text := e.Error.Or("") + e.Metadata.String() + e.Config.String() + e.Inputs.String() + e.EventName.Or(""); strings.Contains(text, key) || strings.Contains(text, url.QueryEscape(key)) {
					t.Errorf("%s, %s: %s", f.name, place, text)
				}
			}
		}
	}
	s := newStage(t)
	s.send(s.request("https://api.tavily.com/search", `{"api_key":"`+key+`","query":"wrens"}`), answer{kind: "application/json", body: `{"detail":{"error":"bad key ` + key + `"}}`})
	e := s.end()[0]
	if text := e.Error.Or("") + e.Metadata.String() + e.Config.String() + e.Inputs.String(); strings.Contains(text, key) || !strings.Contains(text, "bad key") {
		t.Error(text)
	}
}

// TestSearchWithoutContent holds that nothing of what is searched for and found is
// recorded where content is not wanted, and how much was found is.
func TestSearchWithoutContent(t *testing.T) {
	for _, f := range fixtures() {
		if f.eventKind == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			s := newStage(t)
			s.play(&f, false, f.wholeAnswer(), llmhttp.WithoutContent())
			e := s.end()[0]
			config, _ := parsed(t, f.config).(map[string]any)
			rest := e.Metadata.String() + e.Config.String() + e.EventName.Or("")
			for _, said := range append(leaves(parsed(t, f.inputs)), leaves(parsed(t, f.outputs))...) {
				if len(said) > 4 && strings.Contains(rest, said) && !strings.Contains(fmt.Sprint(config), said) {
					t.Errorf("%q is in %s", said, rest)
				}
			}
			documents, _ := parsed(t, f.outputs).(map[string]any)["documents"].([]any)
			metadata(t, e, map[string]string{"documents": strconv.Itoa(len(documents))})
		})
	}
}

// TestSearchAttributes holds the attributes of the conventions on the span.
func TestSearchAttributes(t *testing.T) {
	f := storeFixtures[0]
	l := newLab(t, whole(200, f.whole))
	if _, err := l.post("/collections/birds/points/query", `{"query":{"nearest":{"text":"wrens","model":"m"}},"limit":2}`); err != nil {
		t.Fatal(err)
	}
	if _, err := l.post("/v1/rerank", `{"model":"m","query":"wrens","documents":["a","b"]}`); err != nil {
		t.Fatal(err)
	}
	l.end()
	check(t, l.attributes("retrieval birds"), map[string]any{
		"gen_ai.operation.name": "retrieval", "gen_ai.provider.name": "qdrant", "gen_ai.data_source.id": "birds", "gen_ai.retrieval.query.text": "wrens", "gen_ai.retrieval.top_k": int64(2),
		"http.response.status_code": int64(200), "server.address": "127.0.0.1",
	})
	check(t, l.attributes("rerank m"), map[string]any{"gen_ai.operation.name": "rerank", "gen_ai.request.model": "m", "gen_ai.retrieval.query.text": "wrens"})

	l = newLab(t, whole(200, f.whole))
	if _, err := l.post("/collections/birds/points/search", `{"vector":[1,2]}`); err != nil {
		t.Fatal(err)
	}
	l.end()
	documents, err := json.Marshal(parsed(t, f.outputs).(map[string]any)["documents"])
	if err != nil {
		t.Fatal(err)
	}
	check(t, l.attributes("retrieval birds"), map[string]any{"gen_ai.retrieval.documents": string(documents), "gen_ai.retrieval.query.text": nil})
}

// TestSearchUnderAClientsSpan holds that the span which a client made for the search
// gets the attributes, and that a span about something else does not.
func TestSearchUnderAClientsSpan(t *testing.T) {
	for operation, events := range map[string]int{"retrieval": 1, "embeddings": 2, "chat": 2, "rerank": 2} {
		l := newLab(t, whole(200, storeFixtures[0].whole))
		ctx, span := l.provider.Tracer("store").Start(l.ctx, "of the client", trace.WithAttributes(attribute.String("gen_ai.operation.name", operation)))
		r := l.request("/collections/birds/points/search", `{"vector":[1,2],"limit":3}`).WithContext(ctx)
		resp, err := l.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		span.End()
		if got := l.only(); 1+len(got.Children) != events {
			t.Errorf("%s: %d events, want %d", operation, 1+len(got.Children), events)
		}
		if events == 1 {
			check(t, l.attributes("of the client"), map[string]any{"gen_ai.data_source.id": "birds", "gen_ai.retrieval.top_k": int64(3)})
			if text, _ := l.attributes("of the client")["gen_ai.retrieval.documents"].(string); !strings.Contains(text, "hedges") {
				t.Error(text)
			}
		}
	}
}

// TestHeadersOfSearches holds to which searches the headers of tracers go: to servers
// of one's own, and to no provider.
func TestHeadersOfSearches(t *testing.T) {
	for url, keeps := range map[string]bool{
		"http://q:6333/collections/c/points/search": true, "http://e:9200/i/_search": true, "http://vllm/v1/rerank": true, "http://own.internal/v1/rerank": true, "http://own.internal/health": true,
		"https://x.cloud.qdrant.io/collections/c/points/search": false, "https://api.cohere.com/v2/rerank": false, "https://i-1.svc.x.pinecone.io/query": false, "https://i-1.svc.x.pinecone.io/vectors/upsert": false,
		"https://api.tavily.com/search": false, "https://api.openai.com/v1/vector_stores/v/search": false, "https://storage.googleapis.com/b/o": true,
	} {
		kept := false
		base := roundTrip(func(r *http.Request) (*http.Response, error) {
			kept = r.Header.Get("Traceparent") != "" && r.Header.Get("Baggage") != ""
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})
		s := newStage(t)
		r := s.request(url, `{"knn":{},"query":"q","documents":["d"]}`)
		r.Header.Set("Traceparent", "00-1")
		r.Header.Set("Baggage", "a=b")
		resp, err := llmhttp.Transport(base, llmhttp.WithHost("own.internal", llmhttp.Rerank, "")).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if kept != keeps {
			t.Errorf("%s: kept %v", url, kept)
		}
	}
}

// TestWithRetrieval reads a search that only its user knows.
func TestWithRetrieval(t *testing.T) {
	search := llmhttp.WithRetrieval("find.internal:8080", "/v1/spaces/*/find", llmhttp.RetrievalFormat{
		Provider: "ours", Query: "ask.question", Filter: "ask.where", TopK: "most", Collection: "space", Documents: "data.items",
		ID: "ref", Score: "rating.value", Distance: "far", Content: "passages", Fields: "",
	})
	rank := llmhttp.WithRetrieval("", "/rank", llmhttp.RetrievalFormat{Rerank: true, Query: "q", Ranked: "items", Model: "by", Index: "n", Score: "s", Fields: "doc"})
	s := newStage(t)
	s.send(s.request("http://find.internal:8080/v1/spaces/a/find", `{"ask":{"question":["wrens","swifts"],"where":{"a":1}},"most":3,"space":"birds"}`),
		answer{kind: "application/json", body: `{"data":{"items":[{"ref":5,"rating":{"value":0.5,"of":1},"far":2,"passages":["a","b"],"lang":"en"}]}}`}, search, rank)
	s.send(s.request("http://any/x/rank", `{"q":"wrens","items":[{"text":"a"},"b"],"by":"m"}`), answer{kind: "application/json", body: `[{"n":1,"s":0.5},{"n":0,"s":0.25,"other":1},{"n":7,"s":0},{"n":-1}]`}, search, rank)
	events := s.end()
	events[0].AssertInputs(`{"queries":["wrens","swifts"],"filter":{"a":1}}`)
	events[0].AssertOutputs(`{"documents":[{"id":"5","score":0.5,"content":"a\nb","metadata":{"lang":"en","of":1,"distance":2}}]}`)
	if diff := cmp.Diff(parsed(t, `{"provider":"ours","collection":"birds","top_k":3}`), parsed(t, events[0].Config.String())); diff != "" {
		t.Error(diff)
	}
	events[1].AssertInputs(`{"query":"wrens","documents":[{"content":"a"},{"content":"b"}]}`)
	events[1].AssertOutputs(`{"documents":[{"score":0.5,"content":"b","metadata":{"index":1}},{"score":0.25,"content":"a","metadata":{"index":0}},{"score":0,"metadata":{"index":7}},{"metadata":{"index":-1}}]}`)
}

// TestHostileFound sends answers with very many documents, fields and lists: what is
// kept is bounded, and what is left out is said.
func TestHostileFound(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct{ url, request, before, part, after string }{
		"hits":       {"http://q/collections/c/points/search", `{}`, `{"result":[`, `{}`, `]}`},
		"fields":     {"http://q/collections/c/points/search", `{}`, `{"result":[{"payload":{`, `"a":1`, `}}]}`},
		"notes":      {"https://api.tavily.com/search", `{}`, `{"results":[{`, `"title":"t"`, `}]}`},
		"lists":      {"http://q/collections/c/points/search/batch", `{}`, `{"result":[`, `[]`, `]}`},
		"columns":    {"http://c/api/v2/tenants/t/databases/d/collections/i/query", `{}`, `{"ids":[["a"],["b"]],"documents":[[`, `0`, `]]}`},
		"rows":       {"http://c/api/v2/tenants/t/databases/d/collections/i/query", `{}`, `{"ids":[[`, `""`, `]]}`},
		"classes":    {"http://w/v1/graphql", `{"query":"{Get{A(bm25:{query:\"x\"}){t}}}"}`, `{"data":{"Get":{`, `"A":[{}]`, `}}}`},
		"references": {agentRuntime + "/retrieveAndGenerate", `{}`, `{"citations":[{"retrievedReferences":[`, `{}`, `]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(many int) llmhttp.Cost {
				body := c.before + strings.Repeat(c.part+",", many) + c.part + c.after
				return llmhttp.Read(httptest.NewRequest(http.MethodPost, c.url, nil), c.request, "application/json", []byte(body), limit)
			}
			a, b := read(10_000), read(80_000)
			if b.Allocated > 12*a.Allocated+4<<20 || b.Allocated > 64<<20 || b.Kept > 8*limit {
				t.Errorf("%+v for 10,000, %+v for 80,000", a, b)
			}
		})
	}
	for name, request := range map[string]string{
		"queries": `{"searches":[` + strings.Repeat(`{"query":[1.5,2],"filter":{"a":1}},`, 20_000) + `{}]}`,
		"deep":    `{"query":` + strings.Repeat(`{"nearest":`, 50) + `[1]` + strings.Repeat(`}`, 50) + `}`,
		"graphql": `{"query":"` + strings.Repeat(`{ Get { A(bm25: {`, 20_000) + `"}`,
		"strings": `{"query":"{Get{A(bm25:{query:\"` + strings.Repeat(`\\\\`, 50_000) + `"}`,
	} {
		url := "http://q/collections/c/points/query/batch"
		if name == "graphql" || name == "strings" {
			url = "http://w/v1/graphql"
		}
		cost := llmhttp.Read(httptest.NewRequest(http.MethodPost, url, nil), request, "application/json", []byte(`{}`), limit)
		if cost.Allocated > 32<<20 || cost.Kept > 4*limit {
			t.Errorf("%s: %+v", name, cost)
		}
	}
}

// TestVectorHash holds how long a vector is and its hash, however its JSON is written.
func TestVectorHash(t *testing.T) {
	s := newStage(t)
	for _, v := range []string{`[0.25,0.5,-1e-3]`, " [ 0.25,\n0.5 , -1e-3 ] "} {
		s.send(s.request("http://q/collections/c/points/query", `{"query":`+v+`}`), answer{kind: "application/json", body: `{"result":{"points":[]}}`})
	}
	sum := sha256.Sum256([]byte(`[0.25,0.5,-1e-3]`))
	for _, e := range s.end() {
		e.AssertInputs(`{"vector":{"dimensions":3,"sha256":"` + hex.EncodeToString(sum[:]) + `"}}`)
	}
}
