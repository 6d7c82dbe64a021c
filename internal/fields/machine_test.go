package fields

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/convert"
	"github.com/sessionspan/sessionspan/honeyhive"
	"github.com/sessionspan/sessionspan/internal/genai"
	"github.com/sessionspan/sessionspan/internal/span"
	"github.com/sessionspan/sessionspan/internal/tokens"
)

// model is what fields must hold, kept as simply as can be: each call is applied at
// once, to maps.
type model struct {
	buckets                    [len(convert.Buckets{})]map[string]any
	said, others               map[attribute.Key]attribute.Value // a key is in one of them
	err, name, project, source string
	duration                   honeyhive.Optional[float64]
	end                        time.Time
	usage                      map[string]int64 // by the key in the metadata
	totalSaid                  bool
	anyTotal                   bool // one that no longer holds may stand in the metadata
	frozen                     bool
}

func newModel() *model {
	return &model{said: map[attribute.Key]attribute.Value{}, others: map[attribute.Key]attribute.Value{}, usage: map[string]int64{}}
}

func (m *model) clone() *model {
	c := *m
	for b := range c.buckets {
		c.buckets[b] = maps.Clone(m.buckets[b])
	}
	c.said, c.others, c.usage = maps.Clone(m.said), maps.Clone(m.others), maps.Clone(m.usage)
	return &c
}

func (m *model) merge(b convert.Bucket, o map[string]any) {
	if o == nil {
		return
	}
	if m.buckets[b] == nil {
		m.buckets[b] = make(map[string]any)
	}
	maps.Copy(m.buckets[b], o)
}

func (m *model) say(kvs ...attribute.KeyValue) {
	for _, kv := range kvs {
		delete(m.others, kv.Key)
		m.said[kv.Key] = kv.Value
	}
}

func (m *model) set(kvs ...attribute.KeyValue) {
	for _, kv := range kvs {
		if kv.Valid() {
			delete(m.said, kv.Key)
			m.others[kv.Key] = kv.Value
		}
	}
}

// counts are the usageCounts of a usage: their keys in the metadata, and the attributes
// that say them again.
var usageCounts = []struct {
	count tokens.Counts
	key   string
	said  []attribute.Key
}{
	{tokens.Input, "prompt_tokens", []attribute.Key{"gen_ai.usage.input_tokens"}},
	{tokens.Output, "completion_tokens", []attribute.Key{"gen_ai.usage.output_tokens"}},
	{tokens.Total, "total_tokens", nil},
	{tokens.CacheRead, "cache_read_input_tokens", []attribute.Key{"gen_ai.usage.cache_read.input_tokens"}},
	{tokens.CacheWrite, "cache_write_input_tokens", []attribute.Key{"gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"}},
	{tokens.Reasoning, "reasoning_tokens", []attribute.Key{"gen_ai.usage.reasoning.output_tokens"}},
}

// use applies a usage, and returns what is known by then.
func (m *model) use(u tokens.Usage) map[string]int64 {
	_, had := m.usage["total_tokens"]
	if !m.totalSaid || u.Known&(tokens.Input|tokens.Output) != 0 {
		delete(m.usage, "total_tokens")
		m.totalSaid = false
	}
	for i, c := range usageCounts {
		if u.Knows(c.count) {
			m.usage[c.key] = u.N[i]
			m.totalSaid = m.totalSaid || c.count == tokens.Total
		}
	}
	in, knowsIn := m.usage["prompt_tokens"]
	out, knowsOut := m.usage["completion_tokens"]
	if _, knows := m.usage["total_tokens"]; !knows && knowsIn && knowsOut && in <= math.MaxInt64-out {
		m.usage["total_tokens"] = in + out
	}
	_, has := m.usage["total_tokens"]
	m.anyTotal = m.anyTotal || had && !has
	return maps.Clone(m.usage)
}

// jsonOf returns an object as encoding/json reads it, with numbers as they are
// written; nil for none.
func jsonOf(t *rapid.T, o *honeyhive.Object) map[string]any {
	if o.IsZero() || o.IsNull() {
		return nil
	}
	return parsed(t, o.JSONText()).(map[string]any)
}

