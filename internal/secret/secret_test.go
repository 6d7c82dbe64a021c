package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sessionspan/sessionspan/internal/secret"
)

const mark = "[key]"

func TestNamed(t *testing.T) {
	for name := range strings.FieldsSeq(`Authorization Proxy-Authorization authorization_token Api-Key X-Api-Key apiKey APIKEY api_key api.key
		X-Goog-Api-Key Ocp-Apim-Subscription-Key subscription-key Cf-Aig-Authorization Helicone-Auth X-Portkey-Api-Key X-Litellm-Api-Key
		X-Auth-Token X-Api-Token X-Amz-Security-Token X-Amz-Signature X-Amz-Credential sig Cookie Set-Cookie access_token token tokenValue
		key key2 apiKeyString clientSecret client_secret aws_secret_access_key password db-passwd PASSPHRASE privateKey auth authToken
		OPENAI_API_KEY bearer id_jwt pwd dbPwd credentials connection_string X-Session-Token
		access_tokens apiTokens refresh_token refreshTokens client_assertion X-Passcode X-Hub-Hmac`) {
		if !secret.Named(name) {
			t.Errorf("%s is no credential", name)
		}
	}
	for name := range strings.FieldsSeq(`Content-Type Accept User-Agent max_tokens maxOutputTokens token_count tokenizer author authority config
		design keyword keywords authType auth_scheme token_url key_name tool_choice Traceparent X-Request-Id Content-Encoding description url
		X-Stainless-Retry-Count Anthropic-Version OpenAI-Organization alt total_tokens input_tokens api-version prompt_cache_key encoding_format code`) {
		if secret.Named(name) {
			t.Errorf("%s is a credential", name)
		}
	}
}

