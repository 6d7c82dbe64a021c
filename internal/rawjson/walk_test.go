package rawjson_test

import (
	"encoding/json"
	"testing"

	"github.com/sessionspan/sessionspan/internal/rawjson"
)

// FuzzWalk walks any text. Of canonical JSON the walk gives all parts; of anything
// else it ends.
func FuzzWalk(f *testing.F) {
	for _, text := range []string{
		``, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a\`, `{"\"`, `{}`, `{"a":{"b":[1,2]},"c":"d"}`, `{1:2}`, `{,}`, `{]`, `{"a":}}`,
		`[`, `[1`, `[1,`, `["`, `["\`, `[]`, `[[],{},"",null]`, `[}]`, `[,]`, `"`, `"\`, `"\u12"`, `{"aaaaaaaaaaaaaaaa`, `[:`, `[,,,`, `{"a":,"b"`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, bytes := 0, 0
		for k, v := range rawjson.Members(text) {
			n, bytes = n+1, bytes+len(v)
			_ = k
		}
		for v := range rawjson.Elements(text) {
			n, bytes = n+1, bytes+len(v)
		}
		if bytes > len(text) || n > len(text) {
			t.Errorf("%q: %d parts of %d bytes", text, n, bytes)
		}
		_, _ = rawjson.Get(text, "a")
		_, _ = rawjson.Unquote(text), rawjson.Deeper(text, 2)
		canonical, err := rawjson.Parse(text)
		if err != nil || canonical != text {
			return
		}
		var list []json.RawMessage
		if rawjson.KindOf(text) == rawjson.Array && json.Unmarshal([]byte(text), &list) == nil && len(list) != n {
			t.Errorf("%q: %d parts, want %d", text, n, len(list))
		}
	})
}