func parsed(t *rapid.T, text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// check holds what a set shows against the model.
func (m *model) check(t *rapid.T, s *Set, ofEvents map[string]int64) {
	var to span.Span
	others := []attribute.KeyValue{attribute.String("of the span", "x"), attribute.String("k1", "of the span")}
	to.Attributes = others
	_ = s.Show(&to)
	want := m.clone()
	metadata := want.buckets[convert.Metadata]
	has := func(key string) bool { _, ok := metadata[key]; return ok }
	if !has("prompt_tokens") && !has("completion_tokens") && !has("total_tokens") {
		for key, n := range ofEvents {
			want.merge(convert.Metadata, map[string]any{key: json.Number(fmt.Sprint(n))})
		}
	}
	in, hasIn := want.said[genai.UsageInputTokens]
	out, hasOut := want.said[genai.UsageOutputTokens]
	if hasIn && hasOut && !has("total_tokens") && in.AsInt64() <= math.MaxInt64-out.AsInt64() {
		want.merge(convert.Metadata, map[string]any{"total_tokens": json.Number(fmt.Sprint(in.AsInt64() + out.AsInt64()))})
	}
	for _, b := range convert.AllBuckets() {
		got := jsonOf(t, &to.Known.Buckets[b])
		if b == convert.Metadata && want.anyTotal {
			delete(got, "total_tokens")
			delete(want.buckets[b], "total_tokens")
		}
		if d := cmp.Diff(want.buckets[b], got); d != "" {
			t.Fatalf("%s: %s", b.Field(), d)
		}
	}
	k := to.Known
	if k.Error != want.err || k.Failed != (want.err != "") || k.SessionName != want.name || k.Project != want.project || k.Source != want.source || k.Duration != want.duration {
		t.Fatalf("%+v, want %+v", k, want)
	}
	if s.Failure() != want.err || !s.End().Equal(want.end) {
		t.Fatalf("failure %q, end %v, want %q, %v", s.Failure(), s.End(), want.err, want.end)
	}
	all := map[attribute.Key]attribute.Value{"of the span": others[0].Value, "k1": others[1].Value}
	maps.Copy(all, want.others)
	maps.Copy(all, want.said)
	got := make(map[attribute.Key]attribute.Value)
	to.Known = nil // of which buckets and texts were looked at
	for _, kv := range to.AppendAttributes(nil) {
		if _, twice := got[kv.Key]; twice {
			t.Fatalf("%s stands twice", kv.Key)
		}
		got[kv.Key] = kv.Value
	}
	if d := cmp.Diff(all, got, cmp.Comparer(func(a, b attribute.Value) bool { return a == b })); d != "" {
		t.Fatal("attributes: ", d)
	}
	length := int64(len(want.err))
	for b := range want.buckets {
		for key, value := range want.buckets[b] {
			if text, ok := value.(string); ok {
				length += int64(len(key) + len(text))
			}
		}
	}
	if s.Size() < length {
		t.Fatalf("it usageCounts as %d bytes, and has %d of texts", s.Size(), length)
	}
}

// TestFields holds fields against the model: after each call, at the end, and what was
// given away by Peek against what it was then.
func TestFields(t *testing.T) {
	bucket := rapid.SampledFrom(convert.AllBuckets())
	text := rapid.SampledFrom([]string{"", "x", "\u2028\"\\", "\xff", strings.Repeat("long ", 100)})
	key := rapid.SampledFrom([]string{"a", "b", "c", "prompt_tokens", "total_tokens", "model", "provider", `quo"te`, "top_k"})
	attr := rapid.Custom(func(t *rapid.T) attribute.KeyValue {
		k := rapid.SampledFrom([]string{"k1", "k2", "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.input.messages", ""}).Draw(t, "key")
		if strings.HasSuffix(k, "tokens") {
			return attribute.Int64(k, rapid.Int64Range(0, 9).Draw(t, "count"))
		}
		return attribute.String(k, rapid.SampledFrom([]string{"u", "v"}).Draw(t, "value"))
	})
	count := rapid.OneOf(rapid.Int64Range(0, 9), rapid.Just(int64(math.MaxInt64)))
	usage := rapid.Custom(func(t *rapid.T) (u tokens.Usage) {
		for _, c := range usageCounts {
			if rapid.Bool().Draw(t, c.key) {
				u.Set(c.count, count.Draw(t, "n"))
			}
		}
		return u
	})
	rapid.Check(t, func(t *rapid.T) {
		type given struct {
			set Set
			m   *model
		}
		var f Fields
		m := newModel()
		var peeks []given
		late := make(map[string]any)
		if rapid.IntRange(0, 19).Draw(t, "another process") == 0 {
			f.NewFrozen()
			m.frozen = true
		}
		expect := func(ok bool) bool {
			if ok == m.frozen {
				t.Fatalf("set: %v, frozen: %v", ok, m.frozen)
			}
			return ok
		}
		add := func(p Part) bool { ok, _ := f.Add(p); return expect(ok) }
		rare := func(set func(string) bool, to *string) func(*rapid.T) {
			return func(t *rapid.T) {
				if text := text.Draw(t, "text"); expect(set(text)) {
					*to = text
				}
			}
		}
		object := func(t *rapid.T) (values map[string]any, want map[string]any) {
			values, want = make(map[string]any), make(map[string]any)
			for range rapid.IntRange(0, 4).Draw(t, "keys") {
				k, v := key.Draw(t, "key"), text.Draw(t, "value")
				values[k], want[k] = v, strings.ToValidUTF8(v, "\uFFFD")
			}
			return values, want
		}
		t.Repeat(map[string]func(*rapid.T){
			"map": func(t *rapid.T) {
				b := bucket.Draw(t, "bucket")
				values, want := object(t)
				p, err := Encode(b, values)
				if err != nil {
					t.Fatal(err)
				}
				if add(p) {
					m.merge(b, want)
				}
			},
			"other value": func(t *rapid.T) {
				b, v := bucket.Draw(t, "bucket"), text.Draw(t, "value")
				p, err := Encode(b, v)
				if err != nil {
					t.Fatal(err)
				}
				if add(p) {
					m.merge(b, map[string]any{b.Wrap(): strings.ToValidUTF8(v, "\uFFFD")})
				}
			},
			"raw": func(t *rapid.T) {
				b := bucket.Draw(t, "bucket")
				raw := rapid.SampledFrom([]string{`{"a":1,"a":2}`, ` {"b" : "\u0041"}`, `[1]`, `{"c"`, `no JSON`, `{}`, `{"model":"raw"}`}).Draw(t, "JSON")
				var want any = raw
				if json.Valid([]byte(raw)) {
					want = parsed(t, raw)
				}
				o, isObject := want.(map[string]any)
				if !isObject {
					o = map[string]any{b.Wrap(): want}
				}
				if add(Raw(b, raw)) {
					m.merge(b, o)
				}
			},
			"made object": func(*rapid.T) {
				if add(Object(convert.Config, `{"top_k":3}`)) {
					m.merge(convert.Config, map[string]any{"top_k": json.Number("3")})
				}
			},
			"model": func(t *rapid.T) {
				provider := rapid.SampledFrom([]string{"", "openai"}).Draw(t, "provider")
				name := rapid.SampledFrom([]string{"", "m"}).Draw(t, "model")
				p := Model(provider+name, len(provider))
				if p.IsZero() || !add(p) {
					return
				}
				o := make(map[string]any)
				if provider != "" {
					o["provider"] = provider
					m.say(genai.ProviderName.String(provider))
				}
				if name != "" {
					o["model"] = name
					m.say(genai.RequestModel.String(name))
				}
				m.merge(convert.Config, o)
			},
			"usage": func(t *rapid.T) {
				u := usage.Draw(t, "usage")
				p, ok, _ := f.UpdateUsage(u)
				expect(ok)
				all := m.use(u)
				got, _ := p.Object()
				o := make(map[string]any)
				for _, c := range usageCounts {
					n, knows := all[c.key]
					if !knows {
						continue
					}
					o[c.key] = json.Number(fmt.Sprint(n))
					if ok {
						for _, said := range c.said {
							m.say(said.Int64(n))
						}
					}
				}
				if d := cmp.Diff(o, jsonOf(t, &got)); d != "" {
					t.Fatal("usage: ", d)
				}
				if ok {
					m.merge(convert.Metadata, o)
				}
			},
			"attributes": func(t *rapid.T) {
				kvs := rapid.SliceOfN(attr, 0, 3).Draw(t, "attributes")
				if expect(f.SetAttributes(kvs...)) {
					m.set(kvs...)
				}
			},
			"say again": func(t *rapid.T) {
				kv := genai.InputMessages.String(text.Draw(t, "messages"))
				f.AddGenAI(kv)
				if !m.frozen {
					m.say(kv)
				}
			},
			"error":   rare(f.SetError, &m.err),
			"name":    rare(f.SetName, &m.name),
			"project": rare(f.SetProject, &m.project),
			"source":  rare(f.SetSource, &m.source),
			"duration": func(t *rapid.T) {
				if ms := rapid.Float64Range(0, 9).Draw(t, "ms"); expect(f.SetDuration(ms)) {
					m.duration = honeyhive.Some(ms)
				}
			},
			"end": func(t *rapid.T) {
				if at := time.Unix(rapid.Int64Range(0, 9).Draw(t, "s"), 0); expect(f.SetEnd(at)) {
					m.end = at
				}
			},
			"late inputs": func(t *rapid.T) {
				values, want := object(t)
				o, err := EncodeObject(convert.Inputs, values)
				if err != nil {
					t.Fatal(err)
				}
				maps.Copy(late, want)
				all := f.MergeLateInputs(o)
				if d := cmp.Diff(late, jsonOf(t, &all)); d != "" {
					t.Fatal("late inputs: ", d)
				}
			},
			"peek": func(*rapid.T) {
				if !m.frozen {
					peeks = append(peeks, given{f.Peek(), m.clone()})
				}
			},
			"freeze": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "now") > 0 {
					return
				}
				s, ok := f.Freeze()
				if expect(ok) {
					end(t, m, s)
				}
				m.frozen = true
			},
			"": func(t *rapid.T) {
				if f.Frozen() != m.frozen {
					t.Fatalf("frozen: %v", f.Frozen())
				}
				if !m.frozen {
					s := f.Peek()
					m.check(t, &s, nil)
				}
			},
		})
		for _, p := range peeks {
			p.m.check(t, &p.set, nil)
		}
	})
}