func TestValues(t *testing.T) {
	u, err := url.Parse("https://the-user:the-password@h.test/p?alt=sse&KEY=a%2fkey%20x&code=func-code&sig=short&x=%zz")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		add  func(*secret.Values)
		want []string
	}{
		"bearer":  {func(v *secret.Values) { v.Field("Bearer the-key") }, []string{"the-key"}},
		"scheme":  {func(v *secret.Values) { v.Field("token  the-key ") }, []string{"the-key"}},
		"none":    {func(v *secret.Values) { v.Field("the-key") }, []string{"the-key"}},
		"unknown": {func(v *secret.Values) { v.Field("Custom the-key") }, []string{"Custom the-key", "Custom", "the-key"}},
		"basic": {func(v *secret.Values) { v.Field("Basic " + base64.StdEncoding.EncodeToString([]byte("user1:the-key"))) },
			[]string{base64.StdEncoding.EncodeToString([]byte("user1:the-key")), "user1:the-key", "the-key", "user1"}},
		"cookies": {func(v *secret.Values) { v.Field(`sid=value-one; theme=dark; t="value-two"`) }, []string{`sid=value-one; theme=dark; t="value-two"`, "value-one", "value-two"}},
		"signature": {func(v *secret.Values) {
			v.Field("AWS4-HMAC-SHA256 Credential=AKIA1/2026/us, SignedHeaders=host;x-amz-date, Signature=abcdef")
		}, []string{"Credential=AKIA1/2026/us, SignedHeaders=host;x-amz-date, Signature=abcdef", "AKIA1/2026/us", "abcdef"}},
		"short":       {func(v *secret.Values) { v.Field("Bearer abc") }, nil},
		"placeholder": {func(v *secret.Values) { v.Field("Bearer ollama"); v.Field("EMPTY") }, nil},
		"url":         {func(v *secret.Values) { v.URL(u) }, []string{"the-user:the-password", "the-password", "the-user", "a%2fkey%20x", "a/key x", "func-code", "short"}},
		"no url":      {func(v *secret.Values) { v.URL(nil) }, nil},
		"tab":         {func(v *secret.Values) { v.Field("Bearer\tthe-key") }, []string{"the-key"}},
		"no padding": {func(v *secret.Values) {
			v.Field("Basic " + base64.RawURLEncoding.EncodeToString([]byte("u??>>:the-key")))
		}, []string{base64.RawURLEncoding.EncodeToString([]byte("u??>>:the-key")), "u??>>:the-key", "the-key", "u??>>"}},
		"no scheme": {func(v *secret.Values) { v.Field(base64.StdEncoding.EncodeToString([]byte("{the-key}"))) }, []string{base64.StdEncoding.EncodeToString([]byte("{the-key}")), "{the-key}"}},
		"other header": {func(v *secret.Values) {
			v.Header(http.Header{"X-Upstream": {"Bearer 0123456789abcdef", "Bearer of news"}})
		}, []string{"0123456789abcdef"}},
		"semicolon": {func(v *secret.Values) { v.URL(&url.URL{RawQuery: "a=b;api_key=the-key;c"}) }, []string{"the-key"}},
		"header": {func(v *secret.Values) {
			v.Header(http.Header{"Helicone-Auth": {"one-of-two", "two-of-two"}, "Accept": {"text/html"}})
		}, []string{"one-of-two", "two-of-two"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got secret.Values
			c.add(&got)
			if diff := cmp.Diff(c.want, []string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInText(t *testing.T) {
	const key = "0123456789abcdef"
	for text, want := range map[string][]string{
		"Bearer " + key:                        {"Bearer " + key},
		"API_KEY=" + key:                       {key},
		"--token=" + key:                       {key},
		`X-Api-Key: "` + key + `"`:             {key},
		"Authorization: Bearer " + key:         {"Bearer " + key},
		"Server=h;User=u;Pwd=" + key + "; a=b": {key},
		"api_key=" + key + ";token=" + key:     {key, key},
		"Basic authentication":                 nil,
		"the key: " + key:                      nil,
		"key: value":                           nil,
		"token: a text about tokens":           nil,
		"tokens=" + key:                        nil,
		"https://h.test/" + key:                nil,
		"":                                     nil,
	} {
		if diff := cmp.Diff(want, secret.InText(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestCleanURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://h.test/sse?api_key=abc&x=1":        "https://h.test/sse?api_key=[key]&x=1",
		"https://h.test/sse?x=1&access%5ftoken=a#t": "https://h.test/sse?x=1&access%5ftoken=[key]#t",
		"https://user:pass@h.test/a@b?q=c@d":        "https://[key]@h.test/a@b?q=c@d",
		"https://k@h.test":                          "https://[key]@h.test",
		"https://h.test/#access_token=abc":          "https://h.test/#access_token=[key]",
		"https://h.test/?code=abc&code=&sig=d%zz":   "https://h.test/?code=[key]&code=&sig=[key]",
		"see https://h.test/?key=abc":               "see https://h.test/?key=abc",
		"no url ?key=abc":                           "no url ?key=abc",
		"":                                          "",
		"https://":                                  "https://",
	} {
		if got := secret.CleanURL(text, mark); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// ways write a text in other ways, each by the standard library.
var ways = map[string]func(string) string{
	"plain": func(s string) string { return s },
	"query": url.QueryEscape,
	"path":  url.PathEscape,
	"lower hex": func(s string) string {
		return strings.NewReplacer("%2F", "%2f", "%2B", "%2b", "%3D", "%3d").Replace(url.QueryEscape(s))
	},
	"all percent":  func(s string) string { return percent(s, "%%%02X") },
	"upper case":   strings.ToUpper,
	"title":        strings.Title, //nolint:staticcheck // another case
	"base64":       func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url":    func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 at 1":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte("u" + s + "more")) },
	"base64 at 2":  func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte("u:" + s + "x")) },
	"basic":        func(s string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + s)) },
	"hex":          func(s string) string { return hex.EncodeToString([]byte(s)) },
	"json":         func(s string) string { b, _ := json.Marshal(s); return strings.Trim(string(b), `"`) },
	"php":          func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"unicode":      func(s string) string { return percent(s, `\u%04x`) },
	"go":           func(s string) string { return strings.Trim(fmt.Sprintf("%+q", s), `"`) },
	"bytes":        func(s string) string { return percent(s, `\x%02x`) },
	"octal":        func(s string) string { return percent(s, `\%03o`) },
	"html":         html.EscapeString,
	"html decimal": func(s string) string { return percent(s, "&#%d;") },
	"html hex":     func(s string) string { return percent(s, "&#x%X;") },
	"html names": func(s string) string {
		return strings.NewReplacer("+", "&plus;", "/", "&sol;", "=", "&equals;").Replace(s)
	},
	"wrapped":    func(s string) string { return wrap(s, "\n") },
	"mime":       func(s string) string { return wrap(s, "\r\n\t") },
	"json lines": func(s string) string { return wrap(s, `\n`) },
}

func percent(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func wrap(s, with string) string {
	return s[:len(s)/3] + with + s[len(s)/3:2*len(s)/3] + with + s[2*len(s)/3:]
}

// TestWays hides a key in each way, and in two ways one over the other: any over
// any, but that base64 and hexadecimal are found of the key alone.
func TestWays(t *testing.T) {
	const key = "sk-EXAMPLE/4c+9Zq8812==77ab"
	m := secret.NewMatcher([]string{key})
	encodes := func(name string) bool { return strings.HasPrefix(name, "base64") || name == "basic" || name == "hex" }
	cases := func(name string) bool { return name == "upper case" || name == "title" }
	for first, a := range ways {
		for second, b := range ways {
			if encodes(second) && first != "plain" {
				continue
			}
			// An escape that is broken by another is none.
			if second == "json lines" && first == second || cases(second) && first == "octal" {
				continue
			}
			written := b(a(key))
			text := "bad key <" + written + "> was sent"
			got := m.Hide(text, mark)
			// Padding of base64 may be left, and where it is wrapped what stood
			// around the key.
			if !strings.HasPrefix(got, "bad key <") || !strings.HasSuffix(got, "> was sent") || len(got) > len("bad key <[key]> was sent")+12 || strings.Count(got, mark) != 1 {
				t.Errorf("%s, then %s: %q is %q", first, second, text, got)
			}
		}
	}
}

// TestHide shows what is hidden and what is not.
func TestHide(t *testing.T) {
	m := secret.NewMatcher([]string{"sk-long/key+0123456789", "abc12", "sp ace-key"})
	for text, want := range map[string]string{
		"no key":                   "no key",
		"":                         "",
		"sk-long/key+0123456789":   mark,
		"xsk-long/key+0123456789x": "x" + mark + "x",
		"sk-long/key+0123456789, again sk-long/key+0123456789.": mark + ", again " + mark + ".",
		"sk-long/key+0123…":                  mark + "…", // quoted in part
		"sk-long/key+****6789":               mark + "****6789",
		"sk-long/k***":                       "sk-long/k***", // masked by whoever wrote it
		"abc12":                              mark,
		"is 'abc12' right":                   "is '" + mark + "' right",
		"xabc12":                             "xabc12", // short ones are parts of words
		"abc123":                             "abc123",
		"ABC12!":                             mark + "!",
		"a b c 1 2":                          mark,
		"sp+ace-key sp%20ace-key sp ace-key": mark + " " + mark + " " + mark,
		"sk-long/key 0123456789":             mark,
		"100% of sk-long%2Fkey%2b0123456789": "100% of " + mark,
		`{\"k\":\"sk-long\\\/key\\u002b0123456789\"}`: `{\"k\":\"` + mark + `\"}`,
		"sk-long%252Fkey%252B0123456789":              mark,
		"\xff\xfesk-long/key+0123456789\xff":          "\xff\xfe" + mark + "\xff",
		"sk-long%/key%zz+\\&;":                        "sk-long%/key%zz+\\&;",
	} {
		if got := m.Hide(text, mark); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"the key sk-l":             "the key " + mark,
		"the key sk-long/key+0123": "the key " + mark,
		"the key sk-long%2":        "the key " + mark,
		`the key sk-long\u00`:      "the key " + mark,
		"the key sk-long&#4":       "the key " + mark,
		"the key sk-":              "the key sk-",
		"the key":                  "the key",
	} {
		if got := m.HideCut(text, mark); got != want {
			t.Errorf("%q that was cut is %q, want %q", text, got, want)
		}
	}
	var none *secret.Matcher
	if got := none.Hide("text", mark); got != "text" {
		t.Error(got)
	}
	if got := secret.NewMatcher(nil).HideCut("text", mark); got != "text" {
		t.Error(got)
	}
}

// TestLeast finds credentials in the shortest texts that may hold them, and in none
// that is shorter.
func TestLeast(t *testing.T) {
	for text, value := range map[string]string{
		"sk-0123456789": "sk-0123456789",
		"sk-012345678":  "sk-0123456789abcdef", // so much of the beginning is enough
		"7-dog":         "7-dog",
	} {
		m := secret.NewMatcher([]string{value})
		if !m.In(text) {
			t.Errorf("%q is not found in %q", value, text)
		}
		if m.Least() > len(text) {
			t.Errorf("%q takes %d bytes, Least says %d", value, len(text), m.Least())
		}
		if short := strings.Repeat("a", m.Least()-1); m.In(short) {
			t.Errorf("%q is found in %q", value, short)
		}
	}
	if n := (*secret.Matcher)(nil).Least(); n != 0 {
		t.Errorf("a nil Matcher says %d", n)
	}
}

// TestHideAnything holds that no key is left in a text, whatever stands around it
// and however it is written, and that nothing else is changed.
func TestHideAnything(t *testing.T) {
	names := make([]string, 0, len(ways))
	for name := range ways {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[A-Za-z0-9+/=_.~%&-]{12,60}`).Draw(t, "key")
		other := rapid.StringMatching(`[a-z]{20}`).Draw(t, "other")
		before := rapid.StringMatching(`[ -~]{0,40}`).Draw(t, "before") + "<"
		after := ">" + rapid.StringMatching(`[ -~]{0,40}`).Draw(t, "after")
		way := rapid.SampledFrom(names).Draw(t, "way")
		written := ways[way](key)
		m := secret.NewMatcher([]string{other, key})
		got := m.Hide(before+written+after, mark)
		if strings.Contains(got, written) || strings.Contains(got, key) {
			t.Fatalf("%q is left in %q", written, got)
		}
		for i := 0; i+seed <= len(written); i++ {
			if piece := written[i : i+seed]; strings.Contains(got, piece) && !strings.Contains(before+after, piece) {
				t.Fatalf("%q of %q is left in %q", piece, written, got)
			}
		}
		plain := before + after
		if strings.Contains(strings.ToLower(plain), strings.ToLower(key[:12])) {
			return
		}
		if s := m.Hide(plain, mark); s != plain {
			t.Fatalf("%q became %q", plain, s)
		}
	})
}

const seed = 12

// TestHideParts holds that what a server quotes of a key from anywhere in it is
// hidden, and what it ends with.
func TestHideParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[A-Za-z0-9+/=_.:{}"-]{24,200}`).Draw(t, "key")
		m := secret.NewMatcher([]string{key})
		size := rapid.IntRange(2*seed-1, len(key)).Draw(t, "size")
		from := rapid.IntRange(0, len(key)-size).Draw(t, "from")
		for _, part := range []string{key[from : from+size], key[len(key)-rapid.IntRange(seed, len(key)).Draw(t, "end"):]} {
			if got := m.Hide("no such key as <"+part+"> here", mark); got != "no such key as <"+mark+"> here" {
				t.Fatalf("of %q: %q", part, got)
			}
		}
	})
}

func FuzzHide(f *testing.F) {
	f.Add("bad key sk-long%2Fkey", "sk-long/key", false)
	f.Add(`\u00e9 &amp; %41`, "%41&amp;", true)
	f.Fuzz(func(t *testing.T, text, key string, cut bool) {
		m := secret.NewMatcher([]string{key})
		got := m.Hide(text, mark)
		if cut {
			got = m.HideCut(text, mark)
		}
		if len(key) >= 8 && !strings.ContainsAny(key, "[]") && strings.TrimSpace(key) == key && strings.Contains(got, key) {
			t.Errorf("%q is left of %q in %q", key, text, got)
		}
	})
}

// TestHideCost holds that a text costs what its length does, however many escapes
// are in it and however often it seems to begin a key.
func TestHideCost(t *testing.T) {
	m := secret.NewMatcher([]string{strings.Repeat("a", 64), "sk-long/key+0123456789"})
	for _, piece := range []string{"%25", `\\`, "&amp;", "a", "aaaaaaaaaaab", " ", "sk-long/key", "%2525252541"} {
		cost := func(n int) uint64 {
			text := strings.Repeat(piece, n/len(piece))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			m.HideCut(text, mark)
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		if a, b := cost(64<<10), cost(256<<10); b > 6*a {
			t.Errorf("%q: %d bytes for 64 KB, %d for 256 KB", piece, a, b)
		}
	}
}