// end holds a set that was frozen against the model: as it is, with the usage of
// events, and joined for a span.
func end(t *rapid.T, m *model, s Set) {
	m.check(t, &s, nil)
	var ofEvents map[string]int64
	if rapid.Bool().Draw(t, "events used something") {
		u := &tokens.Usage{}
		u.Set(tokens.Input, 4)
		u.Set(tokens.Total, 4)
		ofEvents = map[string]int64{"prompt_tokens": 4, "total_tokens": 4}
		s.AddUp(u)
		m.check(t, &s, ofEvents)
	}
	_ = s.Join()
	m.check(t, &s, ofEvents)
	attributes := 0
	for b, o := range m.buckets {
		if o == nil {
			continue
		}
		attributes++
		written, ok := s.Value(attribute.Key(convert.Bucket(b).Attribute()))
		if !ok {
			t.Fatalf("a joined set has no %s", convert.Bucket(b).Field())
		}
		got := parsed(t, written).(map[string]any)
		if m.anyTotal {
			delete(got, "total_tokens")
			delete(o, "total_tokens")
		}
		if d := cmp.Diff(o, got); d != "" {
			t.Fatal(d)
		}
	}
	for key, v := range m.said {
		if written, ok := s.Value(key); !ok || v.Type() == attribute.STRING && written != v.AsString() {
			t.Fatalf("%s is %q, want %v", key, written, v)
		}
		attributes++
	}
	if n := s.Len(); n > attributes+len(m.others) {
		t.Fatalf("at least %d attributes, and there are %d", n, attributes+len(m.others))
	}
}
